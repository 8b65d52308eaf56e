"""`SupernodeHunter_*` and `ReachabilityCollector_getPeerInfo`: the client of a route server (spec 07 §8).

Servers that are added here are forgotten when the node ends; the configuration keeps them. Peers are measured
while a route server is in use, and listed only then.
"""

from __future__ import annotations

from typing import Final

from dexrouter.admin.message import Reply, Value
from dexrouter.admin.table import INT, INT_REQUIRED, OK, TEXT_REQUIRED, Call, CallError, Table, one_page
from dexrouter.core.routeserver.announcer import Neighbour
from dexrouter.crypto.keys import KeyParseError, PublicKey, format_node, parse_public_key, public_key_text
from dexrouter.wire.announce import SLOTS
from dexrouter.wire.labels import format_label

__all__ = ["TABLE"]

ENTRIES_PER_PAGE: Final = 8

TABLE: Final = Table()


@TABLE.function("SupernodeHunter_addSnode", key=TEXT_REQUIRED)
def add_snode(call: Call) -> Reply:
    """Prefer a route server from now on."""
    key, authorized = _key(call), call.context.node.route_server.hunter.authorized
    if key in authorized:
        raise CallError("SupernodeHunter_addSnode_EXISTS")
    authorized[key] = None
    call.context.node.flush(call.now)
    return OK


@TABLE.function("SupernodeHunter_removeSnode", key=TEXT_REQUIRED)
def remove_snode(call: Call) -> Reply:
    """Prefer a route server no longer."""
    key, authorized = _key(call), call.context.node.route_server.hunter.authorized
    if key not in authorized:
        raise CallError("SupernodeHunter_removeSnode_NONEXISTANT")
    del authorized[key]
    call.context.node.flush(call.now)
    return OK


@TABLE.function("SupernodeHunter_listSnodes", is_open=True, page=INT)
def list_snodes(call: Call) -> Reply:
    """List a page of the preferred route servers, the newest first."""
    keys = list(call.context.node.route_server.hunter.authorized)[::-1]
    page, _ = one_page(keys, call.integer("page"), ENTRIES_PER_PAGE)
    return {"error": "none", "snodes": [public_key_text(key) for key in page]}


@TABLE.function("SupernodeHunter_status", is_open=True)
def status(call: Call) -> Reply:
    """Name the route server in use, and say whether it is a preferred one."""
    client = call.context.node.route_server
    server = client.active
    return {
        "error": "none",
        "activeSnode": format_node(server.version, server.path, server.key) if server else "NONE",
        "usingAuthorizedSnode": int(server is not None and server.key in client.hunter.authorized),
    }


@TABLE.function("ReachabilityCollector_getPeerInfo", page=INT_REQUIRED)
def get_peer_info(call: Call) -> Reply:
    """List a page of the peers as the route server is told of them, the newest first."""
    neighbours = list(call.context.node.route_server.announcer.neighbours.values())[::-1]
    page, _ = one_page(neighbours, call.integer("page"), ENTRIES_PER_PAGE)
    return {"error": "none", "peers": [_info(neighbour) for neighbour in page]}


def _key(call: Call) -> PublicKey:
    try:
        return parse_public_key(call.text("key"))
    except KeyParseError as error:
        raise CallError("parse_error") from error


def _info(neighbour: Neighbour) -> dict[str, Value]:
    peer, samples = neighbour.peer, tuple(neighbour.statistics.samples)
    return {
        "addr": format_node(peer.version, peer.label, peer.key),
        "pathThemToUs": format_label(neighbour.rpath),
        "querying": int(not neighbour.rpath),
        "samples": len(samples),
        "lagSlots": _slots([sample.lag for sample in samples]),
        "dropSlots": _slots([sample.drop for sample in samples]),
        "kbRecvSlots": _slots([sample.kilobytes for sample in samples]),
    }


def _slots(numbers: list[int]) -> list[Value]:
    """Fill up to 18 slots, the newest last."""
    return [*([0] * (SLOTS - len(numbers))), *numbers]
