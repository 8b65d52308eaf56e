"""The client of a route server: finds one, announces our links to it, asks it for paths (spec 05 §8 to §10).

    poll(peers, now), next_deadline()         time, with the peers as they are
    control(answer, now)                      answers of direct peers
    message(key, content, now)                router messages
    switch_error(path, now)                   a path fails
    search(address, now)                      somebody wants a path
    drain() -> [AskPeer | SendMessage | PathFound]

A server is adopted when it has answered `pn` with its clock, and lost when an announcement is not answered or
its path fails. `advertised` is what others are told.

A path that the server tells is taken when its end has answered over it: servers know no good path through
nodes of version 20, and old ones for a while after a link broke.

A session that is silent for a moment wants a path again, and again: the same address is asked for every 3 s
(a server looks at its map no more often), and every 10 s once a path was told.

Bounds: one server adopted and one on trial; of 256 searches it is remembered when they may be repeated, the
oldest is forgotten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from dexrouter import OLDEST_COMPATIBLE_VERSION, PROTOCOL_VERSION
from dexrouter.core.control import Answered, PingKind
from dexrouter.core.metric import SUPERNODE_ANSWER, SUPERNODE_PATH
from dexrouter.core.pathfinder.outputs import PathFound, SendMessage
from dexrouter.core.peer import Peer
from dexrouter.core.routeserver.announcer import CYCLE, KNOWS_RPATH, Announcer, Neighbour
from dexrouter.core.routeserver.hunter import Hunter
from dexrouter.core.routeserver.outputs import AskPeer, RouteServerOutput
from dexrouter.core.routeserver.queries import Kind, Queries, Query, RouteServer
from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.keys import Address, KeyPair, PublicKey, address_of
from dexrouter.wire.announce import MAX_TIMESTAMP
from dexrouter.wire.control import GetSnodeReply, RPathReply
from dexrouter.wire.dht import DhtMessage, NodeEntry
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.labels import SELF_LABEL, routes_through

__all__ = ["RouteServerClient"]

ASK_PATH_EVERY: Final = 3.0
SEARCH_AGAIN_AFTER: Final = 3.0
SEARCH_FOUND_AGAIN_AFTER: Final = 10.0
MAX_SEARCHES: Final = 256


class RouteServerClient:
    """One node's client. `supernodes` None: it does nothing at all; empty: any server is good.

    A node with its own key among them has a route server beside it and uses no other. It is a client like
    everybody: what it does not announce, nobody is routed through. Its messages go to the program beside it.
    """

    def __init__(
        self, *, own: KeyPair, entropy: Entropy, supernodes: Iterable[PublicKey] | None, now: float
    ) -> None:
        self._own = own
        self._is_enabled = supernodes is not None
        self.hunter = Hunter(supernodes or (), own=own.public, now=now)
        self.announcer = Announcer(own=own, entropy=entropy)
        self._queries = Queries(entropy=entropy)
        self.active: RouteServer | None = None
        self._trial: RouteServer | None = None
        self._is_announcing = False
        self._has_path = False
        """Whether the server itself has told our path to it."""
        self._next_path_question = 0.0
        self._next_look = 0.0
        self._searches: dict[Address, float] = {}
        """When each may be asked for again."""
        self._outputs: list[RouteServerOutput] = []
        self.drops: Counter[str] = Counter()

    @property
    def is_authorized(self) -> bool:
        """Whether the server in use is a configured one, or none is configured."""
        return self.active is not None and self.hunter.accepts(self.active.key)

    @property
    def _is_beside_server(self) -> bool:
        return self._own.public in self.hunter.authorized

    @property
    def _is_hunting(self) -> bool:
        """Whether to look on: nobody is on trial, or the program beside us, which may have come since."""
        return not self.is_authorized and (self._trial is None or self._is_beside_server)

    @property
    def advertised(self) -> tuple[PublicKey, int, int] | None:
        """Key, version and path of the server that others are told of."""
        server = self.active
        return (server.key, server.version, server.path) if server else None

    def drain(self) -> list[RouteServerOutput]:
        """Take everything that must be done now."""
        outputs, self._outputs = self._outputs, []
        return outputs

    # -- time

    def next_deadline(self) -> float | None:
        """When `poll` wants to be called; None: never."""
        if not self._is_enabled:
            return None
        deadlines = [self._queries.next_deadline()]
        if self._is_hunting:
            deadlines.append(self.hunter.next_hunt)
        if self.active is not None:
            deadlines.append(self._next_look)
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def poll(self, peers: Iterable[Peer], now: float) -> None:
        """Do what is due."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return
        for query in self._queries.expire(now):
            self._unanswered(query, now)
        routable = sorted((peer for peer in peers if peer.is_routable), key=lambda peer: peer.slot)
        if self._is_hunting and now >= self.hunter.next_hunt:
            self._hunt(routable, now)
        if self.active is not None and now >= self._next_look:
            self._next_look = now + CYCLE
            for neighbour in self.announcer.watch(routable, now):
                self._ask_label(neighbour, now)
            self._tend(self.active, now)

    def _hunt(self, routable: list[Peer], now: float) -> None:
        self.hunter.pause(now)
        if self._is_beside_server:
            self._try(RouteServer(self._own.public, PROTOCOL_VERSION, SELF_LABEL), now)
            return
        peer = self.hunter.next_peer(routable)
        if peer is None:
            candidate = self.hunter.end_round(len(routable))
            if candidate is not None and self.active is None:
                self._try(candidate, now)
                return
            peer = self.hunter.next_peer(routable)
        if peer is not None:
            self._outputs.append(AskPeer(peer.label, PingKind.GET_SNODE))

    def _tend(self, server: RouteServer, now: float) -> None:
        """Announce, and ask for the path to the server until it knows one."""
        if not self._is_announcing and self.announcer.is_due(now):
            announcement = self.announcer.announce(now)
            self._is_announcing = self._ask(Query(Kind.ANNOUNCE, server, now, announcement=announcement))
        if not self._has_path and now >= self._next_path_question:
            self._next_path_question = now + ASK_PATH_EVERY
            self._ask_route(server, address_of(server.key), now)

    # -- what comes in

    def control(self, answer: Answered, now: float) -> None:
        """Take what a direct peer has answered to a question of ours."""
        if answer.path != answer.asked_path:
            self.drops["routeserver.answer_elsewhere"] += 1
            return
        match answer.answer:
            case RPathReply(rpath=rpath):
                self.announcer.heard_rpath(answer.path, rpath, answer.rtt, now)
            case GetSnodeReply():
                server = self.hunter.heard(answer.path, answer.answer)
                if server is not None and self._trial is None and not self.is_authorized:
                    self._try(server, now)
            case _:
                self.drops["routeserver.other_answer"] += 1

    def message(self, sender: PublicKey, content: bytes, now: float) -> bool:
        """Take a router message if it answers a query of ours."""
        answered = self._queries.answered(sender, content)
        if answered is None:
            return False
        query, message = answered
        match query.kind:
            case Kind.PING:
                self._pinged(query, message, now)
            case Kind.ANNOUNCE:
                self._announced(query, message, now)
            case Kind.ROUTE:
                self._route(query, message, now)
            case Kind.TEST:
                self._found(query.asked, query.asked.path, SUPERNODE_ANSWER)
            case Kind.MOVE:
                self._moved(query.asked, now)
            case Kind.PEERS:
                self.announcer.heard_peers(query.asked.path, message.nodes, now - query.sent, now)
        return True

    def switch_error(self, path: int, now: float) -> None:
        """Note that a switch at `path` reports an error."""
        server = self.active
        if server is not None and path > SELF_LABEL and routes_through(server.path, path):
            self._lose(now)

    def search(self, address: Address, now: float) -> None:
        """Ask the server for a path; a `PathFound` follows if it knows one."""
        server = self.active
        if server is None or now < self._searches.get(address, now):
            return
        if self._ask_route(server, address, now):
            self._next_search(address, now + SEARCH_AGAIN_AFTER)

    # -- inside

    def _next_search(self, address: Address, not_before: float) -> None:
        self._searches.pop(address, None)
        if len(self._searches) >= MAX_SEARCHES:
            del self._searches[next(iter(self._searches))]
        self._searches[address] = not_before

    def _ask(self, query: Query) -> bool:
        content = self._queries.ask(query)
        if content is None:
            self.drops["routeserver.too_many_queries"] += 1
            return False
        asked = query.asked
        address = address_of(asked.key)
        self._outputs.append(SendMessage(asked.key, address, asked.version, asked.path, content))
        return True

    def _ask_label(self, neighbour: Neighbour, now: float) -> None:
        """Ask a peer for its label of us, in the way that its version knows."""
        peer = neighbour.peer
        if peer.version >= KNOWS_RPATH:
            self._outputs.append(AskPeer(peer.label, PingKind.RPATH))
            return
        asked = RouteServer(peer.key, peer.version, peer.label)
        self._ask(Query(Kind.PEERS, asked, now, target=neighbour.page.to_bytes(8)))

    def _ask_route(self, server: RouteServer, target: Address, now: float) -> bool:
        return self._ask(Query(Kind.ROUTE, server, now, source=self._own.address, target=target))

    def _try(self, server: RouteServer, now: float) -> None:
        if self._ask(Query(Kind.PING, server, now)):
            self._trial = server

    def _pinged(self, query: Query, message: DhtMessage, now: float) -> None:
        self._trial = None
        skew = _skew(query, message, now)
        if skew is None:
            self.hunter.failed(query.asked.key)
            return
        server = query.asked
        self.active = RouteServer(server.key, max(message.version, OLDEST_COMPATIBLE_VERSION), server.path)
        self._is_announcing = False
        self._has_path = server.key == self._own.public
        self._next_path_question = self._next_look = now
        self.announcer.adopt(address_of(server.key), skew, now)
        self._found(self.active, server.path, SUPERNODE_PATH)

    def _announced(self, query: Query, message: DhtMessage, now: float) -> None:
        if self.active is None or query.asked.key != self.active.key:
            return
        self._is_announcing = False
        skew = _skew(query, message, now)
        if query.announcement is not None:
            self.announcer.answered(query.announcement, message.state_hash, skew, now)

    def _route(self, query: Query, message: DhtMessage, now: float) -> None:
        found = _route_in(query, message)
        if found is None or self.active is None or query.asked.key != self.active.key:
            return
        node = RouteServer(PublicKey(found.key), found.version, found.label)
        if node.key != self.active.key:
            self._next_search(address_of(node.key), now + SEARCH_FOUND_AGAIN_AFTER)
            self._ask(Query(Kind.TEST, node, now))
        elif node.path != self.active.path:
            self._ask(Query(Kind.MOVE, node, now))
        else:
            self._moved(node, now)

    def _moved(self, server: RouteServer, now: float) -> None:
        """Use the server over the path that it has told."""
        if self.active is None or server.key != self.active.key:
            return
        self._has_path = True
        self.active = server
        self._next_look = now
        self._found(server, server.path, SUPERNODE_PATH)

    def _found(self, node: RouteServer, path: int, metric: int) -> None:
        if node.key == self._own.public:
            return
        self._outputs.append(PathFound(node.key, address_of(node.key), node.version, path, metric))

    def _unanswered(self, query: Query, now: float) -> None:
        if query.kind is Kind.PING:
            self._trial = None
            self.hunter.failed(query.asked.key)
            return
        if self.active is None or query.asked.key != self.active.key:
            return
        if query.kind is Kind.ANNOUNCE:
            self._lose(now)
        elif query.kind is Kind.MOVE:
            self._has_path = True  # It leads nowhere, and will not be another one soon: the one in use stays.

    def _lose(self, now: float) -> None:
        """Begin the hunt again."""
        self.active = None
        self._trial = None
        self._queries.forget()
        self._searches.clear()
        self.announcer.unwatch()
        self.hunter.begin(now)


def _skew(query: Query, message: DhtMessage, now: float) -> float | None:
    """Our clock less the server's, in milliseconds; None if it did not tell the time."""
    time = message.receive_time
    if not time or time > MAX_TIMESTAMP:
        return None
    return (query.sent + now) * 500 - time


def _route_in(query: Query, message: DhtMessage) -> NodeEntry | None:
    """Find the node that was asked for in the answer, if a path to it is there."""
    for node in message.nodes[:1]:
        is_path = node.label > SELF_LABEL and V358.form_number(node.label) >= 0
        if is_path and node.version >= OLDEST_COMPATIBLE_VERSION and address_of(node.key) == query.target:
            return node
    return None
