"""A whole node: peers, switch, sessions, pathfinder and the host's packets, composed (architecture: core/).

The only room that knows all the others. Everything that happens is an argument, everything that follows is in
`drain()`, in the order in which it must happen; the clock and the entropy are given. So the same node runs
behind sockets, in the simulator and in tests.

    receive(interface, source, datagrams, now)      from the links
    from_tun(packets, now)                          from the host
    poll(now), next_deadline()                      time
    drain() -> [Transmit | ToTun | Beacon | PeerChanged | Assigned]

A packet's way in: peering opens it, the switch looks at its label; for another peer it is wrapped again, for
ourselves it goes to the control handler or to its session, and by content type to the host, the pathfinder
or the IP tunnel.
Layers hand on and never reach back: an answer is a new packet (core/settling.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from dexrouter.core.control import Answered, ControlHandler, PingKind, PingPurpose, PingTimeout
from dexrouter.core.datapath import DataPath
from dexrouter.core.detours import Detours
from dexrouter.core.handlers import Handlers
from dexrouter.core.inquiries import Inquiries, Inquiry
from dexrouter.core.iptunnel import IpTunnel
from dexrouter.core.links import LinkAddress
from dexrouter.core.lone import Onward
from dexrouter.core.outputs import Buffer, Output
from dexrouter.core.packets import Packets, copied
from dexrouter.core.pathfinder.bucket import TokenBucket
from dexrouter.core.pathfinder.pathfinder import Pathfinder
from dexrouter.core.peering import Peering
from dexrouter.core.routeserver.client import RouteServerClient
from dexrouter.core.sessions import Session, Sessions
from dexrouter.core.settling import Settling
from dexrouter.core.switch import ROUTER, Switch
from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.keys import Address, KeyPair, PublicKey, address_of, is_node_key
from dexrouter.crypto.users import AuthorizedUsers
from dexrouter.wire.control import CONTROL_WORD
from dexrouter.wire.encoding_scheme import V358, label_for
from dexrouter.wire.ipv6 import HEADER_SIZE, rebuild
from dexrouter.wire.labels import SELF_LABEL, reverse64
from dexrouter.wire.route_header import HANDLERS, Routed, RouteFlag
from dexrouter.wire.session_frame import MAX_NEXT_HEADER, ContentType
from dexrouter.wire.switch_header import origin_header

__all__ = ["Node"]

_MIN_ROUTER_FRAME: Final = 16
_CONTROL_PREFIX: Final = CONTROL_WORD.to_bytes(4, "big")
_ERROR_BURST: Final = 100
_ERROR_RATE: Final = 50.0
"""Error frames acted upon, a second: each costs a look at every session."""


class Node(DataPath, Settling):
    """One mesh node. Times are monotonic seconds; entropy is a callable that gives n random bytes."""

    def __init__(
        self,
        *,
        own: KeyPair,
        entropy: Entropy,
        now: float,
        supernodes: Iterable[PublicKey] | None = None,
    ) -> None:
        """`supernodes`: the route servers to prefer; empty: any that peers know; None: use none."""
        self.own = own
        self.users = AuthorizedUsers()
        self.switch = Switch()
        self.peering = Peering(own=own, users=self.users, switch=self.switch, entropy=entropy, now=now)
        self.control = ControlHandler(own_key=own.public, entropy=entropy)
        self.sessions = Sessions(own=own, entropy=entropy, now=now)
        self.pathfinder = Pathfinder(own=own.public, own_scheme=V358, entropy=entropy, now=now)
        self.detours = Detours(self.pathfinder, now)
        self.route_server = RouteServerClient(own=own, entropy=entropy, supernodes=supernodes, now=now)
        self.control.route_server = self.route_server.advertised
        self._errors = TokenBucket(_ERROR_BURST, _ERROR_RATE, now)
        self.inquiries = Inquiries(entropy=entropy)
        """Router queries for people; their answers are in it, the asker empties them."""
        self.handlers = Handlers(own.address)
        """Programs that see packets of one kind."""
        self.tunnel = IpTunnel()
        self._assigned = self.tunnel.assigned
        self._is_stirred = True
        """Whether anything but plain data has passed since the layers were settled."""
        self._deadline: float | None = None
        self.drops: Counter[str] = Counter()
        self.answers: list[Answered | PingTimeout] = []
        """Answers to pings that somebody outside asked for (PingPurpose.ADMIN); the asker empties it."""

    # -- what happens

    def receive(self, interface: int, source: LinkAddress, datagrams: Sequence[Buffer], now: float) -> None:
        """Take datagrams (or Ethernet payloads) from one link address: they are copied."""
        self.receive_packets(interface, source, copied(datagrams), now)

    def receive_packets(self, interface: int, source: LinkAddress, packets: Packets, now: float) -> bool:
        """Take datagrams from one link address; they are changed where they lie, and outputs are slices.

        True: it was all plain data, and no deadline has changed.
        """
        if len(packets.spans.sizes) == 1:
            return self._carried(self.receive_lone(interface, source, packets, now))
        self._receive_runs(interface, source, packets, now)
        return self._is_settled(now)

    def receive_beacon(self, interface: int, source: LinkAddress, content: bytes, now: float) -> None:
        """Take the 56-byte content of a beacon."""
        self.peering.receive_beacon(interface, source, content, now)
        self._settle(now)

    def from_tun(self, packets: Sequence[Buffer], now: float) -> None:
        """Take IP packets that the host sends into the mesh: they are copied."""
        self.send_packets(copied(packets), now)

    def send_packets(self, packets: Packets, now: float) -> bool:
        """Take IP packets of the host that have head-room; they are changed where they lie.

        True: it was all plain data, and no deadline has changed.
        """
        if len(packets.spans.sizes) == 1:
            return self._carried(self.send_lone(packets, now))
        self._send_runs(packets, now)
        return self._is_settled(now)

    def poll(self, now: float) -> None:
        """Do what is due. Early calls are harmless."""
        self.peering.poll(now)
        self.control.poll(now)
        self.sessions.poll(now)
        self.pathfinder.poll(now)
        self.route_server.poll(self.peering.by_slot.values(), now)
        self.inquiries.poll(now)
        self.tunnel.poll(now)
        self._settle(now)

    def next_deadline(self) -> float:
        """When `poll` wants to be called next (it may be called any time)."""
        deadline = self.peering.next_deadline()
        if self._deadline is None:
            self._deadline = self._earliest_deadline()
        return min(deadline, self._deadline)

    def _earliest_deadline(self) -> float:
        """Ask all layers but peering; plain data gives none of them an earlier one."""
        deadline = float("inf")
        for other in (
            self.control.next_deadline(),
            self.sessions.next_deadline(),
            self.pathfinder.next_deadline(),
            self.route_server.next_deadline(),
            self.inquiries.next_deadline(),
            self.tunnel.next_deadline(),
        ):
            if other is not None and other < deadline:
                deadline = other
        return deadline

    def drain(self) -> list[Output]:
        """Take everything that must be done now, in order."""
        outputs = self.peering.outputs[:]
        self.peering.outputs.clear()
        return outputs

    def flush(self, now: float) -> None:
        """Carry on what a change from outside (a peer added, beacons switched on) has set off."""
        self._settle(now)

    # -- pings for people

    def switch_ping(
        self,
        path: int,
        now: float,
        *,
        timeout: float,
        data: bytes = b"",
        kind: PingKind = PingKind.PING,
        ticket: int = 0,
    ) -> bool:
        """Ping the node at `path` by a control frame. False: too many are on their way.

        The answer appears in `answers` with the ticket.
        """
        sent = self._send_ping(
            path, PingPurpose.ADMIN, now, timeout=timeout, data=data, kind=kind, ticket=ticket
        )
        self._settle(now)
        return sent

    def inquire(self, inquiry: Inquiry, now: float, *, timeout: float) -> bool:
        """Send a router query; the answer appears in `inquiries.answers`. False: too many are under way."""
        content = self.inquiries.ask(inquiry, now, timeout=timeout)
        if content is None:
            return False
        self._send_message(inquiry.key, inquiry.version, inquiry.path, content, now)
        self._settle(now)
        return True

    # -- inside

    def _carried(self, taken: Buffer | Onward | bool) -> bool:
        """Put what a lone packet has become to the other outputs."""
        if isinstance(taken, bool):
            return taken
        if isinstance(taken, tuple):
            self.peering.transmit(*taken)
        else:
            self._packets_for_host().append(taken)
        return True

    def _is_settled(self, now: float) -> bool:
        if (
            self._is_stirred
            or self.peering.pings_due
            or self.peering.routable_changes
            or self.sessions.events
            or self.sessions.frames
        ):
            self._settle(now)
            return False
        return True

    def _forward(self, frame: bytes, source: int, now: float) -> None:
        self._is_stirred = True
        if self.switch.has_silent and source != ROUTER:
            frame = self._around(frame, source, now)
        out = self.switch.forward(frame, source)
        if out is None:
            return
        slot, moved = out
        if slot == ROUTER:
            self._to_router(moved, now)
        else:
            self.peering.send(self.peering.by_slot[slot], moved, now)

    def _around(self, frame: bytes, source: int, now: float) -> bytes:
        """Give a frame for a silent peer a label that leads around it, if there is one; tell its origin."""
        silent = self.switch.silent_next(frame)
        if silent is None:
            return frame
        around = self.detours.around(frame, source, self.peering.by_slot[silent].address, now)
        if around is None or self.switch.silent_next(around) is not None:
            return frame
        if self.detours.may_tell(now) and (refusal := self.switch.forward(frame, source)):
            slot, error = refusal
            self.peering.send(self.peering.by_slot[slot], error, now)
        return around

    def _to_router(self, frame: bytes, now: float) -> None:
        self._is_stirred = True
        if len(frame) < _MIN_ROUTER_FRAME:
            self.drops["router.short"] += 1
            return
        path = reverse64(int.from_bytes(frame[:8], "big"))
        if frame[12:16] == _CONTROL_PREFIX:
            self._receive_control(path, frame[16:], now)
            return
        delivered = self.sessions.receive(path, frame[12:], now)
        if delivered is not None:
            self._deliver(*delivered, path, now)

    def _deliver(self, session: Session, content_type: int, content: bytes, path: int, now: float) -> None:
        self._is_stirred = True
        if content_type in self.handlers.types:
            self._show(
                Routed(
                    content_type,
                    content,
                    RouteFlag.INCOMING,
                    session.key,
                    path,
                    session.version,
                    session.address,
                )
            )
        if content_type <= MAX_NEXT_HEADER:
            self._to_tun(rebuild(session.address, self.own.address, content_type, content))
        elif content_type == ContentType.CJDHT:
            if not (
                self.inquiries.receive(session.key, path, content, now)
                or self.route_server.message(session.key, content, now)
            ):
                self.pathfinder.message(session.key, path, content, now)
        elif content_type == ContentType.IPTUN:
            packet = self.tunnel.receive(session.key, content, now)
            if packet is not None:
                self._to_tun(packet)
        else:
            self.drops["router.content_type"] += 1

    def _into_tunnel(self, packet: bytes, now: float) -> None:
        self._is_stirred = True
        address = self.tunnel.packet_for(packet)
        if address is not None:
            self._send_in_session(address, packet, now)
            return
        is_ipv6 = len(packet) >= HEADER_SIZE and packet[0] >> 4 == 6
        self.drops["tun.not_mesh" if is_ipv6 else "tun.not_ipv6"] += 1

    def _send_in_session(self, address: Address, packet: bytes, now: float) -> None:
        if ContentType.IPTUN in self.handlers.types:
            self._show(Routed(ContentType.IPTUN, packet, address=address))
        frame = self.sessions.send(address, ContentType.IPTUN, packet, now)
        if frame is not None:
            self._forward(frame, ROUTER, now)

    def _send_message(self, key: PublicKey, version: int, path: int, content: bytes, now: float) -> None:
        """Send a router message."""
        if ContentType.CJDHT in self.handlers.types:
            flags, address = RouteFlag.PATHFINDER, address_of(key)
            self._show(Routed(ContentType.CJDHT, content, flags, key, path, version, address))
        if key == self.own.public:
            return  # The route server beside us is one of those who have seen it.
        frame = self.sessions.send_message(key, version, path, content, now)
        if frame is not None:
            self._forward(frame, ROUTER, now)

    def _show(self, routed: Routed) -> None:
        for packet in self.handlers.copies(routed):
            self._to_tun(packet)

    def _send_watched(self, destination: Address, next_header: int, packet: bytes, now: float) -> None:
        routed = Routed(next_header, packet[HEADER_SIZE:], address=destination)
        if destination != HANDLERS:
            self._show(routed)
            self._send_for_program(routed, now)
            return
        made = self.handlers.sent(packet)
        if made is not None:
            self._send_for_program(made, now)

    def _send_for_program(self, routed: Routed, now: float) -> None:
        """Send what a program has made, or what has been shown to it."""
        if routed.flags & RouteFlag.CONTROL:
            self._forward(self._control_frame(routed.label, routed.content), ROUTER, now)
        elif routed.address == self.own.address:
            is_message = routed.content_type == ContentType.CJDHT
            if is_message and self.route_server.message(self.own.public, routed.content, now):
                self._is_stirred = True
            else:
                self.drops["handlers.to_self"] += 1
        elif routed.content_type == ContentType.CJDHT and routed.label and is_node_key(PublicKey(routed.key)):
            frame = self.sessions.send_message(
                PublicKey(routed.key), routed.version, routed.label, routed.content, now
            )
            if frame is not None:
                self._forward(frame, ROUTER, now)
        else:
            frame = self.sessions.send(Address(routed.address), routed.content_type, routed.content, now)
            if frame is not None:
                self._forward(frame, ROUTER, now)

    def _to_tun(self, packet: bytes) -> None:
        self._packets_for_host().append(packet)

    def _receive_control(self, path: int, body: bytes, now: float) -> None:
        if ContentType.CTRL in self.handlers.types:
            flags = RouteFlag.INCOMING | RouteFlag.CONTROL
            self._show(Routed(ContentType.CTRL, body, flags, label=path))
        label = self.control.route_server[2] if self.control.route_server else None
        if label is not None and label != SELF_LABEL:
            label = label_for(label, path)
        reply = self.control.receive(path, body, now, label_for_asker=label)
        if reply is not None:
            self._send_control(path, reply, now)

    def _send_control(self, path: int, body: bytes, now: float, *, suppress_errors: bool = False) -> None:
        if ContentType.CTRL in self.handlers.types:
            self._show(Routed(ContentType.CTRL, body, RouteFlag.CONTROL, label=path))
        frame = self._control_frame(path, body, suppress_errors=suppress_errors)
        self._forward(frame, ROUTER, now)

    @staticmethod
    def _control_frame(path: int, body: bytes, *, suppress_errors: bool = False) -> bytes:
        return origin_header(path, suppress_errors=suppress_errors) + _CONTROL_PREFIX + body
