"""What can stand in the place of the TUN device: a descriptor that we were started with, or a Unix socket.

A descriptor gives and takes one packet for each call, as a TUN device does. A socket is a stream of messages:

```
[0][length 4][protocol 4][IP packet]      to and from the program at the other end; the length counts the rest
[1][IPv6 address 16]                      to it, first: the address of the node
[2][MTU 4]                                to it, second
```

Messages of another kind end it: a stream that cannot be followed is of no use.
The protocol is two zero bytes and an Ethernet type (spec 04 §9).
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections import Counter
from struct import Struct
from typing import Final, Protocol

from dexrouter.core.outputs import Buffer
from dexrouter.core.packets import Packets, copied
from dexrouter.crypto.keys import Address
from dexrouter.io.errors import StartError
from dexrouter.wire.ipv6 import TUN_PREFIX_IPV4, TUN_PREFIX_IPV6, TUN_PREFIX_SIZE

__all__ = ["HandedDescriptor", "HostDevice", "HostSocket", "is_tun", "take_packets"]

_PACKET: Final = 0
_ADDRESS: Final = 1
_MTU: Final = 2
_LENGTH: Final = Struct(">BI")
_PROTOCOL: Final = {4: TUN_PREFIX_IPV4, 6: TUN_PREFIX_IPV6}
_TUNGETIFF: Final = 0x800454D2
_IFREQ_SIZE: Final = 40
_LONGEST: Final = 65535
_BURST: Final = 64
_BACKLOG: Final = 256 * 1024
"""Bytes that wait for a program which does not read; what comes on top of them is lost, as on any device."""


class HostDevice(Protocol):
    """Where packets of the host come from and go to."""

    @property
    def name(self) -> str:
        """Name of the device, for people."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether it can still be read."""
        ...

    def fileno(self) -> int:
        """Descriptor for the event loop."""
        ...

    def read(self) -> Packets:
        """Take the packets that wait, at most a burst."""
        ...

    def write(self, packets: list[Buffer]) -> None:
        """Hand packets over."""
        ...

    def close(self) -> None:
        """Let it go."""
        ...


def is_tun(descriptor: int) -> bool:
    """Whether this descriptor is an open TUN device, and not one of the router's sockets, or a file."""
    try:
        fcntl.ioctl(descriptor, _TUNGETIFF, bytes(_IFREQ_SIZE))
    except (OSError, ValueError, OverflowError):
        return False
    return True


class HandedDescriptor:
    """A TUN device that somebody else has opened and set up."""

    def __init__(self, descriptor: int, *, is_bare: bool) -> None:
        """Take it; `is_bare`: its packets have no protocol in front. Raises StartError."""
        try:
            os.set_blocking(descriptor, False)
        except OSError as error:
            raise StartError(f"descriptor {descriptor}: {error.strerror}") from error
        self._descriptor = descriptor
        self._in_front = 0 if is_bare else TUN_PREFIX_SIZE
        self.name = f"descriptor {descriptor}"
        self.is_open = True
        self.drops: Counter[str] = Counter()

    def fileno(self) -> int:
        """Descriptor for the event loop."""
        return self._descriptor

    def read(self) -> Packets:
        """Take the packets that wait, at most a burst."""
        found: list[bytes] = []
        while len(found) < _BURST:
            try:
                data = os.read(self._descriptor, _LONGEST)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.is_open = False
                break
            found.append(data[self._in_front :])
        return copied(found)

    def write(self, packets: list[Buffer]) -> None:
        """Hand packets over; one that is not taken is lost and counted."""
        for packet in packets:
            in_front = _PROTOCOL.get(packet[0] >> 4, b"")[: self._in_front]
            try:
                os.writev(self._descriptor, (in_front, packet))
            except OSError:
                self.drops["tun.write"] += 1

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)


class HostSocket:
    """A program in place of the host's network, at the other end of a Unix socket."""

    def __init__(self, path: str, address: Address, mtu: int) -> None:
        """Connect to it, and tell it the node's address and MTU. Raises StartError."""
        self.name = path
        self.is_open = True
        self.drops: Counter[str] = Counter()
        self._stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._input = b""
        self._output = bytearray((_ADDRESS,)) + address + bytes((_MTU,)) + mtu.to_bytes(4, "big")
        try:
            self._stream.connect(path)
        except OSError as error:
            self._stream.close()
            raise StartError(f"socket {path}: {error.strerror}") from error
        self._stream.setblocking(False)
        self._send()

    def fileno(self) -> int:
        """Descriptor for the event loop."""
        return self._stream.fileno()

    def read(self) -> Packets:
        """Take the packets that have come whole."""
        self._send()
        try:
            data = self._stream.recv(_LONGEST)
        except BlockingIOError:
            return copied(())
        except OSError:
            data = b""
        packets, rest = take_packets(self._input + data)
        if rest is None:
            self.drops["tun.stream"] += 1
        self.is_open = bool(data) and rest is not None
        self._input = rest or b""
        return copied(packets)

    def write(self, packets: list[Buffer]) -> None:
        """Hand packets over; what the program does not read in time is lost and counted."""
        for packet in packets:
            if len(self._output) > _BACKLOG:
                self.drops["tun.write"] += 1
                continue
            self._output += _LENGTH.pack(_PACKET, TUN_PREFIX_SIZE + len(packet))
            self._output += _PROTOCOL.get(packet[0] >> 4, bytes(TUN_PREFIX_SIZE))
            self._output += packet
        self._send()

    def close(self) -> None:
        """Hang up."""
        self._stream.close()

    def _send(self) -> None:
        try:
            sent = self._stream.send(self._output) if self._output else 0
        except BlockingIOError:
            return
        except OSError:
            self.is_open = False
            return
        del self._output[:sent]


def take_packets(data: bytes) -> tuple[list[bytes], bytes | None]:
    """Give the packets that a stream begins with, and what is left of it; None: it cannot be followed."""
    found: list[bytes] = []
    at = 0
    while len(data) - at >= _LENGTH.size:
        kind, length = _LENGTH.unpack_from(data, at)
        if kind != _PACKET or not TUN_PREFIX_SIZE < length <= TUN_PREFIX_SIZE + _LONGEST:
            return found, None
        start = at + _LENGTH.size
        if len(data) - start < length:
            break
        at = start + length
        found.append(data[start + TUN_PREFIX_SIZE : at])
    return found, data[at:]
