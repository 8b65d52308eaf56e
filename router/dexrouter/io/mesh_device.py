"""The node's device in the host: TUN, mesh address, the route that outlives it, addresses of the IP tunnel.

While the router is away, what is sent to mesh addresses must not leave in plain text by another route. So
a blackhole for fc00::/8 is added beside the device; the device's own route has a lower metric and wins while
it is there. The blackhole stays when the router ends, and that is its purpose.

In place of the TUN device there may be a descriptor or a Unix socket (io/handed_tun.py): whoever gave it has
the address set, and the routes.

It is the edge of the admin API for the TUN device and its routes (admin/edge.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from dexrouter.admin.edge import EdgeError
from dexrouter.core.outputs import Assigned, Buffer
from dexrouter.core.packets import Packets, copied
from dexrouter.core.route_generation import Address as IpAddress
from dexrouter.core.route_generation import RouteTable
from dexrouter.crypto.keys import Address
from dexrouter.io.errors import StartError
from dexrouter.io.handed_tun import HandedDescriptor, HostDevice, HostSocket, is_tun
from dexrouter.io.log import event
from dexrouter.io.loop import EventLoop, Reader
from dexrouter.io.netlink import (
    IpInterface,
    IpNetwork,
    add_blackhole,
    change_device,
    configure_device,
    load_tunnel_tools,
)
from dexrouter.io.tun import MTU, TunDevice

__all__ = ["MeshDevice"]

_log = logging.getLogger(__name__)

_T = TypeVar("_T")


class MeshDevice:
    """The TUN device, if there is one."""

    def __init__(self, *, address: Address, loop: EventLoop, on_readable: Reader) -> None:
        self._address = address
        self._loop = loop
        self._on_readable = on_readable
        self._tun: HostDevice | None = None
        self.read: Callable[[], Packets] = _from_nobody
        """Takes the packets that the host sends, at most a burst."""
        self.write: Callable[[list[Buffer]], None] = _to_nobody
        """Hands packets to the host."""
        self._assigned = Assigned()
        self.routes = RouteTable()
        """What is routed into the tunnel."""
        self._addresses: frozenset[IpInterface] = frozenset()
        self._routes: frozenset[IpNetwork] = frozenset()
        """What the device has, besides the mesh address."""

    @property
    def name(self) -> str:
        """Name of the device; empty: there is none."""
        return "" if self._tun is None else self._tun.name

    def start(self, name: str | None) -> None:
        """Make the device with the mesh address; without a name the kernel chooses one. Raises StartError."""
        tun = TunDevice(name)
        try:
            configure_device(tun.name, self._address, MTU)
        except StartError:
            tun.close()
            raise
        try:
            add_blackhole()
        except OSError as error:
            effect = "nothing stops mesh packets from leaving in plain text when the router is down"
            _log.warning(event("blackhole", error=error, effect=effect))
        self._use(tun)
        self._change()

    def start_socket(self, path: str) -> None:
        """Use the program behind a Unix socket in place of a device. Raises StartError."""
        self._use(HostSocket(path, self._address, MTU))

    def is_open(self) -> bool:
        """Whether there is a device; one that the other side has closed is let go."""
        if self._tun is not None and not self._tun.is_open:
            _log.warning(event("tunnel", device=self._tun.name, state="closed by the other side"))
            self.close()
        return self._tun is not None

    @staticmethod
    def prepare_tunnel() -> None:
        """Load what will be needed for `assign` while everything can still be read."""
        try:
            load_tunnel_tools()
        except OSError as error:
            _log.warning(event("tunnel", error=error))

    def assign(self, assigned: Assigned) -> None:
        """Give the device what the tunnel's gateways have given us, and take away what they gave before."""
        self._assigned = assigned
        self.routes.grant(assigned.networks)
        self._change()

    def route_around(self, peers: Iterable[IpAddress]) -> None:
        """Keep the ways to these peers out of the tunnel that runs over them."""
        if self.routes.route_around(peers):
            self._change()

    def _change(self) -> None:
        """Change the device from what it has to what it should have. A failure is said, and tried again."""
        try:
            self._apply()
        except OSError as error:
            _log.warning(event("tunnel", device=self.name, error=error))

    def _apply(self) -> None:
        if not isinstance(self._tun, TunDevice):
            return
        addresses = frozenset(self._assigned.addresses)
        routes = frozenset(self.routes.generate())
        if (addresses, routes) == (self._addresses, self._routes):
            return
        change_device(
            self._tun.name,
            addresses=_difference(self._addresses, addresses),
            routes=_difference(self._routes, routes),
        )
        if addresses != self._addresses:
            shown = ",".join(str(one) for one in self._assigned.addresses)
            networks = ",".join(str(one) for one in self._assigned.networks)
            _log.info(event("tunnel", addresses=shown or "none", networks=networks or "none"))
        self._addresses, self._routes = addresses, routes

    def close(self) -> None:
        """Remove the device, and with it its addresses and routes."""
        self._addresses, self._routes = frozenset(), frozenset()
        if self._tun is not None:
            self._loop.remove_reader(self._tun.fileno())
            self._tun.close()
            self._tun = None
            self.read, self.write = _from_nobody, _to_nobody

    # -- for the admin API

    def init_tunnel(self, name: str | None) -> None:
        """Make the device. Raises EdgeError."""
        if self._tun is not None:
            raise EdgeError(f"{self._tun.name} is there already")
        try:
            self.start(name)
        except StartError as error:
            raise EdgeError(error.args[0].splitlines()[0]) from error

    def init_descriptor(self, descriptor: int, *, is_bare: bool) -> None:
        """Use an open descriptor. Raises EdgeError."""
        if not is_tun(descriptor):
            raise EdgeError(f"descriptor {descriptor} is no TUN device")
        if self._tun is not None and self._tun.fileno() == descriptor:
            raise EdgeError(f"descriptor {descriptor} is in use already")
        try:
            self._use(HandedDescriptor(descriptor, is_bare=is_bare))
        except StartError as error:
            raise EdgeError(str(error)) from error

    def init_socket(self, path: str) -> None:
        """Use a Unix socket. Raises EdgeError."""
        try:
            self.start_socket(path)
        except StartError as error:
            raise EdgeError(str(error)) from error

    def commit_routes(self, device: str) -> None:
        """Set the routes of the table. Raises EdgeError."""
        if not isinstance(self._tun, TunDevice) or device != self._tun.name:
            raise EdgeError(f"{device}: No such device of this router")
        try:
            self._apply()
        except OSError as error:
            raise EdgeError(str(error)) from error

    def stop_tunnel(self) -> bool:
        """Remove the device; False if there is none."""
        was_there = self._tun is not None
        self.close()
        return was_there

    def _use(self, device: HostDevice) -> None:
        """Let this one take the place of the one before."""
        self.close()
        self._tun = device
        self.read, self.write = device.read, device.write
        self._loop.add_reader(device.fileno(), self._on_readable)


def _from_nobody() -> Packets:
    """Have no packets, as there is no device."""
    return copied(())


def _to_nobody(_packets: list[Buffer]) -> None:
    """Lose packets, as there is no device."""


def _difference(before: frozenset[_T], after: frozenset[_T]) -> dict[_T, bool]:
    """Give what is new (True), then what is old (False)."""
    return {**dict.fromkeys(after - before, True), **dict.fromkeys(before - after, False)}
