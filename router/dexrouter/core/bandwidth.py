"""Recent rate of a byte stream, as peerStats shows it (spec 02 §10)."""

from __future__ import annotations

__all__ = ["Bandwidth"]

_SLOTS = 8
_SLOT_SECONDS = 0.128


class Bandwidth:
    """A ring of 8 slots of 128 ms: what passed in the last 1.024 s."""

    __slots__ = ("_bytes", "_slot")

    def __init__(self) -> None:
        self._bytes = [0] * _SLOTS
        self._slot = 0

    def add(self, count: int, now: float) -> None:
        """Count `count` bytes at time `now` (seconds)."""
        slot = int(now / _SLOT_SECONDS)
        if slot != self._slot:
            self._advance(slot)
        self._bytes[slot % _SLOTS] += count

    def kbps(self, now: float) -> int:
        """Kilobits per second over the last 1.024 s."""
        self._advance(int(now / _SLOT_SECONDS))
        return sum(self._bytes) >> 7

    def _advance(self, slot: int) -> None:
        passed = slot - self._slot
        if passed >= _SLOTS:
            self._bytes = [0] * _SLOTS
        else:
            for index in range(self._slot + 1, slot + 1):
                self._bytes[index % _SLOTS] = 0
        self._slot = slot
