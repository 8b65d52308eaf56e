"""Queries that are under way: transaction ids, time-outs, late answers.

Rules (spec 05 §2.5, §12):

* One query per node and purpose at a time. A second one is refused, not queued.
* An answer counts if its transaction id is known and the key of its session is that of the node that was
  asked.
* A query that has timed out is remembered for `LATE` seconds: a late answer is still an answer.
* Time-outs follow the round-trip times: `TIMEOUT_FACTOR` times the node's own, or the mean of all for a node
  never heard of, whose first query has to carry a handshake.
* At most `max_queries` are remembered, the oldest is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from dexrouter.core.pathfinder.config import PathfinderConfig
from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.keys import Address, PublicKey
from dexrouter.wire.labels import routes_through

__all__ = ["Purpose", "Query", "QueryTable", "Target"]

TXID_PREFIX: Final = b"00"
"""Marks our transaction ids as those of a DHT pathfinder, which stock responders look at (spec 05 §2.5)."""

TXID_RANDOM: Final = 12
LATE: Final = 20.0
TIMEOUT_FACTOR: Final = 4.0
LEAST_TIMEOUT: Final = 0.4
MOST_TIMEOUT: Final = 5.0
SETUP_TIMEOUT: Final = 1.0
"""A handshake packet that is lost is sent again by the next query only, so that must not wait long."""

FIRST_MEAN: Final = 0.25
"""Assumed mean round-trip time in seconds before anything was measured."""


class Purpose(Enum):
    """Why a node is asked; for each purpose it is asked one thing at a time."""

    PEERS = auto()
    """`gp`: who are your peers."""

    CHECK = auto()
    """`pn`: is this path alive; also the first question to a node that others named."""

    SECOND = auto()
    """`pn` over the alternative path."""

    SETUP = auto()
    """`pn` that a session asked for, to set itself up or to test one of its paths."""

    TRY = auto()
    """`pn` over a path that a search has found."""

    SEARCH = auto()
    """`fn` of a search."""

    KEYSPACE = auto()
    """`fn` of the upkeep."""


@dataclass(frozen=True, slots=True)
class Target:
    """A node as others name it: enough to ask it."""

    key: PublicKey
    address: Address
    version: int
    path: int


class Query:
    """One query under way, or late."""

    __slots__ = ("deadline", "is_late", "page", "purpose", "search", "sent", "target", "tries", "txid")

    def __init__(
        self, target: Target, purpose: Purpose, sent: float, *, tries: int, page: int, search: Address | None
    ) -> None:
        self.txid = b""
        self.target = target
        self.purpose = purpose
        self.sent = sent
        self.deadline = sent
        self.tries = tries
        """Queries of this purpose that this node has not answered in a row, before this one."""
        self.page = page
        """Label asked for (`gp`)."""
        self.search = search
        """The search that it belongs to."""
        self.is_late = False


class QueryTable:
    """All queries of one pathfinder."""

    def __init__(self, config: PathfinderConfig, entropy: Entropy) -> None:
        self._config = config
        self._entropy = entropy
        self._by_txid: dict[bytes, Query] = {}
        """In the order in which they were sent."""
        self._pending: dict[tuple[Address, Purpose], Query] = {}
        self._mean = FIRST_MEAN

    def __len__(self) -> int:
        return len(self._by_txid)

    def is_pending(self, address: Address, purpose: Purpose) -> bool:
        """Whether such a query is under way and not yet late."""
        return (address, purpose) in self._pending

    def open(self, query: Query, round_trip: float) -> bytes:
        """Register a query; `round_trip` is the node's own time, 0 if unknown. Gives its transaction id."""
        if len(self._by_txid) >= self._config.max_queries:
            self._forget(next(iter(self._by_txid.values())))
        query.txid = TXID_PREFIX + self._entropy(TXID_RANDOM)
        timeout = self.timeout(round_trip)
        query.deadline = query.sent + (
            min(timeout, SETUP_TIMEOUT) if query.purpose is Purpose.SETUP else timeout
        )
        self._by_txid[query.txid] = query
        self._pending[query.target.address, query.purpose] = query
        return query.txid

    def close(self, txid: bytes, sender: PublicKey, now: float) -> Query | None:
        """Take the query that this is the answer to, or nothing."""
        query = self._by_txid.get(txid)
        if query is None or query.target.key != sender:
            return None
        self._forget(query)
        self._mean += (min(now - query.sent, MOST_TIMEOUT) - self._mean) / 16
        return query

    def expire(self, now: float) -> list[Query]:
        """Give the queries that have just become late; forget those that are too late."""
        expired = []
        for query in self._pending.values():
            if query.deadline <= now:
                query.is_late = True
                expired.append(query)
        for query in expired:
            del self._pending[query.target.address, query.purpose]
        for query in list(self._by_txid.values()):
            if query.sent + LATE > now:
                break
            self._forget(query)
        return expired

    def fail_over(self, prefix: int, now: float) -> None:
        """Let the queries over a dead path become late now: they will not be answered."""
        for query in self._pending.values():
            if routes_through(query.target.path, prefix):
                query.deadline = now

    def next_deadline(self) -> float | None:
        """When the next query becomes late."""
        return min((query.deadline for query in self._pending.values()), default=None)

    def timeout(self, round_trip: float) -> float:
        """How long to wait for an answer from a node with this round-trip time."""
        basis = round_trip or 2 * self._mean
        return min(max(TIMEOUT_FACTOR * basis, LEAST_TIMEOUT), MOST_TIMEOUT)

    def _forget(self, query: Query) -> None:
        del self._by_txid[query.txid]
        if self._pending.get((query.target.address, query.purpose)) is query:
            del self._pending[query.target.address, query.purpose]
