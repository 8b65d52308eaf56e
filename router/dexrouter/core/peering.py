"""Peers: the nodes at the other end of this node's links, how they come and how they go (spec 02 §6).

A peer is a link address on an interface with one CryptoAuth session and one interface of the switch. Peers
are made in three ways: configured (we call, for ever), heard by a beacon, or by a hello from an address that
was unknown (they call).

    configured ──ping──► INIT ──key──► RECEIVED_KEY ──data──► ESTABLISHED ──silence 20 s──► UNRESPONSIVE
    hello heard ───────► UNAUTHENTICATED ──► RECEIVED_HELLO/SENT_KEY ──data──► ESTABLISHED      │
                                 │                                    any authentic packet ◄────┘
                                 └─ incoming and silent: forgotten

Here is the handshake, and what packets go through that are not plain data; link_runs.py has the way of those
that are, liveness.py what time does to a peer, beacons.py the announcements. Frames are only wrapped and
unwrapped.

Rules:

* State is that of the last authentic packet; it is left for UNRESPONSIVE or INCOMPATIBLE only by time or
  version.
* Until a session is established only frames for this very router pass (spec 03 §6.2): a hello can be
  replayed.
* A datagram that is not authentic changes nothing and is never answered. A hello can be a replay: a stranger
  is sent no more bytes than came from it until its handshake is finished, and an established session is
  replaced only by one that is proven fresh (core/renewal.py).
* Bounds are those of core/peer_table.py and, of handshakes a second, core/admission.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from dexrouter.core.admission import STRANGERS, Admission, is_handshake
from dexrouter.core.beacons import LOCAL_PEERS, Beacons
from dexrouter.core.link_runs import LinkRuns, Received
from dexrouter.core.links import LinkAddress, LinkKind
from dexrouter.core.liveness import Liveness
from dexrouter.core.peer import BeaconMode, Interface, Peer, PeerState
from dexrouter.core.peer_table import PeeringError, PeerTable
from dexrouter.core.renewal import is_hello, take_hello
from dexrouter.core.switch import Switch
from dexrouter.crypto.cryptoauth import CryptoError, Session
from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.handshake import peek_handshake_key
from dexrouter.crypto.keys import KeyPair, PublicKey, is_node_key
from dexrouter.crypto.users import AuthorizedUsers, Credentials
from dexrouter.wire.crypto_header import HANDSHAKE_SIZE, CryptoHeader

__all__ = ["Peering"]

_SUCCESSOR_AFTER: Final = 10.0
"""Silence after which another node that authenticates may take over the link address of an incoming peer."""


class Peering(LinkRuns):
    """All peers of a node. Frames go through `receive` and `send`, or in runs; what follows: `outputs`."""

    def __init__(
        self, *, own: KeyPair, users: AuthorizedUsers, switch: Switch, entropy: Entropy, now: float
    ) -> None:
        self._own = own
        self._users = users
        self._entropy = entropy
        self._admission = Admission()
        self.beacon_password = entropy(20)
        """Valid while this process runs; whoever hears our beacon may connect with it (spec 02 §4.1)."""
        users.add(Credentials(self.beacon_password, LOCAL_PEERS))
        self.interfaces: list[Interface] = []
        self.drops: Counter[str] = Counter()
        self._table = PeerTable(switch)
        self._liveness = Liveness(self._table, now)
        self._beacons = Beacons(own.public, self.beacon_password, self.interfaces, self.drops, now)
        self.by_slot = self._table.by_slot
        self.by_link = self._table.by_link
        self.outputs = self._table.outputs
        """What the edge must do, in order. Whoever takes it empties the list."""
        self.routable_changes = self._table.routable_changes
        """Peers that the pathfinder may use from now on (True) or no longer (False), in order."""
        self.pings_due: list[Peer] = []
        """Peers that a liveness ping should be sent to now; the node sends it through the switch."""

    # -- set-up

    def add_interface(self, kind: LinkKind, name: str) -> int:
        """Register a bound socket or device; returns its number."""
        interface = Interface(number=len(self.interfaces), kind=kind, name=name)
        self.interfaces.append(interface)
        return interface.number

    def set_beacon_mode(self, interface: int, mode: BeaconMode, now: float) -> None:
        """Switch beacons; with SENDING the first one goes out at once."""
        self._beacons.set_mode(self.interfaces[interface], mode, now)

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
        old = self.by_link.get((interface, link_address))
        if old is not None:
            self.forget(old, "replaced by a configured connection")
        return self._call(interface, link_address, key, credentials, now, is_incoming=False, name=name)

    def greet(self, interface: int, link_address: LinkAddress, key: PublicKey, now: float) -> None:
        """Say hello to a neighbour that had called us before this process began.

        It knows our key and asks no password of the node it called; if it is not there any more, it is
        forgotten like any handshake that leads nowhere.
        """
        if (interface, link_address) in self.by_link or key == self._own.public or not is_node_key(key):
            return
        try:
            self._call(interface, link_address, key, None, now, is_incoming=True)
        except PeeringError:
            self.drops["link.full"] += 1

    def forget(self, peer: Peer, why: str) -> None:
        """Remove a peer: its session, its switch interface and its label are free again."""
        self._table.forget(peer, why)

    def peers(self) -> Iterator[Peer]:
        """All peers, in order of creation."""
        return iter(self._table)

    # -- packets

    def receive(self, interface: int, source: LinkAddress, packet: bytes, now: float) -> Received | None:
        """Open one link packet: the peer and its frame, or None with the reason counted."""
        peer = self.by_link.get((interface, source))
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
        peer.count_out(size, now)
        packet = session.seal(frame, now)
        self._parts_for(peer).append(packet)

    def receive_beacon(self, interface: int, source: LinkAddress, content: bytes, now: float) -> None:
        """Take a beacon: a new neighbour is called, a known one gets the new password (spec 02 §4.2)."""
        beacon = self._beacons.heard(self.interfaces[interface], content)
        if beacon is None:
            return
        key = PublicKey(beacon.public_key)
        credentials = Credentials(password=beacon.password)
        peer = self.by_link.get((interface, source))
        if peer is not None and peer.key != key and peer.is_incoming:
            if now - peer.last_message < _SUCCESSOR_AFTER:
                return
            self.forget(peer, "another node has its link address now")
            peer = None
        if peer is not None:
            _heard_again(peer, credentials)
            return
        if not self._table.has_room_for_call():
            self.drops["beacon.too_many"] += 1
            return
        self._make_room_for(key)
        try:
            peer = self._call(interface, source, key, credentials, now, is_incoming=True)
        except PeeringError:
            self.drops["link.full"] += 1
            return
        peer.version = beacon.version

    def pong(self, peer: Peer, version: int, now: float) -> None:
        """Take the answer to a liveness ping: the peer's version is known now."""
        self._liveness.pong(peer, version, now)

    # -- time

    def next_deadline(self) -> float:
        """When `poll` wants to be called."""
        return min(self._liveness.deadline, self._beacons.deadline)

    def poll(self, now: float) -> None:
        """Look after liveness and beacons. Early calls are harmless."""
        self.outputs += self._beacons.poll(now)
        self.pings_due += self._liveness.poll(now)

    def resume(self, now: float) -> None:
        """Ping every peer at once, as after the machine has slept or the network has changed."""
        for peer in self.by_slot.values():
            peer.ping_count = 0
            self._ping(peer, now)

    def renew(self, peer: Peer, now: float) -> None:
        """Begin a new session with a peer that we call, at once, as when our own address has changed.

        Only a hello is taken from an address that the peer does not know (spec 02 §1).
        """
        peer.begin_anew()
        peer.ping_count = 0
        self._ping(peer, now)

    # -- inside

    def _call(
        self,
        interface: int,
        link_address: LinkAddress,
        key: PublicKey,
        credentials: Credentials | None,
        now: float,
        *,
        is_incoming: bool,
        name: str = "outer",
    ) -> Peer:
        """Add a peer that this side calls, and ping it: its hello needs something to carry."""
        session = self._new_session(key, now, require_auth=False, credentials=credentials)
        peer = self._table.add(
            self.interfaces[interface],
            link_address,
            key,
            session,
            PeerState.INIT,
            now,
            is_incoming=is_incoming,
            is_called=True,
            name=name,
        )
        self._ping(peer, now)
        return peer

    def _ping(self, peer: Peer, now: float) -> None:
        self._liveness.pinged(peer, now)
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
        if now - old.last_message < _SUCCESSOR_AFTER:
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
        peer.count_in(1, size, now)
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
            self._liveness.heard(peer, now)
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


def _heard_again(peer: Peer, credentials: Credentials) -> None:
    """Take the password of a known neighbour's beacon.

    A beacon is not signed: an established session lives on, and the password is for the one after it.
    """
    if not peer.is_incoming:
        return
    if peer.session.is_established:
        peer.next_credentials = credentials
    else:
        peer.session.set_credentials(credentials)
