"""How peers come up, stay up, fall silent and are forgotten (spec 02 §6 and §7)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from dexrouter.core.node import Node
from dexrouter.core.outputs import Output, PeerChanged, Transmit
from dexrouter.core.peer import Peer, PeerState
from dexrouter.core.peer_table import PeeringError
from dexrouter.crypto.cryptoauth import Session
from dexrouter.crypto.keys import KeyPair, PublicKey, address_of, generate_key_pair
from dexrouter.crypto.users import AuthorizedUsers, Credentials
from dexrouter.wire.switch_header import SwitchHeader
from remote import CREDENTIALS, PING_FRAME_HEADER, RemotePeer, make_node
from virtual_wire import World

NOW = 1000.0


Happened = list[tuple[float, Transmit | PeerChanged]]


def advance(node: Node, start: float, end: float) -> Happened:
    """Let time pass for a node alone; gives what it sent and which states changed, and when."""
    happened: Happened = []
    now = start
    for _ in range(5000):
        now = max(node.next_deadline(), now)
        if now > end:
            return happened
        node.poll(now)
        assert node.next_deadline() > now, "the node would spin"
        happened += [(now, output) for output in node.drain() if isinstance(output, (Transmit, PeerChanged))]
    raise AssertionError("the node woke 5000 times")


def transmissions(happened: Happened) -> list[float]:
    return [time for time, output in happened if isinstance(output, Transmit)]


def states(node: Node) -> list[tuple[str, str]]:
    return [(output.before, output.state) for output in node.drain() if isinstance(output, PeerChanged)]


def is_ping(frame: bytes) -> bool:
    return frame[12:16] == b"\xff\xff\xff\xff" and frame[18:20] == b"\0\3"


def only_peer(node: Node) -> Peer:
    (peer,) = node.peering.peers()
    return peer


def established(now: float = NOW) -> tuple[Node, RemotePeer]:
    node = make_node()
    remote = RemotePeer(node, 7)
    remote.establish(now)
    assert only_peer(node).state is PeerState.ESTABLISHED
    return node, remote


def restarted(node: Node, remote: RemotePeer) -> RemotePeer:
    """Give the same neighbour in a new process: key and address are the same, the session is gone."""
    again = RemotePeer(node, 77, key=remote.key)
    again.address = remote.address
    return again


class Callee:
    """A node of the test's own that is called: it answers hellos with keys."""

    def __init__(self, node: Node, credentials: Credentials = CREDENTIALS) -> None:
        self.remote = RemotePeer(node, 9, credentials=None)
        self.remote.session = self._session(node)
        self.node = node
        self.peer = node.peering.connect(
            0, self.remote.address, self.remote.key.public, credentials, NOW, name="callee"
        )

    def _session(self, node: Node) -> Session:
        users = AuthorizedUsers()
        users.add(CREDENTIALS)
        return Session(
            own=self.remote.key,
            her_key=node.own.public,
            users=users,
            require_auth=True,
            credentials=None,
            entropy=self.remote.entropy,
            now=NOW,
        )

    def restart(self) -> None:
        """Forget the session."""
        self.remote.session = self._session(self.node)

    def answer_everything(self, now: float) -> None:
        """Answer pings until nothing comes any more."""
        self.answer(self.node.drain(), now)

    def answer(self, outputs: Sequence[Output], now: float) -> None:
        """Answer the pings among these outputs, and those that follow from that."""
        pending = self.remote.frames(list(outputs), now)
        while pending:
            answers = [self.remote.answer(frame) for frame in pending]
            pending = [
                frame for answer in answers if answer is not None for frame in self.remote.send(answer, now)
            ]


# -- the way up


def test_a_hello_with_a_password_becomes_an_established_peer() -> None:
    """NEW, UNAUTHENTICATED, RECEIVED_HELLO (its key is on the way), ESTABLISHED with the first data."""
    node = make_node()
    remote = RemotePeer(node, 7)
    node.receive(0, remote.address, [remote.session.seal(remote.ping_frame(), NOW)], NOW)
    outputs = node.drain()
    assert [(change.before, change.state) for change in outputs if isinstance(change, PeerChanged)] == [
        ("NEW", "UNAUTHENTICATED"),
        ("UNAUTHENTICATED", "RECEIVED_HELLO"),
    ]
    assert len(remote.frames(outputs, NOW)) == 1
    node.receive(0, remote.address, [remote.session.seal(remote.ping_frame(), NOW)], NOW)
    assert ("RECEIVED_HELLO", "ESTABLISHED") in states(node)
    peer = only_peer(node)
    assert peer.is_incoming
    assert peer.session.user == CREDENTIALS.login
    assert peer.label == 0x13


