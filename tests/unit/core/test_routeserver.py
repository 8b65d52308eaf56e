"""Nodes with a route server on virtual wires: finding it, announcing links, asking it for paths."""

from __future__ import annotations

from random import Random

import pytest

from dexrouter.core.control import ControlHandler
from dexrouter.core.metric import SUPERNODE_ANSWER
from dexrouter.core.node import Node
from dexrouter.core.pathfinder.outputs import PathFound, SendMessage
from dexrouter.core.routeserver.client import MAX_SEARCHES, RouteServerClient
from dexrouter.crypto.keys import Address, PublicKey, address_of, generate_key_pair
from dexrouter.wire.announce import PeerLink
from dexrouter.wire.control import Ping, Pong, RPathQuery, parse_control
from dexrouter.wire.dht import DhtMessage, NodeEntry
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.labels import SELF_LABEL
from route_server import EPOCH, RoutedWorld
from virtual_wire import World, echo_request

FAR = Address(b"\xfc" + bytes(14) + b"\x01")


def _line(*names: str, servers: str) -> RoutedWorld:
    world = RoutedWorld()
    world.servers = tuple(servers)
    world.line(*names)
    return world


def _client(world: RoutedWorld, name: str) -> RouteServerClient:
    return world.nodes[name].route_server


def _is_adopted(world: RoutedWorld, name: str, server: str) -> bool:
    active = world.nodes[name].route_server.active
    return active is not None and active.key == world.key(server).public


def _is_told(world: RoutedWorld, name: str) -> bool:
    """Whether a node tells others of a server."""
    return world.nodes[name].control.route_server is not None


def _links(world: RoutedWorld, server: str, name: str) -> dict[bytes, int]:
    known = world.server(server).known.get(world.key(name).address)
    return {address: link.label for address, link in known.labels().items()} if known else {}


def _reach(world: RoutedWorld, source: str, target: str, *, seconds: float) -> float:
    """Ping from host to host each half second until the first ping arrives; gives the seconds."""
    packet = echo_request(world.key(source), world.key(target))
    start = world.now
    while packet not in world.tun[target]:
        assert world.now - start < seconds, f"not within {seconds} s"
        world.from_tun(source, packet)
        world.run(0.5)
    return world.now - start


def test_ends_of_a_line_reach_each_other_by_the_route_server() -> None:
    """Five nodes that answer no searches; each finds the server by its neighbour, and paths by the server."""
    world = _line("a", "b", "c", "d", "e", servers="c")
    world.wait(lambda: all(_is_adopted(world, name, "c") for name in "abde"), seconds=27)
    _reach(world, "a", "e", seconds=10)
    _reach(world, "e", "a", seconds=3)
    _reach(world, "b", "d", seconds=3)
    assert set(world.server("c").errors) == {"none"}
    assert world.key("e").address in world.server("c").asked
    session = world.nodes["a"].sessions.by_address[world.key("e").address]
    assert any(path.metric == SUPERNODE_ANSWER for path in session.paths)


def test_without_route_server_the_same_line_stays_apart() -> None:
    """The nodes of these tests find far nodes by nothing else."""
    world = _line("a", "b", "c", "d", "e", servers="")
    packet = echo_request(world.key("a"), world.key("e"))
    for _ in range(60):
        world.from_tun("a", packet)
        world.run(0.5)
    assert packet not in world.tun["e"]


def test_the_router_beside_a_server_is_a_client_like_the_others() -> None:
    """It announces its links to the program beside it, needs no session for that, and asks it for paths."""
    world = _line("a", "b", "s", "c", servers="s")
    world.wait(lambda: len(_links(world, "s", "s")) == 2, seconds=30)
    for peer in ("b", "c"):
        assert _links(world, "s", "s")[world.key(peer).address] == world.peer(peer, "s").label
    client = _client(world, "s")
    assert client.active is not None
    assert client.active.path == SELF_LABEL
    assert world.key("s").address not in world.nodes["s"].sessions.by_address
    world.wait(lambda: len(_links(world, "s", "a")) == 1, seconds=30)
    _reach(world, "s", "a", seconds=10)
    assert world.key("a").address in world.server("s").asked


