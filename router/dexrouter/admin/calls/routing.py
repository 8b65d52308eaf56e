"""`RouterModule_*`: questions to other routers, and what we know of the way to one (spec 07 §8.7)."""

from __future__ import annotations

from typing import Final

from dexrouter import PROTOCOL_VERSION
from dexrouter.admin.calls.general import scheme_forms
from dexrouter.admin.calls.targets import ask, find_target, is_own
from dexrouter.admin.context import Context, InquiryOutcome, PendingInquiry
from dexrouter.admin.message import Reply, Value
from dexrouter.admin.table import INT, TEXT, TEXT_REQUIRED, Call, Caller, CallError, Table
from dexrouter.core.inquiries import InquiryAnswered
from dexrouter.core.node import Node
from dexrouter.core.pathfinder.keyspace import position_of
from dexrouter.crypto.keys import (
    Address,
    KeyParseError,
    NodeName,
    PublicKey,
    address_of,
    address_text,
    format_node,
    parse_address,
)
from dexrouter.wire.dht import NodeEntry
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.errors import WireError
from dexrouter.wire.labels import INVALID_LABEL, SELF_LABEL, format_label, parse_label, splice

__all__ = ["TABLE", "collect_inquiries", "spliced_names"]

_DEPRECATION: Final = "from,protocol,version will soon be removed"
_ADDRESS_LENGTH: Final = 39

TABLE: Final = Table()


@TABLE.function("RouterModule_pingNode", path=TEXT_REQUIRED, timeout=INT)
def ping_node(call: Call) -> Reply | None:
    """Ask a router whether it is there."""
    target = find_target(call, "path")
    if is_own(target, call.context.node):
        return _pong(target, PROTOCOL_VERSION, 0)
    ask(
        call,
        target,
        b"pn",
        None,
        PendingInquiry(call.caller, lambda outcome, _now: [_ping_reply(target, outcome)]),
    )
    return None


@TABLE.function("RouterModule_getPeers", path=TEXT_REQUIRED, timeout=INT, nearbyPath=TEXT)
def get_peers(call: Call) -> Reply | None:
    """Ask a router for its peers; labels are as that router sees them."""
    nearby = _nearby(call)
    target = find_target(call, "path")
    if is_own(target, call.context.node):
        return _list_reply("peers", _own_peers(call.context.node), 0)
    ask(
        call,
        target,
        b"gp",
        nearby.to_bytes(8),
        PendingInquiry(call.caller, lambda outcome, _now: [_peers_reply(target, outcome)]),
    )
    return None


@TABLE.function("RouterModule_findNode", nodeToQuery=TEXT_REQUIRED, target=TEXT_REQUIRED, timeout=INT)
def find_node(call: Call) -> Reply | None:
    """Ask a router for the nodes closest to an address."""
    return _ask_for_nodes(call, b"fn")


@TABLE.function("RouterModule_nextHop", nodeToQuery=TEXT_REQUIRED, target=TEXT_REQUIRED, timeout=INT)
def next_hop(call: Call) -> Reply | None:
    """Ask a router for the next hop towards an address."""
    return _ask_for_nodes(call, b"nh")


@TABLE.function("RouterModule_lookup", address=TEXT_REQUIRED)
def lookup(call: Call) -> Reply:
    """Tell the label of a node that is known, or which known node is the closest to it."""
    text = call.text("address")
    if len(text) != _ADDRESS_LENGTH:
        raise CallError("address wrong length", result="")
    try:
        address = parse_address(text)
    except KeyParseError as error:
        raise CallError("failed to parse address", result="") from error
    known = [node for node in call.context.node.pathfinder.known_nodes() if node.path]
    position = position_of(address)
    closest = min(known, key=lambda node: position_of(node.address) ^ position)
    if closest.address == address:
        return {"error": "none", "result": format_label(closest.path)}
    if closest.path == SELF_LABEL:
        return {"error": "none", "result": "not found"}
    return {"error": "none", "result": f"{address_text(closest.address)}@{format_label(closest.path)}"}


def collect_inquiries(context: Context, now: float) -> list[tuple[Caller, Reply]]:
    """Take the answers that the node has got, as replies."""
    replies: list[tuple[Caller, Reply]] = []
    outcomes, context.node.inquiries.answers = context.node.inquiries.answers, []
    for outcome in outcomes:
        pending = context.inquiries.pop(outcome.ticket, None)
        if pending is not None:
            replies += [(pending.caller, reply) for reply in pending.finish(outcome, now)]
    return replies


