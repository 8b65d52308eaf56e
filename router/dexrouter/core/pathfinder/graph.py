"""The link graph: which nodes are known, and by which links they are reached (spec 05 §5).

Rules:

* The own node is the root. A link leads from a parent to a child and is named by the parent's label for it;
  at one parent, one label names one child. A -> B and B -> A are two links, learned separately.
* A link is stored only when the child itself has answered over it. What other nodes say about a node is never
  in the graph, so a liar harms nobody but the paths through himself.
* Labels of links are canonical: the narrowest form of their director. What a path needs is made from them,
  the form of the link by which the path enters a node, and `extend_route`.
* A node that answered over a path whose middle is unknown has a *far link*: a link from the root whose label
  is the whole path. It is replaced by real links when they become known.

The graph knows nothing of queries; routes.py computes the paths over it, capacity.py keeps it small.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from dexrouter.core.pathfinder.keyspace import position_of
from dexrouter.crypto.keys import Address, PublicKey
from dexrouter.wire.encoding_scheme import V358 as _V358
from dexrouter.wire.encoding_scheme import (
    V358_LOW_BITS,
    V358_NUMBERS,
    V358_WIDTHS,
    EncodingScheme,
    extend_route,
)
from dexrouter.wire.labels import INVALID_LABEL, SELF_LABEL, label_bits, routes_through

__all__ = [
    "FAR_COST_PER_BIT",
    "HOP_COST",
    "Link",
    "LinkGraph",
    "Node",
    "Route",
    "Walk",
    "fit_label",
    "hop_label",
]

HOP_COST: Final = 1024
"""Cost of a good link (spec 05 §5.4)."""

MAX_LINK_COST: Final = 16 * HOP_COST
FAR_COST_PER_BIT: Final = 288
"""Cost of a far link per bit of its label: a little more than the same path over known links would cost."""

SUSPECT_MISSES: Final = 2
"""A link with so many unanswered queries in a row is suspect."""

_DOUBT: Final = (1, 2, 16, 64)
"""Factor on the cost of a link by its unanswered queries: one may be loss, two are a suspicion."""


class Link:
    """One directed link. Mutable: cost, misses and times change with every answer."""

    __slots__ = (
        "bits",
        "child",
        "cost",
        "form",
        "inverse_form",
        "is_far",
        "label",
        "misses",
        "parent",
        "seen",
    )

    def __init__(
        self, parent: Node, child: Node, label: int, inverse_form: int, now: float, *, is_far: bool
    ) -> None:
        self.parent = parent
        self.child = child
        self.label = label
        """One hop in the parent's scheme, canonical; the whole path if `is_far`."""
        self.bits = label_bits(label)
        self.form = parent.scheme.form_number(label)
        self.inverse_form = inverse_form
        """Form of the child's label back to the parent: the least width of what follows in a path."""
        self.is_far = is_far
        self.cost = self.bits * FAR_COST_PER_BIT if is_far else HOP_COST
        self.seen = now
        """When an answer last came over this link."""
        self.misses = 0
        """Queries over it that were not answered since then."""

    @property
    def effective_cost(self) -> int:
        """Cost with the doubt that unanswered queries raise."""
        if not self.misses:
            return self.cost
        return self.cost * _DOUBT[min(self.misses, len(_DOUBT) - 1)]

    @property
    def is_suspect(self) -> bool:
        """Whether the link is probably dead."""
        return self.misses >= SUSPECT_MISSES


class Route:
    """One computed path to a node: the result of routes.py, replaced as a whole."""

    __slots__ = ("cost", "first_hop", "link", "path")

    def __init__(self, path: int, cost: int, first_hop: int, link: Link) -> None:
        self.path = path
        self.cost = cost
        self.first_hop = first_hop
        """Canonical label of the direct peer that it begins with."""
        self.link = link
        """The link by which it enters the node."""


