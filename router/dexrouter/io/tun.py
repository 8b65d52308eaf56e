"""The TUN device: IP packets of the host in and out (spec 04 §9).

Opened without the packet-information prefix, and with virtio headers where the kernel has them: then it hands
out up to 64 KiB of one TCP stream at once (cut.py), and takes the same (merge.py). The device is made when it
is not there and goes with the process; its address is set through netlink (io/netlink.py).
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections import Counter
from collections.abc import Sequence
from typing import Final

from dexrouter.core.outputs import Buffer
from dexrouter.core.packets import HEAD_ROOM, Packets, Spans
from dexrouter.io.burst import MOST, REST, Burst
from dexrouter.io.clock import boot_time
from dexrouter.io.cut import cut, cut_room
from dexrouter.io.errors import StartError
from dexrouter.io.merge import merge
from dexrouter.wire.errors import WireError
from dexrouter.wire.virtio import PLAIN, VNET_HEADER_SIZE

__all__ = ["MTU", "TunDevice"]

MTU: Final = 1304
"""Leaves room for every header, the longest handshake included, in a 1492-byte link (spec 04 §10)."""

_BURST_SIZE: Final = 64 * 1024
_LONGEST: Final = 65535
_ROOM: Final = _BURST_SIZE + cut_room(_LONGEST, 48, HEAD_ROOM)
"""The last packet of a burst may be a super-packet of the shortest segments that TCP has."""
_ON: Final = "on"
_OFF: Final = "switched off"
_PATH: Final = "/dev/net/tun"
_TUNSETIFF: Final = 0x400454CA
_IFF_TUN: Final = 0x0001
_IFF_NO_PI: Final = 0x1000
_IFF_VNET_HDR: Final = 0x4000
_TUNSETOFFLOAD: Final = 0x400454D0
_TUN_F_CSUM: Final = 0x01
_TUN_F_TSO6: Final = 0x04
_TUN_F_USO: Final = 0x20 | 0x40
"""IPv4 and IPv6: the kernel knows them together only."""
_IFREQ: Final = struct.Struct("16sH22x")


class TunDevice:
    """An open TUN device."""

    def __init__(self, name: str | None, *, offloads: bool = True) -> None:
        """Make or attach to the device; without a name the kernel takes the next `tunN`.

        Raises StartError.
        """
        try:
            self._descriptor = os.open(_PATH, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise StartError(
                f"cannot open {_PATH}: {error.strerror}",
                advice="The kernel's TUN driver is needed: `modprobe tun`; a container needs /dev/net/tun.",
            ) from error
        self._has_headers = False
        self.offloads: dict[str, str] = dict.fromkeys(
            ("TCP super-packets", "UDP super-packets", "joining"), _OFF
        )
        """Which are in use, or why not."""
        try:
            self.name = self._attach(name, offloads=offloads)
        except OSError as error:
            os.close(self._descriptor)
            raise _attach_error(name, error) from error
        self.drops: Counter[str] = Counter()
        self._burst = Burst()
        self._packets = Packets(bytearray(_ROOM))
        self._header = bytearray(VNET_HEADER_SIZE)
        self._first_room = (self._header, self._packets.view[HEAD_ROOM : HEAD_ROOM + _LONGEST])
        self._lone = Spans([HEAD_ROOM], [0])

    @property
    def is_open(self) -> bool:
        """Always: only the router closes it."""
        return True

    def fileno(self) -> int:
        """Descriptor for the event loop."""
        return self._descriptor

    def read(self) -> Packets:
        """Take the packets that wait, at most a burst; they are good until the next call."""
        now, burst, packets = boot_time(), self._burst, self._packets
        if now - burst.last < REST or not self._has_headers:
            return self._read_burst(burst.next(now))
        # A packet that comes alone shall pass few functions (core/lone.py): here is what `next` does then.
        burst.last, burst.size = now, 1
        try:
            size = os.readv(self._descriptor, self._first_room) - VNET_HEADER_SIZE
        except OSError as error:
            return self._nothing(error)
        if self._header[0] or self._header[1]:
            packets.spans = Spans([], [])
            self._cut(bytes(self._header), HEAD_ROOM, size)
            return packets
        packets.spans = self._lone
        packets.spans.sizes[0] = size
        return packets

    def _nothing(self, error: OSError) -> Packets:
        if error.errno != errno.EAGAIN:
            # EIO: the device is down.
            self.drops["tun.read"] += 1
        self._packets.spans = Spans([], [])
        return self._packets

    def _read_burst(self, reads: int) -> Packets:
        packets, header, has_header = self._packets, self._header, self._has_headers
        packets.spans = spans = Spans([], [])
        at = HEAD_ROOM
        for _ in range(reads):
            if at >= _BURST_SIZE or len(spans.sizes) >= MOST:
                break
            place = packets.view[at : at + _LONGEST]
            try:
                size = os.readv(self._descriptor, (header, place) if has_header else (place,))
            except BlockingIOError:
                break
            except OSError:
                # EIO: the device is down. What was read before still counts.
                self.drops["tun.read"] += 1
                break
            if has_header:
                size -= VNET_HEADER_SIZE
                if header[0] or header[1]:
                    at = self._cut(bytes(header), at, size)
                    continue
            spans.add(at, size)
            at += size + HEAD_ROOM
        return packets

    def write(self, packets: list[Buffer]) -> None:
        """Hand packets to the host; one that the kernel refuses is lost and counted."""
        if not self._has_headers:
            for packet in packets:
                self._write((packet,), 1)
            return
        if len(packets) == 1:
            # What stands in _write: a packet that comes alone shall pass few functions (core/lone.py).
            try:
                os.writev(self._descriptor, (PLAIN, packets[0]))
            except OSError as error:
                self._count(error, 1)
            return
        for parts in merge(packets):
            self._write(parts, max(len(parts) - 2, 1))

    def _write(self, parts: Sequence[Buffer], count: int) -> None:
        try:
            os.writev(self._descriptor, parts)
        except OSError as error:
            self._count(error, count)

    def _count(self, error: OSError, lost: int) -> None:
        self.drops[f"tun.{errno.errorcode.get(error.errno or 0, 'unknown')}"] += lost

    def _cut(self, header: bytes, at: int, size: int) -> int:
        """Replace what was read by the packets that it stands for; gives where the next one may lie."""
        packets = self._packets
        data = bytes(packets.view[at : at + size])
        try:
            pieces = cut(header, data, packets.buffer, at - HEAD_ROOM, HEAD_ROOM)
        except WireError:
            self.drops["tun.super_packet"] += 1
            return at
        packets.spans.extend(pieces)
        return pieces.starts[-1] + pieces.sizes[-1] + HEAD_ROOM

    def _attach(self, name: str | None, *, offloads: bool) -> str:
        wanted = (name or "").encode()
        if offloads:
            try:
                attached = self._set(wanted, _IFF_TUN | _IFF_NO_PI | _IFF_VNET_HDR)
            except OSError as error:
                self.offloads = dict.fromkeys(self.offloads, f"no virtio headers: {error.strerror}")
            else:
                self._has_headers = True
                self.offloads["joining"] = _ON
                self._offer()
                return attached
        return self._set(wanted, _IFF_TUN | _IFF_NO_PI)

    def _set(self, name: bytes, flags: int) -> str:
        answer = fcntl.ioctl(self._descriptor, _TUNSETIFF, _IFREQ.pack(name, flags))
        return str(_IFREQ.unpack(answer)[0].rstrip(b"\0").decode())

    def _offer(self) -> None:
        """Tell the kernel that it may leave checksums, the cutting of TCP over IPv6 and of UDP to us."""
        for wanted, name in (
            (_TUN_F_TSO6, "TCP super-packets"),
            (_TUN_F_TSO6 | _TUN_F_USO, "UDP super-packets"),
        ):
            try:
                fcntl.ioctl(self._descriptor, _TUNSETOFFLOAD, _TUN_F_CSUM | wanted)
            except OSError as error:
                self.offloads[name] = f"{error.strerror}"
            else:
                self.offloads[name] = _ON

    def close(self) -> None:
        """Let the device go; the kernel removes it."""
        os.close(self._descriptor)


def _attach_error(name: str | None, error: OSError) -> StartError:
    what = f"cannot make the TUN device {name or '(any name)'}: {error.strerror}"
    if error.errno == errno.EBUSY:
        return StartError(what, advice="Another program has this device: stop it, or change `tunDevice`.")
    if error.errno == errno.EPERM:
        return StartError(what, advice="Root or CAP_NET_ADMIN is needed.")
    return StartError(what)
