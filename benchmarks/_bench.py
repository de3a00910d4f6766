"""What the benchmarks share: the machine's name, and the file of results."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from umapinfo.plot import write_numbers
from umapinfo.trace.tree import environment

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """Processor, cores and versions."""
    cpuinfo = Path("/proc/cpuinfo")
    names = (
        [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")] if cpuinfo.exists() else []
    )
    model = names[0].split(":")[1].strip() if names else platform.processor()
    return {**environment(), "cpu": model, "cores": os.cpu_count()}


def write(name: str, results: Mapping[str, Any]) -> None:
    """Write results, with the machine beside them, to benchmarks/results/<name>.json."""
    write_numbers(RESULTS / f"{name}.json", {"machine": machine(), **results})