class Node:
    """A node that has answered us (or the own node). Mutable."""

    __slots__ = (
        "address",
        "alternative",
        "asked",
        "best",
        "created",
        "do_not_disturb",
        "heard",
        "is_wanted",
        "key",
        "links",
        "names_others",
        "offered",
        "page",
        "parents",
        "position",
        "round_trip",
        "scheme",
        "version",
    )

    def __init__(
        self, key: PublicKey, address: Address, version: int, scheme: EncodingScheme, now: float
    ) -> None:
        self.key = key
        self.address = address
        self.position = position_of(address)
        self.version = version
        self.scheme = scheme
        self.created = now
        self.heard = now
        """When it last answered a query of ours."""
        self.asked = now
        """When the upkeep last asked it."""
        self.round_trip = 0.0
        """Smoothed, in seconds; 0 before the first answer."""
        self.page = 0
        """Target of the next `gp`: more than one page of peers is asked for in turn."""
        self.names_others = False
        """Whether it has ever answered with other nodes: then a DHT pathfinder runs there."""
        self.links: dict[int, Link] = {}
        """Links to its peers by canonical label."""
        self.parents: dict[Link, None] = {}
        """Links that lead to it, in the order in which they were learned (a dict as an ordered set)."""
        self.best: Route | None = None
        self.alternative: Route | None = None
        """The best route that begins with another direct peer."""
        self.offered: tuple[int, ...] = ()
        """Paths told to the sessions, newest last, at most `OFFERED_PATHS`."""
        self.is_wanted = False
        """Whether a session wants paths to it: never evicted then."""
        self.do_not_disturb = False
        """It asked not to be named to others."""


class Walk:
    """How far a path leads through known links: the last known node, the rest there, and the links used."""

    __slots__ = ("links", "node", "rest")

    def __init__(self, node: Node, rest: int, links: list[Link]) -> None:
        self.node = node
        self.rest = rest
        self.links = links


