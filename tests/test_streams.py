"""Random streams: umap-learn's to the bit, and counter draws as even and independent as chance."""

import numpy as np
import pytest
import reference as ref
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import chisquare

from umapinfo.core.streams import (
    counter_draw,
    epoch_key,
    initial_streams,
    mix,
    tausworthe_draw,
    tausworthe_states,
    word_of,
)

STEP = 0x9E3779B97F4A7C15  # of SplitMix64: 2^64 over the golden ratio
WORD = 2**64
INDICES = ("seed", "epoch", "entry", "i")
START = {"seed": 7, "epoch": 3, "entry": 12, "i": 0}  # where the sequences of draws below begin

# Draws are fixed numbers, so a p-value is one, too. With some 25 of them chance would leave these bounds in one
# law of 20,000; draws that are uneven, or too even, leave them by far.
LIKELY = 1e-6


# ---- umap-learn's streams ------------------------------------------------------------------------


def test_tausworthe_streams__are_umap_learns_to_the_bit(golden):
    arrays = golden("streams")
    states = tausworthe_states(arrays["Y"], arrays["rng_state"])
    np.testing.assert_array_equal(states, arrays["states"])
    # Modulo 2^32 a vertex says all 32 bits of the draw.
    draws = [[tausworthe_draw(state, 2**32) for _ in row] for state, row in zip(states, arrays["draws"], strict=True)]
    np.testing.assert_array_equal(draws, arrays["draws"].astype(np.int64) % 2**32)
    np.testing.assert_array_equal(states, arrays["states_after"])


@given(
    words=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3),
    n=st.integers(1, 2**31),
)
@example(words=[0, 0, 0], n=1)
def test_tausworthe_draw__equals_the_twin_from_any_state(words, n):
    state = np.array(words, dtype=np.int64)
    for _ in range(5):
        assert tausworthe_draw(state, n) == ref.tausworthe(words) % n
    assert state.tolist() == words


def test_initial_streams__take_a_seed_to_umap_learns_integers(golden):
    run = golden("run")  # made with RandomState(3), of which a start that is an array draws nothing else
    expected = tausworthe_states(run["start"], run["rng_state"])
    np.testing.assert_array_equal(initial_streams("umap", 3, run["start"]), expected)
    assert initial_streams("counter", 3, run["start"]).shape == (0, 3)


# ---- counter draws -------------------------------------------------------------------------------


def key_of(seed, epoch):
    return np.uint64(epoch_key(np.uint64(seed), epoch))  # kernels hand uint64 to Python as an int


def vertex(seed, epoch, entry, i, n):
    return counter_draw(key_of(seed, epoch), entry, i, n)