def test_a_configured_peer_goes_from_init_over_received_key_to_established() -> None:
    """We call: the state is that of the last packet received, so SENT_HELLO is never shown."""
    node = make_node()
    callee = Callee(node)
    node.flush(NOW)
    assert states(node) == [("NEW", "INIT")]
    node.poll(NOW + 0.25)
    pending = callee.remote.frames(node.drain(), NOW + 0.25)
    answer = callee.remote.answer(pending[0])
    assert answer is not None
    node.receive(0, callee.remote.address, [callee.remote.session.seal(answer, NOW + 0.3)], NOW + 0.3)
    outputs = node.drain()
    assert [(o.before, o.state) for o in outputs if isinstance(o, PeerChanged)] == [("INIT", "RECEIVED_KEY")]
    for frame in callee.remote.frames(outputs, NOW + 0.3):
        answer = callee.remote.answer(frame)
        assert answer is not None
        node.receive(0, callee.remote.address, [callee.remote.session.seal(answer, NOW + 0.4)], NOW + 0.4)
    assert ("RECEIVED_KEY", "ESTABLISHED") in states(node)
    assert callee.peer.version == 21
    assert callee.peer.is_routable


def test_a_configured_peer_is_called_again_and_again() -> None:
    """Hellos at 0, 0.25, 0.75, 1.75 s, then once a tick; if UNRESPONSIVE, every second, eighth; for ever."""
    node = make_node()
    callee = Callee(node)
    node.flush(NOW)
    assert any(isinstance(output, Transmit) for output in node.drain())
    times = [NOW, *transmissions(advance(node, NOW, NOW + 600.0))]
    assert times[:4] == pytest.approx([NOW, NOW + 0.25, NOW + 0.75, NOW + 1.75])
    early = [b - a for a, b in pairwise(times) if a > NOW + 2 and b < NOW + 17]
    assert early == pytest.approx([1.024] * len(early))
    late = [b - a for a, b in pairwise(times) if a > NOW + 80]
    assert late == pytest.approx([8 * 1.024] * len(late))
    assert times[-1] > NOW + 590
    assert callee.peer.state is PeerState.UNRESPONSIVE
    assert only_peer(node) is callee.peer


def test_hellos_are_repeated_with_the_same_temporary_key() -> None:
    """Whichever hello arrives, the answer fits."""
    node = make_node()
    callee = Callee(node)
    node.flush(NOW)
    node.drain()
    advance(node, NOW, NOW + 3.0)
    node.poll(NOW + 4.0)
    callee.answer_everything(NOW + 4.0)
    assert callee.peer.state is PeerState.ESTABLISHED


def test_a_peer_that_authenticates_by_password_alone_is_let_in() -> None:
    node = make_node()
    remote = RemotePeer(node, 7, credentials=Credentials(CREDENTIALS.password))
    remote.establish(NOW)
    assert only_peer(node).state is PeerState.ESTABLISHED


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        (Credentials(b"a wrong password", CREDENTIALS.login), "link.hello_handshake_decrypt_failed"),
        (Credentials(b"a wrong password"), "link.hello_auth_required"),
        (Credentials(CREDENTIALS.password, b"nobody"), "link.hello_auth_required"),
        (None, "link.hello_auth_required"),
    ],
    ids=["wrong_password", "wrong_password_without_login", "unknown_login", "no_credentials"],
)
def test_a_hello_that_does_not_authenticate_leaves_no_trace(
    credentials: Credentials | None, reason: str
) -> None:
    """No entry, no answer, one count."""
    node = make_node()
    remote = RemotePeer(node, 7, credentials=credentials)
    assert remote.send(remote.ping_frame(), NOW) == []
    assert list(node.peering.peers()) == []
    assert node.peering.drops[reason] == 1


def restricted_node(address: bytes) -> Node:
    node = make_node()
    node.users.add(Credentials(b"only for one", b"one"), address)  # type: ignore[arg-type]
    return node


