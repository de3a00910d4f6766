"""Threads of Python, for kernels that let go of its lock; bits never depend on them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numba

PART = 50_000  # places a thread takes at a time: some milliseconds


def in_parts(work: Callable[[int, int], None], n: int, part: int = PART) -> None:
    """Do a kernel's work(start, stop) on n places, of more than `part` in as many threads as numba has.

    Each place is written by one call, so that bits do not depend on the threads.  Few places start none, which is
    safe after a fork.
    """
    if n <= part:
        return work(0, n)
    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        list(pool.map(lambda start: work(start, min(start + part, n)), range(0, n, part)))


def one_ahead(work: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
    """work(item) of each item in turn; the next one is under way in another thread, where there is one to take."""
    if len(items) == 1 or numba.get_num_threads() == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(1) as pool:
        coming: Future[Any] | None = None
        for item in items:
            done, coming = coming, pool.submit(work, item)
            if done is not None:
                yield done.result()
        if coming is not None:
            yield coming.result()
