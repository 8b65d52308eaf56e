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
* A datagram that is not authentic changes nothing and is never answered. A hello can be a replay: a stranger
  is sent no more bytes than came from it until its handshake is finished, and an established session is
  replaced only by one that is proven fresh (core/renewal.py).
* Bounds are those of core/peer_table.py and, of handshakes a second, core/admission.py.

Where this differs from the C router, for the better and invisible to it: hellos are repeated faster at first,
and a session in which nothing is answered any more is begun anew by the side that called after 4 s, not after
60, so that a restarted neighbour is back at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from dexrouter import OLDEST_COMPATIBLE_VERSION, PROTOCOL_VERSION
from dexrouter.core.admission import STRANGERS, Admission, is_handshake
from dexrouter.core.links import LinkAddress, LinkKind
from dexrouter.core.outputs import Beacon, Buffer, Train, Transmit
from dexrouter.core.packets import Packets, Spans
from dexrouter.core.peer import (
    LAZY_AFTER,
    BeaconMode,
    Interface,
    Peer,
    PeerState,
)
from dexrouter.core.peer_table import PeeringError, PeerTable
from dexrouter.core.renewal import is_hello, take_hello
from dexrouter.core.switch import Switch
from dexrouter.crypto.cryptoauth import CryptoError, Session, peek_handshake_key
from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.keys import KeyPair, PublicKey, is_node_key
from dexrouter.crypto.users import AuthorizedUsers, Credentials
from dexrouter.wire.beacon import Beacon as BeaconContent
from dexrouter.wire.crypto_header import HANDSHAKE_SIZE, CryptoHeader
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

TICK: Final = 1.024
UNRESPONSIVE_AFTER: Final = 20.48
FORGET_AFTER: Final = 262.144
BEACON_INTERVAL: Final = 32.768
"""Seconds; all as in spec 02 §7."""

UNFINISHED_FORGET_AFTER: Final = 15.0
"""A stranger's handshake that leads nowhere is forgotten after this (the C router: 262 s)."""

SUCCESSOR_AFTER: Final = 10.0
"""Silence after which another node that authenticates may take over the link address of an incoming peer."""

LOCAL_PEERS: Final = b"Local Peers"
"""Login of those who heard our beacon."""

SILENT_AFTER: Final = 4.5
"""Silence, with three pings unanswered, after which nothing is routed through a peer any more.

Its state word stays ESTABLISHED until UNRESPONSIVE_AFTER, as tools expect; but who would send through it is
told at once that this way is shut, and finds another in a few seconds instead of twenty.
"""

SILENT_PINGS: Final = 3
RENEW_AFTER: Final = 4.0
"""Silence after which the calling side begins a new session, if it has asked at least twice."""

_FIRST_RETRIES: Final = (0.25, 0.5, 1.0)
"""Seconds between the first hellos; then once a tick."""

_SEALED: Final = 20
"""Bytes of a data packet in front of its payload: nonce and tag."""

_LOOK_BACK: Final = 8
"""Outputs among which a batch for the same peer is looked for."""

_SLOW_PING: Final = 8
"""An unresponsive peer is pinged at every eighth tick."""


_NOTHING: Final = Spans([], [])

Received = tuple[Peer, bytes]
"""A frame for the switch, and the peer it came from."""


class OpenedRun(NamedTuple):
    """Frames for the switch that lie where their packets were."""

    spans: Spans
    slot: int | None
    """Interface of the switch that they came from; None: there is no frame."""
    next: int
    """Number of the packet that is to be opened next."""


