"""Laws of a node under hostile input: it never raises, never believes, never amplifies, never grows."""

from __future__ import annotations

import random
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from dexrouter.core.node import Node
from dexrouter.core.outputs import Transmit
from dexrouter.core.peer import BeaconMode, PeerState
from dexrouter.crypto.keys import generate_key_pair
from dexrouter.wire.control import ErrorCode, KeyPing, Ping, SwitchError
from dexrouter.wire.switch_header import SwitchHeader
from far_node import FarNode
from remote import PING_FRAME_HEADER, RemotePeer, make_node

NOW = 1000.0
SWITCH_ERROR = 24
SOURCES = st.tuples(st.sampled_from(("192.0.2.1", "198.51.100.1")), st.sampled_from((7, 8, 9)))


def established() -> tuple[Node, RemotePeer]:
    node = make_node()
    node.peering.set_beacon_mode(0, BeaconMode.ACCEPTING, NOW)
    remote = RemotePeer(node, 7)
    remote.establish(NOW)
    return node, remote


def sent_bytes(node: Node) -> int:
    return sum(len(data) for out in node.drain() if isinstance(out, Transmit) for data in out.datagrams)


def let_pass(node: Node, start: float, seconds: float) -> int:
    """Let time pass for the node alone; gives the bytes that it sent."""
    sent, now = 0, start
    while (now := max(node.next_deadline(), now)) <= start + seconds:
        node.poll(now)
        sent += sent_bytes(node)
    return sent


@st.composite
def hello_like(draw: st.DrawFn) -> bytes:
    """Make bytes that look like a handshake packet: a first word, an auth type, a key of the mesh."""
    key = generate_key_pair(random.Random(draw(st.integers(0, 5))).randbytes).public
    word = bytes((0, 0, 0, draw(st.integers(0, 3))))
    return word + draw(st.binary(min_size=36, max_size=36)) + key + draw(st.binary(max_size=120))


DATAGRAMS = st.one_of(st.binary(max_size=300), hello_like(), st.integers(0, 3500).map(bytes))


@given(st.lists(st.tuples(SOURCES, DATAGRAMS), max_size=12))
def test_no_bytes_from_a_link_raise_or_make_a_peer(datagrams: list[tuple[tuple[str, int], bytes]]) -> None:
    """And none of them is answered, whether the address is known or not."""
    node, remote = established()
    peer = next(node.peering.peers())
    for source, datagram in datagrams:
        node.receive(0, source, [datagram], NOW + 1.0)
    assert sent_bytes(node) == 0
    assert list(node.peering.peers()) == [peer]
    assert remote.send(remote.ping_frame(), NOW + 1.0)


@given(st.lists(st.tuples(SOURCES, st.binary(max_size=80)), max_size=12))
def test_no_beacon_raises_or_makes_an_established_peer(beacons: list[tuple[tuple[str, int], bytes]]) -> None:
    node, _ = established()
    for source, content in beacons:
        node.receive_beacon(0, source, content, NOW + 1.0)
    assert [peer.state for peer in node.peering.peers()].count(PeerState.ESTABLISHED) == 1


