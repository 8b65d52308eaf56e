"""The control handler answers as a real node does, byte for byte (control.json), and knows its own pings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dexrouter.core.control import Answered, ControlHandler, PingPurpose, PingTimeout
from dexrouter.core.node import Node
from dexrouter.crypto.keys import PublicKey
from dexrouter.wire.control import Ping, Pong, parse_control
from remote import RemotePeer, make_node

VECTORS = Path(__file__).parents[2] / "vectors" / "control.json"
NOW = 1000.0
NEEDS_THE_RESPONDERS_KEY = ("auth-error", "session-", "keyping")
"""Exchanges whose answer depends on the private key or the sessions of the node that was recorded."""


def exchanges() -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads(VECTORS.read_text())["exchanges"]
    return [
        entry
        for entry in loaded
        if entry["responderVersion"] == 21 and not entry["name"].startswith(NEEDS_THE_RESPONDERS_KEY)
    ]


def node_with_peer_on_interface_3() -> tuple[Node, RemotePeer]:
    """The recorded responder had its test peer on switch interface 3, and others on 0 and 2."""
    node = make_node()
    peers = [RemotePeer(node, seed) for seed in (11, 12, 13)]
    for peer in peers:
        peer.establish(NOW)
    assert [peer.slot for peer in node.peering.peers()] == [0, 2, 3]
    return node, peers[2]


@pytest.mark.parametrize("entry", exchanges(), ids=lambda entry: str(entry["name"]))
def test_the_answer_is_that_of_a_real_node(entry: dict[str, Any]) -> None:
    """Each frame sent to a real v21 node, and its answer or its silence."""
    _, peer = node_with_peer_on_interface_3()
    answers = peer.send(bytes.fromhex(entry["sent"]), NOW)
    assert answers == [bytes.fromhex(answer["frame"]) for answer in entry["answers"]]


def test_a_ping_is_matched_by_its_data_and_only_once() -> None:
    """The answer carries the round trip; the same answer again, or one never asked for, is counted."""
    handler = ControlHandler(own_key=PublicKey(bytes(32)), entropy=lambda count: bytes(range(count)))
    asked = handler.ping(0x13, PingPurpose.ADMIN, NOW, timeout=2.0)
    assert asked is not None
    ping = parse_control(asked)
    assert isinstance(ping, Ping)
    pong = Pong(21, ping.data).encode()
    assert handler.receive(0x13, pong, NOW + 0.25) is None
    (answer,) = handler.events
    assert isinstance(answer, Answered)
    assert (answer.version, answer.rtt, answer.path) == (21, 0.25, 0x13)
    handler.receive(0x13, pong, NOW + 0.5)
    assert len(handler.events) == 1
    assert handler.drops["control.not_asked"] == 1


def test_a_ping_without_answer_times_out() -> None:
    handler = ControlHandler(own_key=PublicKey(bytes(32)), entropy=lambda count: bytes(range(count)))
    handler.ping(0x13, PingPurpose.ADMIN, NOW, timeout=2.0)
    assert handler.next_deadline() == NOW + 2.0
    handler.poll(NOW + 1.9)
    assert not handler.events
    handler.poll(NOW + 2.0)
    (event,) = handler.events
    assert isinstance(event, PingTimeout)
    assert handler.next_deadline() is None


def test_pings_to_every_peer_do_not_use_up_what_others_need() -> None:
    """With 256 silent peers, two questions for the label and four for life each leave room for a person's."""
    numbers = iter(range(10_000))
    handler = ControlHandler(own_key=PublicKey(bytes(32)), entropy=lambda size: next(numbers).to_bytes(size))
    asked = {
        purpose: sum(handler.ping(0x13, purpose, NOW, timeout=2.0) is not None for _ in range(2000))
        for purpose in (PingPurpose.LIVENESS, PingPurpose.ROUTE_SERVER, PingPurpose.ADMIN)
    }
    assert asked == {PingPurpose.LIVENESS: 1024, PingPurpose.ROUTE_SERVER: 512, PingPurpose.ADMIN: 50}
    assert handler.ping(0x13, PingPurpose.IDENTIFY, NOW, timeout=2.0) is None
    handler.poll(NOW + 2.0)
    assert all(handler.ping(0x13, purpose, NOW + 2.0, timeout=2.0) for purpose in PingPurpose)


def test_no_more_than_fifty_pings_are_outstanding() -> None:
    count = iter(range(1000))
    handler = ControlHandler(
        own_key=PublicKey(bytes(32)), entropy=lambda size: next(count).to_bytes(size, "big")
    )
    for _ in range(50):
        assert handler.ping(0x13, PingPurpose.ADMIN, NOW, timeout=2.0) is not None
    assert handler.ping(0x13, PingPurpose.ADMIN, NOW, timeout=2.0) is None
    assert handler.ping(0x13, PingPurpose.ADMIN, NOW + 3.0, timeout=2.0) is not None
