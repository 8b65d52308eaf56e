"""Sending queries: the one place where a query leaves, and where it may be refused.

A query is refused (not queued) when one of the same purpose is under way to the same node, when its path is
impossible or our own, and when a switch has refused the same path within the last `avoid_time` seconds.
"""

from __future__ import annotations

from typing import Final

from dexrouter.core.pathfinder.config import PathfinderConfig
from dexrouter.core.pathfinder.graph import LinkGraph
from dexrouter.core.pathfinder.outputs import PathfinderOutput, SendMessage
from dexrouter.core.pathfinder.queries import Purpose, Query, QueryTable, Target
from dexrouter.crypto.keys import Address
from dexrouter.wire.dht import DhtMessage
from dexrouter.wire.labels import INVALID_LABEL, SELF_LABEL, routes_through

__all__ = ["Asker"]

_AVOIDED: Final = 32
"""Refused paths that are remembered; the oldest is forgotten."""

_METHODS: Final = {
    Purpose.PEERS: b"gp",
    Purpose.CHECK: b"pn",
    Purpose.SECOND: b"pn",
    Purpose.SETUP: b"pn",
    Purpose.TRY: b"pn",
    Purpose.SEARCH: b"fn",
    Purpose.KEYSPACE: b"fn",
}


class Asker:
    """Makes queries, registers them and puts them out."""

    def __init__(
        self, graph: LinkGraph, queries: QueryTable, outbox: list[PathfinderOutput], config: PathfinderConfig
    ) -> None:
        self._graph = graph
        self._queries = queries
        self._outbox = outbox
        self._config = config
        self._avoided: dict[int, float] = {}

    def peers(
        self, target: Target, now: float, *, tries: int = 0, page: int = 0, search: Address | None = None
    ) -> bool:
        """Ask a node for its peers, from label `page` on. Tells whether the query was sent."""
        return self._send(target, Purpose.PEERS, page.to_bytes(8), now, tries=tries, page=page, search=search)

    def check(self, target: Target, now: float, *, tries: int = 0) -> bool:
        """Ask a node whether it is there."""
        return self._send(target, Purpose.CHECK, None, now, tries=tries)

    def check_second(self, target: Target, now: float) -> bool:
        """Ask a node whether it is there over its alternative path."""
        return self._send(target, Purpose.SECOND, None, now)

    def set_up(self, target: Target, now: float) -> bool:
        """Send a session's own test of a path, which carries its handshake."""
        return self._send(target, Purpose.SETUP, None, now)

    def sets_up(self, target: Target, now: float) -> bool:
        """Send a session's test, unless one is under way; tells whether there is one now."""
        return self._queries.is_pending(target.address, Purpose.SETUP) or self.set_up(target, now)

    def try_path(self, target: Target, now: float, *, search: Address) -> bool:
        """Ask a node whether it is at a path which others have named."""
        return self._send(target, Purpose.TRY, None, now, search=search)

    def find(self, target: Target, wanted: Address, now: float, *, search: Address | None = None) -> bool:
        """Ask a node for nodes close to an address, for a search or (without one) for the upkeep."""
        purpose = Purpose.KEYSPACE if search is None else Purpose.SEARCH
        return self._send(target, purpose, wanted, now, search=search)

    def avoid(self, path: int, now: float) -> None:
        """Send nothing over this path, or on from it, for a while."""
        if len(self._avoided) >= _AVOIDED:
            del self._avoided[next(iter(self._avoided))]
        self._avoided.pop(path, None)
        self._avoided[path] = now + self._config.avoid_time

    def forgive(self, path: int) -> None:
        """Allow these paths again: their first hop is up."""
        for avoided in [avoided for avoided in self._avoided if routes_through(avoided, path)]:
            del self._avoided[avoided]

    def is_busy(self, address: Address) -> bool:
        """Whether a `gp` to this node is under way."""
        return self._queries.is_pending(address, Purpose.PEERS)

    def is_avoided(self, path: int, now: float) -> bool:
        """Whether a switch has just refused this path."""
        return any(until > now and routes_through(path, bad) for bad, until in self._avoided.items())

    def _send(
        self,
        target: Target,
        purpose: Purpose,
        subject: bytes | None,
        now: float,
        *,
        tries: int = 0,
        page: int = 0,
        search: Address | None = None,
    ) -> bool:
        if target.path <= SELF_LABEL or target.path == INVALID_LABEL or target.key == self._graph.root.key:
            return False
        if self._queries.is_pending(target.address, purpose) or self.is_avoided(target.path, now):
            return False
        root = self._graph.root
        form = root.scheme.form_number(target.path)
        if form < 0:
            return False
        node = self._graph.nodes.get(target.address)
        query = Query(target, purpose, now, tries=tries, page=page, search=search)
        txid = self._queries.open(query, node.round_trip if node else 0.0)
        message = DhtMessage(
            txid=txid,
            query=_METHODS[purpose],
            version=root.version,
            scheme=root.scheme,
            inverse_form=form,
            target=subject,
        )
        self._outbox.append(
            SendMessage(target.key, target.address, target.version, target.path, message.encode())
        )
        return True
