"""Queries of a route server's client that are under way (spec 05 §9, §10.4).

An answer counts if its transaction id is that of a query, the session's key is that of the node asked and `p`
is there. Only what §9 lists is taken from it. At most 64 are under way, each for 6 s; of them at most 32 for
the lists of direct peers, each for 2 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from dexrouter import PROTOCOL_VERSION
from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.keys import PublicKey
from dexrouter.wire.dht import DhtMessage
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.errors import WireError

__all__ = ["TIMEOUT", "Kind", "Queries", "Query", "RouteServer"]

TIMEOUT: Final = 6.0
PEER_TIMEOUT: Final = 2.0
"""Seconds: a server, a direct peer."""

MAX_OUTSTANDING: Final = 64
MAX_PEERS_ASKED: Final = 32

_TXID_TO_SERVER: Final = b"01"
_TXID_TO_NODE: Final = b"00"
"""How the transaction ids of a route server's client begin, and those of other questions (spec 05 §2.5).

A node of ours may leave a ping of the first kind without an answer (pathfinder/answers.py).
"""

_TXID_RANDOM: Final = 12


class Kind(Enum):
    """What is asked."""

    PING = auto()
    """A server that may be adopted."""
    MOVE = auto()
    """The server in use, over the path to it that it has told."""
    ROUTE = auto()
    ANNOUNCE = auto()
    TEST = auto()
    """A node, over the path to it that the server has told."""
    PEERS = auto()
    """A direct peer's list of its peers, in which we stand with its label of us."""


_SERVER_WORDS: Final = {Kind.PING: b"pn", Kind.MOVE: b"pn", Kind.ROUTE: b"gr", Kind.ANNOUNCE: b"ann"}
_WORDS: Final = {Kind.TEST: b"pn", Kind.PEERS: b"gp"}


@dataclass(frozen=True, slots=True)
class RouteServer:
    """A route server, adopted or not; or another node that is asked."""

    key: PublicKey
    version: int
    path: int


@dataclass(frozen=True, slots=True)
class Query:
    """One query under way."""

    kind: Kind
    asked: RouteServer
    """The route server; for TEST the node, for PEERS the direct peer."""
    sent: float
    source: bytes | None = None
    target: bytes | None = None
    announcement: bytes | None = None

    @property
    def deadline(self) -> float:
        """When it is given up."""
        return self.sent + (PEER_TIMEOUT if self.kind is Kind.PEERS else TIMEOUT)


class Queries:
    """All of them."""

    def __init__(self, *, entropy: Entropy) -> None:
        self._entropy = entropy
        self._outstanding: dict[bytes, Query] = {}

    def ask(self, query: Query) -> bytes | None:
        """Make the message; None if too many are under way, or the path leads nowhere."""
        form = V358.form_number(query.asked.path)
        most = MAX_PEERS_ASKED if query.kind is Kind.PEERS else MAX_OUTSTANDING
        if len(self._outstanding) >= most or form < 0:
            return None
        prefix = _TXID_TO_NODE if query.kind in _WORDS else _TXID_TO_SERVER
        txid = prefix + self._entropy(_TXID_RANDOM)
        self._outstanding[txid] = query
        return DhtMessage(
            txid=txid,
            query=_WORDS.get(query.kind),
            snode_query=_SERVER_WORDS.get(query.kind),
            version=PROTOCOL_VERSION,
            scheme=V358,
            inverse_form=form,
            source=query.source,
            target=query.target,
            announcement=query.announcement,
        ).encode()

    def answered(self, sender: PublicKey, content: bytes) -> tuple[Query, DhtMessage] | None:
        """Take a router message if it answers one of these queries."""
        if not self._outstanding:
            return None
        try:
            message = DhtMessage.parse(content)
        except WireError:
            return None
        query = None if message.is_query else self._outstanding.get(message.txid)
        if query is None or query.asked.key != sender or not message.version:
            return None
        del self._outstanding[message.txid]
        return query, message

    def expire(self, now: float) -> list[Query]:
        """Give up and return what was not answered in time."""
        late = [txid for txid, query in self._outstanding.items() if now >= query.deadline]
        return [self._outstanding.pop(txid) for txid in late]

    def forget(self) -> None:
        """Forget all of them: the server is another."""
        self._outstanding.clear()

    def next_deadline(self) -> float | None:
        """When the first is given up."""
        return min((query.deadline for query in self._outstanding.values()), default=None)
