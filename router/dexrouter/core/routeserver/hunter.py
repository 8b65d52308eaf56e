"""Looking for a route server: every 3 s, at first every second, a peer is asked for its own (spec 05 §8).

Rules:

* A server that is configured is taken at once. Without configured ones any is. Otherwise the first one that
  was heard of is remembered, and taken when every peer was asked once and there are at least two.
* A candidate that does not answer is not tried again, until a whole round of peers has named no other.
* The hunt goes on while the server in use is not a configured one and some are configured.
* What a peer says is a hint: its server counts only when it answers inside its session.

Bounds: one query at a time, at most 32 servers that are not tried again (the oldest is forgotten).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from dexrouter import OLDEST_COMPATIBLE_VERSION
from dexrouter.core.peer import Peer
from dexrouter.core.routeserver.queries import RouteServer
from dexrouter.crypto.keys import PublicKey, is_node_key
from dexrouter.wire.control import GetSnodeReply
from dexrouter.wire.labels import INVALID_LABEL, splice

__all__ = ["Hunter"]

_HUNT_EVERY: Final = 3.0
_HURRY_EVERY: Final = 1.0
_HURRY: Final = 30.0
"""For so long from the start, and from the loss of a server, questions follow each other faster."""

_MIN_PEERS: Final = 2
_MAX_SHUNNED: Final = 32


class Hunter:
    """Which peer is asked next, and which server is worth a try."""

    def __init__(self, authorized: Iterable[PublicKey], *, own: PublicKey, now: float) -> None:
        self.authorized: dict[PublicKey, None] = dict.fromkeys(authorized)
        """Keys that are configured, in the order in which they were added."""
        self._own = own
        self.next_hunt = now
        self._hurry_until = now + _HURRY
        self._asked: set[int] = set()
        """Labels of the peers that were asked in this round."""
        self._candidate: RouteServer | None = None
        self._shunned: dict[PublicKey, None] = {}

    def accepts(self, key: PublicKey) -> bool:
        """Whether this server may be taken as soon as it is heard of."""
        return not self.authorized or key in self.authorized

    def begin(self, now: float) -> None:
        """Hunt from now on: there is no server any more."""
        self.next_hunt = now
        self._hurry_until = now + _HURRY

    def pause(self, now: float) -> None:
        """Wait for an answer, or for the next question to make sense."""
        self.next_hunt = now + (_HURRY_EVERY if now < self._hurry_until else _HUNT_EVERY)

    def next_peer(self, peers: Sequence[Peer]) -> Peer | None:
        """Choose the direct peer to be asked now; None if all were asked in this round."""
        for peer in peers:
            if peer.version >= OLDEST_COMPATIBLE_VERSION and peer.label not in self._asked:
                self._asked.add(peer.label)
                return peer
        return None

    def end_round(self, peer_count: int) -> RouteServer | None:
        """Begin the next round; give the candidate that may be taken now, if any."""
        candidate, self._candidate = self._candidate, None
        self._asked.clear()
        if candidate is None:
            self._shunned.clear()
        return candidate if peer_count >= _MIN_PEERS else None

    def heard(self, path: int, reply: GetSnodeReply) -> RouteServer | None:
        """Take the answer of the peer at `path`; give the server if it is to be taken at once."""
        key = PublicKey(reply.snode_key)
        if not is_node_key(key) or key == self._own or not reply.path_to_snode:
            return None
        to_server = splice(reply.path_to_snode, path)
        if to_server == INVALID_LABEL:
            return None
        server = RouteServer(key, max(reply.snode_version, OLDEST_COMPATIBLE_VERSION), to_server)
        if key in self.authorized:
            return server
        if key in self._shunned:
            return None
        if not self.authorized:
            return server
        if self._candidate is None:
            self._candidate = server
        return None

    def failed(self, key: PublicKey) -> None:
        """Note that a server did not answer."""
        if key in self.authorized:
            return
        if len(self._shunned) >= _MAX_SHUNNED:
            del self._shunned[next(iter(self._shunned))]
        self._shunned[key] = None
