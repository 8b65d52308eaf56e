"""The best path to every known node, and one beginning with another direct peer (spec 05 §5.2, §5.4).

Dijkstra over the link graph with two settled labels a node, told apart by the direct peer they begin with:
the second one survives what kills the first hop of the first one. Costs are compared first, then path
lengths, so of two ways with equally many hops the shorter label wins. A path that grows over 59 bits is not
followed; the node may still be reached another way.
"""

from __future__ import annotations

from heapq import heappop, heappush

from dexrouter.core.pathfinder.graph import Link, LinkGraph, Node, Route, fit_label, hop_label, node_bits
from dexrouter.wire.labels import INVALID_LABEL, MAX_PATH_BITS, SELF_LABEL, label_bits, splice

__all__ = ["compute_routes", "straighten", "way_around"]

_Entry = tuple[int, int, int, int, Link, int]
"""Cost, bits, sequence number (equals stay in order: the same from the same seed), path, entry, first hop."""


def compute_routes(graph: LinkGraph) -> list[Node]:
    """Set `best` and `alternative` of all nodes; gives those with a change that sessions do not know of."""
    before = {node: (node.best, node.alternative) for node in graph.nodes.values()}
    for node in before:
        node.best = node.alternative = None
    _settle(graph)
    graph.is_dirty = False
    return [
        node
        for node, (best, alternative) in before.items()
        if not (node.offered and _is_same(node.best, best) and _is_same(node.alternative, alternative))
    ]


def straighten(graph: LinkGraph, path: int) -> int:
    """Shorten a path: the best path to the last node on it that is known, and from there as before.

    What other nodes tell is spliced to the path to them, which may run back through our own neighbourhood.
    """
    walk = graph.walk(path)
    node = walk.node
    if node is graph.root:
        return walk.rest
    if node.best is None:
        return path
    straight = _extend(node.best.path, node, node.best.link.inverse_form, walk.rest)
    if straight == INVALID_LABEL or label_bits(straight) > label_bits(path):
        return path
    return straight


def way_around(neighbour: Node, rest: int) -> int:
    """Lead to where `rest` leads from a neighbour, another way; `INVALID_LABEL` if there is none.

    The best path to the last node on it that is known and reached, and from there as before.
    """
    reached = [(neighbour, rest)]
    node = neighbour
    while rest > SELF_LABEL and (link := node.links.get(hop_label(node.scheme, rest))):
        node, rest = link.child, rest >> node_bits(link, rest)
        reached.append((node, rest))
    for node, rest in reversed(reached):
        if node.best:
            way = _extend(node.best.path, node, node.best.link.inverse_form, rest)
            if way != INVALID_LABEL:
                return way
    return INVALID_LABEL


def _settle(graph: LinkGraph) -> None:
    root = graph.root
    heap: list[_Entry] = []
    sequence = 0
    for link in (*root.links.values(), *graph.far.values()):
        first_hop = hop_label(root.scheme, link.label) if link.is_far else link.label
        heappush(heap, (link.effective_cost, link.bits, sequence, link.label, link, first_hop))
        sequence += 1
    while heap:
        cost, bits, _, path, entry, first_hop = heappop(heap)
        node = entry.child
        if node.best is None:
            node.best = Route(path, cost, first_hop, entry)
        elif node.alternative is None and node.best.first_hop != first_hop:
            node.alternative = Route(path, cost, first_hop, entry)
        else:
            continue
        inverse_form = entry.inverse_form
        for link in node.links.values():
            child = link.child
            best = child.best
            if child is root or (best and (child.alternative or best.first_hop == first_hop)):
                continue
            label, link_bits = link.label, link.bits
            if inverse_form > link.form:
                label = fit_label(node.scheme, label, inverse_form)
                if label == INVALID_LABEL:
                    continue
                link_bits = label_bits(label)
            if bits + link_bits > MAX_PATH_BITS:
                continue
            longer = label << bits | path & ((1 << bits) - 1)
            heappush(heap, (cost + link.effective_cost, bits + link_bits, sequence, longer, link, first_hop))
            sequence += 1


def _extend(path: int, node: Node, inverse_form: int, rest: int) -> int:
    """Splice the rest of a path on, its first director at least as wide as the entry needs."""
    if rest == SELF_LABEL:
        return path
    form = node.scheme.form_number(rest)
    if form < 0:
        return INVALID_LABEL
    label = node.scheme.convert(rest, inverse_form) if inverse_form > form else rest
    return INVALID_LABEL if label == INVALID_LABEL else splice(label, path)


def _is_same(now: Route | None, before: Route | None) -> bool:
    if now is None or before is None:
        return now is before
    return now.path == before.path and now.cost == before.cost
