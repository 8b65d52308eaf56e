"""Packets of the host that wait for a path or for keys (spec 04 §7).

Bounds: 64 addresses, 4 packets each (the oldest gives way), 10 s. A packet for a 65th address is dropped.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from dexrouter.crypto.keys import Address

__all__ = ["HeldPackets"]

MAX_HELD_ADDRESSES: Final = 64
MAX_HELD_EACH: Final = 4
HOLD_FOR: Final = 10.0
"""Seconds after the last packet for an address."""


class HeldPackets:
    """Packets by destination: content type and content."""

    __slots__ = ("_drops", "by_address")

    def __init__(self, drops: Counter[str]) -> None:
        self.by_address: dict[Address, list[tuple[float, int, bytes]]] = {}
        self._drops = drops

    def __len__(self) -> int:
        return len(self.by_address)

    def __contains__(self, address: Address) -> bool:
        return address in self.by_address

    def hold(self, address: Address, content_type: int, content: bytes, now: float) -> None:
        """Keep a packet."""
        packets = self.by_address.get(address)
        if packets is None:
            if len(self.by_address) >= MAX_HELD_ADDRESSES:
                self._drops["session.hold_full"] += 1
                return
            self.by_address[address] = [(now, content_type, content)]
            return
        if len(packets) >= MAX_HELD_EACH:
            packets.pop(0)
            self._drops["session.held_replaced"] += 1
        packets.append((now, content_type, content))

    def take(self, address: Address) -> list[tuple[int, bytes]]:
        """Give the packets for an address, oldest first, and forget them."""
        return [(content_type, content) for _, content_type, content in self.by_address.pop(address, ())]

    def expire(self, now: float) -> None:
        """Drop what has waited too long."""
        for address, packets in tuple(self.by_address.items()):
            if now - packets[-1][0] > HOLD_FOR:
                self._drops["session.held_too_long"] += len(packets)
                del self.by_address[address]
