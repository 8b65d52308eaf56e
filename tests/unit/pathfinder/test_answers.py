"""What we answer, against what real routers answered in the same state."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from dexrouter.core.pathfinder.graph import hop_label
from dexrouter.core.pathfinder.keyspace import position_of
from dexrouter.core.pathfinder.pathfinder import Pathfinder, SendMessage
from dexrouter.core.pathfinder.placing import place
from dexrouter.core.pathfinder.queries import Target
from dexrouter.crypto.keys import PublicKey, address_of
from dexrouter.wire.dht import DhtMessage, NodeEntry
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.labels import SELF_LABEL, parse_label

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "dht.json").read_text())
MESSAGES: dict[str, dict[str, Any]] = {entry["id"]: entry for entry in VECTORS["messages"]}
QUERIES = [
    entry["id"].removesuffix("-query")
    for entry in MESSAGES.values()
    if entry["kind"] == "query" and entry["type"] in {"pn", "gp", "fn"}
]
HUB = ("gp-many-peers", "gp-near-15", "fn")
"""Queries to the same node, a hub of ten peers."""


def key_of(name: str) -> PublicKey:
    return PublicKey(bytes.fromhex(VECTORS["nodes"][name]["public_key_hex"]))


def reply_of(name: str) -> DhtMessage:
    return DhtMessage.parse(bytes.fromhex(MESSAGES[f"{name}-reply"]["content_hex"]))


def build(name: str) -> tuple[Pathfinder, dict[str, Any]]:
    """Make the responder of a captured query, knowing what its answers show that it knew."""
    query = MESSAGES[f"{name}-query"]
    pathfinder = Pathfinder(own=key_of(query["to"]), entropy=Random(1).randbytes, now=0.0)
    sources = HUB if name in HUB else (name,)
    for entry in (entry for source in sources for entry in reply_of(source).nodes):
        if entry.label != SELF_LABEL:
            know(pathfinder, entry)
    pathfinder.drain()
    return pathfinder, query


def know(pathfinder: Pathfinder, entry: NodeEntry) -> None:
    """Let a node be a peer, or be known at its path if that is longer than one hop."""
    key = PublicKey(entry.key)
    path = hop_label(V358, entry.label)
    if V358.is_one_hop(entry.label):
        pathfinder.peer_up(key, entry.version, path, 0.0)
    else:
        path = entry.label
    target = Target(key, address_of(key), entry.version, path)
    place(pathfinder._graph, target, entry.version, V358, 0, 0.01, 0.0)


@pytest.mark.parametrize("name", QUERIES)
def test_captured_queries_are_answered_as_by_real_routers(name: str) -> None:
    """Same nodes, same labels, same versions, same form of the way back, same transaction id."""
    pathfinder, query = build(name)
    path = parse_label(query["label_receiver_to_sender"])
    sender = key_of(query["from"])
    pathfinder.message(sender, path, bytes.fromhex(query["content_hex"]), 1.0)
    sent = next(output for output in pathfinder.drain() if isinstance(output, SendMessage))
    assert (sent.key, sent.address, sent.path) == (sender, address_of(sender), path)
    reply, expected = DhtMessage.parse(sent.content), reply_of(name)
    assert reply.txid == expected.txid
    assert reply.version == 21
    assert reply.scheme == expected.scheme
    assert reply.inverse_form == expected.inverse_form
    if query["type"] == "fn":
        assert set(reply.nodes) == set(expected.nodes)
        wanted = position_of(bytes.fromhex(query["fields"]["tar_hex"]))
        distances = [position_of(address_of(node.key)) ^ wanted for node in reply.nodes]
        assert distances == sorted(distances, reverse=True), "the closest is not the last"
    else:
        assert reply.nodes == expected.nodes


def ask(pathfinder: Pathfinder, message: DhtMessage, path: int = 0x13) -> DhtMessage | None:
    """Ask a question from a stranger; None if it is not answered."""
    pathfinder.message(key_of("L1"), path, message.encode(), 1.0)
    for output in pathfinder.drain():
        if isinstance(output, SendMessage):
            answer = DhtMessage.parse(output.content)
            if not answer.is_query:
                return answer
    return None


def question(**changes: Any) -> DhtMessage:
    fields: dict[str, Any] = {
        "txid": b"00abc",
        "query": b"pn",
        "version": 21,
        "scheme": V358,
        "inverse_form": 0,
    }
    return DhtMessage(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "is_answered"),
    [
        ({}, True),
        ({"scheme": None}, True),
        ({"version": 99}, True),
        ({"query": b"xx"}, True),
        ({"query": b"gp"}, True),
        ({"query": b"gp", "target": bytes(16)}, True),
        ({"query": b"fn", "target": bytes(8)}, True),
        ({"query": b"nh", "target": bytes(8)}, True),
        ({"txid": b"1" * 60}, True),
        ({"txid": b"1" * 256}, False),
        ({"version": 0}, False),
        ({"version": 19}, False),
        ({"inverse_form": None}, False),
        ({"inverse_form": 3}, False),
        ({"query": None, "snode_query": b"pn"}, False),
    ],
)
def test_what_is_refused(changes: dict[str, Any], is_answered: bool) -> None:
    """As stock nodes of version 21 do (spec 05 §2.6); what is refused is counted."""
    pathfinder, _ = build("gp-many-peers")
    answer = ask(pathfinder, question(**changes))
    assert (answer is not None) == is_answered
    assert bool(pathfinder.drops) != is_answered
    if answer:
        assert answer.txid == (changes.get("txid") or b"00abc")
        assert not answer.nodes


def test_peers_are_paged() -> None:
    """Asking again from the largest label on gives every peer; fewer than eight end the list."""
    pathfinder, _ = build("gp-many-peers")
    start, found = 0, set()
    for _ in range(4):
        answer = ask(pathfinder, question(query=b"gp", target=start.to_bytes(8)))
        assert answer
        found |= {node.label for node in answer.nodes}
        if len(answer.nodes) < 8:
            break
        start = answer.nodes[0].label
    assert found == {1, 0x13, 0x15, 0x17, 0x19, 0x1B, 0x1D, 0x1F, 0x9E, 0xA2, 0xA6}


def test_who_does_not_want_to_be_named_is_not_named() -> None:
    """A node that set `dnd` is kept, but not listed in answers to `fn`."""
    pathfinder, _ = build("fn")
    node = next(iter(pathfinder._graph.nodes.values()))
    before = ask(pathfinder, question(query=b"fn", target=node.address))
    node.do_not_disturb = True
    after = ask(pathfinder, question(query=b"fn", target=node.address))
    assert before
    assert before.nodes[-1].key == node.key
    assert after
    assert node.key not in {entry.key for entry in after.nodes}


def test_next_hop() -> None:
    """`nh` names the target if it is known, ourselves if we are it, else a node closer to it than we are."""
    pathfinder, _query = build("fn")
    own = pathfinder._graph.root
    node = next(iter(pathfinder._graph.nodes.values()))
    answer = ask(pathfinder, question(query=b"nh", target=node.address))
    assert answer
    assert [entry.key for entry in answer.nodes] == [node.key]
    unknown = bytes(16)
    answer = ask(pathfinder, question(query=b"nh", target=unknown))
    assert answer
    for entry in answer.nodes:
        assert position_of(address_of(entry.key)) >> 96 < own.position >> 96


def test_a_flood_of_queries_is_not_answered_for_ever() -> None:
    """Of one instant 200 queries through one peer are answered and 400 of all, the others are counted."""
    pathfinder, _ = build("gp-many-peers")

    def answered(path: int) -> int:
        questions = (question(txid=b"00%d" % number) for number in range(300))
        return sum(ask(pathfinder, one, path) is not None for one in questions)

    assert [answered(path) for path in (0x13, 0x15, 0x17)] == [200, 200, 0]
    assert pathfinder.drops["query.too_many_from_peer"] == 300
    assert pathfinder.drops["query.too_many"] == 200