def test_credentials_bound_to_an_address_let_only_that_node_in() -> None:
    key = generate_key_pair(RemotePeer(make_node(), 33).entropy)
    credentials = Credentials(b"only for one", b"one")
    allowed = restricted_node(key.address)
    RemotePeer(allowed, 7, credentials=credentials, key=key).establish(NOW)
    assert only_peer(allowed).state is PeerState.ESTABLISHED
    refused = restricted_node(key.address)
    other = RemotePeer(refused, 8, credentials=credentials)
    assert other.send(other.ping_frame(), NOW) == []
    assert list(refused.peering.peers()) == []
    assert refused.peering.drops["link.hello_ip_restricted"] == 1


def test_nothing_but_a_hello_makes_a_peer() -> None:
    """Key packets, data and garbage from an unknown address are counted and forgotten."""
    node = make_node()
    for packet in (b"", b"\0", bytes(119), b"\0\0\0\2" + bytes(200), b"\0\0\0\4" + bytes(60), b"\xff" * 300):
        node.receive(0, ("192.0.2.9", 9), [packet], NOW)
    assert node.drain() == []
    assert list(node.peering.peers()) == []
    assert node.peering.drops["link.stranger"] == 6


def test_keys_outside_the_mesh_and_our_own_are_refused() -> None:
    """The C router aborts on the first and peers with itself on the second (spec 02 §6.1)."""
    node = make_node()
    outside = bytes.fromhex("09") + bytes(31)
    assert address_of(outside)[0] != 0xFC
    for key in (outside, node.own.public):
        node.receive(0, ("192.0.2.9", 9), [bytes(40) + key + bytes(48)], NOW)
    assert node.peering.drops["link.bad_key"] == 2
    with pytest.raises(PeeringError, match="own key"):
        node.peering.connect(0, ("192.0.2.9", 9), node.own.public, CREDENTIALS, NOW)
    with pytest.raises(PeeringError, match="fc"):
        node.peering.connect(0, ("192.0.2.9", 9), PublicKey(outside), CREDENTIALS, NOW)


def test_a_configured_connection_replaces_what_is_known_at_its_address() -> None:
    node, remote = established()
    old = only_peer(node)
    new = node.peering.connect(0, remote.address, remote.key.public, CREDENTIALS, NOW)
    assert only_peer(node) is new
    assert (new.slot, new.label, new.is_incoming) == (old.slot, old.label, False)


# -- staying up, falling silent


def test_silence_makes_a_peer_unresponsive_after_20_seconds() -> None:
    """At 20.48 s of silence, at the next ping; pinged every second tick for a minute, then every eighth."""
    node, _ = established()
    happened = advance(node, NOW, NOW + 150.0)
    (when,) = [time for time, output in happened if isinstance(output, PeerChanged)]
    assert 20.48 <= when - NOW <= 20.48 + 1.1
    late = [time for time in transmissions(happened) if time > when]
    soon = [b - a for a, b in pairwise(late) if a < NOW + 80]
    assert soon == pytest.approx([2.048] * len(soon))
    assert len(soon) > 25
    later = [b - a for a, b in pairwise(late) if a > NOW + 80]
    assert later == pytest.approx([8.192] * len(later))
    assert len(later) > 5


def test_frames_for_a_silent_peer_are_answered_with_an_error_until_it_is_back() -> None:
    """Error 8, UNDELIVERABLE, to whoever sends through us; one authentic packet ends that."""
    node, remote = established()
    other = RemotePeer(node, 8)
    advance(node, NOW, NOW + 30.0)
    other.session.reset()
    other.establish(NOW + 30.0)
    frame = SwitchHeader(0x13, 0, suppress_errors=False, version=1, label_shift=0, traffic_class=0).encode()
    (error,) = other.send(frame + bytes(20), NOW + 30.0)
    assert error[12:24].hex() == f"ffffffff{error[16:18].hex()}000200000008"
    remote.send(remote.ping_frame(), NOW + 31.0)
    assert node.peering.by_slot[0].state is PeerState.ESTABLISHED
    assert other.send(frame + bytes(20), NOW + 31.0) == []


