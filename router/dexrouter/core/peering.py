"""Peers: the nodes at the other end of this node's links (spec 02 §6 and §7).

A peer is a link address on an interface with one CryptoAuth session and one interface of the switch. Peers
are made in three ways: configured (we call, for ever), heard by a beacon, or by a hello from an address that
was unknown (they call). Here is handshake, liveness, state and counting; frames are only wrapped and
unwrapped.

    configured ──ping──► INIT ──key──► RECEIVED_KEY ──data──► ESTABLISHED ──silence 20 s──► UNRESPONSIVE
    hello heard ───────► UNAUTHENTICATED ──► RECEIVED_HELLO/SENT_KEY ──data──► ESTABLISHED      │
                                 │                                    any authentic packet ◄────┘
                                 └─ incoming and silent: forgotten

Rules:

* State is that of the last authentic packet; it is left for UNRESPONSIVE or INCOMPATIBLE only by time or
  version.
* Until a session is established only frames for this very router pass (spec 03 §6.2): a hello can be
  replayed.
* A datagram that is not authentic changes nothing and is never answered. A hello from a stranger is answered
  with one packet no larger than itself.
* Bounds: 256 peers (the switch), of them at most 32 strangers that have not finished their handshake; the
  oldest of these gives way.

Where this differs from the C router, for the better and invisible to it: hellos are repeated faster at first,
and a session in which nothing is answered any more is begun anew by the side that called after 4 s, not after
60, so that a restarted neighbour is back at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from dexrouter import PROTOCOL_VERSION
from dexrouter.core.bandwidth import Bandwidth
from dexrouter.core.links import LinkAddress, LinkKind, format_link_address
from dexrouter.core.outputs import Beacon, Output, PeerChanged, Transmit
from dexrouter.core.switch import Switch, SwitchFullError
from dexrouter.crypto.cryptoauth import CryptoError, Session, peek_handshake_key
from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.keys import Address, KeyPair, PublicKey, address_of, is_node_key
from dexrouter.crypto.users import AuthorizedUsers, Credentials
from dexrouter.wire.beacon import Beacon as BeaconContent
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.errors import WireError

__all__ = [
    "LOCAL_PEERS",
    "BeaconMode",
    "Interface",
    "Peer",
    "PeerState",
    "Peering",
    "PeeringError",
    "Received",
]

OLDEST_COMPATIBLE_VERSION: Final = 20
"""Peers below this speak another language (spec 02 §7.3)."""

TICK: Final = 1.024
LAZY_AFTER: Final = 3.072
UNRESPONSIVE_AFTER: Final = 20.48
FORGET_AFTER: Final = 262.144
BEACON_INTERVAL: Final = 32.768
"""Seconds; all as in spec 02 §7."""

UNFINISHED_FORGET_AFTER: Final = 15.0
"""A stranger's handshake that leads nowhere is forgotten after this (the C router: 262 s)."""

MAX_UNFINISHED: Final = 32
"""Strangers whose handshake is not finished; the oldest gives way to the next."""

SUCCESSOR_AFTER: Final = 10.0
"""Silence after which another node that authenticates may take over the link address of an incoming peer."""

LOCAL_PEERS: Final = b"Local Peers"
"""Login of those who heard our beacon."""

RENEW_AFTER: Final = 4.0
"""Silence after which the calling side begins a new session, if it has asked at least twice."""

_FIRST_RETRIES: Final = (0.25, 0.5, 1.0)
"""Seconds between the first hellos; then once a tick."""

_SLOW_PING: Final = 8
"""An unresponsive peer is pinged at every eighth tick."""


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


class PeeringError(ValueError):
    """A peer that cannot be added; the text says why."""


@dataclass(slots=True)
class Interface:
    """One bound UDP socket or one Ethernet device, as the core knows it."""

    number: int
    kind: LinkKind
    name: str
    """`UDP/IPv4/0.0.0.0:33000`, `ETH/eth0`."""
    beacon_mode: BeaconMode = BeaconMode.DISABLED
    next_beacon: float | None = None


