"""Programs that see packets of one kind get copies; what they send goes out as if the node had sent it."""

from __future__ import annotations

import pytest

from dexrouter.core.handlers import MOST, Handlers
from dexrouter.core.routeserver.client import RouteServerClient
from dexrouter.wire.checksum import internet_checksum, pseudo_header_sum
from dexrouter.wire.control import Ping, Pong, parse_control
from dexrouter.wire.dht import DhtMessage
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.ipv6 import rebuild
from dexrouter.wire.labels import SELF_LABEL
from dexrouter.wire.route_header import HANDLERS, Routed, RouteFlag
from dexrouter.wire.session_frame import ContentType
from virtual_wire import World

UDP = 17
PORT = 5555


@pytest.fixture
def world() -> World:
    """Two neighbours with a session; a program at A sees."""
    made = World(seed=3)
    made.line("A", "B")
    for _ in range(20):
        made.from_tun("A", host_packet(made, "A", "B", b"\0\1\0\2hello"))
        made.from_tun("B", host_packet(made, "B", "A", b"\0\1\0\2hello"))
        made.run(0.25)
    made.tun["A"].clear()
    made.tun["B"].clear()
    return made


def host_packet(world: World, source: str, target: str, content: bytes) -> bytes:
    return rebuild(world.key(source).address, world.key(target).address, UDP, content)


def shown(world: World, name: str = "A") -> list[Routed]:
    """Give what the program at a node got, and take away what the host got beside it."""
    packets, found = world.tun[name], []
    for packet in packets:
        if packet[8:24] == HANDLERS:
            assert packet[24:40] == world.key(name).address
            assert packet[40:44] == b"\0\1" + PORT.to_bytes(2, "big")
            ends = pseudo_header_sum(packet[8:24], packet[24:40], len(packet) - 40, UDP)
            assert internet_checksum(packet[40:], ends) == 0
            found.append(Routed.parse(packet[48:]))
    world.tun[name] = [packet for packet in packets if packet[8:24] != HANDLERS]
    return found


def from_program(world: World, routed: Routed, port: int = PORT) -> bytes:
    own, content = world.key("A").address, routed.encode()
    length = 8 + len(content)
    start = port.to_bytes(2, "big") + b"\0\1" + length.to_bytes(2, "big")
    ends = pseudo_header_sum(own, HANDLERS, length, UDP)
    checksum = internet_checksum(start + b"\0\0" + content, ends) or 0xFFFF
    return rebuild(own, HANDLERS, UDP, start + checksum.to_bytes(2, "big") + content)


def test_plain_packets_are_shown_coming_and_going_and_still_arrive(world: World) -> None:
    """With key, path and address of the sender; with the address of the receiver."""
    world.nodes["A"].handlers.register(PORT, UDP)
    world.from_tun("A", host_packet(world, "A", "B", b"there"))
    world.from_tun("B", host_packet(world, "B", "A", b"and back"))
    world.run(0.5)
    out, back = shown(world)
    key = world.key("B")
    assert out == Routed(UDP, b"there", address=key.address)
    assert (back.content, back.flags, back.content_type) == (b"and back", RouteFlag.INCOMING, UDP)
    assert (back.key, back.address, back.version) == (key.public, key.address, 21)
    assert back.label == world.peer("A", "B").label
    assert [packet[40:] for packet in world.tun["B"]] == [b"there"]
    assert [packet[40:] for packet in world.tun["A"]] == [b"and back"]


def test_other_kinds_are_not_shown(world: World) -> None:
    """And none is when the program has gone."""
    handlers = world.nodes["A"].handlers
    handlers.register(PORT, 6)
    world.from_tun("A", host_packet(world, "A", "B", b"there"))
    world.run(0.5)
    assert shown(world) == []
    handlers.register(PORT + 1, UDP)
    assert handlers.unregister(PORT + 1)
    assert not handlers.unregister(PORT + 1)
    world.from_tun("A", host_packet(world, "A", "B", b"there"))
    world.run(0.5)
    assert shown(world) == []


def test_router_messages_are_shown(world: World) -> None:
    """A minute of a quiet neighbourhood has some, both ways."""
    world.nodes["A"].handlers.register(PORT, ContentType.CJDHT)
    world.run(60.0)
    seen = shown(world)
    assert {one.content_type for one in seen} == {ContentType.CJDHT}
    assert {one.flags for one in seen} == {RouteFlag.INCOMING, RouteFlag.PATHFINDER}
    assert {(one.key, one.version) for one in seen} == {(world.key("B").public, 21)}
    assert all(one.label and DhtMessage.parse(one.content) for one in seen)


def test_control_frames_are_shown(world: World) -> None:
    """A ping that comes, and the pong that is the answer."""
    world.nodes["A"].handlers.register(PORT, ContentType.CTRL)
    world.nodes["B"].switch_ping(world.peer("B", "A").label, world.now, timeout=2.0, data=b"asked-by-hand")
    world.run(1.0)
    coming, going = shown(world)
    assert (coming.flags, going.flags) == (RouteFlag.CONTROL | RouteFlag.INCOMING, RouteFlag.CONTROL)
    assert coming.label == going.label == world.peer("A", "B").label
    kinds = [parse_control(one.content) for one in (coming, going)]
    assert [type(one) for one in kinds] == [Ping, Pong]


