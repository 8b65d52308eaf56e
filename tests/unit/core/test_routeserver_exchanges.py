"""What a real route server was asked by our node and by cjdns' own, and what it answered.

The exchanges were captured at the clients' routers: vectors/route_server.json.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dexrouter.core.routeserver.queries import Kind, Queries, Query, RouteServer
from dexrouter.core.routeserver.state import NO_HASH, AnnouncedState
from dexrouter.crypto.keys import PublicKey, address_of
from dexrouter.crypto.signing import is_signed_by, node_key_of
from dexrouter.wire.announce import SIGNATURE_SIZE, Announcement, PeerLink
from dexrouter.wire.dht import DhtMessage

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "route_server.json").read_text())
SERVER = PublicKey(bytes.fromhex(VECTORS["server_public_key_hex"]))
CLIENTS = {client["id"]: client for client in VECTORS["clients"]}
KINDS = {"pn": Kind.PING, "gr": Kind.ROUTE, "ann": Kind.ANNOUNCE}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One query of a client, and the answer."""

    kind: Kind
    content: bytes
    answer: bytes
    asked: RouteServer

    @property
    def query(self) -> DhtMessage:
        return DhtMessage.parse(self.content)

    @property
    def reply(self) -> DhtMessage:
        return DhtMessage.parse(self.answer)

    def ask_again(self) -> tuple[Queries, bytes | None]:
        """Put the same question with our own client."""
        said = self.query
        queries = Queries(entropy=lambda count: said.txid[-count:])
        again = Query(
            self.kind,
            self.asked,
            0.0,
            source=said.source,
            target=said.target,
            announcement=said.announcement,
        )
        return queries, queries.ask(again)


def _exchanges(client: dict[str, Any]) -> list[Exchange]:
    return [
        Exchange(
            KINDS[one["sq"]],
            bytes.fromhex(one["query_hex"]),
            bytes.fromhex(one["reply_hex"]),
            RouteServer(SERVER, 21, int(one["path"], 16)),
        )
        for one in client["exchanges"]
    ]


def _announced(client: dict[str, Any]) -> list[tuple[bytes, Announcement, DhtMessage]]:
    said = [(each.query.announcement, each.reply) for each in _exchanges(client)]
    return [(content, Announcement.parse(content), reply) for content, reply in said if content]


def _links(client: dict[str, Any]) -> dict[bytes, PeerLink]:
    first = _announced(client)[0][1]
    return {link.address: link for link in first.entities if isinstance(link, PeerLink)}


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_questions_are_put_as_they_were_put_to_the_real_server(client: dict[str, Any]) -> None:
    """Ours byte for byte; cjdns' own says the same with other padding."""
    for exchange in _exchanges(client):
        _, content = exchange.ask_again()
        assert content is not None
        assert DhtMessage.parse(content) == exchange.query
        assert client["id"] != "ours" or content == exchange.content


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_answers_of_the_real_server_are_taken(client: dict[str, Any]) -> None:
    """From the server alone; with its clock, and for a path with the node that was asked for."""
    paths = []
    for exchange in _exchanges(client):
        queries, _ = exchange.ask_again()
        assert queries.answered(PublicKey(bytes(32)), exchange.answer) is None
        taken = queries.answered(SERVER, exchange.answer)
        assert taken is not None
        _, reply = taken
        assert reply.receive_time
        assert [address_of(PublicKey(node.key)) for node in reply.nodes] in ([], [exchange.query.target])
        paths += [node.label for node in reply.nodes]
    assert exchange.asked.path in paths


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_the_real_server_keeps_the_state_as_we_do(client: dict[str, Any]) -> None:
    """Its hash is ours after every message. It says when it has forgotten the node: a reset follows."""
    state, errors = AnnouncedState(), []
    announced = _announced(client)
    for content, announcement, reply in announced:
        state.accept(content, announcement)
        errors.append(reply.error)
        assert (state.hash == reply.state_hash) == (reply.error == b"none")
    assert errors == [*[b"none"] * (len(errors) - 2), b"unknown_node", b"none"]
    assert announced[-2][2].state_hash == NO_HASH
    assert [announcement.is_reset for _, announcement, _ in announced] == [
        True,
        *[False] * (len(errors) - 2),
        True,
    ]
    assert all(one.timestamp < next_one.timestamp for (_, one, _), (_, next_one, _) in pairwise(announced))


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_announcements_that_the_real_server_took_are_signed_by_their_node(client: dict[str, Any]) -> None:
    """For this server, and written anew they are the same bytes."""
    for content, announcement, _ in _announced(client):
        assert is_signed_by(announcement.signing_key, content[SIGNATURE_SIZE:], announcement.signature)
        key = node_key_of(announcement.signing_key)
        assert key is not None
        assert key.hex() == client["public_key_hex"]
        assert announcement.route_server == address_of(SERVER)
        assert announcement.encode() == content


def test_both_ends_say_the_same_of_their_link() -> None:
    """Our label of the real node is its peer's label in its announcement, and the other way round."""
    ours, theirs = CLIENTS["ours"], CLIENTS["v21"]
    our_key, their_key = (PublicKey(bytes.fromhex(client["public_key_hex"])) for client in (ours, theirs))
    our_link, their_link = _links(ours)[address_of(their_key)], _links(theirs)[address_of(our_key)]
    assert (our_link.number, our_link.label) == (their_link.label, their_link.number)
    assert (our_link.form, our_link.mtu8, our_link.flags) == (
        their_link.form,
        their_link.mtu8,
        their_link.flags,
    )
