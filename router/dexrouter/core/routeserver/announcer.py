"""Telling the route server what this node's links are (spec 05 §10.4).

Every peer is asked for its label of us: every 2 s until it has told it, then once in each slot of 10 s, which
measures the link too. Version 21 answers RPATH; version 20 is asked for its peers (`gp` from label 1 on),
page by page until we are among them. A peer that has not told its label is not announced.

Rules:

* One announcement is under way at a time. What makes the next one due, counted from the last reply: nothing
  announced yet 1 s, a peer lost 6 s, a new one or the first statistics of one 12 s, else a minute.
* The first one to a server, and the first after the hashes differed, has the reset flag and everything.
* What was said is said again before it is 20 minutes old, not everything at once.
* Timestamps are the server's clock and do not decrease, unless that clock was set back.

Bounds: as many neighbours as the switch has interfaces; entities of one message: 700 bytes and one more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha512
from typing import Final

from dexrouter import PROTOCOL_VERSION
from dexrouter.core.pathfinder.answers import ANSWER_NODES
from dexrouter.core.peer import Peer
from dexrouter.core.routeserver.linkstate import SLOT_SECONDS, LinkStatistics
from dexrouter.core.routeserver.state import AnnouncedState, identity_of
from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.keys import KeyPair
from dexrouter.crypto.signing import RANDOM_SIZE, SIGNATURE_SIZE, sign, signing_key_of
from dexrouter.wire.announce import (
    MAX_TIMESTAMP,
    Announcement,
    Entity,
    PeerLink,
    ProtocolVersion,
    Scheme,
    encode_entities,
)
from dexrouter.wire.dht import NodeEntry
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.labels import SELF_LABEL

__all__ = ["ASK_AGAIN_AFTER", "CYCLE", "KNOWS_RPATH", "Announcer", "Neighbour"]

CYCLE: Final = 0.5
"""Seconds between two looks at the peers."""

ASK_AGAIN_AFTER: Final = 2.0
KNOWS_RPATH: Final = 21
"""First protocol version that answers RPATH_QUERY."""

_AT_FIRST: Final = 1.0
_AFTER_LOSS: Final = 6.0
_AFTER_NEW: Final = 12.0
_USUAL: Final = 60.0
_SHORTEST: Final = 0.5
_LONGER_BY: Final = 0.1
_ROOM: Final = 700
_SMALL: Final = 500
"""Bytes of entities: where a message is full, and below which it counts as small."""

_SAME_CLOCK: Final = 5000
_REPEAT_AFTER: Final = 19 * 60_000
_REPEAT_SPREAD: Final = 10 * 60_000
"""Milliseconds."""

_PEER_NUMBER_MASK: Final = 0xFFFF
_MAX_LABEL: Final = 0xFFFF_FFFF


@dataclass(slots=True)
class Neighbour:
    """A direct peer, as it is announced."""

    peer: Peer
    statistics: LinkStatistics
    next_question: float
    slot_end: float
    rpath: int = 0
    """Label from the peer to us, 0 while unknown."""
    page: int = SELF_LABEL
    """Version 20: label from which on it is asked for its peers."""

    @property
    def number(self) -> int:
        """Peer number: our label to it, the low 16 bits."""
        return self.peer.label & _PEER_NUMBER_MASK

    @property
    def link(self) -> PeerLink:
        """The entity that announces it."""
        form = V358.form_number(self.peer.label)
        return PeerLink(form, self.number, self.peer.address, self.rpath)


class Announcer:
    """What this node has announced, and what it has to announce."""

    def __init__(self, *, own: KeyPair, entropy: Entropy) -> None:
        self._own = own
        self._signing_key = signing_key_of(own.private.reveal())
        self._entropy = entropy
        self.neighbours: dict[int, Neighbour] = {}
        """By interface of the switch."""
        self.state = AnnouncedState()
        self._server: bytes | None = None
        """Address of the server that the state is about."""
        self._skew = 0.0
        """Our clock less the server's, in milliseconds."""
        self._last_timestamp = 0
        self._last_reply = 0.0
        self._interval = _USUAL
        self._must_reset = True

    def adopt(self, server: bytes, skew: float, now: float) -> None:
        """Begin with a server; with the same one as before, its clock unchanged, go on."""
        if server != self._server or abs(skew - self._skew) > _SAME_CLOCK:
            self._restart()
        self._server = server
        self._skew = skew
        self._last_reply = now

    def _restart(self) -> None:
        self.state.clear()
        self._must_reset = True
        self._interval = _USUAL
        for neighbour in self.neighbours.values():
            neighbour.statistics.begin_again()

    # -- the neighbours

    def watch(self, peers: Iterable[Peer], now: float) -> Iterator[Neighbour]:
        """Look at the routable peers; gives those that shall be asked for their label of us."""
        present = {peer.slot: peer for peer in peers}
        gone = [slot for slot, known in self.neighbours.items() if present.get(slot) is not known.peer]
        for slot in gone:
            del self.neighbours[slot]
        for slot, peer in present.items():
            if slot not in self.neighbours:
                self.neighbours[slot] = Neighbour(peer, LinkStatistics(peer), now, now + SLOT_SECONDS)
            neighbour = self.neighbours[slot]
            while now >= neighbour.slot_end:
                neighbour.statistics.close_slot(peer)
                neighbour.slot_end += SLOT_SECONDS
            if now >= neighbour.next_question:
                neighbour.next_question = now + (SLOT_SECONDS if neighbour.rpath else ASK_AGAIN_AFTER)
                yield neighbour

    def unwatch(self) -> None:
        """Stop looking at the peers: there is no server."""
        self.neighbours.clear()

    def heard_rpath(self, path: int, rpath: int, rtt: float, now: float) -> None:
        """Take the answer of the peer at `path`: its label of us, and how many seconds it took."""
        neighbour = self._at(path)
        if neighbour is None or not SELF_LABEL < rpath <= _MAX_LABEL:
            return
        neighbour.rpath = rpath
        neighbour.next_question = now + SLOT_SECONDS
        neighbour.statistics.answered(rtt)

    def heard_peers(self, path: int, entries: tuple[NodeEntry, ...], rtt: float, now: float) -> None:
        """Take a page of the list of peers of the one at `path`; without us in it, ask for the next page."""
        neighbour = self._at(path)
        if neighbour is None:
            return
        own = [entry.label for entry in entries if entry.key == self._own.public]
        if own:
            self.heard_rpath(path, own[0], rtt, now)
            return
        hops = (entry.label for entry in entries if V358.is_one_hop(entry.label))
        last = max((V358.peer_label(V358.director(label)) for label in hops), default=SELF_LABEL)
        if len(entries) >= ANSWER_NODES and last > neighbour.page:
            neighbour.page = last
            neighbour.next_question = now
        else:
            neighbour.page = SELF_LABEL

    def _at(self, path: int) -> Neighbour | None:
        neighbour = self.neighbours.get(V358.director(path)) if V358.is_one_hop(path) else None
        return neighbour if neighbour and neighbour.peer.label == path else None

    def _links(self) -> dict[int, PeerLink]:
        return {each.number: each.link for each in self.neighbours.values() if each.rpath}

    def _announced(self) -> dict[int, PeerLink]:
        entities = (said.entity for said in self.state.said.values())
        return {link.number: link for link in entities if isinstance(link, PeerLink) and link.label}

    # -- what to say

    def is_due(self, now: float) -> bool:
        """Whether an announcement shall be made now."""
        links, announced = self._links(), self._announced()
        if not links and not announced:
            return False
        if self._must_reset or not announced:
            wait = _AT_FIRST
        elif announced.keys() - links.keys():
            wait = _AFTER_LOSS
        elif links.items() - announced.items() or self._has_unmeasured():
            wait = _AFTER_NEW
        else:
            wait = _USUAL
        return now >= self._last_reply + min(wait, self._interval)

    def _has_unmeasured(self) -> bool:
        """Whether the server would hear for the first time how good a link is."""
        known = (each.statistics for each in self.neighbours.values() if each.rpath)
        return any(statistics.unsent and not statistics.is_told for statistics in known)

    def announce(self, now: float) -> bytes:
        """Make the next announcement, signed. Raises ValueError before a server was adopted."""
        if self._server is None:
            raise ValueError("there is no route server to announce to")
        timestamp = min(max(int(now * 1000 - self._skew), 0), MAX_TIMESTAMP)
        if timestamp < self._last_timestamp < timestamp + _SAME_CLOCK:
            timestamp = self._last_timestamp
        self._last_timestamp = timestamp
        entities = self._lasting(timestamp)
        size = len(encode_entities(tuple(entities)))
        is_full = size > _ROOM
        for neighbour in self.neighbours.values():
            statistics = neighbour.statistics
            link_state = statistics.entity(neighbour.number) if neighbour.rpath else None
            if link_state is None:
                continue
            if size > _ROOM:
                is_full = True
                break
            entities.append(link_state)
            size += len(encode_entities((link_state,)))
            statistics.told()
        self._pace(size, is_full=is_full)
        return self._signed(timestamp, tuple(entities))

    def _pace(self, size: int, *, is_full: bool) -> None:
        if self._must_reset:
            self._interval = _USUAL
        if is_full:
            self._interval = max(self._interval / 2, _SHORTEST)
        elif size < _SMALL:
            self._interval = min(self._interval + _LONGER_BY, _USUAL)

    def _lasting(self, timestamp: int) -> list[Entity]:
        """Choose what the state does not have or will not have for long, as far as there is room."""
        links = self._links()
        withdrawn = [replace(link, label=0) for n, link in self._announced().items() if n not in links]
        wanted: list[Entity] = [ProtocolVersion(PROTOCOL_VERSION), Scheme(V358), *withdrawn, *links.values()]
        entities: list[Entity] = []
        size = 0
        for entity in wanted:
            if size > _ROOM:
                break
            if self._is_news(entity, timestamp):
                entities.append(entity)
                size += len(encode_entities((entity,)))
        return entities

    def _is_news(self, entity: Entity, timestamp: int) -> bool:
        identity = identity_of(entity)
        said = None if identity is None or self._must_reset else self.state.said.get(identity)
        if said is None or said.entity != entity:
            return True
        seed = encode_entities((entity,)) + said.timestamp.to_bytes(8, "big")
        spread = int.from_bytes(sha512(seed).digest()[:4], "big") % _REPEAT_SPREAD
        return timestamp - said.timestamp > _REPEAT_AFTER - spread

    def _signed(self, timestamp: int, entities: tuple[Entity, ...]) -> bytes:
        content = Announcement(
            signing_key=self._signing_key,
            route_server=self._server or b"",
            timestamp=timestamp,
            is_reset=self._must_reset,
            entities=entities,
        ).encode()[SIGNATURE_SIZE:]
        return sign(self._own.private.reveal(), content, self._entropy(RANDOM_SIZE)) + content

    # -- what the server says

    def answered(self, content: bytes, state_hash: bytes | None, skew: float | None, now: float) -> None:
        """Take the reply to an announcement: the server's hash of our state, and its clock."""
        self._last_reply = now
        if skew is not None:
            self._skew += (skew - self._skew) / 2
        self.state.accept(content, Announcement.parse(content))
        self._must_reset = state_hash != self.state.hash
        if self._must_reset:
            self._restart()
