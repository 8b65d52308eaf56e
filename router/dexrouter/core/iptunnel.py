"""The IP tunnel: IPv4 and ordinary IPv6 between two nodes of the mesh (spec 06).

A *gateway* gives addresses to clients that it knows by their keys; a *client* asks its gateways for addresses
and sends what comes from these addresses to them. A connection is one or the other.

Rules (spec 06 §4):

* From the host: a connection is chosen by the source address where we are client, by the destination where
  we are gateway; of several the oldest. From the tunnel: the same with source and destination exchanged, and
  only for the key that the session proves. What matches nothing is dropped and counted.
* Mesh addresses never match. Nothing is decremented, fragmented or answered with ICMP.
* A client asks at once and then every 10 s while it has no address. It takes addresses only from a gateway
  that it has chosen, and none that would be zero, multicast, loopback or of the mesh.
* Bounds: 1,024 connections; a message is answered with one message to an authenticated client.

`messages` and `packet_for` give (mesh address of the other end, packet): the node sends them as content type
257. `assigned` is what the device of this host should have.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Final, TypeAlias

from dexrouter.core.outputs import Assigned
from dexrouter.crypto.keys import Address, PublicKey, address_of
from dexrouter.wire.errors import WireError
from dexrouter.wire.iptunnel import Block, Offer, Request, is_control, parse_control

__all__ = ["Connection", "IpTunnel", "TunnelError"]

MAX_CONNECTIONS: Final = 1024
ASK_EVERY: Final = 10.0
"""Seconds between requests of a client without an address (spec 06 §3)."""

_MESH_BYTE: Final = 0xFC
_IPV4_HEADER: Final = 20
_IPV6_HEADER: Final = 40
_ZERO: Final = {4: bytes(4), 16: bytes(16)}

IpInterface: TypeAlias = IPv4Interface | IPv6Interface
IpNetwork: TypeAlias = IPv4Network | IPv6Network


class TunnelError(ValueError):
    """A connection that cannot be; the text says why."""


@dataclass(slots=True)
class Connection:
    """One connection of the tunnel."""

    number: int
    key: PublicKey
    address: Address
    """Mesh address of the other end."""
    is_outgoing: bool
    """We are the client."""
    ip4: Block | None = None
    ip6: Block | None = None
    next_request: float = 0.0
    """When a client without an address asks again (monotonic seconds)."""


Match: TypeAlias = tuple[int, int, int]
"""Size of the address in bytes, length of the block's prefix, that prefix as a number."""