def test_a_server_that_does_not_run_is_told_to_nobody() -> None:
    """Its router asks again and again, finds it at once when it runs, and then tells others of it."""
    world = _line("s", "a", servers="s")
    world.server("s").is_silent = True
    world.run(20.5)
    assert not _is_told(world, "s")
    world.server("s").is_silent = False
    world.wait(lambda: _is_adopted(world, "s", "s"), seconds=1)
    assert _is_told(world, "s")
    world.wait(lambda: _is_adopted(world, "a", "s"), seconds=5)


def test_links_are_announced_with_the_labels_of_the_peers() -> None:
    """The server learns the label from each peer to the node that announces; lost peers are withdrawn."""
    world = _line("s", "a", "b", servers="s")
    world.wait(lambda: len(_links(world, "s", "a")) == 2, seconds=30)
    for peer in ("s", "b"):
        assert _links(world, "s", "a")[world.key(peer).address] == world.peer(peer, "a").label
    world.kill("b")
    world.wait(lambda: len(_links(world, "s", "a")) == 1, seconds=60)
    state = world.nodes["a"].route_server.announcer.state
    withdrawn = [said.entity for said in state.said.values() if isinstance(said.entity, PeerLink)]
    assert sorted(link.label > 0 for link in withdrawn) == [False, True]
    assert set(world.server("s").errors) == {"none"}


class _OldControl(ControlHandler):
    """Says that it is of version 20 and knows no RPATH."""

    def receive(
        self, path: int, body: bytes, now: float, *, label_for_asker: int | None = None
    ) -> bytes | None:
        frame = parse_control(body)
        if isinstance(frame, RPathQuery):
            return None
        if isinstance(frame, Ping):
            return Pong(version=20, data=frame.data).encode()
        return super().receive(path, body, now, label_for_asker=label_for_asker)


def test_a_link_to_an_old_peer_is_announced() -> None:
    """A peer of version 20 that has ten others besides us tells our label by its list of peers."""
    world = RoutedWorld()
    world.servers = ("s",)
    world.line("s", "a", *"bcdefghijk")
    old = World.add(world, "o")
    old.control = _OldControl(own_key=old.own.public, entropy=Random(9).randbytes)
    for name in "bcdefghijk":
        world.connect(name, "o")
    world.wait(lambda: all(world.is_linked(name, "o") for name in "bcdefghijk"), seconds=10)
    world.connect("a", "o")
    world.wait(lambda: world.key("o").address in _links(world, "s", "a"), seconds=60)
    assert _links(world, "s", "a")[world.key("o").address] == world.peer("o", "a").label
    assert world.nodes["a"].peering.by_slot[V358.director(world.peer("a", "o").label)].version == 20


def test_the_states_stay_the_same_beyond_20_minutes() -> None:
    """Entities are said again in time: no reset after the first message, and nothing is forgotten."""
    world = _line("s", "a", servers="s")
    world.wait(lambda: bool(_links(world, "s", "a")), seconds=30)
    for _ in range(130):
        world.run(10)
        assert _links(world, "s", "a")
    known = world.server("s").known[world.key("a").address]
    state = world.nodes["a"].route_server.announcer.state
    assert state.contents == known.state.contents
    assert len(_links(world, "s", "a")) == 1
    assert not any(content[119] & 8 for content in state.contents)
    assert len(world.server("s").errors) < 30


def test_a_server_that_has_forgotten_everything_is_told_again() -> None:
    """It says that it knows no such node; the next message has the reset flag and everything."""
    world = _line("s", "a", servers="s")
    world.wait(lambda: bool(_links(world, "s", "a")), seconds=30)
    server = world.server("s")
    server.known.clear()
    server.errors.clear()
    world.wait(lambda: bool(_links(world, "s", "a")), seconds=90)
    assert server.errors[0] != "none"
    assert server.errors[-1] == "none"
    assert len(server.errors) == 2


