"""`SearchRunner_*`: a search through the mesh, step by step, for people to watch (spec 07 §8.7).

Each answer is told as it comes: who answered, how fast, whom it named. The pathfinder's own searches go on
beside it; this one changes nothing of what the node knows, except that sessions are set up.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from dexrouter.admin.calls.routing import spliced_names
from dexrouter.admin.calls.targets import ask
from dexrouter.admin.context import InquiryOutcome, PendingInquiry
from dexrouter.admin.message import Reply
from dexrouter.admin.table import INT, INT_REQUIRED, TEXT_REQUIRED, Call, CallError, Table
from dexrouter.core.inquiries import InquiryAnswered
from dexrouter.core.pathfinder.keyspace import position_of
from dexrouter.crypto.keys import Address, KeyParseError, NodeName, address_of, format_node, parse_address
from dexrouter.wire.labels import SELF_LABEL

__all__ = ["TABLE"]

MOST_REQUESTS: Final = 32
MOST_CANDIDATES: Final = 64
"""Nodes to ask yet that a search remembers: those farthest from the address give way."""

MOST_SEARCHES: Final = 16

TABLE: Final = Table()


@dataclass(slots=True)
class _Search:
    """One search: whom to ask yet, whom not again."""

    call: Call
    target: Address
    left: int
    candidates: dict[Address, NodeName] = field(default_factory=dict)
    asked: set[Address] = field(default_factory=set)

    def distance(self, address: Address) -> int:
        return position_of(address) ^ position_of(self.target)

    def add(self, name: NodeName) -> None:
        address = address_of(name.key)
        if address in self.asked or address in self.candidates:
            return
        self.candidates[address] = name
        if len(self.candidates) > MOST_CANDIDATES:
            del self.candidates[max(self.candidates, key=self.distance)]


@TABLE.function("SearchRunner_search", ipv6=TEXT_REQUIRED, maxRequests=INT)
def search(call: Call) -> Reply | None:
    """Search an address; the last message is the one with `complete`."""
    try:
        target = parse_address(call.text("ipv6"))
    except KeyParseError as error:
        raise CallError("ipv6 invalid") from error
    if call.context.searches >= MOST_SEARCHES:
        raise CallError("too many searches")
    requests = call.integer("maxRequests") or MOST_REQUESTS
    one = _Search(call, target, min(max(requests, 1), MOST_REQUESTS))
    one.asked.add(call.context.node.own.address)
    for node in call.context.node.pathfinder.known_nodes():
        if node.path > SELF_LABEL:
            one.add(NodeName(node.version, node.path, node.key))
    call.context.searches += 1
    replies = _go_on(one, call.now)
    return replies[0] if replies else None


@TABLE.function("SearchRunner_showActiveSearch", number=INT_REQUIRED)
def show_active_search(call: Call) -> Reply:
    """Tell how many searches run."""
    return {"error": "none", "activeSearches": call.context.searches}


def _go_on(one: _Search, now: float) -> list[Reply]:
    """Ask the closest node that was not asked yet; the closing reply when there is none."""
    call = replace(one.call, now=now)
    while one.left and one.candidates and one.target not in one.asked:
        address = min(one.candidates, key=one.distance)
        name = one.candidates.pop(address)
        one.left -= 1
        one.asked.add(address)
        pending = PendingInquiry(one.call.caller, partial(_answered, one, name))
        try:
            ask(call, name, b"fn", one.target, pending)
        except CallError:
            continue
        return []
    one.call.context.searches -= 1
    return [{"complete": 1, "error": "none"}]


def _answered(one: _Search, name: NodeName, outcome: InquiryOutcome, now: float) -> list[Reply]:
    if not isinstance(outcome, InquiryAnswered):
        return _go_on(one, now)
    nodes = spliced_names(name, outcome.answer.nodes)
    for node in nodes:
        one.add(node)
    reply: Reply = {
        "from": format_node(outcome.answer.version, name.label, name.key),
        "ms": int(outcome.rtt * 1000),
        "nodes": [format_node(node.version, node.label, node.key) for node in nodes],
    }
    return [reply, *_go_on(one, now)]