class IpTunnel:
    """All connections of a node. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._connections: dict[int, Connection] = {}
        self._next_number = 0
        self._by_key: dict[PublicKey, list[Connection]] = {}
        self._by_source: dict[Match, Connection] = {}
        """Where we are client: our block."""
        self._by_destination: dict[Match, Connection] = {}
        """Where we are gateway: the client's block."""
        self._lengths: dict[int, tuple[int, ...]] = {4: (), 16: ()}
        """Block lengths in use by size of the address: each is one look-up."""
        self.messages: list[tuple[Address, bytes]] = []
        """Control messages to be sent."""
        self.assigned = Assigned()
        self.drops: Counter[str] = Counter()

    # -- connections

    def allow(self, key: PublicKey, ip4: Block | None, ip6: Block | None) -> int:
        """Give addresses to a client, recognised by its key; gives the connection's number.

        Raises TunnelError: no address, one without length, too many connections.
        """
        blocks = [block for block in (ip4, ip6) if block is not None]
        if not blocks:
            raise TunnelError("a client needs an IPv4 or an IPv6 address")
        if any(not block.alloc or block.address == _ZERO[len(block.address)] for block in blocks):
            raise TunnelError("a block without length or address matches nothing")
        return self._add(Connection(self._next_number, key, address_of(key), False, ip4, ip6))

    def connect(self, key: PublicKey, now: float) -> int:
        """Ask a gateway for addresses from now on; gives the connection's number. Raises TunnelError."""
        return self._add(Connection(self._next_number, key, address_of(key), True, next_request=now))

    def remove(self, number: int) -> bool:
        """End a connection; False if there is none of this number."""
        if self._connections.pop(number, None) is None:
            return False
        self._index()
        return True

    def connections(self) -> tuple[Connection, ...]:
        """All of them, the oldest first."""
        return tuple(self._connections.values())

    # -- packets

    def packet_for(self, packet: bytes | memoryview) -> Address | None:
        """Tell to which node a packet of the host goes; None: to none."""
        ends = _ends(packet)
        if ends is None or _is_mesh(*ends):
            return None
        source, destination = ends
        chosen = _older(self._find(self._by_source, source), self._find(self._by_destination, destination))
        return None if chosen is None else chosen.address

    def receive(self, key: PublicKey, packet: bytes, now: float) -> bytes | None:
        """Take what came through the tunnel from a node: the packet for the host, or None."""
        if is_control(packet):
            self._receive_control(key, packet, now)
            return None
        ends = _ends(packet)
        if ends is None:
            self.drops["tunnel.not_ip"] += 1
            return None
        source, destination = ends
        if _ZERO[len(source)] not in ends and not _is_mesh(source, destination):
            for connection in self._by_key.get(key, ()):
                if _owns(connection, destination if connection.is_outgoing else source):
                    return packet
        self.drops["tunnel.foreign_address"] += 1
        return None

    # -- time

    def next_deadline(self) -> float | None:
        """When `poll` wants to be called; None: no request is due."""
        return min((one.next_request for one in self._connections.values() if _is_asking(one)), default=None)

    def poll(self, now: float) -> None:
        """Ask every gateway that has not answered."""
        for connection in self._connections.values():
            if _is_asking(connection) and now >= connection.next_request:
                connection.next_request = now + ASK_EVERY
                request = Request(connection.number.to_bytes(4, "little"))
                self.messages.append((connection.address, request.encode()))

    # -- inside

    def _add(self, connection: Connection) -> int:
        if len(self._connections) >= MAX_CONNECTIONS:
            raise TunnelError(f"there are {MAX_CONNECTIONS} connections already")
        if any(
            known.key == connection.key and known.is_outgoing == connection.is_outgoing
            for known in self._connections.values()
        ):
            raise TunnelError("there is a connection with this node already")
        self._connections[connection.number] = connection
        self._next_number += 1
        self._index()
        return connection.number

    def _index(self) -> None:
        """Build the tables of blocks anew, and what our device should have."""
        self._by_source, self._by_destination, self._by_key = {}, {}, {}
        lengths: dict[int, set[int]] = {4: set(), 16: set()}
        addresses: list[IpInterface] = []
        networks: list[IpNetwork] = []
        for connection in self._connections.values():
            self._by_key.setdefault(connection.key, []).append(connection)
            table = self._by_source if connection.is_outgoing else self._by_destination
            for block in (connection.ip4, connection.ip6):
                if block is None:
                    continue
                size = len(block.address)
                lengths[size].add(block.alloc)
                table.setdefault((size, block.alloc, _cut(block.address, block.alloc)), connection)
                if connection.is_outgoing:
                    addresses.append(_interface(block.address, block.alloc))
                    if block.prefix < size * 8:
                        networks.append(_interface(block.address, block.prefix).network)
        self._lengths = {size: tuple(sorted(found)) for size, found in lengths.items()}
        self.assigned = Assigned(tuple(addresses), tuple(dict.fromkeys(networks)))

    def _find(self, table: dict[Match, Connection], address: bytes) -> Connection | None:
        size = len(address)
        found = None
        for length in self._lengths[size]:
            connection = table.get((size, length, _cut(address, length)))
            found = _older(found, connection)
        return found

    def _receive_control(self, key: PublicKey, packet: bytes, now: float) -> None:
        try:
            message = parse_control(packet)
        except WireError:
            self.drops["tunnel.control"] += 1
            return
        mine = self._by_key.get(key, ())
        match message:
            case Request(txid=txid):
                client = next((one for one in mine if not one.is_outgoing), None)
                if client is None:
                    self.drops["tunnel.not_a_client"] += 1
                    return
                self.messages.append((client.address, Offer(txid, client.ip4, client.ip6).encode()))
            case Offer(txid=txid):
                number = int.from_bytes(txid, "little")
                gateway = next((one for one in mine if one.is_outgoing and one.number == number), None)
                if gateway is None:
                    self.drops["tunnel.not_a_gateway"] += 1
                    return
                self._accept(gateway, message, now)

    def _accept(self, gateway: Connection, offer: Offer, now: float) -> None:
        ip4 = offer.ip4 if offer.ip4 and _is_usable(offer.ip4) else None
        ip6 = offer.ip6 if offer.ip6 and _is_usable(offer.ip6) else None
        if ip4 is None and ip6 is None:
            self.drops["tunnel.useless_offer"] += 1
            return
        gateway.ip4, gateway.ip6 = ip4, ip6
        gateway.next_request = now + ASK_EVERY
        self._index()


def _is_asking(connection: Connection) -> bool:
    return connection.is_outgoing and connection.ip4 is None and connection.ip6 is None


def _older(one: Connection | None, other: Connection | None) -> Connection | None:
    if one is None or other is None:
        return one or other
    return one if one.number <= other.number else other


def _owns(connection: Connection, address: bytes) -> bool:
    """Whether an address is in the block of a connection."""
    block = connection.ip4 if len(address) == 4 else connection.ip6
    return block is not None and _cut(block.address, block.alloc) == _cut(address, block.alloc)


def _ends(packet: bytes | memoryview) -> tuple[bytes, bytes] | None:
    """Source and destination of an IPv4 or IPv6 packet; nothing else of it is looked at."""
    match packet[0] >> 4 if packet else 0:
        case 4 if len(packet) > _IPV4_HEADER:
            return bytes(packet[12:16]), bytes(packet[16:20])
        case 6 if len(packet) > _IPV6_HEADER:
            return bytes(packet[8:24]), bytes(packet[24:40])
    return None


def _is_mesh(source: bytes, destination: bytes) -> bool:
    return len(source) == 16 and _MESH_BYTE in (source[0], destination[0])


def _cut(address: bytes, length: int) -> int:
    return int.from_bytes(address, "big") >> (len(address) * 8 - length)


def _interface(address: bytes, length: int) -> IpInterface:
    if len(address) == 4:
        return IPv4Interface((address, length))
    return IPv6Interface((address, length))


def _is_usable(block: Block) -> bool:
    """Whether a host may have the address that a gateway offers."""
    address = IPv4Address(block.address) if len(block.address) == 4 else IPv6Address(block.address)
    is_mesh = len(block.address) == 16 and block.address[0] == _MESH_BYTE
    return not (address.is_unspecified or address.is_multicast or address.is_loopback or is_mesh)
