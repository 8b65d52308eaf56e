"""One peer as the core knows it: who it is, how it is, and what has passed (spec 02 §6).

The rules by which peers come, change and go are in peering.py and liveness.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from dexrouter import OLDEST_COMPATIBLE_VERSION
from dexrouter.core.bandwidth import Bandwidth
from dexrouter.core.links import LinkAddress, LinkKind, format_link_address
from dexrouter.core.renewal import Renewal
from dexrouter.crypto.cryptoauth import Session
from dexrouter.crypto.keys import Address, PublicKey, address_of
from dexrouter.crypto.users import Credentials
from dexrouter.wire.encoding_scheme import V358

__all__ = ["LAZY_AFTER", "BeaconMode", "Interface", "Peer", "PeerState"]

LAZY_AFTER: Final = 3.072
"""Seconds of silence after which a peer is pinged (spec 02 §7)."""


class PeerState(IntEnum):
    """State of a peer, with the numbers and names of spec 02 §6.2."""

    INIT = 0
    SENT_HELLO = 1
    RECEIVED_HELLO = 2
    SENT_KEY = 3
    RECEIVED_KEY = 4
    ESTABLISHED = 100
    UNRESPONSIVE = -1
    UNAUTHENTICATED = -2
    INCOMPATIBLE = -3


class BeaconMode(IntEnum):
    """What an interface does with beacons (spec 02 §4.1)."""

    DISABLED = 0
    ACCEPTING = 1
    SENDING = 2


@dataclass(slots=True)
class Interface:
    """One bound UDP socket or one Ethernet device, as the core knows it."""

    number: int
    kind: LinkKind
    name: str
    """`UDP/IPv4/0.0.0.0:33000`, `ETH/eth0`."""
    beacon_mode: BeaconMode = BeaconMode.DISABLED
    next_beacon: float | None = None
    """When the next one goes out (monotonic seconds); None: none does."""


class Peer:
    """One peer. Times are monotonic seconds; bytes count switch frames."""

    __slots__ = (
        "address",
        "allowance",
        "bandwidth_in",
        "bandwidth_out",
        "bytes_in",
        "bytes_out",
        "created",
        "interface",
        "is_called",
        "is_incoming",
        "is_silent",
        "key",
        "label",
        "last_message",
        "last_pong",
        "link_address",
        "name",
        "next_credentials",
        "next_ping",
        "packets_in",
        "ping_count",
        "renewal",
        "session",
        "slot",
        "state",
        "unanswered_pings",
        "version",
        "was_established",
    )

    def __init__(
        self,
        *,
        interface: Interface,
        link_address: LinkAddress,
        key: PublicKey,
        session: Session,
        slot: int,
        is_incoming: bool,
        is_called: bool,
        name: str,
        state: PeerState,
        now: float,
    ) -> None:
        self.interface = interface
        self.link_address = link_address
        self.key = key
        self.address: Address = address_of(key)
        self.session = session
        self.slot = slot
        self.label = V358.peer_label(slot)
        self.is_incoming = is_incoming
        """Forgotten when it is silent for long: all but the configured ones."""
        self.is_called = is_called
        """Whether this side calls: the peer was configured, its beacon was heard, or it is known of old."""
        self.name = name
        self.state = state
        self.version = 0
        """Protocol version, 0 while unknown."""
        self.last_message = now - LAZY_AFTER - 0.001
        """Counts as lazy at once, but not as unresponsive (spec 02 §6.1)."""
        self.last_pong = self.last_message
        self.ping_count = 0
        self.unanswered_pings = 0
        self.is_silent = False
        """ESTABLISHED by name, but several pings in a row were not answered: nothing is routed through it."""
        self.bytes_in = 0
        self.bytes_out = 0
        self.packets_in = 0
        self.bandwidth_in = Bandwidth()
        self.bandwidth_out = Bandwidth()
        self.next_ping = now
        self.created = now
        self.renewal: Renewal | None = None
        """The session that takes over when it is proven fresh."""
        self.next_credentials: Credentials | None = None
        """What its last beacon said, for when the present session is no more."""
        self.was_established = False
        """Whether it ever was: until then it is a stranger."""
        self.allowance: int | None = None if is_called else 0
        """Bytes that may go to a stranger that called us: what came from it. None: it is no stranger."""

    @property
    def is_compatible(self) -> bool:
        """Whether it may be talked to: its version is unknown or new enough."""
        return not self.version or self.version >= OLDEST_COMPATIBLE_VERSION

    @property
    def is_routable(self) -> bool:
        """Whether the pathfinder may use it: established, and its version is known."""
        return (
            self.state is PeerState.ESTABLISHED
            and not self.is_silent
            and self.version >= OLDEST_COMPATIBLE_VERSION
        )

    def count_in(self, packets: int, size: int, now: float) -> None:
        """Count what has come from it: switch frames, and their bytes together."""
        if now >= self.bandwidth_in.until:
            self.bandwidth_in.turn(self.bytes_in, now)
        self.bytes_in += size
        self.packets_in += packets

    def count_out(self, size: int, now: float) -> None:
        """Count bytes of switch frames that go to it."""
        if now >= self.bandwidth_out.until:
            self.bandwidth_out.turn(self.bytes_out, now)
        self.bytes_out += size

    def begin_anew(self) -> None:
        """Drop the session: the next packet is a hello, with the password that its last beacon told."""
        self.session.reset()
        if self.next_credentials is not None:
            self.session.set_credentials(self.next_credentials)
            self.next_credentials = None

    def __repr__(self) -> str:
        return f"<Peer {format_link_address(self.link_address)} {self.state.name}>"
