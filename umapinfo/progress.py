"""How far a long computation is, shown where it takes long enough to wonder."""

import sys
import warnings
from types import TracebackType
from typing import Any


class Progress:
    """A bar for each stage of a computation, with the time left; give it wherever ``report`` is asked for.

    The computation calls ``report(stage, done, total)`` as often as it likes. A stage that is over within
    `delay` seconds shows nothing; a bar vanishes when its stage is done or the next begins. Where the
    computation may stop half-way, ``with Progress() as report: ...`` takes the last bar away.

    Parameters
    ----------
    shown : bool
        False: nothing is shown at all.
    delay : float
        Seconds before a stage's bar appears. With too short a delay bars flicker through short stages.
    """

    def __init__(self, shown: bool = True, *, delay: float = 2.0) -> None:
        self._shown = shown
        self._delay = delay
        self._bar: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report that `done` of `total` steps of a stage are done.

        Parameters
        ----------
        stage : str
            What is being computed, in a word or two.
        done, total : int
            Steps done so far, and steps of the whole stage.
        """
        if not self._shown:
            return
        bar = self._bar
        if bar is not None and total > bar.total and bar.desc == stage:
            bar.total = total  # more to do than was known
        if bar is None or bar.desc != stage or bar.total != total or done < bar.n:
            self.close()
            # In a log every line of a bar stays: one in ten seconds is enough there.
            interval = 0.1 if sys.stderr.isatty() else 10.0
            bar = self._bar = _bar(total=total, leave=False, delay=self._delay, mininterval=interval)
            bar.set_description_str(stage, refresh=False)
        bar.update(done - bar.n)
        if done >= total:
            self.close()

    def close(self) -> None:
        """Take the bar away, if there is one."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _bar(**options: Any) -> Any:
    """A bar of tqdm, which is imported where there is one to show."""
    with warnings.catch_warnings():
        # In a notebook without ipywidgets tqdm warns, and falls back to a bar of text, which is good enough.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    return tqdm(**options)