def test_an_unresponsive_peer_is_back_with_one_authentic_packet() -> None:
    node, remote = established()
    advance(node, NOW, NOW + 30.0)
    assert only_peer(node).state is PeerState.UNRESPONSIVE
    assert remote.send(remote.ping_frame(), NOW + 31.0)
    assert only_peer(node).state is PeerState.ESTABLISHED


def test_a_peer_that_talks_is_not_pinged() -> None:
    """Any authentic packet within 3.07 s will do, once the version is known."""
    node, remote = established()
    for step in range(1, 20):
        now = NOW + 2.0 * step
        outputs: list[Output] = [output for _, output in advance(node, now - 2.0, now)]
        assert not [frame for frame in remote.frames(outputs, now) if is_ping(frame)]
        node.receive(0, remote.address, [remote.session.seal(b"too short", now)], now)


def test_a_peer_that_only_answers_is_pinged_every_three_seconds() -> None:
    world = World()
    world.line("a", "b")
    world.run(5.0)
    peer = world.peer("a", "b")
    before = peer.packets_in
    world.run(61.44)
    assert peer.state is PeerState.ESTABLISHED
    assert 18 <= peer.packets_in - before <= 60


def test_an_incoming_peer_is_forgotten_after_262_seconds_of_silence() -> None:
    """Its interface and label are free again; the last word in the log is FORGOTTEN."""
    node, _ = established()
    happened = advance(node, NOW, NOW + 300.0)
    forgotten = [
        time for time, output in happened if isinstance(output, PeerChanged) and output.state == "FORGOTTEN"
    ]
    assert len(forgotten) == 1
    assert 262.144 <= forgotten[0] - NOW <= 262.144 + 8.3
    assert list(node.peering.peers()) == []
    assert node.switch.plug() == 0


def test_a_peer_of_an_incompatible_version_is_shut_out_and_forgotten_in_the_end() -> None:
    """INCOMPATIBLE: nothing to it, nothing from it; it does not keep the node busy, nor a slot for ever."""
    node = make_node()
    remote = RemotePeer(node, 7)
    remote.establish(NOW, version=19)
    for frame in remote.frames(node.drain(), NOW):
        pong = remote.answer(frame, 19)
        assert pong is not None
        remote.send(pong, NOW)
    node.poll(NOW + 1.0)
    for frame in remote.frames(node.drain(), NOW + 1.0):
        pong = remote.answer(frame, 19)
        assert pong is not None
        remote.send(pong, NOW + 1.0)
    peer = only_peer(node)
    assert peer.state is PeerState.INCOMPATIBLE
    assert not peer.is_routable
    assert remote.send(remote.ping_frame(), NOW + 2.0) == []
    assert node.peering.drops["link.incompatible"] >= 1
    assert transmissions(advance(node, NOW + 2.0, NOW + 200.0)) == []
    advance(node, NOW + 200.0, NOW + 300.0)
    assert list(node.peering.peers()) == []


def test_a_ping_that_is_not_answered_at_the_right_path_does_not_count() -> None:
    """Another peer that has seen the ping's data cannot answer for the one that was asked."""
    node, remote = established()
    liar = RemotePeer(node, 8)
    liar.establish(NOW)
    node.poll(NOW + 3.2)
    outputs = node.drain()
    (ping,) = filter(is_ping, remote.frames(outputs, NOW + 3.2))
    pong = remote.answer(ping, version=99)
    assert pong is not None
    liar.frames(outputs, NOW + 3.2)
    liar.send(pong, NOW + 3.2)
    assert node.drops["control.pong_elsewhere"] == 1
    assert {peer.version for peer in node.peering.peers()} == {21}


def test_every_one_of_256_silent_peers_is_called() -> None:
    """A long list of dead public peers does not use up what the live ones need."""
    node = make_node()
    chance = RemotePeer(node, 99).entropy
    key = generate_key_pair(chance).public
    for number in range(256):
        node.peering.connect(0, ("192.0.2.1", number + 1), key, CREDENTIALS, NOW)
    node.flush(NOW)
    called = {output.address for output in node.drain() if isinstance(output, Transmit)}
    assert len(called) == 256
    with pytest.raises(PeeringError, match="256"):
        node.peering.connect(0, ("192.0.2.2", 1), key, CREDENTIALS, NOW)


# -- restarts


