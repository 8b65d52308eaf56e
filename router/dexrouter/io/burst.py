"""How much a reader takes before other descriptors have their turn.

One piece after a rest: it goes on its way before it is asked whether there is another. While there is always
something, twice as much as the time before, up to a bound; so a busy node is not woken for each packet.
"""

from __future__ import annotations

from time import monotonic
from typing import Final

__all__ = ["MOST", "Burst"]

MOST: Final = 64
_REST: Final = 0.001
"""Seconds without anything to read."""


class Burst:
    """The bound of one descriptor."""

    __slots__ = ("_last", "_size")

    def __init__(self) -> None:
        self._size = 1
        self._last = 0.0

    def next(self) -> int:
        """Give how many reads may be made now."""
        now = monotonic()
        self._size = min(self._size * 2, MOST) if now - self._last < _REST else 1
        self._last = now
        return self._size
