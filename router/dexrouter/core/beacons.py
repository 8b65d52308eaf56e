"""Beacons: this node announces itself on its interfaces, and hears others that do (spec 02 §4).

Here is which interface announces and when, and which of the announcements heard can be used; what follows
from one of these is in peering.py. Nothing in a beacon is signed.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from dexrouter import OLDEST_COMPATIBLE_VERSION, PROTOCOL_VERSION
from dexrouter.core.outputs import Beacon, Output
from dexrouter.core.peer import BeaconMode, Interface
from dexrouter.crypto.keys import PublicKey, is_node_key
from dexrouter.wire.beacon import Beacon as BeaconContent
from dexrouter.wire.errors import WireError

__all__ = ["LOCAL_PEERS", "Beacons"]

LOCAL_PEERS: Final = b"Local Peers"
"""Login of those who heard our beacon."""

_INTERVAL: Final = 32.768
"""Seconds between beacons (spec 02 §7)."""


class Beacons:
    """The beacons of all interfaces. Times are monotonic seconds."""

    __slots__ = ("_content", "_drops", "_interfaces", "_own", "deadline")

    def __init__(
        self,
        own: PublicKey,
        password: bytes,
        interfaces: list[Interface],
        drops: Counter[str],
        now: float,
    ) -> None:
        """`password`: 20 bytes, what those who hear us may connect with. List and counts are shared."""
        self._own = own
        self._content = BeaconContent(PROTOCOL_VERSION, password, own).encode()
        self._interfaces = interfaces
        self._drops = drops
        self.deadline = now
        """When `poll` wants to be called. Early calls are harmless."""

    def set_mode(self, interface: Interface, mode: BeaconMode, now: float) -> None:
        """Switch beacons; with SENDING the first one goes out at once."""
        interface.beacon_mode = mode
        interface.next_beacon = now if mode is BeaconMode.SENDING else None
        self.deadline = now

    def poll(self, now: float) -> list[Output]:
        """Give the announcements that are due."""
        due: list[Output] = []
        self.deadline = now + _INTERVAL
        for interface in self._interfaces:
            if interface.next_beacon is None:
                continue
            if now >= interface.next_beacon:
                interface.next_beacon = now + _INTERVAL
                due.append(Beacon(interface.number, self._content))
            self.deadline = min(self.deadline, interface.next_beacon)
        return due

    def heard(self, interface: Interface, content: bytes) -> BeaconContent | None:
        """Read the 56 bytes of a beacon; None if it cannot be used, the reason counted, or is our own."""
        if interface.beacon_mode is BeaconMode.DISABLED:
            self._drops["beacon.disabled"] += 1
            return None
        try:
            beacon = BeaconContent.parse(content)
        except WireError:
            self._drops["beacon.short"] += 1
            return None
        key = PublicKey(beacon.public_key)
        if key == self._own:
            return None
        if not is_node_key(key) or beacon.version < OLDEST_COMPATIBLE_VERSION:
            self._drops["beacon.unusable"] += 1
            return None
        return beacon
