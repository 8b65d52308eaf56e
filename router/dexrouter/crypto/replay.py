"""Which data packets have been seen (spec 01 §10).

A window of 64 counters from `base` up. Only authentic packets are asked about: a forged one must not move
the window. There is no handling of a counter that wraps, because the session starts over before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["WINDOW", "ReplayWindow"]

WINDOW: Final = 64
_HALF: Final = 32
_HALF_MASK: Final = 0xFFFF_FFFF
_KEPT: Final = 47
"""Where in the window a packet from far ahead is placed: so much is left for late ones."""


class ReplayWindow:
    """The counters seen so far, and how the others fared. One per session."""

    __slots__ = ("base", "bits", "duplicates", "lost", "out_of_range")

    def __init__(self) -> None:
        self.base = 0
        """Lowest counter of the window."""

        self.bits = 0
        """Bit i: counter `base + i` was seen."""

        self.duplicates = 0
        self.lost = 0
        self.out_of_range = 0
        """Packets from below the window."""

    def check(self, counter: int) -> bool:
        """Accept a counter once: False if it was seen before, or is too old to know."""
        offset = counter - self.base
        if offset < 0:
            self.out_of_range += 1
            return False
        if offset >= WINDOW:
            offset = self._advance(offset)
        bit = 1 << offset
        if self.bits & bit:
            self.duplicates += 1
            return False
        self.bits |= bit
        return True

    def check_run(self, counters: Sequence[int]) -> int:
        """Accept counters one by one until one is refused; gives how many were accepted."""
        if not counters:
            return 0
        first, count = counters[0], len(counters)
        if counters != list(range(first, first + count)):
            return self._check_each(counters, 0)
        accepted = 0
        while accepted < count:
            offset = first + accepted - self.base
            if not 0 <= offset < WINDOW:
                if not self.check(first + accepted):
                    return accepted
                accepted += 1
                continue
            some = min(count - accepted, WINDOW - offset)
            bits = (1 << some) - 1 << offset
            if self.bits & bits:
                return self._check_each(counters, accepted)
            self.bits |= bits
            accepted += some
        return count

    def restart(self, base: int) -> None:
        """Forget what was seen and begin at `base`; the counts stay (spec 01 §8 B4)."""
        self.base = base
        self.bits = 0

    def clear(self) -> None:
        """Forget everything, counts too: a new handshake."""
        self.restart(0)
        self.duplicates = self.lost = self.out_of_range = 0

    def _check_each(self, counters: Sequence[int], accepted: int) -> int:
        while accepted < len(counters) and self.check(counters[accepted]):
            accepted += 1
        return accepted

    def _advance(self, offset: int) -> int:
        """Move the window up until it holds the offset; the result is the offset in the moved window."""
        while offset >= WINDOW:
            if self.bits & _HALF_MASK == _HALF_MASK:
                shift = _HALF
            else:
                shift = offset - _KEPT
                left_behind = self.bits & ((1 << min(shift, WINDOW)) - 1)
                self.lost += shift - left_behind.bit_count()
            self.base += shift
            self.bits >>= shift
            offset -= shift
        return offset