@pytest.mark.parametrize("step", [-3_600_000, 3_600_000])
def test_a_server_whose_clock_is_set_is_followed(step: int) -> None:
    """Its announcements are refused until the skew is known again, which the replies tell."""
    world = _line("s", "a", servers="s")
    world.wait(lambda: bool(_links(world, "s", "a")), seconds=30)
    server = world.server("s")
    server.clock = EPOCH + step
    server.known.clear()
    server.errors.clear()
    world.wait(lambda: "none" in server.errors, seconds=120)
    assert server.errors[0] != "none"


def test_a_silent_server_is_lost_and_found_again() -> None:
    """It is no longer told to others; when it answers again, announcements go on without a reset."""
    world = _line("s", "a", "b", servers="s")
    world.wait(lambda: len(_links(world, "s", "a")) == 2, seconds=30)
    server = world.server("s")
    server.is_silent = True
    world.wait(lambda: _client(world, "a").active is None, seconds=90)
    assert world.nodes["a"].control.route_server is None
    server.is_silent = False
    server.errors.clear()
    world.wait(lambda: _is_adopted(world, "a", "s"), seconds=30)
    world.wait(lambda: len(server.errors) > 1, seconds=90)
    assert set(server.errors) == {"none"}
    state = world.nodes["a"].route_server.announcer.state
    assert len(state) > 1


def test_an_error_on_the_path_to_the_server_loses_it() -> None:
    """An error from a switch on the way counts, one from elsewhere or from our own switch does not."""
    world = _line("s", "a", "b", servers="s")
    world.wait(lambda: _is_adopted(world, "b", "s"), seconds=30)
    client, to_a = _client(world, "b"), world.peer("b", "a").label
    client.switch_error(SELF_LABEL, world.now)
    client.switch_error(to_a ^ 0x4, world.now)
    assert _is_adopted(world, "b", "s")
    client.switch_error(to_a, world.now)
    assert not _is_adopted(world, "b", "s")
    world.wait(lambda: _is_adopted(world, "b", "s"), seconds=15)


def test_a_configured_server_is_preferred() -> None:
    """Another one serves until the configured one is heard of, which then takes its place."""
    world = RoutedWorld()
    world.servers = ("s", "t")
    for name in ("s", "t"):
        world.add(name)
    world.supernodes = [world.key("t").public]
    world.add("a")
    world.add("b")
    world.supernodes = ()
    world.add("c")
    world.connect("a", "s")
    world.connect("a", "b")
    world.connect("b", "c")
    world.wait(lambda: _is_adopted(world, "a", "s"), seconds=30)
    assert not _client(world, "a").is_authorized
    world.connect("c", "t")
    world.wait(lambda: _is_adopted(world, "c", "t"), seconds=30)
    world.wait(lambda: _is_adopted(world, "b", "t"), seconds=60)
    world.wait(lambda: _is_adopted(world, "a", "t"), seconds=60)
    assert _client(world, "a").is_authorized


def test_a_node_without_client_asks_nobody() -> None:
    """No hunt, no wake-up of its own, nothing to tell."""
    world = RoutedWorld()
    node = Node(own=world.add("a").own, entropy=bytes, now=0.0)
    assert node.route_server.next_deadline() is None
    assert node.control.route_server is None
    node.route_server.search(FAR, 1.0)
    assert node.route_server.drain() == []


def test_searches_are_bounded() -> None:
    """The same address every 3 s; never more than the bounds at a time."""
    world = _line("s", "a", servers="s")
    world.wait(lambda: bool(_links(world, "s", "a")), seconds=30)
    client = _client(world, "a")
    client.search(FAR, world.now)
    assert len(client.drain()) == 1
    client.search(FAR, world.now + 2.9)
    assert client.drain() == []
    client.search(FAR, world.now + 3.0)
    assert len(client.drain()) == 1
    for number in range(2 * MAX_SEARCHES):
        client.search(Address(b"\xfc\x01" + number.to_bytes(14, "big")), world.now)
    assert client.drops["routeserver.too_many_queries"] > MAX_SEARCHES
    assert len(client.drain()) < 64