def test_a_callee_that_restarted_is_called_anew_within_seconds() -> None:
    """We called: our packets mean nothing to its new process; after 4 s of silence we say hello again."""
    node = make_node()
    callee = Callee(node)
    node.flush(NOW)
    callee.answer_everything(NOW)
    node.poll(NOW + 0.3)
    callee.answer_everything(NOW + 0.3)
    assert callee.peer.state is PeerState.ESTABLISHED
    callee.restart()
    now = NOW + 0.3
    while now < NOW + 10.0:
        now = max(node.next_deadline(), now)
        node.poll(now)
        outputs = node.drain()
        datagrams = [d for o in outputs if isinstance(o, Transmit) for d in o.datagrams]
        if any(datagram[:4] == bytes(4) for datagram in datagrams):
            break
    assert now - NOW < 6.0
    callee.answer(outputs, now)
    assert callee.peer.session.is_established
    assert callee.remote.session.is_established


def test_a_caller_that_restarted_is_answered_at_once() -> None:
    """They called: the new process's hello, from the same address, begins a new session."""
    node, remote = established()
    again = restarted(node, remote)
    assert again.send(again.ping_frame(), NOW + 1.0)
    again.establish(NOW + 1.0)
    assert again.session.is_established
    assert again.send(again.ping_frame(), NOW + 1.1)
    assert only_peer(node).state is PeerState.ESTABLISHED


@pytest.mark.parametrize("seed", range(4))
def test_a_wire_that_was_mended_after_minutes_is_used_at_the_next_call(seed: int) -> None:
    """Both sessions have timed out and both say hello: whoever has the lower key, no call is lost."""
    world = World(seed=seed)
    world.line("a", "b")
    world.run(2.0)
    world.cut.add(frozenset("ab"))
    world.run(111.0)
    world.cut.clear()
    assert world.wait(lambda: world.is_linked("a", "b"), seconds=60.0) < 8.192 + 0.3


def test_the_pathfinder_is_told_that_a_peer_began_a_new_session() -> None:
    """It has restarted, perhaps: what is known through it is asked for again."""
    node, remote = established()
    again = restarted(node, remote)
    (pong,) = again.send(again.ping_frame(), NOW + 1.0)
    assert pong.endswith(b"ping-ping-pi")
    node.peering.receive(0, again.address, again.session.seal(again.ping_frame(), NOW + 1.0), NOW + 1.0)
    peer = only_peer(node)
    assert node.peering.routable_changes == [(peer, False), (peer, True)]
    (change,) = [output for output in node.drain() if isinstance(output, PeerChanged)]
    assert (change.state, change.detail) == ("ESTABLISHED", "new session")


def test_a_known_link_address_is_taken_over_by_another_node_after_ten_seconds_of_silence() -> None:
    """Behind NAT an address is given to somebody else, who has to authenticate."""
    node, old = established()
    new = RemotePeer(node, 8)
    new.address = old.address
    assert new.send(new.ping_frame(), NOW + 5.0) == []
    assert only_peer(node).key == old.key.public
    liar = RemotePeer(node, 9, credentials=Credentials(b"no such password"))
    liar.address = old.address
    assert liar.send(liar.ping_frame(), NOW + 11.0) == []
    assert only_peer(node).key == old.key.public
    new.session.reset()
    new.establish(NOW + 11.0)
    assert only_peer(node).key == new.key.public
    assert only_peer(node).state is PeerState.ESTABLISHED


def test_the_link_address_of_a_configured_peer_is_not_taken_over() -> None:
    """What the operator wrote stands."""
    node = make_node()
    callee = Callee(node)
    node.flush(NOW)
    node.drain()
    other = RemotePeer(node, 8)
    other.address = callee.remote.address
    assert other.send(other.ping_frame(), NOW + 60.0) == []
    assert only_peer(node) is callee.peer
    assert node.peering.drops["link.wrong_perm_pubkey"] == 1


def test_after_a_machine_slept_every_peer_is_pinged_at_once() -> None:
    node, remote = established()
    node.peering.resume(NOW + 5.0)
    node.flush(NOW + 5.0)
    assert len(remote.frames(node.drain(), NOW + 5.0)) == 1


# -- the gate, transit, counters


