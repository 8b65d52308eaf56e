"""`NodeStore_*`, `Janitor_*`: the link graph that the pathfinder has learned, and rumours (spec 07 §8.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dexrouter.admin.calls.general import scheme_forms
from dexrouter.admin.message import Reply, Value
from dexrouter.admin.table import INT_REQUIRED, OK, TEXT, TEXT_REQUIRED, Call, CallError, Table, one_page
from dexrouter.core.node import Node
from dexrouter.core.pathfinder.keyspace import bucket, position_of
from dexrouter.core.pathfinder.pathfinder import KnownLink, KnownNode
from dexrouter.crypto.keys import (
    Address,
    KeyParseError,
    address_text,
    format_node,
    parse_address,
    public_key_text,
)
from dexrouter.wire.encoding_scheme import extend_route
from dexrouter.wire.errors import WireError
from dexrouter.wire.labels import (
    INVALID_LABEL,
    SELF_LABEL,
    format_label,
    label_bits,
    parse_label,
    routes_through,
)

__all__ = ["TABLE", "Store"]

NODES_PER_PAGE: Final = 4

RUMOURS_PER_PAGE: Final = 4

_MILLS: Final = ("externalMill", "linkMill", "nodeMill", "dhtMill", "splitMill")
_RUMOURS: Final = "linkMill"
"""The one that we have: nodes which others have named as their peers. The others are always empty."""

_DEPRECATION: Final = "ip,path,version will soon be removed"

TABLE: Final = Table()


@dataclass(frozen=True, slots=True)
class Store:
    """What is known at this moment."""

    nodes: dict[Address, KnownNode]
    """The own node first."""
    links: list[KnownLink]

    @classmethod
    def of(cls, node: Node) -> Store:
        """Take it from a node."""
        return cls(
            {known.address: known for known in node.pathfinder.known_nodes()},
            list(node.pathfinder.known_links()),
        )

    def from_parent(self, parent: Address) -> list[KnownLink]:
        """Give the links of a node to its peers, by label; of the own node the far ones, too."""
        return sorted((link for link in self.links if link.parent == parent), key=lambda link: link.label)

    def best_link(self, child: KnownNode) -> KnownLink | None:
        """Find the link by which the best path enters a node: the last one on that path."""
        candidates = [
            link
            for link in self.links
            if link.child == child.address
            and (path := self.nodes[link.parent].path)
            and path != child.path
            and routes_through(child.path, path)
        ]
        return max(candidates, key=lambda link: label_bits(self.nodes[link.parent].path), default=None)

    def at_path(self, path: int) -> KnownNode | None:
        """Find the node whose best path this is."""
        return next((node for node in self.nodes.values() if node.path == path), None)


@TABLE.function("NodeStore_dumpTable", is_open=True, page=INT_REQUIRED)
def dump_table(call: Call) -> Reply:
    """List a page of the nodes that can be reached, the own one first."""
    store = Store.of(call.context.node)
    reachable = [node for node in store.nodes.values() if node.path]
    page, more = one_page(reachable, call.integer("page"), NODES_PER_PAGE)
    own = position_of(call.context.node.own.address)
    reply: Reply = {
        "routingTable": [
            {
                "addr": format_node(node.version, node.path, node.key),
                "ip": address_text(node.address),
                "path": format_label(node.path),
                "link": node.cost,
                "version": node.version,
                "bucket": bucket(position_of(node.address), own),
                "time": max(int((call.now - node.heard) * 1000), 0) if node.path != SELF_LABEL else 0,
            }
            for node in page
        ],
        "count": len(reachable),
        "peers": sum(peer.is_routable for peer in call.context.node.peering.peers()),
        "deprecation": _DEPRECATION,
    }
    if more:
        reply["more"] = 1
    return reply


@TABLE.function("NodeStore_nodeForAddr", is_open=True, ip=TEXT)
def node_for_address(call: Call) -> Reply:
    """Describe a node, the own one without an address; nothing of an unknown one."""
    address = _address(call, "ip", "parse_ip")
    store = Store.of(call.context.node)
    node = store.nodes.get(address)
    if node is None:
        return {"error": "none", "result": {}}
    result: dict[str, Value] = {
        "key": public_key_text(node.key),
        "protocolVersion": node.version,
        "routeLabel": format_label(node.path),
        "cost": node.cost,
        "linkCount": len(store.from_parent(address)),
        "encodingScheme": scheme_forms(node.scheme),
    }
    link = store.best_link(node)
    if node.path == SELF_LABEL:
        result["bestParent"] = _parent(address, SELF_LABEL, is_one_hop=False)
    elif link is not None:
        is_one_hop = node.scheme.is_one_hop(link.label)
        result["bestParent"] = _parent(link.parent, link.label, is_one_hop=is_one_hop)
    return {"error": "none", "result": result}


@TABLE.function("NodeStore_getLink", is_open=True, parent=TEXT, linkNum=INT_REQUIRED)
def get_link(call: Call) -> Reply:
    """Describe one link of a node to a peer of its; without an address, one of all that are known."""
    store, number = Store.of(call.context.node), call.integer("linkNum")
    if not call.raw("parent"):
        links = store.links
        if not 0 <= number < len(links):
            return {"error": "not_found", "result": {}}
    else:
        address = _address(call, "parent", "parse_parent")
        links = store.from_parent(address)
        if not 0 <= number < len(links):
            return {"error": "unknown" if address in store.nodes else "not_found", "result": {}}
    link = links[number]
    parent, child = store.nodes[link.parent], store.nodes[link.child]
    return {
        "error": "none",
        "result": {
            "parent": format_node(parent.version, parent.path, parent.key),
            "child": format_node(child.version, child.path, child.key),
            "cannonicalLabel": format_label(link.label),
            "linkCost": link.cost,
            "isOneHop": parent.scheme.is_one_hop(link.label),
            "bestParent": store.best_link(child) == link,
            "inverseLinkEncodingFormNumber": link.inverse_form,
        },
    }


@TABLE.function("NodeStore_getRouteLabel", pathToParent=TEXT_REQUIRED, pathParentToChild=TEXT_REQUIRED)
def get_route_label(call: Call) -> Reply:
    """Build the path to a child from that to its parent and the parent's label for it."""
    to_parent = _label(call, "pathToParent")
    to_child = _label(call, "pathParentToChild")
    store = Store.of(call.context.node)
    parent = store.at_path(to_parent)
    if parent is None:
        raise CallError("no node is known at pathToParent")
    link = store.best_link(parent)
    path = extend_route(to_parent, parent.scheme, to_child, link.inverse_form if link else 0)
    if path == INVALID_LABEL:
        raise CallError("the labels cannot be spliced")
    return {"error": "none", "result": format_label(path)}


