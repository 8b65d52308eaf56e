"""A packet that comes alone: the short way, and what leaves it."""

from __future__ import annotations

import pytest

from data_lines import counts, datagrams, host_packets, linked, mixed, packet
from dexrouter.core.lone import Onward
from dexrouter.core.outputs import Buffer, ToTun
from dexrouter.core.packets import Packets, copied
from dexrouter.crypto.handshake import COUNTER_LIMIT
from dexrouter.wire.crypto_header import FIRST_DATA_COUNTER
from virtual_wire import World


def alone(datagram: bytes) -> Packets:
    return copied([datagram])


def sent_alone(world: World, source: str, target: str, content: bytes = b"content") -> bytes:
    """Send one packet the short way, and give its datagram."""
    node = world.nodes[source]
    sent = node.send_lone(alone(packet(world, source, target, content)), world.now)
    assert isinstance(sent, tuple)
    assert node.drain() == []
    return bytes(sent[1])


def received(world: World, name: str, source: str, datagram: bytes) -> Buffer | Onward | bool:
    return world.nodes[name].receive_lone(0, world.address(source), alone(datagram), world.now)


def test_a_packet_of_the_host_becomes_a_datagram_for_its_first_peer() -> None:
    """Nothing else follows from it: no output, no other deadline."""
    world = linked("a", "b")
    node = world.nodes["a"]
    deadline = node.next_deadline()
    made = packet(world, "a", "b", b"content")
    sent = node.send_lone(alone(made), world.now)
    assert isinstance(sent, tuple)
    peer, datagram = sent
    assert (peer.link_address, len(datagram)) == (world.address("b"), len(made) + 20)
    assert (node.drain(), node.next_deadline()) == ([], deadline)


def test_a_datagram_becomes_a_packet_for_the_host() -> None:
    """Where it lay in the buffer: nothing is copied."""
    world = linked("a", "b")
    datagram = alone(sent_alone(world, "a", "b"))
    taken = world.nodes["b"].receive_lone(0, world.address("a"), datagram, world.now)
    assert bytes(taken) == packet(world, "a", "b", b"content")  # type: ignore[arg-type]
    assert isinstance(taken, memoryview)
    assert taken.obj is datagram.buffer
    assert world.nodes["b"].drain() == []


def test_a_relay_hands_on_what_comes_alone() -> None:
    world = linked("a", "b", "c")
    onward = received(world, "b", "a", sent_alone(world, "a", "c"))
    assert isinstance(onward, tuple)
    peer, datagram = onward
    assert peer.link_address == world.address("c")
    taken = received(world, "c", "b", bytes(datagram))
    assert bytes(taken) == packet(world, "a", "c", b"content")  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(4))
def test_a_relay_treats_a_run_as_its_packets_one_by_one(seed: int) -> None:
    """The same datagrams in the same order, the same counters, with hostile ones between."""
    one, other = linked("a", "b", "c"), linked("a", "b", "c")
    batch = mixed(one, seed, "c")
    assert mixed(other, seed, "c") == batch
    one.nodes["b"].receive(0, one.address("a"), batch, one.now)
    together = datagrams(one.nodes["b"])
    apart: list[bytes] = []
    for datagram in batch:
        other.nodes["b"].receive(0, other.address("a"), [datagram], other.now)
        apart += datagrams(other.nodes["b"])
    assert together == apart
    assert len(apart) > 20
    assert counts(one.nodes["b"]) == counts(other.nodes["b"])


def test_an_answer_over_a_path_in_doubt_ends_the_doubt() -> None:
    """That is not plain: the paths are ranked anew, as for any other packet."""
    world = linked("a", "b")
    datagram = sent_alone(world, "a", "b")
    (session,) = world.nodes["b"].sessions.by_address.values()
    session.paths.doubt(world.now, again_after=1.0)
    assert received(world, "b", "a", datagram) is True
    assert [type(output) for output in world.nodes["b"].drain()] == [ToTun]
    assert [path.probed for path in session.paths] == [None]


@pytest.mark.parametrize("layer", ["link", "session"])
def test_the_last_counter_is_left_to_the_rule_for_it(layer: str) -> None:
    """Link or session begins anew where the counter would wrap; what is sent then is a handshake."""
    world = linked("a", "b")
    node = world.nodes["a"]
    (session,), (peer,) = node.sessions.by_address.values(), node.peering.peers()
    crypto = session.crypto if layer == "session" else peer.session
    crypto._next = COUNTER_LIMIT - 2
    sent_alone(world, "a", "b")
    assert crypto.next_counter == COUNTER_LIMIT - 1
    for _ in range(2):
        assert isinstance(node.send_lone(alone(packet(world, "a", "b", b"x")), world.now), bool)
    assert crypto.next_counter < FIRST_DATA_COUNTER


def test_a_handshake_under_way_with_the_peer_is_not_plain() -> None:
    """What goes to a peer meanwhile goes the way that knows about it."""
    world = linked("a", "b")
    node = world.nodes["a"]
    (peer,) = node.peering.peers()
    node.peering.renew(peer, world.now)
    node.drain()
    sent = node.send_lone(alone(packet(world, "a", "b", b"content")), world.now)
    assert isinstance(sent, bool)
    for datagram in datagrams(node):
        world.nodes["b"].receive(0, world.address("a"), [datagram], world.now)
    assert host_packets(world.nodes["b"]) == [packet(world, "a", "b", b"content")]