def test_a_program_sends_a_packet_to_an_address(world: World) -> None:
    """It arrives as one of the host would, and is not shown to those who see such packets."""
    world.nodes["A"].handlers.register(PORT, UDP)
    world.from_tun("A", from_program(world, Routed(UDP, b"by hand", address=world.key("B").address)))
    world.run(0.5)
    assert [packet[40:] for packet in world.tun["B"]] == [b"by hand"]
    assert shown(world) == []


def test_a_program_sends_a_control_frame(world: World) -> None:
    """The pong that comes back is shown to it."""
    node = world.nodes["A"]
    node.handlers.register(PORT, ContentType.CTRL)
    label = world.peer("A", "B").label
    ping = Ping(21, b"by-a-program").encode()
    world.from_tun("A", from_program(world, Routed(ContentType.CTRL, ping, RouteFlag.CONTROL, label=label)))
    world.run(0.5)
    pongs = [parse_control(one.content) for one in shown(world) if one.flags & RouteFlag.INCOMING]
    assert Pong(21, b"by-a-program") in pongs


def test_a_program_sends_a_router_message(world: World) -> None:
    """Over the path that it names; the other router answers, and it sees the answer."""
    node, key = world.nodes["A"], world.key("B")
    node.handlers.register(PORT, ContentType.CJDHT)
    label = world.peer("A", "B").label
    question = DhtMessage(txid=b"12345", query=b"pn", version=21, scheme=V358, inverse_form=0)
    made = Routed(
        ContentType.CJDHT, question.encode(), RouteFlag.OUTGOING, key.public, label, 21, key.address
    )
    world.from_tun("A", from_program(world, made))
    world.run(0.5)
    assert any(b"5:12345" in one.content for one in shown(world) if one.flags & RouteFlag.INCOMING)


def test_a_route_server_is_asked_by_its_own_router_and_answers_it(world: World) -> None:
    """It sees the question with our own key and the path to ourselves; its answer goes to the router."""
    node, key = world.nodes["A"], world.key("A")
    node.handlers.register(PORT, ContentType.CJDHT)
    node.route_server = RouteServerClient(own=key, entropy=bytes, supernodes=[key.public], now=world.now)
    node.flush(world.now)
    world.run(0.5)
    (asked,) = (one for one in shown(world) if one.key == key.public)
    assert (asked.label, asked.version, asked.flags) == (SELF_LABEL, 21, RouteFlag.PATHFINDER)
    question = DhtMessage.parse(asked.content)
    assert question.snode_query == b"pn"
    answer = DhtMessage(txid=question.txid, version=21, receive_time=1_795_000_000_000).encode()
    made = Routed(ContentType.CJDHT, answer, RouteFlag.OUTGOING, key.public, SELF_LABEL, 21, key.address)
    world.from_tun("A", from_program(world, made))
    world.run(0.5)
    assert node.route_server.active is not None
    assert node.control.route_server == (key.public, 21, SELF_LABEL)
    assert all(one.content != answer for one in shown(world))
    world.from_tun("A", from_program(world, made))
    assert node.drops["handlers.to_self"] == 1


def test_what_is_no_request_of_a_registered_program_is_dropped_by_name(world: World) -> None:
    """Not UDP, too short, a wrong checksum, another port; nothing leaves the node."""
    node = world.nodes["A"]
    node.handlers.register(PORT, UDP)
    good = from_program(world, Routed(UDP, b"content", address=world.key("B").address))
    for bad in (good[:44], good[:60], good[:-1] + b"?", good[:6] + b"\x06" + good[7:]):
        world.from_tun("A", bad)
    world.from_tun("A", from_program(world, Routed(UDP, b"", address=world.key("B").address), port=7))
    world.from_tun("A", from_program(world, Routed(UDP, b"", address=world.key("A").address)))
    world.run(0.5)
    assert world.tun["B"] == []
    assert node.handlers.drops == {"handlers.malformed": 4, "handlers.unregistered": 1}
    assert node.drops["handlers.to_self"] == 1


def test_content_that_fits_no_datagram_is_not_shown() -> None:
    """And counted."""
    handlers = Handlers(bytes(16))
    handlers.register(PORT, UDP)
    assert handlers.copies(Routed(UDP, bytes(65535))) == []
    assert handlers.drops == {"handlers.too_long": 1}


def test_the_number_of_programs_is_bounded() -> None:
    """Each costs a copy of each packet. What a killed program left behind gives way to the same kind."""
    handlers = Handlers(bytes(16))
    assert all(handlers.register(port, ContentType.CJDHT) for port in range(1, MOST + 1))
    assert not handlers.register(100, UDP)
    assert handlers.register(101, ContentType.CJDHT)
    assert [*handlers.types_by_port] == [*range(2, MOST + 1), 101]
