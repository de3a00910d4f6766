"""The trace of a run: what to record, recording it, and reading it back."""

from umapinfo.trace.observers import Observer
from umapinfo.trace.record import Recording, replay, run
from umapinfo.trace.tree import curve_of, descent_of, graph_of

__all__ = ["Observer", "Recording", "curve_of", "descent_of", "graph_of", "replay", "run"]
