"""The links of a running node: UDP sockets, beacon sockets, Ethernet devices (spec 02 §1 to §4).

Interfaces have the numbers that the core gives, for as long as the process lives. Links come and go as the
machine's network does: an Ethernet device that is missing is waited for, one that came again is opened again;
with `all`, devices that appear become interfaces. When addresses of the machine have changed, neighbours are
looked for at once, and a peer that would now hear us from another address is called anew: routers of other
make drop data from addresses that they do not know (spec 02 §1).

It is the edge of the admin API for UDP, beacons, Ethernet and the timing of packets as well (admin/edge.py).
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from dexrouter.admin.edge import EdgeError
from dexrouter.core.links import LinkAddress, LinkKind
from dexrouter.core.node import Node
from dexrouter.core.outputs import Buffer, Train
from dexrouter.core.peer import BeaconMode
from dexrouter.io import netlink
from dexrouter.io.beacons import BeaconSocket
from dexrouter.io.clock import boot_time
from dexrouter.io.errors import StartError
from dexrouter.io.ethernet import EthernetDevice
from dexrouter.io.log import event
from dexrouter.io.loop import EventLoop
from dexrouter.io.udp import UdpSocket
from dexrouter.io.watch import NetworkWatch

__all__ = ["ALL_DEVICES", "Links"]

_log = logging.getLogger(__name__)

ALL_DEVICES: Final = "all"


class Host(Protocol):
    """The node's own device."""

    write: Callable[[list[Buffer]], None]

    @property
    def name(self) -> str:
        """Name of the device; empty: there is none."""
        ...


