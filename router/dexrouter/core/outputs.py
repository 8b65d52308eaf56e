"""What a node wants done, in the order in which it must happen. The edge does it and decides nothing.

Datagrams and packets may be slices of the buffer that the node was given its packets in: they are good until
that is filled again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network

from dexrouter.core.links import LinkAddress
from dexrouter.crypto.keys import PublicKey

__all__ = ["Assigned", "Beacon", "Buffer", "Output", "PeerChanged", "ToTun", "Train", "Transmit", "singly"]

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Train:
    """Datagrams that lie one behind the other: all of one size, but the last may be shorter."""

    joined: memoryview
    size: int

    def __iter__(self) -> Iterator[Buffer]:
        return (self.joined[at : at + self.size] for at in range(0, len(self.joined), self.size))


def singly(parts: Iterable[Buffer | Train]) -> list[Buffer]:
    """Give each datagram as a buffer of its own."""
    datagrams: list[Buffer] = []
    for part in parts:
        if isinstance(part, Train):
            datagrams += part
        else:
            datagrams.append(part)
    return datagrams


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send these datagrams to this link address, each as it stands."""

    interface: int
    address: LinkAddress
    parts: list[Buffer | Train]
    """At least one. A batch for one peer, so that the edge can hand it to the kernel in one call."""

    @property
    def datagrams(self) -> list[Buffer]:
        """Give the datagrams one by one."""
        return singly(self.parts)


@dataclass(frozen=True, slots=True)
class ToTun:
    """Write these IPv4 or IPv6 packets to the TUN device."""

    packets: list[Buffer]


@dataclass(frozen=True, slots=True)
class Beacon:
    """Announce this node on an interface: broadcast the 56-byte beacon content (spec 02 §4)."""

    interface: int
    content: bytes


@dataclass(frozen=True, slots=True)
class PeerChanged:
    """A peer's state is another than before: one line for the log."""

    interface: int
    address: LinkAddress
    key: PublicKey
    name: str
    before: str
    """State word of spec 02 §6.2, or NEW."""
    state: str
    """State word, or FORGOTTEN."""
    detail: str


@dataclass(frozen=True, slots=True)
class Assigned:
    """What the IP tunnel's gateways have given this node: its device shall have exactly this."""

    addresses: tuple[IPv4Interface | IPv6Interface, ...] = ()
    """Besides the mesh address, each with the length of the block that is ours."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """What shall be routed into the tunnel."""


Output = Transmit | ToTun | Beacon | PeerChanged | Assigned
