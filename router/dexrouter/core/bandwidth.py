"""Recent rate of a byte stream, as peerStats shows it (spec 02 §10).

The stream is counted elsewhere; here is noted how far the count was when each slot of time began. So a packet
costs one comparison, `now >= rate.until`, and a call only where a slot ends.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Bandwidth"]

_SLOTS: Final = 8
_SLOT_SECONDS: Final = 0.128


class Bandwidth:
    """A ring of 8 slots of 128 ms: what passed in the last 1.024 s."""

    __slots__ = ("_slot", "_totals", "until")

    def __init__(self) -> None:
        self._totals = [0] * _SLOTS
        """The count when each slot began."""
        self._slot = 0
        self.until = 0.0
        """End of the present slot (seconds): `turn` must be called before anything later is counted."""

    def turn(self, total: int, now: float) -> None:
        """Begin the slot of `now`; `total` is the count before what passes now."""
        slot = int(now / _SLOT_SECONDS)
        for index in range(max(self._slot, slot - _SLOTS) + 1, slot + 1):
            self._totals[index % _SLOTS] = total
        self._slot = slot
        self.until = (slot + 1) * _SLOT_SECONDS

    def kbps(self, total: int, now: float) -> int:
        """Kilobits per second over the last 1.024 s, with the count as it is now."""
        self.turn(total, now)
        return total - self._totals[(self._slot + 1) % _SLOTS] >> 7
