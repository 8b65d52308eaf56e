"""How much a reader takes before other descriptors have their turn.

One piece after a rest: it goes on its way before it is asked whether there is another. While there is always
something, twice as much as the time before, up to a bound; so a busy node is not woken for each packet.
"""

from __future__ import annotations

from typing import Final

__all__ = ["MOST", "REST", "Burst"]

MOST: Final = 64
REST: Final = 0.001
"""Seconds without anything to read."""


class Burst:
    """The bound of one descriptor."""

    __slots__ = ("last", "size")

    def __init__(self) -> None:
        self.size = 1
        self.last = 0.0
        """When it was asked. Who finds that long ago may do by himself what `next` does then."""

    def next(self, now: float) -> int:
        """Give how many reads may be made now."""
        self.size = min(self.size * 2, MOST) if now - self.last < REST else 1
        self.last = now
        return self.size
