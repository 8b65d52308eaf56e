"""One Ethernet device as a link: frames of ethertype fc00 in and out (spec 02 §3).

A packet socket that is bound to the device and has no addresses in its calls: the interpreter asks the kernel
for the device's name or number with each address, a second system call for each frame. So the Ethernet header
is ours to write and to read. Frames lie at equal distances in one buffer, where they are opened. A device may
come, go and come again: the link stays, and what is sent while there is no device is lost and counted.
"""

from __future__ import annotations

import errno
import socket
from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

from dexrouter.core.links import LinkAddress, LinkKind
from dexrouter.core.outputs import Buffer, Train, singly
from dexrouter.core.packets import Packets, Spans
from dexrouter.io.burst import MOST, Burst
from dexrouter.io.clock import boot_time
from dexrouter.io.socket_buffers import enlarge_buffers
from dexrouter.wire.errors import WireError
from dexrouter.wire.ethernet import (
    BROADCAST,
    ETHERNET_HEADER_SIZE,
    ETHERTYPE,
    LINK_HEADER_SIZE,
    MAX_PAYLOAD,
    both_headers,
    unwrap,
)

__all__ = ["EthernetDevice", "NotEthernetError"]

MAX_FRAME: Final = 1498
"""Bytes behind the Ethernet header that are read (spec 02 §3)."""

_ARPHRD_ETHER: Final = 1
_STRIDE: Final = 2048
_PAYLOAD_AT: Final = ETHERNET_HEADER_SIZE + LINK_HEADER_SIZE

_exhaust: Final = deque[object](maxlen=0).extend

Batch = tuple[LinkAddress, Packets]
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
        self._mac = b""
        self._burst = Burst()
        self._packets = Packets(bytearray(MOST * _STRIDE))
        longest = ETHERNET_HEADER_SIZE + MAX_FRAME
        self._slots = [self._packets.view[at : at + longest] for at in range(0, MOST * _STRIDE, _STRIDE)]

    @property
    def name(self) -> str:
        """As cjdns tools show the interface: `ETH/eth0`."""
        return f"{self.kind}/{self.device}"

    def open(self) -> None:
        """Bind to the device as it is now. Raises OSError: no such device, no right, not Ethernet."""
        index = socket.if_nametoindex(self.device)
        # Protocol 0 until it is bound: else frames of every device would come in between.
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        try:
            opened.setblocking(False)
            enlarge_buffers(opened)
            opened.bind((self.device, ETHERTYPE))
            bound = opened.getsockname()
            if bound[3] != _ARPHRD_ETHER:
                raise NotEthernetError(self.device)
        except OSError:
            opened.close()
            raise
        self.close()
        self._socket, self.index, self._mac = opened, index, bound[4]

    def fileno(self) -> int:
        """Descriptor for the event loop; -1 while it is closed."""
        return -1 if self._socket is None else self._socket.fileno()

    def receive(self) -> tuple[list[Batch], list[HeardBeacon]]:
        """Take what has come, at most a burst: packets of peers, and beacons (what was broadcast).

        They are good until the next call.
        """
        sizes: list[int] = []
        if self._socket is None:
            return [], []
        try:
            # It ends with an exception where there is nothing more; what was read before is in the list.
            sizes.extend(map(self._socket.recv_into, self._slots[: self._burst.next(boot_time())]))
        except BlockingIOError:
            pass
        except OSError as error:
            # The device went down or away: said once, and reading on clears it.
            self._count(error)
        return self._sort(sizes)

    def send(self, address: LinkAddress, parts: Sequence[Buffer | Train]) -> None:
        """Send each of them to a MAC address; what the kernel does not take is lost and counted."""
        payloads = singly(parts)
        if self._socket is None or not isinstance(address, bytes):
            self.drops["eth.closed"] += len(payloads)
            return
        head, size = b"", -1
        frames: list[tuple[Buffer, Buffer]] = []
        for payload in payloads:
            if len(payload) > MAX_PAYLOAD:
                self.drops["eth.EMSGSIZE"] += 1
                continue
            if len(payload) != size:
                size = len(payload)
                head = both_headers(address, self._mac, size)
            frames.append((head, payload))
        waiting = map(self._socket.sendmsg, frames)
        while True:
            try:
                _exhaust(waiting)
            except OSError as error:
                # This one is lost; the next call goes on behind it.
                self._count(error)
            else:
                return

    def send_beacon(self, content: bytes) -> None:
        """Broadcast the content of a beacon."""
        self.send(BROADCAST, [content])

    def close(self) -> None:
        """Let the device go; the link stays."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self.index = None, 0

    def _sort(self, sizes: list[int]) -> tuple[list[Batch], list[HeardBeacon]]:
        """Tell packets from beacons; those of one sender that follow one another are one batch."""
        batches: list[Batch] = []
        beacons: list[HeardBeacon] = []
        view, buffer = self._packets.view, self._packets.buffer
        for at, size in zip(range(0, MOST * _STRIDE, _STRIDE), sizes, strict=False):
            try:
                payload = unwrap(view[at + ETHERNET_HEADER_SIZE : at + size])
            except WireError:
                self.drops["eth.header"] += 1
                continue
            target, mac = bytes(buffer[at : at + 6]), bytes(buffer[at + 6 : at + 12])
            if target == BROADCAST:
                beacons.append((mac, bytes(payload)))
            elif not self._is_ours(target):
                self.drops["eth.not_for_us"] += 1
            elif batches and batches[-1][0] == mac:
                batches[-1][1].spans.add(at + _PAYLOAD_AT, len(payload))
            else:
                batches.append((mac, self._packets.sharing(Spans([at + _PAYLOAD_AT], [len(payload)]))))
        return batches, beacons

    def _is_ours(self, target: bytes) -> bool:
        """Whether a frame is for the device, whose address may have been changed."""
        if target != self._mac and self._socket is not None:
            self._mac = self._socket.getsockname()[4]
        return target == self._mac

    def _count(self, error: OSError) -> None:
        self.drops[f"eth.{errno.errorcode.get(error.errno or 0, 'unknown')}"] += 1
