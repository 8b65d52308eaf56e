"""One Ethernet device as a link: frames of ethertype fc00 in and out (spec 02 §3).

A packet socket in cooked mode: the kernel writes and takes off the Ethernet header, and says of each frame
whether it was broadcast. A device may come, go and come again: the link stays, and what is sent while there
is no device is lost and counted.
"""

from __future__ import annotations

import errno
import socket
from collections import Counter
from collections.abc import Sequence
from typing import Final

from dexrouter.core.links import LinkAddress, LinkKind
from dexrouter.core.outputs import Buffer, Train, singly
from dexrouter.io.burst import MOST
from dexrouter.wire.errors import WireError
from dexrouter.wire.ethernet import BROADCAST, ETHERTYPE, unwrap, wrap

__all__ = ["EthernetDevice", "NotEthernetError"]

MAX_FRAME: Final = 1498
"""Bytes behind the Ethernet header that are read (spec 02 §3)."""

_ARPHRD_ETHER: Final = 1
_PACKET_HOST: Final = 0
_PACKET_BROADCAST: Final = 1

Batch = tuple[LinkAddress, list[bytes]]
HeardBeacon = tuple[LinkAddress, bytes]
"""Who sent it, and its content."""


class NotEthernetError(OSError):
    """The device exists and is no Ethernet device."""

    def __init__(self, device: str) -> None:
        super().__init__(errno.EINVAL, f"{device} is not an Ethernet device")


class EthernetDevice:
    """A device by its name, open or waiting for the device to appear."""

    def __init__(self, device: str) -> None:
        self.kind = LinkKind.ETHERNET
        self.device = device
        self.index = 0
        """The kernel's number of the open device; 0: closed. A device that came again has another."""
        self.drops: Counter[str] = Counter()
        self._socket: socket.socket | None = None

    @property
    def name(self) -> str:
        """As cjdns tools show the interface: `ETH/eth0`."""
        return f"{self.kind}/{self.device}"

    def open(self) -> None:
        """Bind to the device as it is now. Raises OSError: no such device, no right, not Ethernet."""
        index = socket.if_nametoindex(self.device)
        # Protocol 0 until it is bound: else frames of every device would come in between.
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, 0)
        try:
            opened.setblocking(False)
            opened.bind((self.device, ETHERTYPE))
            if opened.getsockname()[3] != _ARPHRD_ETHER:
                raise NotEthernetError(self.device)
        except OSError:
            opened.close()
            raise
        self.close()
        self._socket, self.index = opened, index

    def fileno(self) -> int:
        """Descriptor for the event loop; -1 while it is closed."""
        return -1 if self._socket is None else self._socket.fileno()

    def receive(self) -> tuple[list[Batch], list[HeardBeacon]]:
        """Take what has come, at most a burst: packets of peers, and beacons (what was broadcast)."""
        batches: list[Batch] = []
        beacons: list[HeardBeacon] = []
        if self._socket is None:
            return batches, beacons
        for _ in range(MOST):
            try:
                frame, source = self._socket.recvfrom(MAX_FRAME)
            except BlockingIOError:
                break
            except OSError as error:
                # The device went down or away: said once, and reading on clears it.
                self._count(error)
                continue
            self._take(frame, source[2], source[4], batches, beacons)
        return batches, beacons

    def send(self, address: LinkAddress, parts: Sequence[Buffer | Train]) -> None:
        """Send each of them to a MAC address; what the kernel does not take is lost and counted."""
        payloads = singly(parts)
        if self._socket is None:
            self.drops["eth.closed"] += len(payloads)
            return
        target = (self.device, ETHERTYPE, 0, 0, address)
        for payload in payloads:
            try:
                self._socket.sendto(wrap(payload), target)
            except OSError as error:
                self._count(error)

    def send_beacon(self, content: bytes) -> None:
        """Broadcast the content of a beacon."""
        self.send(BROADCAST, [content])

    def close(self) -> None:
        """Let the device go; the link stays."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self.index = None, 0

    def _take(
        self, frame: bytes, kind: int, mac: bytes, batches: list[Batch], beacons: list[HeardBeacon]
    ) -> None:
        try:
            payload = unwrap(frame)
        except WireError:
            self.drops["eth.header"] += 1
            return
        if kind == _PACKET_BROADCAST:
            beacons.append((mac, bytes(payload)))
        elif kind != _PACKET_HOST:
            self.drops["eth.not_for_us"] += 1
        elif batches and batches[-1][0] == mac:
            batches[-1][1].append(bytes(payload))
        else:
            batches.append((mac, [bytes(payload)]))

    def _count(self, error: OSError) -> None:
        self.drops[f"eth.{errno.errorcode.get(error.errno or 0, 'unknown')}"] += 1
