"""Signals that would end the process in the middle of a change: heard, and acted on where that is safe."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["heard_signals"]

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def heard_signals(react: Callable[[], None]) -> Iterator[None]:
    """Let ^C, SIGTERM and a closed terminal call this, in place of ending the process where it is."""
    former = {number: signal.signal(number, lambda *_: react()) for number in _NUMBERS}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