def test_before_a_session_is_established_only_frames_for_this_router_pass() -> None:
    """A hello can be replayed: it must not move anybody else's frames."""
    node = make_node()
    other = RemotePeer(node, 8)
    other.establish(NOW)
    remote = RemotePeer(node, 7)
    frame = SwitchHeader(0x13, 0, suppress_errors=False, version=1, label_shift=0, traffic_class=0).encode()
    node.receive(0, remote.address, [remote.session.seal(frame + bytes(20), NOW)], NOW)
    assert not [output for output in node.drain() if isinstance(output, Transmit)]
    assert node.peering.drops["link.not_established"] == 1


def test_transit_frames_change_only_their_header() -> None:
    """From the second peer to the first: 13 consumed, the way back at the top, content untouched."""
    node, first = established()
    second = RemotePeer(node, 8)
    second.establish(NOW)
    header = SwitchHeader(0x133, 0, suppress_errors=False, version=1, label_shift=4, traffic_class=7)
    node.receive(0, second.address, [second.session.seal(header.encode() + b"content", NOW)], NOW)
    (frame,) = first.frames(node.drain(), NOW)
    moved = SwitchHeader.parse(frame)
    assert (moved.label, moved.label_shift) == (0xA000000000000013, 8)
    assert frame[12:] == b"content"


def test_counters_count_switch_frames() -> None:
    """Bytes in and out are plaintext; the rate is over the last second."""
    node, remote = established()
    peer = only_peer(node)
    received, sent, packets = peer.bytes_in, peer.bytes_out, peer.packets_in
    frame = remote.ping_frame(b"x" * 1000)
    (pong,) = remote.send(frame, NOW + 2.0)
    assert (peer.bytes_in - received, peer.bytes_out - sent) == (len(frame), len(pong))
    assert peer.packets_in - packets == 1
    assert peer.bandwidth_in.kbps(peer.bytes_in, NOW + 2.0) == len(frame) >> 7
    assert peer.bandwidth_out.kbps(peer.bytes_out, NOW + 2.0) == len(pong) >> 7


def test_forgetting_twice_is_harmless() -> None:
    node, _ = established()
    peer = only_peer(node)
    node.peering.forget(peer, "first")
    node.peering.forget(peer, "second")
    assert [state for _, state in states(node)][-1:] == ["FORGOTTEN"]
    assert len(node.peering.by_slot) == 0


# -- hostile datagrams


def snapshot(node: Node) -> object:
    """Everything of a node that a datagram could change, but for the counts of drops."""
    return [
        (
            peer.key,
            peer.state,
            peer.version,
            peer.last_message,
            peer.bytes_in,
            peer.packets_in,
            peer.session.state,
            peer.session.replay.base,
            peer.session.replay.bits,
            peer.next_ping,
        )
        for peer in node.peering.peers()
    ]


def test_a_datagram_that_is_not_authentic_changes_nothing_and_is_not_answered() -> None:
    """Garbled, replayed, cut, or from another address: counted under a name, that is all."""
    node, remote = established()
    genuine = remote.session.seal(remote.ping_frame(), NOW)
    node.receive(0, remote.address, [genuine], NOW)
    node.drain()
    before = snapshot(node)
    garbled = bytearray(remote.session.seal(remote.ping_frame(), NOW))
    garbled[30] ^= 1
    hostile = [genuine, bytes(garbled), genuine[:19], b"", b"\0\0\0\0" + bytes(200), b"\0\0\0\2" + bytes(200)]
    node.receive(0, remote.address, hostile, NOW + 1.0)
    node.receive(0, ("192.0.2.77", 7), [remote.session.seal(remote.ping_frame(), NOW)], NOW + 1.0)
    assert snapshot(node) == before
    assert node.drain() == []
    for name in ("link.replay", "link.decrypt", "link.runt", "link.stranger"):
        assert node.peering.drops[name] >= 1, name


def test_a_replayed_hello_does_not_end_an_established_session() -> None:
    """Whoever has recorded a hello of the peer, this session's or an older one's, gains nothing by it."""
    node = make_node()
    remote = RemotePeer(node, 7)
    older = restarted(node, remote)
    recorded = [older.session.seal(older.ping_frame(), NOW)]
    recorded.append(remote.session.seal(remote.ping_frame(), NOW))
    node.receive(0, remote.address, [recorded[1]], NOW)
    pending = remote.frames(node.drain(), NOW)
    for frame in pending:
        answer = remote.answer(frame)
        if answer is not None:
            remote.send(answer, NOW)
    remote.establish(NOW)
    for second, packet in enumerate(recorded * 3, 1):
        node.receive(0, remote.address, [packet], NOW + second)
        replies = [d for o in node.drain() if isinstance(o, Transmit) for d in o.datagrams]
        assert sum(map(len, replies)) <= len(packet)
        assert only_peer(node).state is PeerState.ESTABLISHED
        assert only_peer(node).is_routable
        assert remote.send(remote.ping_frame(), NOW + second), "the session lives on"