def test_what_is_not_remembered_is_asked_for_again() -> None:
    """After many other searches the oldest one is forgotten: it can be repeated at once."""
    world = _line("s", "a", servers="s")
    world.wait(lambda: bool(_links(world, "s", "a")), seconds=30)
    client, server = _client(world, "a"), world.key("s").public

    def asks(address: Address) -> bool:
        client.search(address, world.now)
        queries = [output for output in client.drain() if isinstance(output, SendMessage)]
        for query in queries:
            txid = DhtMessage.parse(query.content).txid
            client.message(server, DhtMessage(txid=txid, version=21).encode(), world.now)
        return bool(queries)

    assert asks(FAR)
    assert not asks(FAR)
    assert all(asks(Address(b"\xfc\x01" + number.to_bytes(14, "big"))) for number in range(MAX_SEARCHES))
    assert asks(FAR)


def test_a_path_that_was_told_is_not_asked_for_again_soon() -> None:
    """Sessions want paths whenever it is silent for a moment: the server hears of it every 10 s at most."""
    world = _line("a", "s", "b", servers="s")
    world.wait(lambda: bool(_links(world, "s", "b")) and bool(_links(world, "s", "a")), seconds=30)
    client, target = _client(world, "a"), world.key("b").address
    world.server("s").asked.clear()
    for _ in range(18):
        client.search(target, world.now)
        world.run(1.0)
    assert world.server("s").asked.count(target) == 2


def _queries(client: RouteServerClient) -> list[SendMessage]:
    return [output for output in client.drain() if isinstance(output, SendMessage)]


def _txid(query: SendMessage) -> bytes:
    return DhtMessage.parse(query.content).txid


def test_only_a_path_to_what_was_asked_for_is_taken() -> None:
    """Another node, the path to ourselves, none, a node too old: nothing follows. Else its end is asked."""
    world = _line("s", "a", servers="s")
    world.wait(lambda: bool(_links(world, "s", "a")), seconds=30)
    client, server, now = _client(world, "a"), world.key("s").public, world.now
    target = generate_key_pair(Random(9).randbytes).public

    def answer(key: bytes, label: int, version: int) -> list[SendMessage]:
        nonlocal now
        now += 3.0
        client.search(address_of(target), now)
        (query,) = _queries(client)
        reply = DhtMessage(txid=_txid(query), version=21, nodes=(NodeEntry(key, label, version),))
        assert client.message(server, reply.encode(), now)
        return _queries(client)

    assert answer(server, 0x15, 21) == []
    for label, version in ((0, 21), (1, 21), (0x15, 19)):
        assert answer(target, label, version) == []
    (test,) = answer(target, 0x1513, 21)
    assert (test.key, test.path, DhtMessage.parse(test.content).query) == (target, 0x1513, b"pn")
    reply = DhtMessage(txid=_txid(test), version=21).encode()
    assert not client.message(server, reply, now)
    assert client.message(target, reply, now)
    assert client.drain() == [PathFound(target, address_of(target), 21, 0x1513, SUPERNODE_ANSWER)]
    assert client.active is not None
    assert client.active.path == world.peer("a", "s").label


def test_a_wrong_path_carries_nothing() -> None:
    """A server knows wrong paths through old nodes: the session keeps the one that works."""
    world = _line("s", "a", "b", servers="s")
    world.wait(lambda: len(_links(world, "s", "a")) == 2 and bool(_links(world, "s", "b")), seconds=30)
    _reach(world, "s", "b", seconds=10)
    world.server("s").wrong[world.key("b").address] = 0x23
    world.server("s").asked.clear()
    world.tun["b"].clear()
    packet = echo_request(world.key("s"), world.key("b"))
    for _ in range(200):
        world.from_tun("s", packet)
        world.run(0.2)
    assert world.key("b").address in world.server("s").asked
    assert world.tun["b"].count(packet) == 200


