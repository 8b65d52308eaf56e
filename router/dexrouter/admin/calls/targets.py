"""Which node a person means: by address, label or node name (spec 07 §7)."""

from __future__ import annotations

from dexrouter import PROTOCOL_VERSION
from dexrouter.admin.context import PendingInquiry
from dexrouter.admin.table import Call, CallError
from dexrouter.core.inquiries import Inquiry
from dexrouter.core.node import Node
from dexrouter.crypto.keys import (
    Address,
    KeyParseError,
    NodeName,
    address_of,
    is_mesh_address,
    parse_address,
    parse_node,
)
from dexrouter.wire.errors import WireError
from dexrouter.wire.labels import SELF_LABEL, parse_label

__all__ = ["ask", "find_target", "is_own"]

DEFAULT_TIMEOUT = 3000
LONGEST_TIMEOUT = 60_000
"""Milliseconds."""


def find_target(call: Call, argument: str) -> NodeName:
    """Find the node that an argument names, and the path to it. Raises CallError.

    For an address without a known path a search begins, so that a later call may find one.
    """
    text, node = call.text(argument), call.context.node
    try:
        return _named(text)
    except (KeyParseError, WireError):
        pass
    try:
        found = _at_label(node, parse_label(text))
    except WireError:
        found = _at_address(call, text)
    if found is None:
        raise CallError("not_found")
    return found


def is_own(target: NodeName, node: Node) -> bool:
    """Whether the node is ourselves, which nobody needs to be asked for."""
    return target.label == SELF_LABEL or target.key == node.own.public


def ask(call: Call, target: NodeName, query: bytes, subject: bytes | None, pending: PendingInquiry) -> None:
    """Send a router query; `pending` makes the reply when its answer comes. Raises CallError."""
    context = call.context
    timeout = min(max(call.integer("timeout") or DEFAULT_TIMEOUT, 1), LONGEST_TIMEOUT) / 1000
    ticket = context.new_ticket()
    context.inquiries[ticket] = pending
    version = target.version or PROTOCOL_VERSION
    inquiry = Inquiry(target.key, version, target.label, query, subject, ticket)
    if not context.node.inquire(inquiry, call.now, timeout=timeout):
        del context.inquiries[ticket]
        raise CallError("no open slots to store ping, try later.")


def _named(text: str) -> NodeName:
    name = parse_node(text)
    if name.label < SELF_LABEL:
        raise WireError("label 0 leads nowhere")
    return name


def _at_label(node: Node, label: int) -> NodeName | None:
    if label == SELF_LABEL:
        return NodeName(PROTOCOL_VERSION, SELF_LABEL, node.own.public)
    for peer in node.peering.peers():
        if peer.label == label:
            return NodeName(peer.version, label, peer.key)
    for known in node.pathfinder.known_nodes():
        if known.path == label:
            return NodeName(known.version, label, known.key)
    for session in node.sessions.by_address.values():
        if any(path.label == label for path in session.paths):
            return NodeName(session.version, label, session.key)
    return None


def _at_address(call: Call, text: str) -> NodeName | None:
    node = call.context.node
    try:
        address = parse_address(text)
    except KeyParseError as error:
        raise CallError("parse_path") from error
    if not is_mesh_address(address):
        raise CallError("parse_path")
    found = _known_at_address(node, address)
    if found is None:
        node.pathfinder.search(address, call.now)
        node.flush(call.now)
    return found


def _known_at_address(node: Node, address: Address) -> NodeName | None:
    if address == node.own.address:
        return NodeName(PROTOCOL_VERSION, SELF_LABEL, node.own.public)
    session = node.sessions.by_address.get(address)
    if session is not None and session.paths.best is not None:
        return NodeName(session.version, session.paths.best.label, session.key)
    for known in node.pathfinder.known_nodes():
        if known.address == address and known.path:
            return NodeName(known.version, known.path, known.key)
    for peer in node.peering.peers():
        if address_of(peer.key) == address and peer.is_routable:
            return NodeName(peer.version, peer.label, peer.key)
    return None
