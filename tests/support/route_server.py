"""A route server beside a node, for tests only, and a world in which nodes are found by nothing else.

The server checks announcements in the order of the existing servers (spec 05 §10.5), keeps the links that
both ends announce, and answers `gr` with the path of fewest hops. Its router is a client like the others.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from dexrouter import PROTOCOL_VERSION
from dexrouter.core.links import LinkKind
from dexrouter.core.node import Node
from dexrouter.core.routeserver.state import AnnouncedState
from dexrouter.core.switch import ROUTER
from dexrouter.crypto.keys import Address, KeyPair, PublicKey, address_of
from dexrouter.crypto.signing import is_signed_by, node_key_of
from dexrouter.crypto.users import Credentials
from dexrouter.wire.announce import SIGNATURE_SIZE, Announcement, PeerLink
from dexrouter.wire.dht import DhtMessage, NodeEntry
from dexrouter.wire.encoding_scheme import V358, extend_route
from dexrouter.wire.errors import WireError
from dexrouter.wire.session_frame import ContentType
from virtual_wire import World

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dexrouter.core.session import Session

__all__ = ["EPOCH", "RouteServerNode", "RoutedWorld"]

EPOCH = 1_795_000_000_000
"""The server's clock when the virtual one is 0, in milliseconds."""

_MAX_SKEW = 10_000
_PASSWORD = Credentials(b"everybody's password", b"everybody")


@dataclass(slots=True)
class _Known:
    """One node that has announced itself."""

    key: PublicKey
    state: AnnouncedState = field(default_factory=AnnouncedState)
    last: int = 0

    def labels(self) -> dict[bytes, PeerLink]:
        links = (said.entity for said in self.state.said.values())
        return {link.address: link for link in links if isinstance(link, PeerLink) and link.label}


class SubnodeLike(Node):
    """A node that answers no searches: paths come from neighbours and from the route server alone."""

    def _deliver(self, session: Session, content_type: int, content: bytes, path: int, now: float) -> None:
        if content_type == ContentType.CJDHT and DhtMessage.parse(content).query not in (None, b"pn"):
            return
        super()._deliver(session, content_type, content, path, now)


