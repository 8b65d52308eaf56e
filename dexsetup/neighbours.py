"""Who is on the local network? Listens to the beacons of mesh nodes, before a router runs here (spec 02 §4).

A node that looks for neighbours tells its key, and a password for whoever hears it, every 33 seconds: by UDP
broadcast on the beacon port, and in Ethernet frames of its own type, which only root may hear. Nothing is
sent. A beacon is not signed: whether its sender has that key, only a handshake shows (probe.py).

Bounds: at most 64 neighbours, each told once.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Final

from dexrouter import OLDEST_COMPATIBLE_VERSION
from dexrouter.config import ConnectTo
from dexrouter.crypto.keys import address_of, is_node_key, public_key_text
from dexrouter.wire.beacon import Beacon, UdpBeacon
from dexrouter.wire.errors import WireError
from dexrouter.wire.ethernet import ETHERTYPE, unwrap

__all__ = ["BEACON_PORT", "Neighbour", "hear", "listen"]

BEACON_PORT: Final = 64512
"""All nodes of a network agree on it; no configuration that dexsetup makes has another."""
_MOST: Final = 64
_WAIT_MS: Final = 200
_BUFFER: Final = 2048
_BROADCAST: Final = 1
"""What a packet socket says of a frame that was broadcast."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A node that was heard."""

    address: str
    """Where it is called: 192.168.1.5:26041, or its hardware address."""
    public_key: str
    version: int
    """Protocol version of its router."""
    device: str = ""
    """The device on which its Ethernet frame came; empty for UDP."""
    password: bytes = field(default=b"", repr=False, compare=False)

    @property
    def place(self) -> str:
        """Where it was found, in words."""
        return f"local network, {self.device}" if self.device else "local network"

    def connect_to(self) -> ConnectTo | None:
        """Return what a handshake takes; None for Ethernet, which no ordinary socket speaks."""
        if self.device:
            return None
        password = self.password.decode("utf-8", "surrogateescape")
        return ConnectTo(self.address, self.public_key, password, None, None)


def hear(content: bytes, address: str, *, device: str = "", own_address: str = "") -> Neighbour | None:
    """Return who sent a beacon; None for our own node, for keys that are no node's, and for what is none."""
    try:
        beacon = Beacon.parse(content)
    except WireError:
        return None
    if not is_node_key(beacon.public_key) or beacon.version < OLDEST_COMPATIBLE_VERSION:
        return None
    if str(IPv6Address(bytes(address_of(beacon.public_key)))) == own_address:
        return None
    return Neighbour(address, public_key_text(beacon.public_key), beacon.version, device, beacon.password)


def listen(
    report: Callable[[Neighbour], None],
    is_stopped: Callable[[], bool],
    *,
    own_address: str = "",
    port: int = BEACON_PORT,
) -> tuple[str, ...]:
    """Tell each neighbour once, until it is stopped. Where nothing can be heard, it returns at once.

    Returns why UDP or Ethernet could not be heard, in the kernel's words.
    """
    reasons: list[str] = []
    with ExitStack() as stack:
        sockets: list[socket.socket] = []
        try:
            sockets.append(stack.enter_context(_udp(port)))
        except OSError as error:
            reasons.append(f"UDP: {error.strerror}")
        try:
            sockets.append(stack.enter_context(_ethernet()))
        except OSError as error:
            reasons.append(f"Ethernet: {error.strerror}")
        if sockets:
            _hear_all(sockets, report, is_stopped, own_address)
    return tuple(reasons)


def _hear_all(
    sockets: list[socket.socket],
    report: Callable[[Neighbour], None],
    is_stopped: Callable[[], bool],
    own_address: str,
) -> None:
    known: set[tuple[str, str]] = set()
    poll = select.poll()
    by_number = {one.fileno(): one for one in sockets}
    for number in by_number:
        poll.register(number, select.POLLIN)
    while not is_stopped():
        for number, _ in poll.poll(_WAIT_MS):
            found = _take(by_number[number], own_address)
            if found is None or (found.public_key, found.address) in known or len(known) >= _MOST:
                continue
            known.add((found.public_key, found.address))
            report(found)


def _udp(port: int) -> socket.socket:
    """Open the beacon port beside whoever has it: a broadcast goes to all of them."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("0.0.0.0", port))  # noqa: S104 - a broadcast comes to no other address
    except OSError:
        one.close()
        raise
    return one


def _ethernet() -> socket.socket:
    """Open a packet socket that hears the frames of all devices. Only root may."""
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    return socket.socket(socket.AF_PACKET, kind, socket.htons(ETHERTYPE))


def _take(one: socket.socket, own_address: str) -> Neighbour | None:
    try:
        data, source = one.recvfrom(_BUFFER)
        if one.family is socket.AF_INET:
            beacon = UdpBeacon.parse(data)
            return hear(beacon.content, f"{source[0]}:{beacon.data_port}", own_address=own_address)
        device, _, kind, _, mac = source
        if kind != _BROADCAST:
            return None
        return hear(bytes(unwrap(data)), mac.hex(":"), device=device, own_address=own_address)
    except (OSError, WireError):
        return None
