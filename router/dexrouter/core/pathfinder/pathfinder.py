"""The pathfinder: answers others, learns the mesh, and tells the sessions their paths (spec 05).

Pure: time and entropy are arguments, what follows is in `drain()`. The parts, each with its own bound:

| file | |
| --- | --- |
| graph.py, routes.py, capacity.py | what is known, the best paths over it, what is forgotten |
| placing.py | entering an answer into the graph |
| answers.py | what we say to others |
| queries.py, asking.py | what we ask: one query per node and purpose, time-outs, refused paths |
| peers.py, crawl.py | whom we ask: peers, unknown nodes, links, upkeep |
| search.py, approach.py, rumours.py | finding an address, then a shorter way to it |
| wanted.py | addresses that sessions want: offers, tests |

Rules:

* Nothing that another node says about a third one is believed: the third one is asked.
* A hostile message is counted in `drops` and costs bounded work. It never raises.
* An answer goes back over the path of its query. It is no larger than the protocol's own.
* Routes are computed when links have changed, but not more often than every few milliseconds a node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from dexrouter import OLDEST_COMPATIBLE_VERSION, PROTOCOL_VERSION
from dexrouter.core.admission import Admission
from dexrouter.core.metric import DHT_PEER, SM_INCOMING
from dexrouter.core.pathfinder.answers import find_nodes, get_peers, next_hop, pins_path
from dexrouter.core.pathfinder.asking import Asker
from dexrouter.core.pathfinder.bucket import TokenBucket
from dexrouter.core.pathfinder.capacity import Capacity
from dexrouter.core.pathfinder.config import PathfinderConfig
from dexrouter.core.pathfinder.crawl import Crawl, Priority, node_target
from dexrouter.core.pathfinder.failure import blamed, failed_hop
from dexrouter.core.pathfinder.graph import LinkGraph, Node, hop_label
from dexrouter.core.pathfinder.outputs import PathfinderOutput, PathFound, PathLost, SendMessage
from dexrouter.core.pathfinder.peers import Peers
from dexrouter.core.pathfinder.placing import place, unfold_far_links
from dexrouter.core.pathfinder.queries import Purpose, Query, QueryTable, Target
from dexrouter.core.pathfinder.routes import compute_routes, way_around
from dexrouter.core.pathfinder.rumours import Rumours
from dexrouter.core.pathfinder.search import Searches
from dexrouter.core.pathfinder.wanted import WantedTable
from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.keys import Address, PublicKey, address_of, is_mesh_address
from dexrouter.wire.dht import DhtMessage, NodeEntry
from dexrouter.wire.encoding_scheme import V358, EncodingScheme
from dexrouter.wire.errors import WireError
from dexrouter.wire.labels import INVALID_LABEL, SELF_LABEL, routes_through

__all__ = [
    "KnownLink",
    "KnownNode",
    "PathFound",
    "PathLost",
    "Pathfinder",
    "PathfinderConfig",
    "PathfinderOutput",
    "SendMessage",
]

MAX_TXID: Final = 255
"""Longest transaction id that is carried back; stock ones have 13 or 14 bytes."""

MAX_CONTENT: Final = 4096
"""Longest message that is read; the largest real ones, announcements, have about 1000 bytes."""

_QUERY_KEY: Final = b"1:q"
"""In every query; a reply that has these bytes by chance is only taken for one while its peer floods us."""

PATH_ERRORS: Final = frozenset({1, 8, 10})
"""Switch errors that say a path is wrong: malformed, undeliverable, no return path (spec 03 §6.3)."""

_ERROR_BURST: Final = 20
_ERROR_RATE: Final = 4.0
"""Errors acted upon: they are not authenticated."""

_ROUTES_PER_NODE: Final = 0.01
_ROUTES_AT_MOST: Final = 2.0
_ROUTES_AFTER_LOSS: Final = 0.02
"""Least seconds between two computations of the routes: by nodes known, at most, and after a loss."""


@dataclass(frozen=True, slots=True)
class KnownNode:
    """A node of the graph, for the admin API."""

    key: PublicKey
    address: Address
    version: int
    path: int
    """Best path; 0 if there is none."""
    cost: int
    heard: float
    """When it last answered (monotonic seconds)."""
    scheme: EncodingScheme


@dataclass(frozen=True, slots=True)
class KnownLink:
    """A link of the graph, for the admin API."""

    parent: Address
    child: Address
    label: int
    inverse_form: int
    cost: int
    seen: float


class Pathfinder:
    """One node's pathfinder. `drops` counts the messages that were refused, by reason."""

    def __init__(
        self,
        *,
        own: PublicKey,
        own_scheme: EncodingScheme = V358,
        entropy: Entropy,
        now: float,
        config: PathfinderConfig | None = None,
    ) -> None:
        config = config or PathfinderConfig()
        self.drops: Counter[str] = Counter()
        self._config = config
        self._outbox: list[PathfinderOutput] = []
        self._graph = LinkGraph(own, address_of(own), PROTOCOL_VERSION, own_scheme, now)
        self._capacity = Capacity(self._graph, config)
        self._queries = QueryTable(config, entropy)
        self._asker = Asker(self._graph, self._queries, self._outbox, config)
        self._peers = Peers()
        self._rumours = Rumours()
        self._crawl = Crawl(self._graph, self._capacity, self._rumours, self._asker, config, entropy, now)
        self._searches = Searches(self._graph, self._rumours, self._asker, config, entropy, now)
        self._wanted = WantedTable(self._graph, self._asker, self._searches, self._outbox, config)
        self._admission = Admission()
        self._answers = TokenBucket(config.answer_burst, config.answer_rate, now)
        self._errors = TokenBucket(_ERROR_BURST, _ERROR_RATE, now)
        self._now = now
        self._routes_due = now
        self._next_tidy = now + config.link_lifetime / 4

    # -- what happens

    def peer_up(self, key: PublicKey, version: int, path: int, now: float) -> None:
        """Take a direct peer that can be reached, its version known; `path` is its one-hop label."""
        address = address_of(key)
        if version < OLDEST_COMPATIBLE_VERSION or path <= SELF_LABEL or not is_mesh_address(address):
            self.drops["peer.incompatible"] += 1
            return
        target = Target(key, address, version, path)
        known = self._peers.get(path)
        if known != target:
            if known and known.key != key:
                self.peer_gone(path, now)
            self._peers.add(target, now)
            self._asker.forgive(path)
            self._outbox.append(PathFound(key, address, version, path, DHT_PEER))
            self._crawl.changed(now)
        self._advance(now)

    def peer_gone(self, path: int, now: float) -> None:
        """Give up a direct peer that can no longer be reached."""
        peer = self._peers.get(path)
        if peer:
            self._peers.remove(path)
            self._outbox.append(PathLost(peer.address, path))
            link = self._graph.root.links.get(path)
            if link:
                self._graph.remove_link(link)
            for far in [far for far in self._graph.far.values() if routes_through(far.label, path)]:
                self._graph.remove_link(far)
            self._queries.fail_over(path, now)
            self._crawl.changed(now)
        self._advance(now)

    def message(self, sender_key: PublicKey, path: int, content: bytes, now: float) -> None:
        """Take a router message that came out of a session; `path` leads back to the sender."""
        first_hop = self._graph.root.scheme.director(path)
        if _QUERY_KEY in content and not self._admission.take(first_hop, now):
            self.drops["query.too_many_from_peer"] += 1
            return
        try:
            if len(content) > MAX_CONTENT:
                raise WireError("a router message is not that long")
            message = DhtMessage.parse(content)
        except WireError:
            self.drops["message.malformed"] += 1
            return
        if path <= SELF_LABEL or path == INVALID_LABEL or sender_key == self._graph.root.key:
            self.drops["message.no_way_back"] += 1
        elif message.snode_query is not None:
            self.drops["message.route_server_query"] += 1
        elif message.query is not None:
            self._receive_query(sender_key, path, message, now)
        else:
            self._receive_reply(sender_key, path, message, now)
        self._advance(now)

    def search(self, address: Address, now: float) -> None:
        """Find a path to this address for a session; called again from time to time while it is wanted."""
        if address != self._graph.root.address and is_mesh_address(address):
            self._wanted.request(address, now)
        self._advance(now)

    def probe(self, key: PublicKey, version: int, path: int, now: float) -> None:
        """Send a query over this path of a session: to set it up, or to see whether the path works."""
        self._asker.set_up(Target(key, address_of(key), max(version, OLDEST_COMPATIBLE_VERSION), path), now)
        self._advance(now)

    def switch_error(self, path: int, failing_label: int, code: int, now: float) -> None:
        """Take a switch error for a packet on `path`; `failing_label` is the label as it met that switch."""
        if code not in PATH_ERRORS:
            self.drops["error.other"] += 1
        elif not self._errors.take(now):
            self.drops["error.too_many"] += 1
        else:
            self._hop_failed(path, failing_label, now)
        self._advance(now)

    def discovered_path(self, address: Address, key: PublicKey, version: int, path: int, now: float) -> None:
        """Note that a session has seen an authentic packet which came over this path."""
        if path > SELF_LABEL and address != self._graph.root.address:
            target = Target(key, address, max(version, OLDEST_COMPATIBLE_VERSION), path)
            self._crawl.heard_of(target, now, is_wanted=address in self._wanted)
        self._advance(now)

    def poll(self, now: float) -> None:
        """Do what is due; harmless at any time."""
        self._advance(now)

    def next_deadline(self) -> float | None:
        """When `poll` should be called next."""
        deadlines = (
            self._queries.next_deadline(),
            self._peers.next_deadline(),
            self._crawl.next_deadline(self._now),
            self._searches.next_deadline(self._now),
            self._wanted.next_deadline(),
            self._routes_due if self._graph.is_dirty else None,
            self._next_tidy,
        )
        return min(deadline for deadline in deadlines if deadline is not None)

    def drain(self) -> list[PathfinderOutput]:
        """Take what the node must do, in order."""
        outputs = self._outbox[:]
        self._outbox.clear()
        return outputs

    # -- for the admin API and the simulator

    def known_nodes(self) -> Iterator[KnownNode]:
        """All nodes of the graph, the own one first."""
        root = self._graph.root
        yield KnownNode(root.key, root.address, root.version, SELF_LABEL, 0, root.heard, root.scheme)
        for node in self._graph.nodes.values():
            path, cost = (node.best.path, node.best.cost) if node.best else (0, 0)
            yield KnownNode(node.key, node.address, node.version, path, cost, node.heard, node.scheme)

    def known_links(self) -> Iterator[KnownLink]:
        """All links of the graph, those of the own node first; far links have the whole path as label."""
        for link in self._graph.links():
            parent, child = link.parent.address, link.child.address
            yield KnownLink(parent, child, link.label, link.inverse_form, link.cost, link.seen)

    def rumours(self) -> Iterator[Target]:
        """Nodes that others have named and that are not in the graph."""
        return (target for target in self._rumours if target.address not in self._graph.nodes)

    def best_path(self, address: Address) -> int | None:
        """Best known path to an address."""
        node = self._graph.nodes.get(address)
        return node.best.path if node and node.best else None

    def way_around(self, neighbour: Address, rest: int) -> int | None:
        """Path to where `rest` leads from a neighbour that is silent, if one is known."""
        node = self._graph.nodes.get(neighbour)
        way = way_around(node, rest) if node else INVALID_LABEL
        return None if way == INVALID_LABEL else way

    def counters(self) -> dict[str, int]:
        """Sizes of all tables, and what was done."""
        return {
            "nodes": len(self._graph.nodes),
            "links": self._graph.link_count,
            "far_links": len(self._graph.far),
            "peers": len(self._peers),
            "queries": len(self._queries),
            "asks": len(self._crawl),
            "rumours": len(self._rumours),
            "searches": len(self._searches),
            "searches_started": self._searches.started,
            "wanted": len(self._wanted),
        }

    # -- inside

    def _receive_query(self, sender: PublicKey, path: int, message: DhtMessage, now: float) -> None:
        if message.version < OLDEST_COMPATIBLE_VERSION or not message.is_complete:
            self.drops["query.incompatible"] += 1
            return
        if len(message.txid) > MAX_TXID:
            self.drops["query.txid"] += 1
            return
        if not self._answers.take(now):
            self.drops["query.too_many"] += 1
            return
        sender_target = Target(sender, address_of(sender), message.version, path)
        node = self._graph.nodes.get(sender_target.address)
        if not (
            pins_path(message, path, node, self._graph.root.scheme)
            and self._asker.sets_up(sender_target, now)
        ):
            self._reply(sender_target, message)
        if node is None or node.best is None:
            self._outbox.append(PathFound(sender, sender_target.address, message.version, path, SM_INCOMING))
        self._crawl.heard_of(sender_target, now, is_wanted=sender_target.address in self._wanted)

    def _reply(self, asker: Target, message: DhtMessage) -> None:
        root, path = self._graph.root, asker.path
        reply = DhtMessage(
            txid=message.txid,
            version=root.version,
            scheme=root.scheme,
            inverse_form=max(root.scheme.form_number(path), 0),
            nodes=tuple(self._answer(message, path)),
        )
        self._outbox.append(SendMessage(asker.key, asker.address, message.version, path, reply.encode()))

    def _answer(self, message: DhtMessage, path: int) -> list[NodeEntry]:
        subject = message.target or b""
        match message.query:
            case b"gp":
                return get_peers(self._graph, self._peers, subject, path)
            case b"fn":
                return find_nodes(self._graph, subject, path)
            case b"nh":
                return next_hop(self._graph, subject, path)
            case _:
                return []

    def _receive_reply(self, sender: PublicKey, path: int, message: DhtMessage, now: float) -> None:
        query = self._queries.close(message.txid, sender, now)
        if query is None:
            self.drops["reply.unasked"] += 1
            return
        if (
            message.version < OLDEST_COMPATIBLE_VERSION
            or not message.is_complete
            or message.inverse_form is None
        ):
            self.drops["reply.incompatible"] += 1
            return
        if path != query.target.path:
            self._answered_elsewhere(query, path, now)
            return
        node = self._place(query, message, message.inverse_form, now)
        if node and message.nodes:
            node.names_others = True
        self._peers.answered(query.target)
        if node:
            self._wanted.answered(node, query, now)
        if query.purpose is Purpose.PEERS:
            self._crawl.answered(query, node, message.nodes, now)
        elif query.purpose is Purpose.KEYSPACE:
            self._crawl.found_nearby(query, message.nodes, now)
        self._searches.reached(query, query.target.path)
        if search := self._searches.closed(query):
            self._searches.answered(search, self._crawl, query, message.nodes)

    def _answered_elsewhere(self, query: Query, path: int, now: float) -> None:
        """Note an answer that came back by another path than the question went (core/detours.py).

        It proves neither of them: the node is asked anew over the one that it came by.
        """
        self.drops["reply.elsewhere"] += 1
        self._searches.closed(query)
        target = query.target
        self._crawl.heard_of(replace(target, path=path), now, is_wanted=target.address in self._wanted)

    def _place(self, query: Query, message: DhtMessage, inverse_form: int, now: float) -> Node | None:
        address = query.target.address
        is_wanted = address in self._wanted
        if address not in self._graph.nodes and not is_wanted and self._capacity.is_overfull():
            return None
        scheme = message.scheme or V358
        placed = place(
            self._graph, query.target, message.version, scheme, inverse_form, now - query.sent, now
        )
        node = placed.node
        node.do_not_disturb = message.dnd
        node.is_wanted = is_wanted
        if placed.is_new_node or placed.is_new_link:
            self._crawl.changed(now)
        if placed.is_new_node and is_wanted:
            self._refresh(now)
        return node

    def _advance(self, now: float) -> None:
        """Everything that follows from time and from what has just happened."""
        self._now = now
        for query in self._queries.expire(now):
            self._unanswered(query, now)
        for target in self._peers.due(now):
            self._crawl.want(target, Priority.PEER)
        if self._graph.is_dirty and (now >= self._routes_due or self._graph.has_lost_links):
            self._refresh(now)
        if now >= self._next_tidy:
            self._tidy(now)
        self._searches.tick(now)
        self._wanted.tick(now)
        self._crawl.tick(now)

    def _refresh(self, now: float) -> None:
        """Compute the routes, keep the bounds, tell the sessions what has changed."""
        graph = self._graph
        has_lost_links = graph.has_lost_links
        unfold_far_links(graph)
        changed = compute_routes(graph)
        self._capacity.enforce()
        if graph.is_dirty:
            changed += compute_routes(graph)
        graph.has_lost_links = False
        pause = min(len(graph.nodes) * _ROUTES_PER_NODE, _ROUTES_AT_MOST)
        self._routes_due = now + (_ROUTES_AFTER_LOSS if has_lost_links else pause)
        if has_lost_links:
            self._wanted.withdraw_lost(now)
        for node in dict.fromkeys(changed):
            if graph.nodes.get(node.address) is node:
                self._wanted.changed(node, now)

    def _unanswered(self, query: Query, now: float) -> None:
        """Doubt the links of a query without an answer, and look where the path is broken."""
        walk = self._graph.walk(query.target.path)
        if walk.rest == SELF_LABEL and walk.node.address == query.target.address:
            for link in blamed(walk.links, query.sent):
                self._graph.doubt(link)
            self._crawl.recheck((link for link in walk.links[:-1]), query.sent)
        node = self._graph.nodes.get(query.target.address)
        if query.search:
            self._searches.unanswered(query)
        elif query.purpose is Purpose.PEERS:
            self._crawl.unanswered(query, now)
        elif query.purpose is Purpose.CHECK and node:
            self._wanted.unanswered(node, query, now)

    def _hop_failed(self, path: int, failing_label: int, now: float) -> None:
        failure = failed_hop(self._graph, path, failing_label)
        if failure is None:
            self.drops["error.elsewhere"] += 1
            return
        self._asker.avoid(failure.prefix, now)
        for link in failure.links:
            self._graph.remove_link(link)
        self._queries.fail_over(failure.prefix, now)
        self._crawl.changed(now)
        if failure.node and failure.node.best:
            label = hop_label(failure.node.scheme, failure.rest)
            page = 0 if label == INVALID_LABEL else label
            self._crawl.want(node_target(failure.node, failure.node.best.path), Priority.PEER, page=page)

    def _tidy(self, now: float) -> None:
        """Drop the links that have been silent for long: asked in vain, or far and not used any more."""
        self._next_tidy = now + self._config.link_lifetime / 4
        oldest = now - self._config.link_lifetime
        for link in list(self._graph.links()):
            if (link.misses or link.is_far) and link.seen < oldest:
                self._graph.remove_link(link)
        for node in list(self._graph.nodes.values()):
            if not node.parents and not node.is_wanted and node.heard < oldest:
                self._graph.remove_node(node)