@given(
    st.lists(st.binary(max_size=120) | st.binary(max_size=80).map(lambda tail: b"\x60" + tail), max_size=8)
)
def test_no_bytes_from_the_host_raise(packets: list[bytes]) -> None:
    node, _ = established()
    own = node.own.address
    node.from_tun(packets, NOW)
    node.from_tun([b"\x60" + bytes(7) + own + b"\xfc" + packet[:200] + bytes(15) for packet in packets], NOW)
    node.poll(NOW + 1.0)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Make switch frames of an authenticated but hostile peer: headers, control frames, sessions."""
    label = draw(st.sampled_from((1, 0x13, 0x15, 0x8000000000000001, 0x133, 0)) | st.integers(0, 2**64 - 1))
    header = SwitchHeader(
        label,
        draw(st.integers(0, 127)),
        suppress_errors=draw(st.booleans()),
        version=draw(st.integers(0, 3)),
        label_shift=draw(st.integers(0, 63)),
        traffic_class=draw(st.integers(0, 65535)),
    ).encode()
    body = draw(
        st.one_of(
            st.binary(max_size=300),
            st.binary(max_size=300).map(lambda cause: SwitchError(ErrorCode.AUTHENTICATION, cause).encode()),
            st.builds(SwitchError, st.integers(0, 12), st.binary(max_size=300)).map(SwitchError.encode),
            st.binary(max_size=300).map(lambda data: Ping(21, data).encode()),
            st.binary(max_size=64).map(lambda data: KeyPing(21, bytes(32), data).encode()),
            hello_like(),
        )
    )
    word = draw(st.sampled_from((b"\xff\xff\xff\xff", b"", b"\0\0\0\0", b"\0\1\0\0")))
    size: int = draw(st.integers(0, 700))
    frame: bytes = header + word + body
    return frame[:size]


@settings(max_examples=100)
@given(st.lists(frames(), min_size=1, max_size=10))
def test_no_frame_of_a_peer_raises_or_is_answered_by_more_than_it_had(received: list[bytes]) -> None:
    """Control frames, errors, session packets: what goes out for each is no larger, but for a switch error.

    That quotes its cause behind 24 bytes of its own (spec 03 §6.3), and goes to the authenticated peer only.
    """
    node, remote = established()
    for frame in received:
        packet = remote.session.seal(frame or b"\0", NOW + 0.1)
        node.receive(0, remote.address, [packet], NOW + 0.1)
        assert sent_bytes(node) <= len(packet) + SWITCH_ERROR
    assert next(node.peering.peers()).state is PeerState.ESTABLISHED


@given(
    st.lists(st.tuples(st.integers(0, 3), SOURCES, st.floats(0.0, 3.0)), min_size=1, max_size=12),
    st.integers(0, 200),
)
def test_replayed_hellos_from_any_address_are_never_amplified(
    replays: list[tuple[int, tuple[str, int], float]], size: int
) -> None:
    """Per address: bytes out are never more than bytes in, now or later (spoofed sources included)."""
    node = make_node()
    owner = RemotePeer(node, 50)
    recorded = []
    for _ in range(4):
        owner.session.reset()
        recorded.append(owner.session.seal(owner.ping_frame(bytes(size)), NOW))
    balance: dict[object, int] = {}

    def account() -> None:
        for output in node.drain():
            if isinstance(output, Transmit):
                balance[output.address] = balance.get(output.address, 0) - sum(map(len, output.datagrams))
        assert all(left >= 0 for left in balance.values())

    now = NOW
    for which, source, pause in replays:
        balance[source] = balance.get(source, 0) + len(recorded[which])
        node.receive(0, source, [recorded[which]], now)
        account()
        end = now + pause
        while (due := max(node.next_deadline(), now)) <= end:
            now = due
            node.poll(now)
            account()
        now = end
    let_pass(node, now, 60.0)
    account()
    assert list(node.peering.peers()) == []


def tables(node: Node) -> int:
    """How many entries the node keeps of what others send."""
    counters = node.pathfinder.counters()
    return (
        len(node.peering.by_slot)
        + len(list(node.peering.peers()))
        + len(node.sessions.by_address)
        + len(node.sessions.by_handle)
        + len(node.sessions._held)
        + len(node.control._outstanding)
        + sum(
            counters[name]
            for name in ("nodes", "links", "far_links", "queries", "asks", "searches", "wanted")
        )
    )


def counts(node: Node) -> int:
    """How many names its counters have."""
    every = (
        node.drops,
        node.peering.drops,
        node.sessions.drops,
        node.switch.drops,
        node.control.drops,
        node.pathfinder.drops,
    )
    return sum(len(counter) for counter in every)


def flood(make: Callable[[Node, RemotePeer, int], bytes], rounds: int) -> Node:
    """Send many frames through an established link and check that it still works afterwards."""
    node, remote = established()
    for number in range(rounds):
        now = NOW + number / 1000
        node.receive(0, remote.address, [remote.session.seal(make(node, remote, number), now)], now)
        if number % 50 == 0:
            node.poll(now)
            node.drain()
    assert remote.send(remote.ping_frame(), NOW + rounds / 1000)
    assert counts(node) < 60
    return node


def test_a_flood_of_unknown_handles_costs_a_bounded_amount() -> None:
    """No sessions, at most ten questions a second."""

    def make(_node: Node, _remote: RemotePeer, number: int) -> bytes:
        return PING_FRAME_HEADER[:12] + (200_000 + number).to_bytes(4, "big") + b"\0\0\0\4" + bytes(80)

    node = flood(make, 2000)
    assert tables(node) < 60


def test_a_flood_of_control_frames_costs_a_bounded_amount() -> None:
    def make(_node: Node, remote: RemotePeer, number: int) -> bytes:
        if number % 2:
            return remote.ping_frame(number.to_bytes(12, "big"))
        return PING_FRAME_HEADER + SwitchError(number % 12, number.to_bytes(40, "big")).encode()

    node = flood(make, 2000)
    assert tables(node) < 60


def test_a_flood_of_hellos_end_to_end_fills_its_table_and_no_more() -> None:
    """Each from another node, each authentic: unfinished sessions push each other out."""
    chance = random.Random(5).randbytes
    keys = [generate_key_pair(chance) for _ in range(60)]

    def make(node: Node, _remote: RemotePeer, number: int) -> bytes:
        far = FarNode(node.sessions, number, key=keys[number % len(keys)])
        return PING_FRAME_HEADER[:12] + far.pack(b"d1:q2:pn4:txid4:%04d1:pi21ee" % number, NOW)

    node = flood(make, 600)
    assert len(node.sessions.by_address) <= 1 + len(keys)
    assert tables(node) < 400
    now = NOW + 1.0
    while now < NOW + 400.0:
        now = max(node.next_deadline(), now)
        node.poll(now)
        node.drain()
    assert len(node.sessions.by_address) == 0