class Links:
    """All links of a node. `carry_out` does what the node wants done after it was given packets."""

    def __init__(self, *, node: Node, loop: EventLoop, carry_out: Callable[[], None], host: Host) -> None:
        self._node = node
        self._loop = loop
        self._carry_out = carry_out
        self._host = host
        self.by_number: dict[int, UdpSocket | EthernetDevice] = {}
        """The links by the numbers of their interfaces; read only."""
        self._beacons: dict[int, BeaconSocket] = {}
        self._every_device: BeaconMode | None = None
        """Beacon mode of devices yet to come; None: devices are named one by one."""
        self._sources: dict[tuple[int, LinkAddress], str] = {}
        """Address of ours that a peer which we call hears us from."""
        self._addresses: frozenset[tuple[int, str]] = frozenset()
        self._watch: NetworkWatch | None = None
        self.is_timing = False
        """Whether the arrival of each batch is told in the log."""
        self._last_arrival = 0.0

    # -- set-up

    def watch(self) -> None:
        """From now on follow the machine's network."""
        try:
            self._watch = NetworkWatch()
            self._addresses = netlink.own_addresses()
        except OSError as error:
            _log.warning(event("watch", error=error, effect="changes of the network are found by silence"))
            return
        watch = self._watch
        self._loop.add_reader(watch.fileno(), lambda: watch.receive(boot_time()))

    def open_udp(self, host: str, port: int, *, dscp: int = 0) -> int:
        """Bind a UDP socket; gives the interface's number. Raises StartError."""
        opened = UdpSocket(host, port, dscp=dscp)
        number = self._node.peering.add_interface(opened.kind, opened.name)
        self.by_number[number] = opened
        self._loop.add_reader(opened.fileno(), partial(self._read_udp, number, opened))
        return number

    def open_beacons(self, number: int, port: int, devices: tuple[str, ...]) -> None:
        """Bind the beacon socket of a UDP interface; the mode is the core's. Raises StartError."""
        data = self._udp(number)
        opened = BeaconSocket(
            host=data.host,
            port=port,
            data_port=data.port,
            devices=devices,
            own_device=lambda: self._host.name,
        )
        self._beacons[number] = opened
        self._loop.add_reader(opened.fileno(), lambda: self._read_beacons(number, opened))

    def open_ethernet(self, device: str, mode: BeaconMode) -> int:
        """Use a device; a missing one is waited for. Gives the interface's number."""
        link = EthernetDevice(device)
        number = self._node.peering.add_interface(link.kind, link.name)
        self.by_number[number] = link
        self._node.peering.set_beacon_mode(number, mode, boot_time())
        self._open_device(number, link, is_first=True)
        return number

    def open_every_ethernet(self, mode: BeaconMode) -> None:
        """Use every Ethernet device that there is or will be."""
        self._every_device = mode
        self._open_new_devices()

    # -- run

    def names(self) -> dict[str, int]:
        """Give the interfaces by name."""
        return {link.name: number for number, link in self.by_number.items()}

    def number_of_udp(self, host: str, port: int) -> int | None:
        """Find the UDP interface that was bound so."""
        for number, link in self.by_number.items():
            if isinstance(link, UdpSocket) and link.host == host and port in (0, link.port):
                return number
        return None

    def transmit(self, interface: int, address: LinkAddress, parts: list[Buffer | Train]) -> None:
        """Send datagrams to one peer."""
        self.by_number[interface].send(address, parts)

    def beacon(self, interface: int, content: bytes) -> None:
        """Broadcast a beacon on an interface, if it has where to."""
        link = self.by_number[interface]
        if isinstance(link, EthernetDevice):
            link.send_beacon(content)
        elif interface in self._beacons:
            self._beacons[interface].send(content)

    def next_deadline(self) -> float | None:
        """When `poll` wants to be called."""
        return None if self._watch is None else self._watch.next_deadline()

    def poll(self, now: float) -> bool:
        """Follow the network if it has changed, and tell whether it has."""
        if self._watch is None or not self._watch.is_due(now):
            return False
        try:
            self.look(now)
        except OSError as error:
            # The kernel may lack memory for the answer just now, or the machine be changing still.
            _log.warning(event("watch", error=error, effect="looked at again"))
            self._watch.ring(now)
        return True

    def look(self, now: float) -> None:
        """Compare the links with the machine as it is now. Raises OSError if the kernel does not tell."""
        for number, link in tuple(self.by_number.items()):
            if isinstance(link, EthernetDevice):
                self._follow_device(number, link)
        self._open_new_devices()
        addresses = netlink.own_addresses()
        is_moved = addresses != self._addresses
        self._addresses = addresses
        renewed = self.call_from_new_addresses(now)
        if not is_moved:
            return
        _log.info(event("network", addresses=len(addresses), renewed=renewed))
        self._node.peering.resume(now)
        for interface in self._node.peering.interfaces:
            if interface.beacon_mode is BeaconMode.SENDING:
                self._node.peering.set_beacon_mode(interface.number, BeaconMode.SENDING, now)

    def call_from_new_addresses(self, now: float) -> int:
        """Begin anew with peers that would hear us from another address than before; gives their number."""
        renewed = 0
        sources: dict[tuple[int, LinkAddress], str] = {}
        for peer in self._node.peering.peers():
            if peer.is_incoming or isinstance(peer.link_address, bytes):
                continue
            link = peer.interface.number, peer.link_address
            source = source_address(peer.link_address) or self._sources.get(link)
            if source is None:
                continue
            sources[link] = source
            if self._sources.get(link, source) != source:
                self._node.peering.renew(peer, now)
                renewed += 1
        self._sources = sources
        return renewed

    def close(self) -> None:
        """Release ports and devices."""
        for link in (*self.by_number.values(), *self._beacons.values()):
            link.close()
        self.by_number.clear()
        self._beacons.clear()
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    # -- for the admin API

    def udp_new(self, host: str, port: int, *, dscp: int, beacon_port: int) -> tuple[int, str]:
        """Bind a socket: its interface number and its real address. Raises EdgeError."""
        try:
            number = self.open_udp(host, port, dscp=dscp)
            if beacon_port:
                self.open_beacons(number, beacon_port, ())
        except StartError as error:
            raise EdgeError(error.args[0].splitlines()[0]) from error
        return number, self.by_number[number].name.split("/", 2)[2]

    def udp_descriptor(self, interface: int) -> int:
        """File descriptor of a UDP interface."""
        return self._udp(interface).fileno()

    def broadcast_devices(self) -> list[str]:
        """Names of the devices that have a broadcast address."""
        return netlink.broadcast_devices(own_device=self._host.name)

    def beacon_devices(self, interface: int) -> list[str]:
        """Devices or addresses as they were set. Raises EdgeError."""
        return list(self._beacon_socket(interface).devices)

    def set_beacon_devices(self, interface: int, devices: list[str]) -> None:
        """Set where beacons go to. Raises EdgeError."""
        self._beacon_socket(interface).devices = tuple(devices)

    def beacon_addresses(self, interface: int) -> list[str]:
        """Addresses that beacons go to now. Raises EdgeError."""
        beacons = self._beacon_socket(interface)
        return [f"{address}:{beacons.port}" for address in beacons.addresses()]

    def set_beacon_mode(self, interface: int, mode: BeaconMode) -> None:
        """Check that this mode can be. Raises EdgeError."""
        if mode is not BeaconMode.DISABLED:
            self._beacon_socket(interface)

    def ethernet_new(self, device: str) -> int:
        """Open a device: its interface number. Raises EdgeError."""
        trial = EthernetDevice(device)
        try:
            netlink.bring_up(device)
            trial.open()
        except OSError as error:
            raise EdgeError(f"{device}: {error.strerror}") from error
        finally:
            trial.close()
        if trial.name in self.names():
            raise EdgeError(f"{device} is in use already")
        return self.open_ethernet(device, BeaconMode.DISABLED)

    def ethernet_devices(self) -> list[str]:
        """Names of the devices that could be opened."""
        return netlink.ethernet_devices()

    # -- inside

    def _udp(self, number: int) -> UdpSocket:
        link = self.by_number.get(number)
        if not isinstance(link, UdpSocket):
            raise EdgeError("no such interface")
        return link

    def _beacon_socket(self, number: int) -> BeaconSocket:
        beacons = self._beacons.get(number)
        if beacons is None:
            raise EdgeError("the interface has no beacon port")
        return beacons

    def _open_new_devices(self) -> None:
        if self._every_device is None:
            return
        known = self.names()
        for device in netlink.ethernet_devices():
            if f"{LinkKind.ETHERNET}/{device}" not in known:
                self.open_ethernet(device, self._every_device)

    def _follow_device(self, number: int, link: EthernetDevice) -> None:
        try:
            index = socket.if_nametoindex(link.device)
        except OSError:
            index = 0
        if index == link.index:
            return
        if link.index:
            self._loop.remove_reader(link.fileno())
            link.close()
            _log.warning(event("ethernet", device=link.device, state="gone"))
        if index:
            self._open_device(number, link, is_first=False)

    def _open_device(self, number: int, link: EthernetDevice, *, is_first: bool) -> None:
        try:
            netlink.bring_up(link.device)
            link.open()
        except OSError as error:
            level = logging.WARNING if is_first else logging.DEBUG
            _log.log(level, event("ethernet", device=link.device, state="waiting", error=error.strerror))
            return
        self._loop.add_reader(link.fileno(), partial(self._read_ethernet, number, link))
        _log.info(event("ethernet", device=link.device, state="open"))
        now = boot_time()
        # A beacon at once, and a call to the peers that wait for the device.
        interface = self._node.peering.interfaces[number]
        self._node.peering.set_beacon_mode(number, interface.beacon_mode, now)
        if not is_first:
            self._node.peering.resume(now)

    def _read_udp(self, number: int, link: UdpSocket) -> bool:
        now = boot_time()
        is_plain = True
        batches = link.receive()
        if len(batches) == 1 and len(batches[0][1].spans.sizes) == 1 and not self.is_timing:
            source, packets = batches[0]
            taken = self._node.receive_lone(number, source, packets, now)
            if isinstance(taken, tuple):
                peer, datagram = taken
                self.by_number[peer.interface.number].send(peer.link_address, (datagram,))
                return True
            if not isinstance(taken, bool):
                self._host.write([taken])
                return True
            self._carry_out()
            return taken
        for source, datagrams in batches:
            if self.is_timing:
                self._tell_arrival(link.name, len(datagrams.spans), now)
                is_plain = False
            if not self._node.receive_packets(number, source, datagrams, now):
                is_plain = False
        self._carry_out()
        return is_plain

    def _read_beacons(self, number: int, beacons: BeaconSocket) -> None:
        now = boot_time()
        for source, content in beacons.receive():
            self._node.receive_beacon(number, source, content, now)
        self._carry_out()

    def _read_ethernet(self, number: int, link: EthernetDevice) -> bool:
        now = boot_time()
        batches, beacons = link.receive()
        is_plain = bool(batches) and not beacons
        for source, content in beacons:
            self._node.receive_beacon(number, source, content, now)
        for source, packets in batches:
            if self.is_timing:
                self._tell_arrival(link.name, len(packets.spans), now)
                is_plain = False
            if not self._node.receive_packets(number, source, packets, now):
                is_plain = False
        self._carry_out()
        return is_plain

    def _tell_arrival(self, link: str, packets: int, now: float) -> None:
        after_us = int((now - self._last_arrival) * 1e6)
        self._last_arrival = now
        _log.debug(event("received", link=link, packets=packets, after_us=after_us))


def source_address(peer: LinkAddress) -> str | None:
    """Tell which address of this machine a datagram to the peer would have now; None: there is no way."""
    if isinstance(peer, bytes):
        return None
    family = socket.AF_INET6 if len(peer) == 4 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as trial:
        try:
            # Sends nothing: for datagrams the kernel only chooses route and address.
            trial.connect(peer)
        except OSError:
            return None
        return str(trial.getsockname()[0])