def test_told_paths_are_used_among_nodes_that_search() -> None:
    """The end of such a path answers when asked, though it leaves some pings of far nodes unanswered."""
    world = RoutedWorld()
    world.servers, world.node_type = ("s",), Node
    world.line("s", "a", "b", "c")
    world.wait(lambda: bool(_links(world, "s", "c")) and len(_links(world, "s", "b")) == 2, seconds=30)
    packets = [(one, echo_request(world.key(one), world.key(other))) for one, other in ("ac", "ca")]

    def is_told(one: str, other: str) -> bool:
        session = world.nodes[one].sessions.by_address.get(world.key(other).address)
        best = session.paths.best if session else None
        return best is not None and best.metric == SUPERNODE_ANSWER

    for _ in range(40):
        for one, packet in packets:
            world.from_tun(one, packet)
        world.run(0.5)
    assert is_told("a", "c")
    assert is_told("c", "a")


def test_the_path_that_the_server_names_is_used() -> None:
    """When the server answers over it: from then on it is asked over it, and others are told of it."""
    world = _line("s", "a", servers="s")
    world.wait(lambda: _is_adopted(world, "a", "s"), seconds=30)
    client, server = _client(world, "a"), world.key("s").public
    client.drain()
    client.search(address_of(server), world.now)
    (query,) = _queries(client)
    nodes = (NodeEntry(server, 0x1513, 21),)
    assert client.message(server, DhtMessage(txid=_txid(query), version=21, nodes=nodes).encode(), world.now)
    (move,) = _queries(client)
    assert (move.path, DhtMessage.parse(move.content).snode_query) == (0x1513, b"pn")
    assert client.advertised == (server, 21, world.peer("a", "s").label)
    assert client.message(server, DhtMessage(txid=_txid(move), version=21).encode(), world.now)
    assert client.advertised == (server, 21, 0x1513)
    client.drain()
    client.search(FAR, world.now)
    (query,) = _queries(client)
    assert query.path == 0x1513
    client.switch_error(0x1513, world.now)
    assert not client.message(
        server, DhtMessage(txid=_txid(query), version=21, nodes=nodes).encode(), world.now
    )


def test_a_wrong_path_to_the_server_is_left_alone() -> None:
    """It is tried once; the server is not lost by it, and asked over the path that works."""
    world = RoutedWorld()
    world.servers = ("s",)
    world.add("s")
    world.add("a")
    world.server("s").wrong[world.key("s").address] = 0x173
    world.connect("a", "s")
    world.wait(lambda: bool(_links(world, "s", "a")), seconds=30)
    for _ in range(60):
        world.run(1.0)
        assert _is_adopted(world, "a", "s")
    assert 0 < world.server("s").asked.count(world.key("s").address) < 6
    server = _client(world, "a").active
    assert server is not None
    assert server.path == world.peer("a", "s").label


def test_only_the_server_may_answer() -> None:
    """Messages of others are not taken, whatever they say; nor is what was not asked."""
    world = _line("s", "a", servers="s")
    world.wait(lambda: _is_adopted(world, "a", "s"), seconds=30)
    client = _client(world, "a")
    client.search(FAR, world.now)
    (query,) = client.drain()
    assert isinstance(query, SendMessage)
    at = query.content.index(b"4:txid14:") + 9
    reply = b"d1:pi21e4:txid14:" + query.content[at : at + 14] + b"e"
    assert not client.message(PublicKey(bytes(32)), reply, world.now)
    assert not client.message(world.key("s").public, b"d1:pi21e4:txid2:01e", world.now)
    assert not client.message(world.key("s").public, b"no dictionary", world.now)
    assert client.message(world.key("s").public, reply, world.now)
    assert not client.message(world.key("s").public, reply, world.now)
