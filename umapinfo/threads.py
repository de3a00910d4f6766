"""Work on a range of places, cut into parts that threads take in turn."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba

PART = 50_000  # places a thread takes at a time: some milliseconds


def in_parts(work: Callable[[int, int], None], n: int) -> None:
    """Do a kernel's work(start, stop) on n places, of many in as many threads as numba has.

    Each place is written by one call, so that bits do not depend on the threads.  Few places start none, which is
    safe after a fork.
    """
    if n <= PART:
        return work(0, n)
    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        list(pool.map(lambda start: work(start, min(start + PART, n)), range(0, n, PART)))