@TABLE.function("NodeStore_getFullVerify", is_open=True)
def get_full_verify(_call: Call) -> Reply:
    """Tell whether the whole graph is checked at each change: never."""
    return {"error": "none", "fullVerify": 0}


@TABLE.function("NodeStore_setFullVerify", fullVerify=INT_REQUIRED)
def set_full_verify(call: Call) -> Reply:
    """Leave the check of the whole graph at each change switched off: there is none to switch on."""
    if call.integer("fullVerify"):
        raise CallError("this router has no such check")
    return OK


@TABLE.function("Janitor_dumpRumorMill", mill=TEXT_REQUIRED, page=INT_REQUIRED)
def dump_rumours(call: Call) -> Reply:
    """List a page of nodes that others have named and that we have not reached yet."""
    mill = call.text("mill")
    if mill not in _MILLS:
        raise CallError(f"mill must be one of [{','.join(_MILLS)}]")
    targets = tuple(call.context.node.pathfinder.rumours()) if mill == _RUMOURS else ()
    page, _ = one_page(targets, call.integer("page"), RUMOURS_PER_PAGE)
    names: list[Value] = [format_node(target.version, target.path, target.key) for target in page]
    return {"addresses": names, "total": len(targets)}


def _parent(address: Address, label: int, *, is_one_hop: bool) -> Value:
    return {
        "ip": address_text(address),
        "parentChildLabel": format_label(label),
        "isOneHop": is_one_hop,
    }


def _address(call: Call, name: str, error_text: str) -> Address:
    if call.raw(name) is None:
        return call.context.node.own.address
    try:
        return parse_address(call.text(name))
    except KeyParseError as error:
        raise CallError(error_text) from error


def _label(call: Call, name: str) -> int:
    try:
        return parse_label(call.text(name))
    except WireError as error:
        raise CallError(f"parse_{name}") from error