class LinkGraph:
    """Nodes by address, links at their parents.

    No bound of its own: capacity.py evicts before `add_node` and `add_link` would exceed the configuration.
    """

    def __init__(
        self, key: PublicKey, address: Address, version: int, scheme: EncodingScheme, now: float
    ) -> None:
        self.root = Node(key, address, version, scheme, now)
        self.nodes: dict[Address, Node] = {}
        """All known nodes except the root."""
        self.far: dict[int, Link] = {}
        """Far links of the root, by path."""
        self.link_count = 0
        self.is_dirty = False
        """Links or costs have changed since the routes were computed."""
        self.has_lost_links = False
        """A link was removed or became suspect since then: offered paths may be dead."""

    def links(self) -> Iterator[Link]:
        """All links, the root's first."""
        yield from self.root.links.values()
        yield from self.far.values()
        for node in self.nodes.values():
            yield from node.links.values()

    def is_peer(self, node: Node) -> bool:
        """Whether the node is a direct peer."""
        return any(link.parent is self.root and not link.is_far for link in node.parents)

    def add_node(
        self, key: PublicKey, address: Address, version: int, scheme: EncodingScheme, now: float
    ) -> Node:
        """Add a node that has just answered."""
        node = self.nodes[address] = Node(key, address, version, scheme, now)
        return node

    def remove_node(self, node: Node) -> None:
        """Remove a node and all its links."""
        for link in [*node.links.values(), *node.parents]:
            self.remove_link(link)
        self.nodes.pop(node.address, None)

    def add_link(self, parent: Node, child: Node, label: int, inverse_form: int, now: float) -> Link:
        """Learn or confirm a link of one hop; another child that had this label loses it."""
        link = parent.links.get(label)
        if link and link.child is not child:
            self.remove_link(link)
            link = None
        if link:
            if link.inverse_form != inverse_form:
                link.inverse_form = inverse_form
                self.is_dirty = True
            self.confirm(link, now)
            return link
        link = parent.links[label] = Link(parent, child, label, inverse_form, now, is_far=False)
        self._enter(link)
        return link

    def add_far(self, child: Node, path: int, inverse_form: int, now: float) -> Link:
        """Learn or confirm a far link; at most `FAR_LINKS` lead to one node, the longest is dropped."""
        link = self.far.get(path)
        if link and link.child is not child:
            self.remove_link(link)
            link = None
        if link:
            link.inverse_form = inverse_form
            self.confirm(link, now)
            return link
        link = self.far[path] = Link(self.root, child, path, inverse_form, now, is_far=True)
        self._enter(link)
        others = [far for far in child.parents if far.is_far]
        if len(others) > FAR_LINKS:
            self.remove_link(max(others, key=lambda far: (far.misses, far.bits)))
        return link

    def remove_link(self, link: Link) -> None:
        """Remove a link; the child stays known, perhaps unreachable."""
        table = self.far if link.is_far else link.parent.links
        if table.get(link.label) is link:
            del table[link.label]
            self.link_count -= 1
            link.child.parents.pop(link, None)
            self.is_dirty = self.has_lost_links = True

    def confirm(self, link: Link, now: float) -> None:
        """Note that an answer came over this link: it is alive, and a little cheaper than before."""
        link.seen = now
        if link.misses:
            link.misses = 0
            self.is_dirty = True
        floor = link.bits * FAR_COST_PER_BIT if link.is_far else HOP_COST
        if link.cost > floor:
            link.cost = max(link.cost - link.cost // 8, floor)
            self.is_dirty = True

    def doubt(self, link: Link) -> None:
        """Note that a query over this link was not answered in time (spec 05 §5.4)."""
        link.misses += 1
        link.cost = min(link.cost * 8 // 7, max(MAX_LINK_COST, link.cost))
        self.is_dirty = True
        if link.misses == SUSPECT_MISSES:
            self.has_lost_links = True

    def walk(self, path: int) -> Walk:
        """Follow a path as far as links are known; `rest` 1: it ends at `node` (spec 05 §5.3)."""
        node, rest, links = self.root, path, []
        while rest > SELF_LABEL:
            label = hop_label(node.scheme, rest)
            link = node.links.get(label)
            if link is None:
                break
            links.append(link)
            node = link.child
            rest >>= node_bits(link, rest)
        if rest == SELF_LABEL or not self.far:
            return Walk(node, rest, links)
        far = self._longest_far(path, label_bits(path) - label_bits(rest))
        if far is None:
            return Walk(node, rest, links)
        node, rest, links = far.child, path >> far.bits, [far]
        while rest > SELF_LABEL:
            link = node.links.get(hop_label(node.scheme, rest))
            if link is None:
                break
            links.append(link)
            node = link.child
            rest >>= node_bits(link, rest)
        return Walk(node, rest, links)

    def _longest_far(self, path: int, walked_bits: int) -> Link | None:
        """Find the far link that leads farther along the path than the real links did."""
        found = None
        for link in self.far.values():
            if link.bits > walked_bits and routes_through(path, link.label):
                found, walked_bits = link, link.bits
        return found

    def _enter(self, link: Link) -> None:
        if link.child.best is None:
            link.child.best = self._first_route(link)
        link.child.parents[link] = None
        self.link_count += 1
        self.is_dirty = True

    def _first_route(self, link: Link) -> Route | None:
        """Give a new node a route over its only link, until the routes are computed again."""
        parent = link.parent
        if parent is self.root:
            first_hop = hop_label(parent.scheme, link.label) if link.is_far else link.label
            return Route(link.label, link.cost, first_hop, link)
        way = parent.best
        if way is None:
            return None
        path = extend_route(way.path, parent.scheme, link.label, way.link.inverse_form)
        if path == INVALID_LABEL:
            return None
        return Route(path, way.cost + link.cost, way.first_hop, link)


FAR_LINKS: Final = 2
"""Far links that may lead to one node."""


def hop_label(scheme: EncodingScheme, path: int) -> int:
    """Canonical one-hop label of the first director of a path; `INVALID_LABEL` if it has none.

    The director 1 (the node itself) in front of anything else is no hop.
    """
    if scheme.is_v358:
        low = path & V358_LOW_BITS
        if path >> V358_WIDTHS[low] and (number := V358_NUMBERS[low]) != 1:
            return _V358_PEER_LABELS[number]
        return INVALID_LABEL
    width = scheme.director_bits(path)
    if not width or not path >> width:
        return INVALID_LABEL
    number = scheme.director(path)
    return INVALID_LABEL if number == 1 else _peer_label(scheme, number)


def node_bits(link: Link, path: int) -> int:
    """Width of the director by which a path leaves the parent of a link; it may be wider than the link's."""
    scheme = link.parent.scheme
    return V358_WIDTHS[path & V358_LOW_BITS] if scheme.is_v358 else scheme.director_bits(path)


@lru_cache(maxsize=2048)
def fit_label(scheme: EncodingScheme, label: int, form: int) -> int:
    """Rewrite a one-hop label in another form: cached, because the graph has few different ones."""
    return scheme.convert(label, form)


@lru_cache(maxsize=2048)
def _peer_label(scheme: EncodingScheme, number: int) -> int:
    return scheme.peer_label(number)


_V358_PEER_LABELS: Final = tuple(_V358.peer_label(number) for number in range(257))
