"""Stopping a run politely: the first Ctrl-C or SIGTERM asks, the second insists."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


class Stop:
    """Whether, and by which signal, the run was asked to stop. Look once an iteration."""

    def __init__(self) -> None:
        self.signal: str | None = None
        """Such as `SIGTERM`; None as long as nobody asked."""

    @property
    def requested(self) -> bool:
        return self.signal is not None

    def __str__(self) -> str:
        return f"{self.signal}: stopping after this iteration; once more to stop at once" if self.requested else ""


@contextlib.contextmanager
def catch_signals(signals: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)) -> Iterator[Stop]:
    """While inside, the first signal sets the flag and any further one raises KeyboardInterrupt at once.

    Signals that the process was told to ignore (`nohup`, background jobs) stay ignored. Python lets only the main
    thread handle signals; in any other the flag never rises. The handlers from before are back on leaving.
    """
    stop = Stop()

    def on_signal(number: int, _: FrameType | None) -> None:
        # Nothing is printed here: the signal may come in the middle of somebody's print.
        if stop.requested:
            raise KeyboardInterrupt(signal.Signals(number).name)
        stop.signal = signal.Signals(number).name

    previous = {}
    try:
        for number in signals:
            if signal.getsignal(number) is not signal.SIG_IGN:
                with contextlib.suppress(ValueError):
                    previous[number] = signal.signal(number, on_signal)
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