class Peer:
    """One peer. Times are monotonic seconds; bytes count switch frames."""

    __slots__ = (
        "address",
        "bandwidth_in",
        "bandwidth_out",
        "bytes_in",
        "bytes_out",
        "forget_after",
        "interface",
        "is_incoming",
        "key",
        "label",
        "last_message",
        "last_pong",
        "link_address",
        "name",
        "next_ping",
        "packets_in",
        "ping_count",
        "session",
        "slot",
        "state",
        "unanswered_pings",
        "version",
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
        self.name = name
        self.state = state
        self.version = 0
        """Protocol version, 0 while unknown."""
        self.last_message = now - LAZY_AFTER - 0.001
        """Counts as lazy at once, but not as unresponsive (spec 02 §6.1)."""
        self.last_pong = self.last_message
        self.ping_count = 0
        self.unanswered_pings = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.packets_in = 0
        self.bandwidth_in = Bandwidth()
        self.bandwidth_out = Bandwidth()
        self.next_ping = now
        self.forget_after = UNFINISHED_FORGET_AFTER

    @property
    def is_compatible(self) -> bool:
        """Whether it may be talked to: its version is unknown or new enough."""
        return not self.version or self.version >= OLDEST_COMPATIBLE_VERSION

    @property
    def is_routable(self) -> bool:
        """Whether the pathfinder may use it: established, and its version is known."""
        return self.state is PeerState.ESTABLISHED and self.version >= OLDEST_COMPATIBLE_VERSION

    def __repr__(self) -> str:
        return f"<Peer {format_link_address(self.link_address)} {self.state.name}>"


Received = tuple[Peer, bytes]
"""A frame for the switch, and the peer it came from."""


class Peering:
    """All peers of a node. Frames go through `receive` and `send`; what follows is in `outputs`."""

    def __init__(
        self, *, own: KeyPair, users: AuthorizedUsers, switch: Switch, entropy: Entropy, now: float
    ) -> None:
        self._own = own
        self._users = users
        self._switch = switch
        self._entropy = entropy
        self._deadline = now
        self.beacon_password = entropy(20)
        """Valid while this process runs; whoever hears our beacon may connect with it (spec 02 §4.1)."""
        users.add(Credentials(self.beacon_password, LOCAL_PEERS))
        self.interfaces: list[Interface] = []
        self.by_slot: dict[int, Peer] = {}
        self._by_link: dict[tuple[int, LinkAddress], Peer] = {}
        self.outputs: list[Output] = []
        self.routable_changes: list[tuple[Peer, bool]] = []
        """Peers that the pathfinder may use from now on (True) or no longer (False), in order."""
        self.pings_due: list[Peer] = []
        """Peers that a liveness ping should be sent to now; the node sends it through the switch."""
        self.drops: Counter[str] = Counter()

    # -- set-up

    def add_interface(self, kind: LinkKind, name: str) -> int:
        """Register a bound socket or device; returns its number."""
        interface = Interface(number=len(self.interfaces), kind=kind, name=name)
        self.interfaces.append(interface)
        return interface.number

    def set_beacon_mode(self, interface: int, mode: BeaconMode, now: float) -> None:
        """Switch beacons; with SENDING the first one goes out at once."""
        self.interfaces[interface].beacon_mode = mode
        self.interfaces[interface].next_beacon = now if mode is BeaconMode.SENDING else None
        self._deadline = now

    def connect(
        self,
        interface: int,
        link_address: LinkAddress,
        key: PublicKey,
        credentials: Credentials | None,
        now: float,
        *,
        name: str = "outer",
    ) -> Peer:
        """Add a configured peer and call it, without credentials if it wants none. Raises PeeringError.

        An entry that is there already for this link address is replaced: the caller's word is newer.
        """
        if key == self._own.public:
            raise PeeringError("this is the node's own key")
        if not is_node_key(key):
            raise PeeringError("not a cjdns key: its address does not begin with fc")
        old = self._by_link.get((interface, link_address))
        if old is not None:
            self.forget(old, "replaced by a configured connection")
        session = self._new_session(key, now, require_auth=False, credentials=credentials)
        peer = self._add(
            self.interfaces[interface],
            link_address,
            key,
            session,
            PeerState.INIT,
            now,
            is_incoming=False,
            name=name,
        )
        self._ping(peer, now)
        return peer

    def greet(self, interface: int, link_address: LinkAddress, key: PublicKey, now: float) -> None:
        """Say hello to a neighbour that had called us before this process began.

        It knows our key and asks no password of the node it called; if it is not there any more, it is
        forgotten like any handshake that leads nowhere.
        """
        if (interface, link_address) in self._by_link or key == self._own.public or not is_node_key(key):
            return
        session = self._new_session(key, now, require_auth=False, credentials=None)
        peer = self._add(
            self.interfaces[interface],
            link_address,
            key,
            session,
            PeerState.INIT,
            now,
            is_incoming=True,
            name="outer",
        )
        self._ping(peer, now)

    def forget(self, peer: Peer, why: str) -> None:
        """Remove a peer: its session, its switch interface and its label are free again."""
        if self.by_slot.pop(peer.slot, None) is None:
            return
        del self._by_link[peer.interface.number, peer.link_address]
        if peer.is_routable:
            self.routable_changes.append((peer, False))
        self._switch.unplug(peer.slot)
        self._report(peer, peer.state.name, "FORGOTTEN", why)

    def reset(self, peer: Peer) -> None:
        """Begin a new session with the peer."""
        peer.session.reset()

    def peers(self) -> Iterator[Peer]:
        """All peers, in order of creation."""
        return iter(tuple(self._by_link.values()))

    # -- packets

    def receive(self, interface: int, source: LinkAddress, packet: bytes, now: float) -> Received | None:
        """Open one link packet: the peer and its frame, or None with the reason counted."""
        peer = self._by_link.get((interface, source))
        if peer is None:
            return self._receive_from_stranger(interface, source, packet, now)
        if not peer.is_compatible:
            self.drops["link.incompatible"] += 1
            return None
        frame = peer.session.open(packet, now, apply_timeout=True)
        if isinstance(frame, CryptoError):
            if frame is CryptoError.WRONG_PERM_PUBKEY and peer.is_incoming:
                return self._receive_from_successor(peer, packet, now)
            self.drops[f"link.{frame.name.lower()}"] += 1
            return None
        return self._received(peer, frame, now)

    def send(self, peer: Peer, frame: bytes, now: float) -> None:
        """Wrap a frame for a peer; the datagram is appended to the outputs."""
        if not peer.is_compatible:
            self.drops["link.incompatible"] += 1
            return
        size = len(frame)
        peer.bytes_out += size
        peer.bandwidth_out.add(size, now)
        packet = peer.session.seal(frame, now)
        if self.outputs:
            last = self.outputs[-1]
            if (
                type(last) is Transmit
                and last.address == peer.link_address
                and last.interface == peer.interface.number
            ):
                last.datagrams.append(packet)
                return
        self.outputs.append(Transmit(peer.interface.number, peer.link_address, [packet]))

    def receive_beacon(self, interface: int, source: LinkAddress, content: bytes, now: float) -> None:
        """Take a beacon: a new neighbour is called, a known one gets the new password (spec 02 §4.2)."""
        here = self.interfaces[interface]
        if here.beacon_mode is BeaconMode.DISABLED:
            self.drops["beacon.disabled"] += 1
            return
        try:
            beacon = BeaconContent.parse(content)
        except WireError:
            self.drops["beacon.short"] += 1
            return
        key = PublicKey(beacon.public_key)
        if key == self._own.public:
            return
        if not is_node_key(key) or beacon.version < OLDEST_COMPATIBLE_VERSION:
            self.drops["beacon.unusable"] += 1
            return
        credentials = Credentials(password=beacon.password)
        peer = self._by_link.get((interface, source))
        if peer is not None:
            if peer.is_incoming and peer.key == key:
                peer.session.set_credentials(credentials)
            return
        session = self._new_session(key, now, require_auth=False, credentials=credentials)
        try:
            peer = self._add(here, source, key, session, PeerState.INIT, now, is_incoming=True, name="outer")
        except PeeringError:
            self.drops["beacon.full"] += 1
            return
        peer.version = beacon.version
        self._ping(peer, now)

    def pong(self, peer: Peer, version: int, now: float) -> None:
        """Take the answer to a liveness ping: the peer's version is known now."""
        was_routable = peer.is_routable
        peer.version = version
        peer.last_pong = now
        peer.unanswered_pings = 0
        peer.ping_count = 0
        if not peer.is_compatible:
            self._set_state(peer, PeerState.INCOMPATIBLE, f"protocol version {version}")
        elif peer.is_routable and not was_routable:
            self.routable_changes.append((peer, True))

    # -- time

    def next_deadline(self) -> float:
        """When `poll` wants to be called."""
        return self._deadline

    def poll(self, now: float) -> None:
        """Look after liveness and beacons. Early calls are harmless."""
        self._deadline = now + BEACON_INTERVAL
        for interface in self.interfaces:
            self._poll_beacon(interface, now)
        for peer in tuple(self.by_slot.values()):
            self._poll_peer(peer, now)
            self._deadline = min(self._deadline, peer.next_ping)

    def resume(self, now: float) -> None:
        """Ping every peer at once, as after the machine has slept or the network has changed."""
        for peer in self.by_slot.values():
            peer.ping_count = 0
            self._ping(peer, now)

    # -- inside

    def _poll_beacon(self, interface: Interface, now: float) -> None:
        if interface.next_beacon is None:
            return
        if now < interface.next_beacon:
            self._deadline = min(self._deadline, interface.next_beacon)
            return
        interface.next_beacon = now + BEACON_INTERVAL
        content = BeaconContent(
            version=PROTOCOL_VERSION, password=self.beacon_password, public_key=self._own.public
        )
        self.outputs.append(Beacon(interface.number, content.encode()))

    def _poll_peer(self, peer: Peer, now: float) -> None:
        silent = now - peer.last_message
        if not peer.is_compatible:
            return
        if peer.is_incoming and silent > peer.forget_after:
            self.forget(peer, f"silent for {silent:.0f} s")
            return
        if now < peer.next_ping:
            return
        if silent > UNRESPONSIVE_AFTER and peer.state is not PeerState.UNRESPONSIVE:
            self._set_state(peer, PeerState.UNRESPONSIVE, f"silent for {silent:.0f} s")
        if peer.version and silent < LAZY_AFTER:
            peer.next_ping = peer.last_message + LAZY_AFTER
            return
        if (
            not peer.is_incoming
            and silent > RENEW_AFTER
            and peer.unanswered_pings >= 2
            and peer.session.is_established
        ):
            peer.session.reset()
        self._ping(peer, now)

    def _ping(self, peer: Peer, now: float) -> None:
        if peer.state is PeerState.UNRESPONSIVE:
            wait = TICK * _SLOW_PING
        elif peer.ping_count < len(_FIRST_RETRIES):
            wait = _FIRST_RETRIES[peer.ping_count]
        else:
            wait = TICK
        peer.next_ping = now + wait
        self._deadline = min(self._deadline, peer.next_ping)
        peer.ping_count += 1
        peer.unanswered_pings += 1
        self.pings_due.append(peer)

    def _receive_from_successor(self, old: Peer, packet: bytes, now: float) -> Received | None:
        """Take the hello of another node at the address of one that has been silent for a while.

        Behind NAT an address is given to somebody else; the newcomer need not wait until the old entry is
        forgotten, but has to authenticate before anything of it is touched.
        """
        if now - old.last_message < SUCCESSOR_AFTER:
            self.drops["link.wrong_perm_pubkey"] += 1
            return None
        return self._receive_from_stranger(old.interface.number, old.link_address, packet, now, replaces=old)

    def _receive_from_stranger(
        self, interface: int, source: LinkAddress, packet: bytes, now: float, replaces: Peer | None = None
    ) -> Received | None:
        """Open a packet from an unknown link address; only a hello that authenticates makes a peer."""
        key = peek_handshake_key(packet)
        if key is None or packet[3] > 1:
            self.drops["link.stranger"] += 1
            return None
        if key == self._own.public or not is_node_key(key):
            self.drops["link.bad_key"] += 1
            return None
        session = self._new_session(key, now, require_auth=True, credentials=None)
        frame = session.open(packet, now, apply_timeout=False)
        if isinstance(frame, CryptoError):
            self.drops[f"link.hello_{frame.name.lower()}"] += 1
            return None
        if replaces is not None:
            self.forget(replaces, "another node has its link address now")
        self._make_room_for_stranger()
        try:
            peer = self._add(
                self.interfaces[interface],
                source,
                key,
                session,
                PeerState.UNAUTHENTICATED,
                now,
                is_incoming=True,
                name="outer",
            )
        except PeeringError:
            self.drops["link.full"] += 1
            return None
        peer.next_ping = now + TICK
        return self._received(peer, frame, now)

    def _received(self, peer: Peer, frame: bytes, now: float) -> Received | None:
        """Count an authentic frame, move the state, and hold back what an unfinished session may not say."""
        size = len(frame)
        peer.bytes_in += size
        peer.packets_in += 1
        peer.bandwidth_in.add(size, now)
        if peer.session.is_established:
            peer.last_message = now
            if peer.state is not PeerState.ESTABLISHED:
                self._established(peer, now)
            return peer, frame
        if peer.state is PeerState.ESTABLISHED:
            # It has begun anew: it restarted, and does not know the paths it knew.
            self._set_state(peer, PeerState(peer.session.state), "new session")
        elif int(peer.state) != int(peer.session.state):
            self._set_state(peer, PeerState(peer.session.state), "")
            if peer.state is PeerState.RECEIVED_KEY:
                # Only data can finish the handshake, and there may be none for a while.
                self._ping(peer, now)
        if size < 8 or frame[7] != 1:
            self.drops["link.not_established"] += 1
            return None
        return peer, frame

    def _established(self, peer: Peer, now: float) -> None:
        peer.forget_after = FORGET_AFTER
        self._set_state(peer, PeerState.ESTABLISHED, (peer.session.user or b"").decode(errors="replace"))
        if not peer.version:
            self._ping(peer, now)
        peer.ping_count = 0

    def _set_state(self, peer: Peer, state: PeerState, detail: str) -> None:
        before, was_routable = peer.state, peer.is_routable
        peer.state = state
        if peer.is_routable != was_routable:
            self.routable_changes.append((peer, peer.is_routable))
        if state in (PeerState.ESTABLISHED, PeerState.UNRESPONSIVE):
            self._switch.set_up(peer.slot, state is PeerState.ESTABLISHED)
        self._report(peer, before.name, state.name, detail)

    def _report(self, peer: Peer, before: str, state: str, detail: str) -> None:
        self.outputs.append(
            PeerChanged(peer.interface.number, peer.link_address, peer.key, peer.name, before, state, detail)
        )

    def _make_room_for_stranger(self) -> None:
        unfinished = [
            peer
            for peer in self._by_link.values()
            if peer.is_incoming
            and not peer.session.is_established
            and peer.state is not PeerState.UNRESPONSIVE
        ]
        if len(unfinished) >= MAX_UNFINISHED:
            self.drops["link.stranger_evicted"] += 1
            self.forget(unfinished[0], "too many unfinished handshakes")

    def _new_session(
        self, key: PublicKey, now: float, *, require_auth: bool, credentials: Credentials | None
    ) -> Session:
        return Session(
            own=self._own,
            her_key=key,
            users=self._users,
            require_auth=require_auth,
            credentials=credentials,
            entropy=self._entropy,
            now=now,
        )

    def _add(
        self,
        interface: Interface,
        link_address: LinkAddress,
        key: PublicKey,
        session: Session,
        state: PeerState,
        now: float,
        *,
        is_incoming: bool,
        name: str,
    ) -> Peer:
        try:
            slot = self._switch.plug()
        except SwitchFullError as error:
            raise PeeringError(str(error)) from error
        peer = Peer(
            interface=interface,
            link_address=link_address,
            key=key,
            session=session,
            slot=slot,
            is_incoming=is_incoming,
            name=name,
            state=state,
            now=now,
        )
        self.by_slot[slot] = peer
        self._by_link[interface.number, link_address] = peer
        self._report(peer, "NEW", state.name, "")
        return peer
