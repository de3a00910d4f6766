"""Operations that Python has no word for: what is chosen without a branch, and what threads take from one count."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from umapinfo.core.bits import take_next, zero_where
from umapinfo.jit import jit, parallel_jit


@jit
def chosen(flags, x, out):
    for k in range(len(x)):
        out[k] = zero_where(flags[k], x[k])


@parallel_jit
def share_out(taken, takers):
    """Each of some turns takes numbers until there are none left, and marks them."""
    for turn in numba.prange(len(takers)):
        number = take_next(taken, np.uintp(1))
        while number < takers.shape[1]:
            takers[turn, number] += 1
            number = take_next(taken, np.uintp(1))


@given(st.lists(st.tuples(st.booleans(), st.floats(width=32)), max_size=40))
def test_zero_where__is_zero_where_the_flag_is_set_and_the_bits_of_x_elsewhere(pairs):
    flags, x = np.array([f for f, _ in pairs], bool), np.array([x for _, x in pairs], np.float32)
    out = np.ones_like(x)
    chosen(flags, x, out)
    np.testing.assert_array_equal(out.view(np.int32), np.where(flags, np.float32(0), x).view(np.int32))


@pytest.mark.parametrize("threads", range(1, numba.config.NUMBA_NUM_THREADS + 1))
def test_take_next__gives_every_number_once_to_any_number_of_threads(threads, n_threads):
    n_threads(threads)
    for _ in range(20):
        taken, takers = np.array([7, 0, 9]), np.zeros((8, 10_000), np.int64)
        share_out(taken, takers)
        np.testing.assert_array_equal(takers.sum(axis=0), 1)
        assert taken.tolist() == [7, 10_000 + 8, 9]  # each of the turns has asked once more
