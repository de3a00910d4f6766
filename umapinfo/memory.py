"""How much memory there is, and the refusal of what is forecast to take more.

A forecast says, stage by stage, how many bytes a computation takes at most beside what the process holds already.  Free
is what the operating system calls available, or less where a control group of the process (a container's, a batch
job's) has a limit: that, less what the group uses and could not give back.

The variable UMAPINFO_MEMORY, in MB of 10^6 bytes, stands in place of what is found to be free: less of it on a shared
machine, or inf, to go on regardless.
"""

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

VARIABLE = "UMAPINFO_MEMORY"
MEMBERSHIP = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")
# Of a group of version 2 and 1: limit, bytes used, and the line of memory.stat with what of them is a cache of files
FILES = {
    2: ("memory.max", "memory.current", "inactive_file"),
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


class Stage(NamedTuple):
    """What a stage of a computation takes at most, in bytes, and how it would take less ("lower n_neighbors")."""

    n_bytes: float
    remedy: str


def check_memory(stages: Mapping[str, Stage]) -> None:
    """MemoryError, with the whole forecast, where a stage takes more than is free.

    Parameters
    ----------
    stages : mapping of str to Stage
        By name, in order of their course.

    Raises
    ------
    MemoryError
    ValueError
        UMAPINFO_MEMORY is no number of MB.
    """
    free = free_bytes()
    too_large = [stage for stage in stages.values() if stage.n_bytes > free]
    if not too_large:
        return
    parts = ", ".join(f"{name} {in_mb(stage.n_bytes)}" for name, stage in stages.items())
    remedies = "; ".join(dict.fromkeys(stage.remedy for stage in too_large))
    raise MemoryError(
        f"memory: expected {in_mb(peak(stages))} MB to be free ({parts}), got {in_mb(free)} MB; {remedies}, or set "
        f"{VARIABLE} to the MB that may be taken, or to inf"
    )


def peak(stages: Mapping[str, Stage]) -> float:
    """Bytes of the stage that takes most."""
    return max(stage.n_bytes for stage in stages.values())


def in_mb(n_bytes: float) -> str:
    """Bytes as a whole number of MB of 10^6."""
    return f"{n_bytes / 1e6:,.0f}"


def free_bytes() -> float:
    """How many bytes the process can take: what UMAPINFO_MEMORY says, or else the system and the control groups."""
    told = os.environ.get(VARIABLE)
    if not told:
        return min([psutil.virtual_memory().available, *groups_free()])
    try:
        megabytes = float(told)
    except ValueError:
        megabytes = math.nan
    if not megabytes >= 0:
        raise ValueError(f"{VARIABLE}: expected a number of MB, 16000 say, or inf, got {told!r}")
    return megabytes * 1e6


def groups_free() -> Iterator[int]:
    """What the limits of the control groups leave: of those that the process is in, and of those above them."""
    try:
        lines = MEMBERSHIP.read_text().splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root, version = (GROUPS / "memory", 1) if controllers else (GROUPS, 2)
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            yield from _group_free(folder, *FILES[version])
            if folder == root:
                break


def _group_free(folder: Path, limit: str, used: str, cached: str) -> Iterator[int]:
    """What a control group's limit leaves, or nothing where it has none."""
    try:
        most, now = ((folder / name).read_text().strip() for name in (limit, used))
    except OSError:  # no such group to be seen from here, or the root of all
        return
    caches = []
    with suppress(OSError):
        lines = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
        caches = [int(value) for name, value in lines if name == cached]
    if most != "max":
        yield max(int(most) - int(now) + sum(caches), 0)