def spliced_names(target: NodeName, entries: tuple[NodeEntry, ...]) -> list[NodeName]:
    """Turn the nodes of an answer into nodes with paths from here; impossible paths are left out."""
    paths = ((entry, splice(entry.label, target.label)) for entry in entries if entry.label)
    return [_entry_name(entry, path) for entry, path in paths if path != INVALID_LABEL]


def _ask_for_nodes(call: Call, query: bytes) -> Reply | None:
    try:
        subject = parse_address(call.text("target"))
    except KeyParseError as error:
        raise CallError("parse_target") from error
    target = find_target(call, "nodeToQuery")
    if is_own(target, call.context.node):
        names = _own_neighbours(call.context.node, subject)
        return _list_reply("nodes", names[:1] if query == b"nh" else names, 0)
    pending = PendingInquiry(call.caller, lambda outcome, _now: [_nodes_reply(target, outcome)])
    ask(call, target, query, subject, pending)
    return None


def _nearby(call: Call) -> int:
    if call.raw("nearbyPath") is None:
        return 0
    try:
        return parse_label(call.text("nearbyPath"))
    except WireError as error:
        raise CallError("parse_nearbyLabel") from error


def _ping_reply(target: NodeName, outcome: InquiryOutcome) -> Reply:
    if isinstance(outcome, InquiryAnswered):
        return _pong(target, outcome.answer.version, _milliseconds(outcome))
    return {
        "result": "timeout",
        "ms": _milliseconds(outcome),
        "version": "unknown",
        "deprecation": _DEPRECATION,
    }


def _pong(target: NodeName, version: int, milliseconds: int) -> Reply:
    return {
        "result": "pong",
        "ms": milliseconds,
        "addr": format_node(version, target.label, target.key),
        "from": f"{address_text(address_of(target.key))}@{format_label(target.label)}",
        "protocol": version,
        "version": "unknown",
        "deprecation": _DEPRECATION,
    }


def _peers_reply(target: NodeName, outcome: InquiryOutcome) -> Reply:
    if not isinstance(outcome, InquiryAnswered):
        return _timeout(outcome)
    answer = outcome.answer
    names = [NodeName(answer.version, SELF_LABEL, target.key)]
    names += [_entry_name(entry, entry.label) for entry in answer.nodes if entry.label != SELF_LABEL]
    return _list_reply("peers", names, _milliseconds(outcome), scheme_forms(answer.scheme or V358))


def _nodes_reply(target: NodeName, outcome: InquiryOutcome) -> Reply:
    if not isinstance(outcome, InquiryAnswered):
        return _timeout(outcome)
    answer = outcome.answer
    names = spliced_names(target, answer.nodes)
    return _list_reply("nodes", names, _milliseconds(outcome), scheme_forms(answer.scheme or V358))


def _list_reply(
    word: str, names: list[NodeName], milliseconds: int, scheme: list[Value] | None = None
) -> Reply:
    return {
        "error": "none",
        "result": word,
        word: [format_node(name.version, name.label, name.key) for name in names],
        "ms": milliseconds,
        "encodingScheme": scheme_forms(V358) if scheme is None else scheme,
    }


def _timeout(outcome: InquiryOutcome) -> Reply:
    return {"error": "none", "result": "timeout", "ms": _milliseconds(outcome)}


def _own_peers(node: Node) -> list[NodeName]:
    peers = [peer for peer in node.peering.peers() if peer.is_routable]
    own = NodeName(PROTOCOL_VERSION, SELF_LABEL, node.own.public)
    return [own, *(NodeName(peer.version, peer.label, peer.key) for peer in peers)]


def _own_neighbours(node: Node, address: Address) -> list[NodeName]:
    position = position_of(address)
    least = SELF_LABEL if address == node.own.address else SELF_LABEL + 1
    known = [one for one in node.pathfinder.known_nodes() if one.path >= least]
    known.sort(key=lambda one: position_of(one.address) ^ position)
    return [NodeName(one.version, one.path, one.key) for one in known[:8]]


def _entry_name(entry: NodeEntry, label: int) -> NodeName:
    return NodeName(entry.version, label, PublicKey(entry.key))


def _milliseconds(outcome: InquiryOutcome) -> int:
    return int((outcome.rtt if isinstance(outcome, InquiryAnswered) else outcome.waited) * 1000)
