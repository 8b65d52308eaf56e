"""The few messages of rtnetlink that every start of the router needs, written and read by hand.

pyroute2 knows all of them, and loading it takes a third of the time of a start and of the memory: it is left
for the rarer ones (io/netlink.py).

```
message   [length 4][kind 2][flags 2][sequence 4][port 4][body][attributes]
attribute [length 2][kind 2][value], padded to four bytes
link      [family 1][unused 1][hardware type 2][index 4][flags 4][which of them change 4]
address   [family 1][prefix length 1][flags 1][scope 1][index 4]
route     [family 1][length 1][0][0][table 1][protocol 1][scope 1][type 1][flags 4]
```

Numbers are in the machine's own byte order (linux/netlink.h, rtnetlink.h, if_link.h, if_addr.h).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Network
from struct import Struct
from typing import Final, Self

__all__ = ["IFF_UP", "DeviceAddress", "Kernel", "Link"]

IFF_UP: Final = 1

_HEADER: Final = Struct("=IHHII")
_ATTRIBUTE: Final = Struct("=HH")
_LINK: Final = Struct("=BxHiII")
_ADDRESS: Final = Struct("=BBBBI")
_ROUTE: Final = Struct("=BBBBBBBBI")
_NUMBER: Final = Struct("=I")
_ERROR: Final = Struct("=i")

_NEW_LINK, _GET_LINK = 16, 18
_NEW_ADDRESS, _GET_ADDRESS = 20, 22
_NEW_ROUTE: Final = 24
_REFUSED, _DONE = 2, 3
_REQUEST, _ACK, _REPLACE, _EXCLUSIVE, _DUMP, _CREATE = 0x01, 0x04, 0x100, 0x200, 0x300, 0x400

_LINK_NAME, _LINK_MTU, _LINK_MASTER, _LINK_STATE = 3, 4, 10, 16
_ADDRESS_REMOTE, _ADDRESS_LOCAL, _ADDRESS_FLAGS = 1, 2, 8
_ROUTE_TO, _ROUTE_PRIORITY = 1, 6
_MAIN_TABLE: Final = 254
_STATIC: Final = 4
_BLACKHOLE: Final = 6
_STATE_DOWN: Final = 2
_NO_DUPLICATE_DETECTION: Final = 0x02
_TENTATIVE: Final = 0x40
_LONGEST_ANSWER: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Link:
    """A device."""

    index: int
    name: str
    hardware: int
    """ARPHRD_* of linux/if_arp.h."""
    is_up: bool
    is_down_below: bool
    """Whether what it stands on is known to be down: no cable, no carrier."""
    has_master: bool


@dataclass(frozen=True, slots=True)
class DeviceAddress:
    """An address of a device."""

    index: int
    address: str
    """The machine's own end of it."""
    prefix_length: int
    is_tentative: bool


class Kernel:
    """A socket for requests. All methods raise OSError with the kernel's reason."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def links(self) -> list[Link]:
        """List the devices."""
        found: list[Link] = []
        for body in self._ask(_GET_LINK, _DUMP, _LINK.pack(0, 0, 0, 0, 0)):
            _, hardware, index, flags, _ = _LINK.unpack_from(body)
            values = dict(_attributes(body[_LINK.size :]))
            found.append(
                Link(
                    index=index,
                    name=values.get(_LINK_NAME, b"").rstrip(b"\0").decode(errors="surrogateescape"),
                    hardware=hardware,
                    is_up=bool(flags & IFF_UP),
                    is_down_below=values.get(_LINK_STATE, b"\0")[0] == _STATE_DOWN,
                    has_master=_LINK_MASTER in values,
                )
            )
        return found

    def addresses(self, family: int = socket.AF_UNSPEC) -> list[DeviceAddress]:
        """List the addresses of all devices, of one family or of both."""
        found: list[DeviceAddress] = []
        for body in self._ask(_GET_ADDRESS, _DUMP, _ADDRESS.pack(family, 0, 0, 0, 0)):
            of_family, length, flags, _, index = _ADDRESS.unpack_from(body)
            values = dict(_attributes(body[_ADDRESS.size :]))
            packed = values.get(_ADDRESS_LOCAL) or values.get(_ADDRESS_REMOTE)
            if packed is None or of_family not in (socket.AF_INET, socket.AF_INET6):
                continue
            text = socket.inet_ntop(of_family, packed)
            found.append(DeviceAddress(index, text, length, bool(flags & _TENTATIVE)))
        return found

    def change_link(self, index: int, *, mtu: int | None = None, up: bool = False) -> None:
        """Give a device an MTU, bring it up, or both."""
        flag = IFF_UP if up else 0
        body = _LINK.pack(0, 0, index, flag, flag)
        if mtu is not None:
            body += _attribute(_LINK_MTU, _NUMBER.pack(mtu))
        self._ask(_NEW_LINK, _ACK, body)

    def put_address(self, index: int, address: bytes, prefix_length: int) -> None:
        """Give a device an IPv6 address that can be used at once: nobody else is asked whether he has it."""
        body = _ADDRESS.pack(socket.AF_INET6, prefix_length, 0, 0, index)
        body += _attribute(_ADDRESS_LOCAL, address) + _attribute(_ADDRESS_REMOTE, address)
        body += _attribute(_ADDRESS_FLAGS, _NUMBER.pack(_NO_DUPLICATE_DETECTION))
        self._ask(_NEW_ADDRESS, _ACK | _CREATE | _REPLACE, body)

    def add_blackhole(self, network: IPv6Network, metric: int) -> None:
        """Let packets to a network vanish where no better route takes them."""
        kind = _BLACKHOLE
        body = _ROUTE.pack(socket.AF_INET6, network.prefixlen, 0, 0, _MAIN_TABLE, _STATIC, 0, kind, 0)
        body += _attribute(_ROUTE_TO, network.network_address.packed)
        body += _attribute(_ROUTE_PRIORITY, _NUMBER.pack(metric))
        self._ask(_NEW_ROUTE, _ACK | _CREATE | _EXCLUSIVE, body)

    def _ask(self, kind: int, flags: int, body: bytes) -> list[bytes]:
        """Send a request and read all that belongs to its answer."""
        self._sequence += 1
        head = _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, self._sequence, 0)
        self._socket.send(head + body)
        found: list[bytes] = []
        while True:
            for answer, sequence, content in _messages(self._socket.recv(_LONGEST_ANSWER)):
                if sequence != self._sequence:
                    continue
                if answer == _REFUSED:
                    number = -_ERROR.unpack_from(content)[0]
                    if number:
                        raise OSError(number, os.strerror(number))
                    return found
                if answer == _DONE:
                    return found
                found.append(content)


def _messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Give kind, sequence number and content of each message."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, _, sequence, _ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size:
            return
        yield kind, sequence, data[at + _HEADER.size : at + length]
        at += _padded(length)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind, data[at + _ATTRIBUTE.size : at + length]
        at += _padded(length)


def _attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(_padded(length) - length)


def _padded(length: int) -> int:
    return length + 3 & ~3