class Peering:
    """All peers of a node. Frames go through `receive` and `send`; what follows is in `outputs`."""

    def __init__(
        self, *, own: KeyPair, users: AuthorizedUsers, switch: Switch, entropy: Entropy, now: float
    ) -> None:
        self._own = own
        self._users = users
        self._entropy = entropy
        self._deadline = now
        self._admission = Admission()
        self.beacon_password = entropy(20)
        """Valid while this process runs; whoever hears our beacon may connect with it (spec 02 §4.1)."""
        users.add(Credentials(self.beacon_password, LOCAL_PEERS))
        self.interfaces: list[Interface] = []
        self._table = PeerTable(switch)
        self.by_slot = self._table.by_slot
        self._by_link = self._table.by_link
        self.outputs = self._table.outputs
        """What the edge must do, in order. Whoever takes it empties the list."""
        self.routable_changes = self._table.routable_changes
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
        peer = self._table.add(
            self.interfaces[interface],
            link_address,
            key,
            session,
            PeerState.INIT,
            now,
            is_incoming=False,
            is_called=True,
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
        here = self.interfaces[interface]
        try:
            peer = self._table.add(
                here, link_address, key, session, PeerState.INIT, now, is_incoming=True, is_called=True
            )
        except PeeringError:
            self.drops["link.full"] += 1
            return
        self._ping(peer, now)

    def forget(self, peer: Peer, why: str) -> None:
        """Remove a peer: its session, its switch interface and its label are free again."""
        self._table.forget(peer, why)

    def reset(self, peer: Peer) -> None:
        """Begin a new session with the peer."""
        peer.session.reset()
        if peer.next_credentials is not None:
            peer.session.set_credentials(peer.next_credentials)
            peer.next_credentials = None

    def peers(self) -> Iterator[Peer]:
        """All peers, in order of creation."""
        return iter(self._table)

    # -- packets

    def receive(self, interface: int, source: LinkAddress, packet: bytes, now: float) -> Received | None:
        """Open one link packet: the peer and its frame, or None with the reason counted."""
        peer = self._by_link.get((interface, source))
        if peer is None:
            return self._receive_from_stranger(interface, source, packet, now)
        if not peer.is_compatible:
            self.drops["link.incompatible"] += 1
            return None
        if is_handshake(packet) and not self._admission.take(peer.slot, now):
            self.drops["link.too_many_handshakes"] += 1
            return None
        if is_hello(packet):
            peer.session.reset_if_timeout(now)
            if peer.session.is_established:
                return self._receive_renewal(peer, packet, now)
        frame = peer.session.open(packet, now, apply_timeout=True)
        if isinstance(frame, CryptoError):
            return self._refused(peer, frame, packet, now)
        if peer.allowance is not None:
            peer.allowance += len(packet)
        return self._received(peer, frame, now)

    def send(self, peer: Peer, frame: bytes, now: float) -> None:
        """Wrap a frame for a peer; the datagram is appended to the outputs."""
        if not peer.is_compatible:
            self.drops["link.incompatible"] += 1
            return
        size = len(frame)
        session = peer.session
        if peer.renewal is not None and peer.renewal.may_answer(size, now):
            session = peer.renewal.session
        elif peer.allowance is not None:
            if size + HANDSHAKE_SIZE > peer.allowance:
                self.drops["link.more_than_a_stranger_sent"] += 1
                return
            peer.allowance -= size + HANDSHAKE_SIZE
        peer.bytes_out += size
        peer.bandwidth_out.add(size, now)
        packet = session.seal(frame, now)
        self._parts_for(peer).append(packet)

    def open_run(
        self, interface: int, source: LinkAddress, packets: Packets, first: int, now: float
    ) -> OpenedRun:
        """Open link packets in place from number `first` on, as many as are plain, or else that one.

        The spans stay those of the datagrams: frames begin 20 bytes behind their starts.
        """
        spans = packets.spans
        peer = self._by_link.get((interface, source))
        if peer is not None and self._is_plain(peer):
            peer.session.reset_if_timeout(now)
            following, refused = peer.session.open_run(packets, spans, first, 0, now)
            if refused is CryptoError.REPLAY:
                self.drops["link.replay"] += 1
            if following > first or refused is CryptoError.REPLAY:
                # A replay has been opened already, so it must not be looked at again.
                run = spans.part(first, following)
                size = sum(run.sizes) - len(run.sizes) * _SEALED
                self._count_in(peer, len(run.sizes), size, now)
                return OpenedRun(run, peer.slot, following + (refused is CryptoError.REPLAY))
        ((start, end),) = spans.part(first, first + 1)
        received = self.receive(interface, source, bytes(packets.view[start:end]), now)
        if received is None:
            return OpenedRun(_NOTHING, None, first + 1)
        peer, frame = received
        start = end - len(frame)
        packets.buffer[start:end] = frame
        return OpenedRun(Spans([start - _SEALED], [len(frame) + _SEALED]), peer.slot, first + 1)

    def open_lone(self, interface: int, source: LinkAddress, packets: Packets, now: float) -> int | None:
        """Open the one packet that has come, if it is plain: the interface of the switch that it came from.

        None: it is untouched, and `open_run` has to look at it.
        """
        peer = self._by_link.get((interface, source))
        if peer is None or not self._is_plain(peer):
            return None
        size = packets.spans.sizes[0]
        if not peer.session.open_lone(packets, packets.spans.starts[0], size, now):
            return None
        size -= _SEALED
        peer.bytes_in += size
        peer.packets_in += 1
        peer.bandwidth_in.add(size, now)
        peer.last_message = now
        return peer.slot

    def send_run(self, peer: Peer, packets: Packets, run: Spans, offset: int, now: float) -> None:
        """Wrap frames for a peer where they are; the datagrams begin at `offset` from the spans' starts."""
        view = packets.view
        is_plain = self._is_plain(peer) and peer.renewal is None
        if not is_plain or not peer.session.seal_run(packets, run, offset, b"", b"", now):
            frame_at = offset + _SEALED
            for start, end in run:
                self.send(peer, bytes(view[start + frame_at : end]), now)
            return
        size = sum(run.sizes) - len(run.sizes) * (offset + _SEALED)
        peer.bytes_out += size
        peer.bandwidth_out.add(size, now)
        if len(run.sizes) == 1:
            start = run.starts[0]
            self._parts_for(peer).append(view[start + offset : start + run.sizes[0]])
            return
        joined = run.joined(offset)
        if joined is None:
            self._parts_for(peer).extend([view[start + offset : end] for start, end in run])
            return
        start, end, size = joined
        self._parts_for(peer).append(Train(view[start:end], size))

    @staticmethod
    def _is_plain(peer: Peer) -> bool:
        """Whether frames are only opened, sealed and counted: nothing is under way with this peer."""
        return (
            peer.state is PeerState.ESTABLISHED
            and peer.session.is_established
            and not peer.is_silent
            and peer.allowance is None
        )

    def _count_in(self, peer: Peer, count: int, size: int, now: float) -> None:
        if not count:
            return
        peer.bytes_in += size
        peer.packets_in += count
        peer.bandwidth_in.add(size, now)
        peer.last_message = now

    def _parts_for(self, peer: Peer) -> list[Buffer | Train]:
        """Find what goes to this peer already: the edge sends it in one call. Between peers order is free."""
        number, address = peer.interface.number, peer.link_address
        if self.outputs:
            for output in reversed(self.outputs[-_LOOK_BACK:]):
                if type(output) is Transmit and output.address == address and output.interface == number:
                    return output.parts
        made = Transmit(number, address, [])
        self.outputs.append(made)
        return made.parts

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
        if peer is not None and peer.key != key and peer.is_incoming:
            if now - peer.last_message < SUCCESSOR_AFTER:
                return
            self.forget(peer, "another node has its link address now")
            peer = None
        if peer is not None:
            self._heard_again(peer, credentials)
            return
        if not self._table.has_room_for_call():
            self.drops["beacon.too_many"] += 1
            return
        self._make_room_for(key)
        session = self._new_session(key, now, require_auth=False, credentials=credentials)
        try:
            peer = self._table.add(
                here, source, key, session, PeerState.INIT, now, is_incoming=True, is_called=True
            )
        except PeeringError:
            self.drops["link.full"] += 1
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
            self._table.set_state(peer, PeerState.INCOMPATIBLE, f"protocol version {version}")
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
            if self._is_over(peer, now):
                self.forget(peer, f"silent for {now - peer.last_message:.0f} s")
                continue
            self._poll_peer(peer, now)
            self._deadline = min(self._deadline, peer.next_ping)

    def resume(self, now: float) -> None:
        """Ping every peer at once, as after the machine has slept or the network has changed."""
        for peer in self.by_slot.values():
            peer.ping_count = 0
            self._ping(peer, now)

    def renew(self, peer: Peer, now: float) -> None:
        """Begin a new session with a peer that we call, at once, as when our own address has changed.

        Only a hello is taken from an address that the peer does not know (spec 02 §1).
        """
        peer.session.reset()
        peer.ping_count = 0
        self._ping(peer, now)

    # -- inside

    def _heard_again(self, peer: Peer, credentials: Credentials) -> None:
        """Take the password of a known neighbour's beacon.

        A beacon is not signed: an established session lives on, and the password is for the one after it.
        """
        if not peer.is_incoming:
            return
        if peer.session.is_established:
            peer.next_credentials = credentials
        else:
            peer.session.set_credentials(credentials)

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

    @staticmethod
    def _is_over(peer: Peer, now: float) -> bool:
        """Whether an incoming peer has been silent for so long that it is forgotten."""
        if not peer.is_incoming:
            return False
        if peer.was_established:
            return now >= peer.last_message + FORGET_AFTER
        return now >= peer.created + UNFINISHED_FORGET_AFTER

    def _poll_peer(self, peer: Peer, now: float) -> None:
        if peer.renewal is not None and not peer.renewal.is_alive(now):
            peer.renewal = None
        if now < peer.next_ping:
            return
        if peer.allowance is not None:
            # A stranger asks; we do not.
            peer.next_ping = peer.created + UNFINISHED_FORGET_AFTER
            return
        if not peer.is_compatible:
            self._poll_incompatible(peer, now)
            return
        silent = now - peer.last_message
        if silent > UNRESPONSIVE_AFTER and peer.state is not PeerState.UNRESPONSIVE:
            self._table.set_state(peer, PeerState.UNRESPONSIVE, f"silent for {silent:.0f} s")
        elif silent > SILENT_AFTER and peer.unanswered_pings >= SILENT_PINGS and peer.is_routable:
            self._table.set_silent(peer, silent=True)
        lazy_at = peer.last_message + LAZY_AFTER
        if peer.version and now < lazy_at:
            peer.next_ping = lazy_at
            return
        if (
            peer.is_called
            and silent > RENEW_AFTER
            and peer.unanswered_pings >= 2
            and peer.session.is_established
        ):
            self.reset(peer)
        self._ping(peer, now)

    def _poll_incompatible(self, peer: Peer, now: float) -> None:
        """Ask a configured peer from time to time whether it speaks our language by now."""
        peer.next_ping = now + FORGET_AFTER / 8
        if not peer.is_incoming and now - peer.last_pong > FORGET_AFTER:
            peer.version = 0
            self.reset(peer)
            self._table.set_state(peer, PeerState.INIT, "asked for its version again")
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

    def _receive_renewal(self, peer: Peer, packet: bytes, now: float) -> Received | None:
        """Take a hello that meets an established session: the peer has restarted, or somebody replays."""
        taken = take_hello(peer.session, peer.renewal, packet, now, room=len(packet))
        if isinstance(taken, CryptoError):
            return self._refused(peer, taken, packet, now)
        peer.renewal, frame = taken
        return self._through_the_gate(peer, frame)

    def _refused(self, peer: Peer, error: CryptoError, packet: bytes, now: float) -> Received | None:
        """Look whether a packet that the session refuses is for the next one, or from another node."""
        if peer.renewal is not None and error in (CryptoError.DECRYPT, CryptoError.NO_SESSION):
            frame = peer.renewal.open_data(packet, now)
            if frame is not None:
                self._renewed(peer, peer.renewal.session)
                return self._received(peer, frame, now)
        if error is CryptoError.WRONG_PERM_PUBKEY and peer.is_incoming:
            return self._receive_from_successor(peer, packet, now)
        self.drops[f"link.{error.name.lower()}"] += 1
        return None

    def _renewed(self, peer: Peer, session: Session) -> None:
        """Let a session that is proven fresh take over.

        The peer may have restarted, and then it does not know the paths it knew: it is found anew.
        """
        peer.session = session
        peer.renewal = None
        if peer.is_routable:
            self.routable_changes += [(peer, False), (peer, True)]
        self._table.report(peer, peer.state.name, peer.state.name, "new session")

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
        # Who names no user of ours is refused without an operation on the curve.
        costs = self._users.lookup(CryptoHeader.parse(packet).lookup) is not None
        if costs and not self._admission.take(STRANGERS, now):
            self.drops["link.too_many_handshakes"] += 1
            return None
        session = self._new_session(key, now, require_auth=True, credentials=None)
        frame = session.open(packet, now, apply_timeout=False)
        if isinstance(frame, CryptoError):
            self.drops[f"link.hello_{frame.name.lower()}"] += 1
            return None
        if replaces is not None:
            self.forget(replaces, "another node has its link address now")
        self._make_room_for(key)
        here = self.interfaces[interface]
        state = PeerState.UNAUTHENTICATED
        try:
            peer = self._table.add(here, source, key, session, state, now, is_incoming=True, is_called=False)
        except PeeringError:
            self.drops["link.full"] += 1
            return None
        peer.allowance = len(packet)
        return self._received(peer, frame, now)

    def _received(self, peer: Peer, frame: bytes, now: float) -> Received | None:
        """Count an authentic frame, move the state, and hold back what an unfinished session may not say."""
        size = len(frame)
        peer.bytes_in += size
        peer.packets_in += 1
        peer.bandwidth_in.add(size, now)
        if peer.session.is_established:
            peer.last_message = now
            if peer.is_silent:
                self._table.set_silent(peer, silent=False)
            if peer.state is not PeerState.ESTABLISHED:
                self._established(peer, now)
            return peer, frame
        if int(peer.state) != int(peer.session.state):
            is_new = peer.state is PeerState.ESTABLISHED
            self._table.set_state(peer, PeerState(peer.session.state), "new session" if is_new else "")
            if peer.state is PeerState.RECEIVED_KEY or peer.is_called:
                # The next packet of the handshake is ours, and it needs something to carry.
                peer.ping_count = 0
                self._ping(peer, now)
        return self._through_the_gate(peer, frame)

    def _through_the_gate(self, peer: Peer, frame: bytes) -> Received | None:
        """Let only frames for this router pass while they may be replays (spec 03 §6.2)."""
        if len(frame) < 8 or frame[7] != 1:
            self.drops["link.not_established"] += 1
            return None
        return peer, frame

    def _established(self, peer: Peer, now: float) -> None:
        peer.was_established = True
        peer.allowance = None
        self._table.set_state(
            peer, PeerState.ESTABLISHED, (peer.session.user or b"").decode(errors="replace")
        )
        if peer.version:
            peer.next_ping = now + LAZY_AFTER
        else:
            self._ping(peer, now)
        peer.ping_count = 0

    def _make_room_for(self, key: PublicKey) -> None:
        if self._table.make_room_for_stranger(key):
            self.drops["link.stranger_evicted"] += 1

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