def test_a_stranger_is_never_sent_more_than_it_has_sent() -> None:
    """A recorded hello with a forged source must not make us shower somebody with packets."""
    node = make_node()
    remote = RemotePeer(node, 7)
    hello = remote.session.seal(remote.ping_frame(), NOW)
    node.receive(0, ("198.51.100.1", 1), [hello], NOW)
    first = [d for o in node.drain() if isinstance(o, Transmit) for d in o.datagrams]
    later = [d for _, o in advance(node, NOW, NOW + 60.0) if isinstance(o, Transmit) for d in o.datagrams]
    assert first, "it is answered once"
    assert sum(map(len, first + later)) <= len(hello)


def test_strangers_that_do_not_finish_are_forgotten_after_15_seconds() -> None:
    node = make_node()
    remote = RemotePeer(node, 7)
    remote.send(remote.ping_frame(), NOW)
    happened = advance(node, NOW, NOW + 60.0)
    (forgotten,) = [
        time for time, output in happened if isinstance(output, PeerChanged) and output.state == "FORGOTTEN"
    ]
    assert 15.0 <= forgotten - NOW <= 16.1
    assert list(node.peering.peers()) == []


def test_no_more_than_32_strangers_are_unfinished_and_established_peers_stay() -> None:
    """The oldest stranger gives way; peers that once were established are not strangers."""
    node, remote = established()
    keys = [generate_key_pair(remote.entropy) for _ in range(40)]
    for number, key in enumerate(keys):
        stranger = RemotePeer(node, 100 + number, key=key)
        stranger.send(stranger.ping_frame(), NOW + 1.0 + number / 100)
    unfinished = [peer for peer in node.peering.peers() if not peer.session.is_established]
    assert [peer.key for peer in unfinished] == [key.public for key in keys[-32:]]
    assert node.peering.drops["link.stranger_evicted"] == 8
    assert remote.send(remote.ping_frame(), NOW + 2.0)


def test_one_recorded_hello_from_many_addresses_does_not_evict_other_strangers() -> None:
    """Its owner's entries give way to each other first."""
    node = make_node()
    honest = RemotePeer(node, 7)
    honest_hello = honest.send(honest.ping_frame(), NOW)
    assert honest_hello
    recorded = RemotePeer(node, 8)
    hello = recorded.session.seal(recorded.ping_frame(), NOW)
    for port in range(1, 500):
        node.receive(0, ("198.51.100.1", port), [hello], NOW)
    assert len(list(node.peering.peers())) <= 10
    honest.establish(NOW + 0.1)
    assert honest.session.is_established


def test_a_flood_of_hellos_does_not_touch_established_peers() -> None:
    node, remote = established()
    key: KeyPair = generate_key_pair(remote.entropy)
    for number in range(300):
        flooder = RemotePeer(node, 1000 + number, key=key)
        node.receive(0, flooder.address, [flooder.session.seal(flooder.ping_frame(), NOW)], NOW)
        if number % 50 == 0:
            node.drain()
            assert remote.send(remote.ping_frame(), NOW)
    assert len(node.peering.by_slot) <= 33


def test_a_hello_for_nobody_in_particular_is_answered_with_nothing() -> None:
    """An empty hello makes an entry, which is then silent: we do not call strangers."""
    node = make_node()
    remote = RemotePeer(node, 7)
    assert remote.send(b"", NOW) == []
    assert only_peer(node).state is PeerState.RECEIVED_HELLO


def test_frames_come_out_as_they_were_sent() -> None:
    """The answer to a ping has its data, whatever its size."""
    _, remote = established()
    for size in (12, 13, 300, 1200):
        data = bytes(index % 251 for index in range(size))
        (pong,) = remote.send(remote.ping_frame(data), NOW + 1.0)
        assert pong[:16] == PING_FRAME_HEADER
        assert pong.endswith(data)
