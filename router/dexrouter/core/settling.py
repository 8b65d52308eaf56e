"""What events in one layer set off in the others: the half of a node that binds its layers together.

Layers hand on and never reach back. What one of them has to tell lies in its lists (`events`, `messages`,
`routable_changes` ...) until it is carried to those whom it concerns, which may set off more; that goes round
until all are quiet. A round of plain data leaves nothing here (core/datapath.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from typing import Final

from dexrouter import PROTOCOL_VERSION
from dexrouter.core.control import Answered, ControlHandler, ErrorReceived, PingKind, PingPurpose, PingTimeout
from dexrouter.core.iptunnel import IpTunnel
from dexrouter.core.metric import DHT_PEER
from dexrouter.core.outputs import Assigned
from dexrouter.core.pathfinder.bucket import TokenBucket
from dexrouter.core.pathfinder.pathfinder import Pathfinder, PathFound, PathLost, SendMessage
from dexrouter.core.peer import Peer
from dexrouter.core.peering import Peering
from dexrouter.core.routeserver.client import RouteServerClient
from dexrouter.core.routeserver.outputs import AskPeer
from dexrouter.core.session import AuthenticationFailed, Discovered, Probe, SearchWanted, UnknownHandle
from dexrouter.core.sessions import Sessions
from dexrouter.core.switch import ROUTER
from dexrouter.crypto.cryptoauth import CryptoError
from dexrouter.crypto.keys import Address, PublicKey, address_of, is_node_key
from dexrouter.wire.control import (
    MIN_USEFUL_ERROR,
    AuthenticationCause,
    ErrorCode,
    KeyPong,
    SwitchError,
)
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.errors import WireError
from dexrouter.wire.labels import reverse64
from dexrouter.wire.switch_header import SwitchHeader

__all__ = ["PING_TIMEOUT", "Settling"]

PING_TIMEOUT: Final = 2.048
"""Seconds until a ping to a peer, or to a node that does not know its session, is given up."""
_ASK_PEER_TIMEOUT: Final = 3.0
"""Seconds that a peer has to name its route server."""
_MIN_CAUSE: Final = MIN_USEFUL_ERROR - 8
_MAX_ROUNDS: Final = 64
"""Bound on what one entry may set off inside the node; reached only by a fault of ours."""


class Settling(ABC):
    """What a node does between its layers. `Node` is one, and has the rest."""

    peering: Peering
    control: ControlHandler
    sessions: Sessions
    pathfinder: Pathfinder
    route_server: RouteServerClient
    tunnel: IpTunnel
    drops: Counter[str]
    answers: list[Answered | PingTimeout]
    _errors: TokenBucket
    _assigned: Assigned
    _is_stirred: bool
    _deadline: float | None

    # -- what goes out

    @abstractmethod
    def _forward(self, frame: bytes, source: int, now: float) -> None:
        """Pass one frame through the switch."""

    @abstractmethod
    def _send_message(self, key: PublicKey, version: int, path: int, content: bytes, now: float) -> None:
        """Send a router message."""

    @abstractmethod
    def _send_in_session(self, address: Address, packet: bytes, now: float) -> None:
        """Send a packet of the IP tunnel."""

    @abstractmethod
    def _send_control(self, path: int, body: bytes, now: float, *, suppress_errors: bool = False) -> None:
        """Send a control frame."""

    # -- what follows

    def _send_ping(
        self,
        path: int,
        purpose: PingPurpose,
        now: float,
        *,
        timeout: float,
        data: bytes = b"",
        kind: PingKind = PingKind.PING,
        ticket: int = 0,
    ) -> bool:
        """Send a ping. False: too many are on their way."""
        body = self.control.ping(path, purpose, now, timeout=timeout, data=data, kind=kind, ticket=ticket)
        if body is None:
            return False
        self._send_control(path, body, now)
        return True

    def _settle(self, now: float) -> None:
        """Carry events between the layers until all of them are quiet."""
        for _ in range(_MAX_ROUNDS):
            if not self._settle_once(now):
                break
        else:
            self.drops["node.unsettled"] += 1
        self._is_stirred = False
        self._deadline = None

    def _settle_once(self, now: float) -> bool:
        busy = False
        if self.peering.pings_due:
            busy = True
            due, self.peering.pings_due = self.peering.pings_due, []
            for peer in due:
                self._send_ping(peer.label, PingPurpose.LIVENESS, now, timeout=PING_TIMEOUT)
        if self.peering.routable_changes:
            busy = True
            changes = self.peering.routable_changes[:]
            self.peering.routable_changes.clear()
            for peer, is_routable in changes:
                self._routable_changed(peer, is_routable, now)
        if self.control.events:
            busy = True
            events, self.control.events = self.control.events, []
            for event in events:
                self._control_event(event, now)
        if self.tunnel.messages or self.tunnel.assigned is not self._assigned:
            busy = True
            self._settle_tunnel(now)
        if self.sessions.events or self.sessions.frames:
            busy = True
            self._settle_sessions(now)
        return self._settle_routes(now) or busy

    def _settle_routes(self, now: float) -> bool:
        """Do what the pathfinder and the route server's client want."""
        outputs = [*self.pathfinder.drain(), *self.route_server.drain()]
        self.control.route_server = self.route_server.advertised
        for output in outputs:
            match output:
                case AskPeer(path=path, kind=kind):
                    self._send_ping(path, PingPurpose.ROUTE_SERVER, now, timeout=_ASK_PEER_TIMEOUT, kind=kind)
                case SendMessage():
                    self._send_message(output.key, output.version, output.path, output.content, now)
                case PathFound():
                    self.sessions.path_found(output.key, output.version, output.path, output.metric, now)
                case PathLost():
                    self.sessions.path_lost(output.address, output.path, now)
        return bool(outputs)

    def _settle_tunnel(self, now: float) -> None:
        messages, self.tunnel.messages = self.tunnel.messages, []
        for address, message in messages:
            self._send_in_session(address, message, now)
        if self.tunnel.assigned != self._assigned:
            self.peering.outputs.append(self.tunnel.assigned)
        self._assigned = self.tunnel.assigned

    def _settle_sessions(self, now: float) -> None:
        frames, self.sessions.frames = self.sessions.frames, []
        for frame in frames:
            self._forward(frame, ROUTER, now)
        events, self.sessions.events = self.sessions.events, []
        for event in events:
            match event:
                case SearchWanted(address=address):
                    self.pathfinder.search(address, now)
                    self.route_server.search(address, now)
                case Probe(session=session, path=path):
                    self.pathfinder.probe(session.key, session.version or PROTOCOL_VERSION, path, now)
                case Discovered(session=session, path=path):
                    self.pathfinder.discovered_path(session.address, session.key, session.version, path, now)
                case UnknownHandle(path=path):
                    self._send_ping(
                        path, PingPurpose.IDENTIFY, now, timeout=PING_TIMEOUT, kind=PingKind.KEY_PING
                    )
                case AuthenticationFailed():
                    self._send_authentication_error(event, now)

    def _send_authentication_error(self, failed: AuthenticationFailed, now: float) -> None:
        header = SwitchHeader(
            label=reverse64(failed.path),
            congestion=0,
            suppress_errors=False,
            version=1,
            label_shift=0,
            traffic_class=0xFFFF,
        )
        cause = AuthenticationCause(header, failed.body[:16], failed.error, failed.state)
        error = SwitchError(ErrorCode.AUTHENTICATION, cause.encode())
        self._send_control(failed.path, error.encode(), now, suppress_errors=True)

    def _routable_changed(self, peer: Peer, is_routable: bool, now: float) -> None:
        if is_routable:
            self.pathfinder.peer_up(peer.key, peer.version, peer.label, now)
            self.sessions.path_found(peer.key, peer.version, peer.label, DHT_PEER, now)
        else:
            self.pathfinder.peer_gone(peer.label, now)
            self.sessions.first_hop_lost(peer.label, now)

    def _control_event(self, event: Answered | PingTimeout | ErrorReceived, now: float) -> None:
        match event:
            case Answered(purpose=PingPurpose.LIVENESS, asked_path=asked, path=path, version=version):
                peer = self.peering.by_slot.get(V358.director(asked))
                if peer is None or peer.label != path:
                    self.drops["control.pong_elsewhere"] += 1
                    return
                self.peering.pong(peer, version, now)
            case Answered(purpose=PingPurpose.IDENTIFY, answer=KeyPong(key=key), version=version):
                if event.path == event.asked_path:
                    self._greet(PublicKey(key), version, event.path, now)
            case Answered(purpose=PingPurpose.ROUTE_SERVER):
                self.route_server.control(event, now)
            case Answered(purpose=PingPurpose.ADMIN) | PingTimeout(purpose=PingPurpose.ADMIN):
                self.answers.append(event)
            case ErrorReceived(path=path, error=error):
                self._error_received(path, error, now)
            case _:
                pass

    def _greet(self, key: PublicKey, version: int, path: int, now: float) -> None:
        """Begin a session with a node that goes on with one we have lost.

        The key may be a lie of a switch on the way: then nobody can read our hello.
        """
        session = self.sessions.by_address.get(address_of(key)) if is_node_key(key) else None
        if is_node_key(key) and (session is None or not session.crypto.is_established):
            self.pathfinder.probe(key, version, path, now)

    def _error_received(self, path: int, error: SwitchError, now: float) -> None:
        if len(error.cause) < _MIN_CAUSE:
            self.drops["control.short_error"] += 1
            return
        if not self._errors.take(now):
            self.drops["control.too_many_errors"] += 1
            return
        if error.code == ErrorCode.AUTHENTICATION:
            try:
                cause = AuthenticationCause.parse(error.cause)
            except WireError:
                self.drops["control.short_error"] += 1
                return
            if cause.error == CryptoError.NO_SESSION:
                self.sessions.unknown_there(path, cause.start, now)
            return
        failing = int.from_bytes(error.cause[:8], "big")
        self.pathfinder.switch_error(path, failing, error.code, now)
        self.route_server.switch_error(path, now)
        self.sessions.path_failed(path, now)
