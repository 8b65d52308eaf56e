"""The router as a process: builds a node from a configuration, joins it to sockets and the TUN, and runs it.

    with Daemon(config) as daemon:     binds, makes the TUN, calls the peers; StartError leaves nothing behind
        daemon.run()                   until SIGTERM or SIGINT

Outputs of the node are carried out here in the order in which they come. Log lines: one for each change of a
peer's state, one each for start and stop.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

from dexrouter.admin.edge import Edge
from dexrouter.config import BeaconMode as ConfiguredBeacon
from dexrouter.config import (
    ConnectTo,
    EthInterface,
    RouterConfig,
    TunDevice,
    TunnelSocket,
    UdpInterface,
)
from dexrouter.core.iptunnel import TunnelError
from dexrouter.core.links import LinkKind, format_link_address
from dexrouter.core.node import Node
from dexrouter.core.outputs import Assigned, Beacon, PeerChanged, ToTun, Transmit
from dexrouter.core.peer import BeaconMode, PeerState
from dexrouter.core.peer_table import PeeringError
from dexrouter.crypto.keys import (
    PublicKey,
    address_text,
    key_pair_from_private,
    parse_public_key,
    public_key_text,
)
from dexrouter.crypto.users import DuplicateUserError
from dexrouter.io.admin_socket import AdminSocket, Process
from dexrouter.io.clock import boot_time
from dexrouter.io.configured_peers import ConfiguredPeers
from dexrouter.io.confinement import Confinement
from dexrouter.io.errors import StartError
from dexrouter.io.links import ALL_DEVICES, Links
from dexrouter.io.log import event
from dexrouter.io.loop import EventLoop
from dexrouter.io.mesh_device import MeshDevice
from dexrouter.io.notify import notify
from dexrouter.io.peer_cache import CachedPeer, PeerCache
from dexrouter.io.privileges import CAP_NET_ADMIN, CAP_NET_RAW, Wanted, drop_privileges, user_for
from dexrouter.io.reload import ConfigSource, ReloadError, add_users, apply_changes, open_tunnels
from dexrouter.io.runtime_directory import runtime_directory

__all__ = ["Daemon"]

_log = logging.getLogger(__name__)

_COLLECT_AFTER = 20_000
"""New objects after which cycles are looked for: more than a burst of packets makes and drops."""

_QUIET_STATES = frozenset(
    {
        PeerState.SENT_HELLO.name,
        PeerState.RECEIVED_HELLO.name,
        PeerState.SENT_KEY.name,
        PeerState.RECEIVED_KEY.name,
    }
)
"""Steps of a handshake: of interest to whoever debugs."""


class Daemon:
    """One running router."""

    def __init__(self, config: RouterConfig, *, path: Path | None = None) -> None:
        """`path` is the file the configuration came from; None: standard input."""
        self.config = config
        self._source = ConfigSource(path, runtime_directory())
        self.node = Node(
            own=key_pair_from_private(config.private_key.reveal()),
            entropy=os.urandom,
            now=boot_time(),
            supernodes=tuple(map(parse_public_key, config.supernodes)),
        )
        self._loop = EventLoop()
        self._device = MeshDevice(address=self.node.own.address, loop=self._loop, on_readable=self._read_tun)
        self._links = Links(
            node=self.node,
            loop=self._loop,
            carry_out=self._carry_out,
            host=self._device,
        )
        self._peers = ConfiguredPeers(self.node)
        self._admin: AdminSocket | None = None
        self._cache = PeerCache.in_runtime_directory(public_key_text(self.node.own.public))

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        self._loop.on_signal(signal.SIGTERM, self._loop.stop)
        self._loop.on_signal(signal.SIGINT, self._loop.stop)
        self._loop.on_signal(signal.SIGHUP, self._reload)
        # What is there now stays: the collector need not look at it again in the midst of packets.
        gc.collect()
        gc.freeze()
        gc.enable()
        gc.set_threshold(_COLLECT_AFTER)
        notify("READY=1")
        try:
            self._loop.run(self._next_deadline, self._due, self._slept)
        finally:
            notify("STOPPING=1")
        _log.info(event("stopped"))

    def drop_privileges(self) -> None:
        """Become the user that the configuration asks for: ports are bound and devices made."""
        if self.config.ip_tunnel.outgoing:
            self._device.prepare_tunnel()
        security = self.config.security
        capabilities = {CAP_NET_ADMIN} if security.keep_net_admin else set()
        if self.config.eth_interfaces:
            capabilities.add(CAP_NET_RAW)
        wanted = Wanted(user_for(security.user), frozenset(capabilities), no_children=security.no_forks)
        directory = self._source.runtime_directory
        drop_privileges(wanted, owned=() if directory is None else (directory,))

    def close(self) -> None:
        """Release ports and device."""
        self._links.close()
        if self._admin is not None:
            self._admin.close()
            self._admin = None
        self._device.close()
        self._loop.close()

    # -- start

    def _start(self) -> None:
        for warning in self.config.warnings:
            _log.warning(event("config", warning=warning))
        try:
            add_users(self.node.users, self.config.authorized_passwords)
        except DuplicateUserError as error:
            advice = "Remove one of the two entries."
            raise StartError(f"authorizedPasswords: {error}", advice=advice) from error
        self._open_admin()
        match self.config.tunnel:
            case TunDevice(name=name):
                self._device.start(name)
            case TunnelSocket(path=path):
                self._start_socket(path)
        self._links.watch()
        wanted = [peer for one in self.config.udp_interfaces for peer in self._open_udp(one)]
        wanted += [peer for one in self.config.eth_interfaces for peer in self._open_ethernet(one)]
        try:
            self._peers.set(wanted, boot_time())
        except PeeringError as error:
            raise StartError(str(error)) from error
        tunnel = self.config.ip_tunnel
        try:
            open_tunnels(self.node, tunnel.allowed, tunnel.outgoing, boot_time())
        except TunnelError as error:
            raise StartError(f"router.ipTunnel: {error}") from error
        self._links.call_from_new_addresses(boot_time())
        self._greet_cached()
        _log.info(
            event(
                "started",
                address=address_text(self.node.own.address),
                key=public_key_text(self.node.own.public),
                device=self._device.name or "none",
                listening=",".join(self._links.names()) or "none",
            )
        )
        self._flush()

    def _start_socket(self, path: str) -> None:
        try:
            self._device.start_socket(path)
        except StartError as error:
            # As the C router: the program behind it may come later, and ask for it (Core_initSocket).
            _log.warning(event("tunnel", error=error.args[0], effect="the mesh does not come out here"))

    def _open_admin(self) -> None:
        admin = self.config.admin
        process = Process(self._loop.stop)
        self._admin = AdminSocket(
            admin.bind.host,
            admin.bind.port,
            password=admin.password or os.urandom(16).hex(),
            node=self.node,
            edge=Edge(
                udp=self._links,
                beacons=self._links,
                ethernet=self._links,
                tunnel=self._device,
                process=process,
                memory=process,
                routes=self._device,
                security=Confinement(uses_ethernet=bool(self.config.eth_interfaces)),
                timing=self._links,
            ),
        )
        self._loop.add_reader(self._admin.fileno(), self._read_admin)

    def _open_udp(self, interface: UdpInterface) -> Iterator[tuple[int, ConnectTo]]:
        bind = interface.bind
        number = self._links.open_udp(bind.host, bind.port, dscp=interface.dscp)
        if interface.beacon is not ConfiguredBeacon.OFF and interface.beacon_port is not None:
            self._links.open_beacons(number, interface.beacon_port, interface.beacon_devices)
            self.node.peering.set_beacon_mode(number, BeaconMode(interface.beacon), boot_time())
        return ((number, peer) for peer in interface.connect_to)

    def _open_ethernet(self, interface: EthInterface) -> Iterator[tuple[int, ConnectTo]]:
        if interface.bind == ALL_DEVICES:
            self._links.open_every_ethernet(BeaconMode(interface.beacon))
            return iter(())
        number = self._links.open_ethernet(interface.bind, BeaconMode(interface.beacon))
        return ((number, peer) for peer in interface.connect_to)

    def _greet_cached(self) -> None:
        numbers = self._links.names()
        users = {user.login.decode(errors="surrogateescape") for user in self.node.users.users()}
        for peer in self._cache.load():
            if peer.interface in numbers and peer.user in users:
                self.node.peering.greet(
                    numbers[peer.interface],
                    peer.link_address,
                    PublicKey(bytes.fromhex(peer.key)),
                    boot_time(),
                )

    def _remember_peers(self) -> None:
        self._cache.save(
            [
                CachedPeer(
                    interface=peer.interface.name,
                    address=tuple(peer.link_address),
                    key=peer.key.hex(),
                    user=(peer.session.user or b"").decode(errors="surrogateescape"),
                )
                for peer in self.node.peering.peers()
                if peer.is_incoming and peer.state is PeerState.ESTABLISHED
            ]
        )

    def _reload(self) -> None:
        now = boot_time()
        notify("RELOADING=1")
        try:
            new = self._source.read()
            apply_changes(
                self.config, new, node=self.node, peers=self._peers, wanted=self._called_by(new), now=now
            )
        except ReloadError as error:
            _log.error(event("reload", refused=error, effect="nothing has changed"))
        else:
            self.config = new
            self._flush()
        notify("READY=1")

    def _called_by(self, config: RouterConfig) -> list[tuple[int, ConnectTo]]:
        """Give whom a configuration calls, through the interfaces that there are."""
        names = self._links.names()
        found: list[tuple[int, ConnectTo]] = []
        for udp in config.udp_interfaces:
            number = self._links.number_of_udp(udp.bind.host, udp.bind.port)
            found += [(number, peer) for peer in udp.connect_to] if number is not None else []
        for device in config.eth_interfaces:
            number = names.get(f"{LinkKind.ETHERNET}/{device.bind}")
            found += [(number, peer) for peer in device.connect_to] if number is not None else []
        return found

    # -- run

    def _read_tun(self) -> bool:
        packets = self._device.read()
        if len(packets.spans.sizes) != 1:
            is_plain = self.node.send_packets(packets, boot_time())
            self._carry_out()
            return self._device.is_open() and is_plain
        sent = self.node.send_lone(packets, boot_time())
        if not isinstance(sent, bool):
            peer, datagram = sent
            self._links.by_number[peer.interface.number].send(peer.link_address, (datagram,))
            return True
        self._carry_out()
        return sent

    def _read_admin(self) -> None:
        if self._admin is not None:
            self._admin.receive()
            self._carry_out()

    def _next_deadline(self) -> float:
        deadline = self.node.next_deadline()
        admin = None if self._admin is None else self._admin.next_deadline()
        for other in (admin, self._links.next_deadline()):
            if other is not None and other < deadline:
                deadline = other
        return deadline

    def _due(self, now: float) -> None:
        if now >= self.node.next_deadline():
            self.node.poll(now)
        if self._admin is not None:
            self._admin.poll(now)
        if self._links.poll(now):
            self._peers.follow(now)
            self.node.flush(now)
        self._carry_out()

    def _slept(self, now: float) -> None:
        _log.info(event("resumed"))
        self.node.peering.resume(now)
        self.node.flush(now)

    def _flush(self) -> None:
        self.node.flush(boot_time())
        self._carry_out()

    def _carry_out(self) -> None:
        is_peer_changed = False
        for output in self.node.drain():
            match output:
                case Transmit(interface=interface, address=address, parts=parts):
                    self._links.transmit(interface, address, parts)
                case ToTun(packets=packets):
                    self._device.write(packets)
                case Beacon(interface=interface, content=content):
                    self._links.beacon(interface, content)
                case Assigned():
                    self._route_around_peers()
                    self._device.assign(output)
                case PeerChanged():
                    is_peer_changed = True
                    _log_peer(output)
                    if PeerState.ESTABLISHED.name in (output.before, output.state):
                        self._remember_peers()
        if is_peer_changed:
            self._route_around_peers()

    def _route_around_peers(self) -> None:
        """Leave the ways to our peers out of the tunnel: those that we call, and those that are there."""
        self._device.route_around(
            ip_address(peer.link_address[0])
            for peer in self.node.peering.peers()
            if not isinstance(peer.link_address, bytes)
            and (not peer.is_incoming or peer.state is PeerState.ESTABLISHED)
        )


def _log_peer(change: PeerChanged) -> None:
    level = logging.DEBUG if change.state in _QUIET_STATES else logging.INFO
    values: dict[str, object] = {"state": change.state, "was": change.before}
    if change.detail:
        values["detail"] = change.detail
    _log.log(
        level,
        event(
            "peer",
            address=format_link_address(change.address),
            **values,
            name=change.name,
            key=public_key_text(change.key),
        ),
    )
