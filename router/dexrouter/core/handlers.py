"""Programs of this machine that see packets of one kind and send packets themselves (UpperDistributor).

A program registers a UDP port with a content type: from then on it gets a copy of each packet of that type,
coming and going, on its port at the mesh address, and may send packets of any type through `fc00::1`
(wire/route_header.py). What it sends is not copied back to it.

Bounds: `MOST` programs; a copy each. A program that was killed leaves its registration behind and may come
again with another port: where there is no more room, the oldest one for the same type gives way.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from dexrouter.wire.errors import WireError
from dexrouter.wire.route_header import Routed, from_program, to_program

__all__ = ["MOST", "Handlers"]

MOST: Final = 16


class Handlers:
    """Who sees what."""

    def __init__(self, own: bytes) -> None:
        """`own` is the mesh address, where the programs are."""
        self._own = own
        self.types_by_port: dict[int, int] = {}
        self.types: frozenset[int] = frozenset()
        """Content types that somebody sees."""
        self.drops: Counter[str] = Counter()

    def register(self, port: int, content_type: int) -> bool:
        """Let the program at a port see a type; False: too many see others."""
        if len(self.types_by_port) >= MOST:
            same = (known for known, seen in self.types_by_port.items() if seen == content_type)
            oldest = next(same, None)
            if oldest is None:
                return False
            del self.types_by_port[oldest]
        self.types_by_port[port] = content_type
        self.types = frozenset(self.types_by_port.values())
        return True

    def unregister(self, port: int) -> bool:
        """End it; False: there was none."""
        if self.types_by_port.pop(port, None) is None:
            return False
        self.types = frozenset(self.types_by_port.values())
        return True

    def copies(self, routed: Routed) -> list[bytes]:
        """Give the packets for the host that show it to those who want to see it."""
        ports = [port for port, seen in self.types_by_port.items() if seen == routed.content_type]
        try:
            return [to_program(self._own, port, routed) for port in ports]
        except WireError:
            self.drops["handlers.too_long"] += 1
            return []

    def sent(self, packet: bytes) -> Routed | None:
        """Read what a program wants sent; None: nothing of that kind, or from nobody who is registered."""
        try:
            port, routed = from_program(packet)
        except WireError:
            self.drops["handlers.malformed"] += 1
            return None
        if port not in self.types_by_port:
            self.drops["handlers.unregistered"] += 1
            return None
        return routed
