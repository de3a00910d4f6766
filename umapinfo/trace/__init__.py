"""The trace of a run: what to record, recording it in memory or on disk, and reading it back."""

from umapinfo.trace.again import replay, resume
from umapinfo.trace.observers import Observer
from umapinfo.trace.opening import open_trace
from umapinfo.trace.record import run
from umapinfo.trace.recording import Recording
from umapinfo.trace.tree import curve_of, descent_of, graph_of

__all__ = [
    "Observer",
    "Recording",
    "curve_of",
    "descent_of",
    "graph_of",
    "open_trace",
    "replay",
    "resume",
    "run",
]