def splitmix(z):
    """The finaliser of SplitMix64 in Python's integers."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % WORD
    return z ^ (z >> 31)


def key_before(z, entry, i):
    """The key with which word i of an entry is z: `splitmix` backwards, step by step."""
    z ^= (z >> 31) ^ (z >> 62)
    z = z * pow(0x94D049BB133111EB, -1, WORD) % WORD
    z ^= (z >> 27) ^ (z >> 54)
    z = z * pow(0xBF58476D1CE4E5B9, -1, WORD) % WORD
    z ^= (z >> 30) ^ (z >> 60)
    return np.uint64((z - ((entry << 20) + i + 1) * STEP) % WORD)


def test_mix__gives_the_published_numbers_of_splitmix64():
    # The first five outputs from seed 1234567, as found in many descriptions of the generator.
    outputs = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    assert [int(mix(np.uint64((1234567 + step * STEP) % WORD))) for step in range(1, 6)] == outputs


@given(
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(1, 2**31),
    entry=st.integers(0, 2**31 - 1),
    i=st.integers(0, 2**20 - 1),
    n=st.integers(1, 2**31),
)
@example(seed=2**32 - 1, epoch=2**31, entry=2**31 - 1, i=2**20 - 1, n=2**31)
def test_counter_draw__is_the_stated_function_of_seed_epoch_entry_and_draw(seed, epoch, entry, i, n):
    key = splitmix((splitmix((seed + STEP) % WORD) + epoch * STEP) % WORD)
    word = splitmix((key + ((entry << 20) + i // 2 + 1) * STEP) % WORD)
    half = word >> 32 if i % 2 == 1 else word % 2**32
    expected = half * n >> 32
    assert word_of(key_of(seed, epoch), entry, i // 2) == word
    assert vertex(seed, epoch, entry, i, n) == expected
    assert 0 <= expected < n


@pytest.mark.parametrize("n", [1, 2, 3, 1000, 2**31 - 1, 2**31])
def test_counter_draw__at_the_ends_of_the_unit_interval_is_the_first_and_the_last_vertex(n):
    assert word_of(key_before(12345, 5, 2), 5, 2) == 12345

    def pair(word):
        """The two vertices of a word."""
        return [counter_draw(key_before(word, 5, 2), 5, i, n) for i in (4, 5)]

    assert pair(0) == [0, 0]
    assert pair(WORD - 1) == [n - 1, n - 1]
    assert pair(2**32 - 1) == [n - 1, 0]
    assert pair(WORD - 2**32) == [0, n - 1]


def test_counter_draw__has_these_bits():
    # Part of the LAW: whoever changes these numbers raises umapinfo.core.LAW.
    places = [(0, 1, 0, 0), (0, 2, 0, 0), (0, 2, 0, 1), (0, 2, 1, 0), (1, 2, 0, 0), (2**32 - 1, 500, 16523, 9)]
    bits = [478043976, 172717328, 394792945, 829128463, 207010830, 1995836986]
    assert [vertex(*place, 2**31) for place in places] == bits, "bits changed: raise LAW"
    assert [vertex(*place, 1000) for place in places] == [222, 80, 183, 386, 96, 929], "bits changed: raise LAW"


def sequence(along, length, n, start=START):
    """Vertices drawn as one of seed, epoch, entry and i runs on and the others stand still."""
    places = [{**start, along: start[along] + step} for step in range(length)]
    return np.array([vertex(**place, n=n) for place in places])


@pytest.mark.parametrize("along", INDICES)
@pytest.mark.parametrize("n", [2, 97, 1024])
def test_counter_draws__are_even_over_vertices_along_each_index(along, n):
    drawn = np.bincount(sequence(along, 30 * n if n > 2 else 20_000, n), minlength=n)
    p = chisquare(drawn).pvalue
    assert LIKELY < p < 1 - LIKELY


@pytest.mark.parametrize("along", INDICES)
@pytest.mark.parametrize("lag", [1, 2])
def test_counter_draws__that_follow_one_another_are_independent(along, lag):
    n = 16
    drawn = sequence(along, 12_000, n)
    pairs = np.bincount((n * drawn[:-lag] + drawn[lag:])[:: lag + 1], minlength=n * n)
    p = chisquare(pairs).pvalue
    assert LIKELY < p < 1 - LIKELY


def test_counter_draws__of_neighbouring_seeds_epochs_and_entries_are_independent_of_each_other():
    n = 16
    base = sequence("i", 10_000, n)
    for along in ("seed", "epoch", "entry"):
        other = sequence("i", 10_000, n, {**START, along: START[along] + 1})
        p = chisquare(np.bincount(n * base + other, minlength=n * n)).pvalue
        assert LIKELY < p < 1 - LIKELY, along


def test_the_two_draws_of_a_word__are_independent_of_each_other():
    # Draws 2 j and 2 j + 1, of one entry and of the first word of many.
    n, key = 16, key_of(3, 9)
    along_i = sequence("i", 24_000, n)
    first = np.array([[counter_draw(key, entry, i, n) for i in (0, 1)] for entry in range(12_000)])
    for low, high in [(along_i[::2], along_i[1::2]), first.T]:
        p = chisquare(np.bincount(n * low + high, minlength=n * n)).pvalue
        assert LIKELY < p < 1 - LIKELY


def test_counter_draws__of_an_epoch_cover_all_vertices_evenly():
    # As the descent draws: 2,000 entries with 5 negative samples each.
    key, n = key_of(0, 100), 1000
    drawn = np.array([counter_draw(key, entry, i, n) for entry in range(2000) for i in range(5)])
    counts = np.bincount(drawn, minlength=n)
    assert LIKELY < chisquare(counts).pvalue < 1 - LIKELY
    assert len(np.unique(drawn)) == n  # of 10 expected each, none is missed but by 5e-5 a vertex


def test_first_draws__of_umap_learns_streams_coincide_and_of_counters_do_not():
    # Why "counter" is the default: a vertex's first draw reads few of the bits that the start gives its stream.
    n = 1000
    Y0 = ref.rescaled(np.random.default_rng(0).normal(size=(n, 2)))
    streams = initial_streams("umap", 0, Y0)
    umap_learns = len({int(tausworthe_draw(state, n)) for state in streams})
    counter = len({int(vertex(0, 2, entry, 0, n)) for entry in range(n)})
    chance = n * (1 - np.exp(-1))  # distinct of n draws from n; standard deviation about 0.31 sqrt(n) = 10
    assert abs(counter - chance) < 50
    assert umap_learns < chance - 100


@given(
    places=st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=2, max_size=8),
    integers=st.lists(st.integers(-(2**31) + 1, 2**31 - 3), min_size=3, max_size=3),
)
def test_first_words_of_umap_learns_streams__agree_in_their_lowest_four_bits(places, integers):
    # The bits of a float32 as float64 end in 29 zeros; the largest right shift of the generator, 25, leaves four.  So
    # the first draws reach n / gcd(n, 16) vertices alone.
    states = tausworthe_states(np.array(places, np.float32)[:, None], np.array(integers))
    assert len({int(tausworthe_draw(state, 2**32)) % 16 for state in states}) == 1
