"""Entering an answer into the graph: who answered over which path (spec 05 §5.3)."""

from __future__ import annotations

from typing import Final

from dexrouter.core.pathfinder.graph import Link, LinkGraph, Node, hop_label
from dexrouter.core.pathfinder.queries import Target
from dexrouter.wire.encoding_scheme import EncodingScheme
from dexrouter.wire.labels import SELF_LABEL, label_bits

__all__ = ["Placement", "place", "unfold_far_links"]

_SMOOTHING: Final = 4
"""A new round-trip time counts one part in four."""


class Placement:
    """Where an answer was entered, and what changed by that."""

    __slots__ = ("is_new_link", "is_new_node", "node")

    def __init__(self, node: Node, *, is_new_node: bool, is_new_link: bool) -> None:
        self.node = node
        self.is_new_node = is_new_node
        self.is_new_link = is_new_link


def place(
    graph: LinkGraph,
    target: Target,
    version: int,
    scheme: EncodingScheme,
    inverse_form: int,
    round_trip: float,
    now: float,
) -> Placement:
    """Enter that `target` has answered over its path, with `inverse_form` as its form of the way back."""
    node = graph.nodes.get(target.address)
    is_new_node = node is None
    if node is None:
        node = graph.add_node(target.key, target.address, version, scheme, now)
    elif node.scheme != scheme:
        graph.remove_node(node)
        node = graph.add_node(target.key, target.address, version, scheme, now)
    node.version = version
    node.heard = now
    node.round_trip += (round_trip - node.round_trip) / (_SMOOTHING if node.round_trip else 1)
    links_before = graph.link_count
    _place_link(graph, node, target.path, inverse_form, now)
    return Placement(node, is_new_node=is_new_node, is_new_link=graph.link_count > links_before)


def unfold_far_links(graph: LinkGraph) -> None:
    """Replace far links by real ones where the nodes on their way have become known."""
    for far in list(graph.far.values()):
        parent, rest = _real_walk(graph, far.label)
        if rest == SELF_LABEL:
            graph.remove_link(far)
        elif parent is not graph.root and _is_hop(parent, rest):
            label = hop_label(parent.scheme, rest)
            if label not in parent.links:
                link = graph.add_link(parent, far.child, label, far.inverse_form, far.seen)
                link.misses = far.misses
            graph.remove_link(far)


def _place_link(graph: LinkGraph, node: Node, path: int, inverse_form: int, now: float) -> None:
    walk = graph.walk(path)
    for link in walk.links:
        graph.confirm(link, now)
    if walk.rest == SELF_LABEL:
        if walk.links:
            _confirm_last(graph, walk.links[-1], node, inverse_form, now)
    elif _is_hop(walk.node, walk.rest):
        label = hop_label(walk.node.scheme, walk.rest)
        graph.add_link(walk.node, node, label, inverse_form, now)
    elif not node.best or node.best.link.is_suspect or label_bits(node.best.path) > label_bits(path):
        graph.add_far(node, path, inverse_form, now)


def _confirm_last(graph: LinkGraph, link: Link, node: Node, inverse_form: int, now: float) -> None:
    """Confirm a path known to its end; if another node than before answered there, the link is his now."""
    if link.is_far:
        graph.add_far(node, link.label, inverse_form, now)
    else:
        graph.add_link(link.parent, node, link.label, inverse_form, now)


def _is_hop(parent: Node, rest: int) -> bool:
    return parent.scheme.is_one_hop(rest) and not parent.scheme.is_self(rest)


def _real_walk(graph: LinkGraph, path: int) -> tuple[Node, int]:
    """Follow a path over real links only."""
    node, rest = graph.root, path
    while rest > SELF_LABEL:
        link = node.links.get(hop_label(node.scheme, rest))
        if link is None:
            break
        node = link.child
        rest >>= link.parent.scheme.director_bits(rest)
    return node, rest
