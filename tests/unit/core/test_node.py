"""Whole nodes: what goes into one host's TUN comes out of another's, through relays and after restarts."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dexrouter.core.control import Answered, PingKind, PingTimeout
from dexrouter.core.node import Node
from dexrouter.core.outputs import ToTun
from dexrouter.crypto.keys import key_pair_from_private
from dexrouter.wire.control import (
    AuthenticationCause,
    ErrorCode,
    KeyPong,
    RPathReply,
    SwitchError,
)
from dexrouter.wire.ipv6 import rebuild
from dexrouter.wire.switch_header import SwitchHeader
from remote import PING_FRAME_HEADER, RemotePeer, make_node
from virtual_wire import World, echo_request

NOW = 1000.0
TRACE: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "trace-abc.json").read_text(encoding="utf-8")
)


def world_of_the_trace(*names: str) -> World:
    world = World()
    for name in names:
        world.add(name, key_pair_from_private(bytes.fromhex(TRACE["nodes"][name]["privateKey"])))
    return world


def is_up(world: World, *names: str) -> bool:
    return all(world.is_linked(one, other) for one, other in pairwise(names))


@pytest.mark.parametrize("names", ["AC", "ABC"], ids=["neighbours", "through_a_relay"])
def test_packets_come_out_of_the_other_tun_as_the_reference_writes_them(names: str) -> None:
    """All nine recorded packets: class, flow label, hop limit, fragments, TCP, UDP; byte for byte."""
    world = world_of_the_trace(*names)
    for called, caller in pairwise(names):
        world.connect(caller, called)
    world.wait(lambda: is_up(world, *names), seconds=2.0)
    assert len(TRACE["tun"]) == 9
    expected: dict[str, list[bytes]] = {"A": [], "C": []}
    for packet in TRACE["tun"]:
        world.from_tun(packet["src"], bytes.fromhex(packet["fromTun"]))
        expected[packet["dst"]].append(bytes.fromhex(packet["toTun"]))
        world.run(1.0)
    assert {name: world.tun[name] for name in "AC"} == expected
    assert world.tun.get("B", []) == []


def test_a_first_packet_through_a_relay_takes_less_than_a_second() -> None:
    """Search, handshake and delivery; the packets of the meantime are held, in order."""
    world = World()
    world.line("a", "b", "c")
    world.wait(lambda: is_up(world, "a", "b", "c"), seconds=2.0)
    packets = [echo_request(world.key("a"), world.key("c"), number) for number in range(3)]
    world.from_tun("a", *packets)
    assert world.wait(lambda: bool(world.tun["c"]), seconds=5.0) < 1.0
    assert world.tun["c"] == packets


def test_a_relay_that_was_killed_and_restarted_carries_packets_again_within_ten_seconds() -> None:
    """Both ends wait: one calls the relay anew, the other is called by it."""
    world = World()
    world.line("a", "b", "c")
    there = echo_request(world.key("a"), world.key("c"))
    back = echo_request(world.key("c"), world.key("a"))

    def both_ways() -> bool:
        world.tun["a"].clear()
        world.tun["c"].clear()
        world.from_tun("a", there)
        world.from_tun("c", back)
        world.run(0.2)
        return there in world.tun["c"] and back in world.tun["a"]

    world.wait(both_ways, seconds=5.0)
    world.kill("b")
    world.run(7.0)
    world.add("b")
    assert world.wait(both_ways, seconds=20.0) < 10.0


def test_an_end_that_was_killed_and_restarted_is_reached_again_within_ten_seconds() -> None:
    world = World()
    world.line("a", "b", "c")
    there = echo_request(world.key("a"), world.key("c"))

    def arrives() -> bool:
        world.tun["c"].clear()
        world.from_tun("a", there)
        world.run(0.2)
        return there in world.tun["c"]

    world.wait(arrives, seconds=5.0)
    world.kill("c")
    world.run(3.0)
    world.add("c")
    assert world.wait(arrives, seconds=20.0) < 10.0


# -- from the host


def test_packets_that_are_not_for_the_mesh_are_dropped_by_name() -> None:
    """Spec 04 §9.2: version, length, destination, source."""
    node = make_node()
    own, other = node.own.address, bytes.fromhex("fc" + "11" * 15)
    good = rebuild(own, other, 17, b"")
    cases = {
        b"": "tun.not_ipv6",
        good[:39]: "tun.not_ipv6",
        b"\x45" + good[1:]: "tun.not_ipv6",
        rebuild(own, bytes.fromhex("ff02" + "00" * 13 + "01"), 58, b""): "tun.not_mesh",
        rebuild(own, bytes.fromhex("fd" + "11" * 15), 17, b""): "tun.not_mesh",
        rebuild(other, other, 17, b""): "tun.foreign_source",
    }
    for packet, reason in cases.items():
        before = node.drops[reason]
        node.from_tun([packet], NOW)
        assert node.drops[reason] == before + 1, packet.hex()
    assert node.drain() == []
    assert node.sessions.next_deadline() is None


def test_a_packet_for_the_own_address_comes_back_unchanged() -> None:
    node = make_node()
    packet = b"\x6a\xbc" + rebuild(node.own.address, node.own.address, 58, b"echo")[2:]
    node.from_tun([packet, packet], NOW)
    assert node.drain() == [ToTun([packet, packet])]


def test_content_of_length_zero_is_delivered() -> None:
    world = World()
    world.line("a", "b")
    empty = rebuild(world.key("a").address, world.key("b").address, 59, b"")
    world.run(1.0)
    world.from_tun("a", empty)
    world.wait(lambda: world.tun["b"] == [empty], seconds=2.0)


# -- pings for people


def test_a_node_two_hops_away_is_pinged_by_its_path() -> None:
    """The answer tells version and round trip; the key ping tells the key, the path ping the way back."""
    world = World()
    world.line("a", "b", "c")
    world.wait(lambda: is_up(world, "a", "b", "c"), seconds=2.0)
    node = world.nodes["a"]
    for ticket, kind in enumerate((PingKind.PING, PingKind.KEY_PING, PingKind.RPATH), 1):
        assert node.switch_ping(0x153, world.now, timeout=2.0, kind=kind, ticket=ticket, data=b"x")
        world._carry_out("a")
    world.run(0.1)
    answers = [answer for answer in node.answers if isinstance(answer, Answered)]
    assert [answer.ticket for answer in answers] == [1, 2, 3]
    assert all(answer.version == 21 and answer.path == 0x153 for answer in answers)
    assert answers[0].rtt == pytest.approx(0.02)
    assert isinstance(answers[1].answer, KeyPong)
    assert answers[1].answer.key == world.key("c").public
    assert isinstance(answers[2].answer, RPathReply)
    assert answers[2].answer.rpath == 0x133


def test_a_ping_into_the_void_times_out() -> None:
    world = World()
    world.line("a", "b")
    world.run(1.0)
    node = world.nodes["a"]
    assert node.switch_ping(0x1F3, world.now, timeout=2.0, ticket=5)
    world._carry_out("a")
    world.run(3.0)
    (answer,) = node.answers
    assert isinstance(answer, PingTimeout)
    assert answer.ticket == 5


def test_a_node_can_ping_itself() -> None:
    node = make_node()
    assert node.switch_ping(1, NOW, timeout=2.0, ticket=9)
    (answer,) = node.answers
    assert isinstance(answer, Answered)
    assert (answer.path, answer.rtt) == (1, 0.0)


# -- frames that mean harm


def established() -> tuple[Node, RemotePeer]:
    node = make_node()
    remote = RemotePeer(node, 7)
    remote.establish(NOW)
    return node, remote


@pytest.mark.parametrize("size", range(30, 40))
def test_an_error_frame_of_any_length_is_taken(size: int) -> None:
    """Shorter than what an authentication error quotes: counted, never raised."""
    node, remote = established()
    error = SwitchError(ErrorCode.AUTHENTICATION, bytes(size)).encode()
    assert remote.send(PING_FRAME_HEADER + error, NOW) == []
    assert node.drops["control.short_error"] == (1 if size < 36 else 0)


def test_a_flood_of_error_frames_is_acted_upon_at_a_bounded_rate() -> None:
    node, remote = established()
    cause = AuthenticationCause(SwitchHeader.parse(PING_FRAME_HEADER), bytes(16), 2, 0)
    error = PING_FRAME_HEADER + SwitchError(ErrorCode.AUTHENTICATION, cause.encode()).encode()
    for _ in range(1000):
        remote.send(error, NOW)
    assert node.drops["control.too_many_errors"] == 900


def test_frames_too_short_for_the_router_are_dropped() -> None:
    node, remote = established()
    assert remote.send(PING_FRAME_HEADER[:15], NOW) == []
    assert node.drops["router.short"] == 1


def test_content_of_an_unknown_type_is_dropped() -> None:
    """258 to 65535 are nobody's (spec 04 §4.2)."""
    world = World()
    world.line("a", "b")
    world.run(1.0)
    world.from_tun("a", echo_request(world.key("a"), world.key("b")))
    world.run(1.0)
    one = world.nodes["a"]
    frame = one.sessions.send(world.key("b").address, 300, b"content", world.now)
    assert frame is not None
    one._forward(frame, 1, world.now)
    world._carry_out("a")
    world.run(0.1)
    assert world.nodes["b"].drops["router.content_type"] == 1


def test_a_session_that_the_other_node_has_lost_is_begun_anew_on_its_word() -> None:
    """After its restart it says that our packets belong to no session: no waiting for silence."""
    world = World()
    world.line("a", "b")
    there = echo_request(world.key("b"), world.key("a"))
    world.from_tun("b", there)
    world.wait(lambda: bool(world.tun["a"]), seconds=3.0)
    session = world.nodes["a"].sessions.by_address[world.key("b").address]
    session.crypto.reset()
    world.run(2.0)
    world.tun["a"].clear()
    world.from_tun("b", there)
    assert world.wait(lambda: _sent_again(world, there), seconds=10.0) < 3.0


def _sent_again(world: World, packet: bytes) -> bool:
    world.from_tun("b", packet)
    world.run(0.1)
    return packet in world.tun["a"]