class RouteServerNode(SubnodeLike):
    """The router beside the server, and the server."""

    clock = EPOCH
    is_silent = False
    """Whether the server (not its router) is down."""

    known: dict[Address, _Known]
    errors: list[str]
    """What was said of every announcement of another node."""

    asked: list[bytes]
    """Addresses that were asked for."""

    wrong: dict[bytes, int]
    """Paths to addresses that it tells whether they lead there or not."""

    def _deliver(self, session: Session, content_type: int, content: bytes, path: int, now: float) -> None:
        message = DhtMessage.parse(content) if content_type == ContentType.CJDHT else None
        if message is None or message.snode_query is None:
            super()._deliver(session, content_type, content, path, now)
        elif not self.is_silent:
            reply = self._answer(message, session.address, now).encode()
            frame = self.sessions.send_message(session.key, session.version, path, reply, now)
            assert frame is not None
            self._forward(frame, ROUTER, now)

    def _send_message(self, key: PublicKey, version: int, path: int, content: bytes, now: float) -> None:
        if key != self.own.public:
            super()._send_message(key, version, path, content, now)
        elif not self.is_silent:
            reply = self._answer(DhtMessage.parse(content), self.own.address, now).encode()
            assert self.route_server.message(self.own.public, reply, now)

    def _answer(self, query: DhtMessage, sender: Address, now: float) -> DhtMessage:
        time = int(self.clock + now * 1000)
        known = self.known.get(sender)
        state_hash = known.state.hash if known else bytes(64)
        nodes: tuple[NodeEntry, ...] = ()
        error = None
        if query.snode_query == b"ann":
            assert query.announcement is not None
            error, state_hash = self._announced(query.announcement, time)
            if sender != self.own.address:
                self.errors.append(error)
        elif query.snode_query == b"gr":
            assert query.source is not None
            assert query.target is not None
            self.asked.append(query.target)
            label = self.wrong.get(query.target) or self._route(Address(query.source), Address(query.target))
            if label:
                nodes = (NodeEntry(self._key(Address(query.target)), label, PROTOCOL_VERSION),)
        return DhtMessage(
            txid=query.txid,
            version=PROTOCOL_VERSION,
            receive_time=time,
            state_hash=None if query.snode_query == b"gr" else state_hash,
            nodes=nodes,
            error=None if error is None else error.encode(),
        )

    def _announced(self, content: bytes, time: int) -> tuple[str, bytes]:
        try:
            announcement = Announcement.parse(content)
        except WireError:
            return "failed_parse_or_validate", bytes(64)
        key = node_key_of(announcement.signing_key)
        signed = content[SIGNATURE_SIZE:]
        if key is None or not is_signed_by(announcement.signing_key, signed, announcement.signature):
            return "failed_parse_or_validate", bytes(64)
        known = self.known.get(address_of(key))
        error = self._error(announcement, known, time)
        if error == "none":
            known = self.known.setdefault(address_of(key), _Known(key))
            known.last = announcement.timestamp
            known.state.accept(content, announcement)
        return error, known.state.hash if known else bytes(64)

    def _error(self, announcement: Announcement, known: _Known | None, time: int) -> str:
        said = known.state.said if known else {}
        now_said = {type(entity).__name__ for entity in announcement.entities}
        if known and announcement.timestamp < known.last:
            return "old_message"
        if announcement.route_server != self.own.address:
            return "wrong_snode"
        if abs(announcement.timestamp - time) > _MAX_SKEW:
            return "excessive_clock_skew"
        if ("scheme", 0) not in said and "Scheme" not in now_said:
            return "no_encodingScheme"
        if ("version", 0) not in said and "ProtocolVersion" not in now_said:
            return "no_version"
        return "unknown_node" if known is None and not announcement.is_reset else "none"

    # -- the map

    def _key(self, address: Address) -> PublicKey:
        return self.own.public if address == self.own.address else self.known[address].key

    def _links(self) -> Mapping[Address, Mapping[Address, int]]:
        """Labels from each node to its neighbours."""
        said: dict[Address, dict[Address, int]] = {}
        for address, known in self.known.items():
            for other, link in known.labels().items():
                said.setdefault(Address(other), {})[address] = link.label
        return {
            here: {there: label for there, label in links.items() if here in said.get(there, {})}
            for here, links in said.items()
        }

    def _route(self, source: Address, target: Address) -> int:
        """Path of fewest hops; 0 if there is none."""
        links = self._links()
        paths: dict[Address, int] = {source: 1}
        before: dict[Address, Address] = {}
        queue = deque([source])
        while queue:
            here = queue.popleft()
            for there, label in links.get(here, {}).items():
                if there in paths:
                    continue
                back = links[here].get(before[here]) if here in before else None
                form = V358.form_number(back) if back else 0
                paths[there] = extend_route(paths[here], V358, label, form) if back else label
                before[there] = here
                queue.append(there)
        return paths.get(target, 0)


class RoutedWorld(World):
    """A world whose nodes use route servers. Names in `servers` run one and are its configured users."""

    servers: tuple[str, ...] = ()
    supernodes: Iterable[PublicKey] | None = ()
    """What the other nodes have configured."""

    node_type: type[Node] = SubnodeLike
    """What the other nodes are: those that answer searches find each other without a server, too."""

    def add(self, name: str, key: KeyPair | None = None) -> Node:
        """Start a node, with a server beside it if its name says so."""
        super().add(name, key)
        own, entropy = self.key(name), Random(name).randbytes
        if name in self.servers:
            node: Node = RouteServerNode(own=own, entropy=entropy, now=self.now, supernodes=[own.public])
            assert isinstance(node, RouteServerNode)
            node.known, node.errors, node.asked, node.wrong = {}, [], [], {}
        else:
            node = self.node_type(own=own, entropy=entropy, now=self.now, supernodes=self.supernodes)
        node.peering.add_interface(LinkKind.UDP4, "UDP/IPv4/0.0.0.0:1")
        node.users.add(_PASSWORD)
        self.nodes[name] = node
        return node

    def server(self, name: str) -> RouteServerNode:
        """The node of this name, which runs a server."""
        node = self.nodes[name]
        assert isinstance(node, RouteServerNode)
        return node
