"""The node's device in the host: TUN, mesh address, the route that outlives it, addresses of the IP tunnel.

While the router is away, what is sent to mesh addresses must not leave in plain text by another route. So
a blackhole for fc00::/8 is added beside the device; the device's own route has a lower metric and wins while
it is there. The blackhole stays when the router ends, and that is its purpose.

It is the edge of the admin API for the TUN device (admin/edge.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias, TypeVar

from dexrouter.admin.edge import EdgeError
from dexrouter.core.outputs import Assigned, Buffer
from dexrouter.core.packets import Packets
from dexrouter.core.route_generation import generate_routes
from dexrouter.crypto.keys import Address
from dexrouter.io.errors import StartError
from dexrouter.io.log import event
from dexrouter.io.loop import EventLoop
from dexrouter.io.netlink import (
    IpInterface,
    IpNetwork,
    add_blackhole,
    change_device,
    configure_device,
)
from dexrouter.io.tun import MTU, TunDevice

__all__ = ["MeshDevice"]

_log = logging.getLogger(__name__)

IpAddress: TypeAlias = IPv4Address | IPv6Address
_T = TypeVar("_T")


class MeshDevice:
    """The TUN device, if there is one."""

    def __init__(self, *, address: Address, loop: EventLoop, on_readable: Callable[[], None]) -> None:
        self._address = address
        self._loop = loop
        self._on_readable = on_readable
        self._tun: TunDevice | None = None
        self._assigned = Assigned()
        self._around: frozenset[IpAddress] = frozenset()
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
        self._tun = tun
        self._loop.add_reader(tun.fileno(), self._on_readable)
        self._change()

    def read(self) -> Packets | None:
        """Take the packets that the host sends, at most a burst."""
        return None if self._tun is None else self._tun.read()

    def write(self, packets: list[Buffer]) -> None:
        """Hand packets to the host."""
        if self._tun is not None:
            self._tun.write(packets)

    def assign(self, assigned: Assigned) -> None:
        """Give the device what the tunnel's gateways have given us, and take away what they gave before."""
        self._assigned = assigned
        self._change()

    def route_around(self, peers: Iterable[IpAddress]) -> None:
        """Keep the ways to these peers out of the tunnel that runs over them."""
        around = frozenset(peers)
        if around != self._around:
            self._around = around
            self._change()

    @property
    def has_routes(self) -> bool:
        """Whether anything is routed into the tunnel."""
        return bool(self._assigned.networks)

    def _change(self) -> None:
        """Change the device from what it has to what it should have. A failure is said, and tried again."""
        if self._tun is None:
            return
        addresses = frozenset(self._assigned.addresses)
        routes = frozenset(generate_routes(self._assigned.networks, self._around))
        try:
            change_device(
                self._tun.name,
                addresses=_difference(self._addresses, addresses),
                routes=_difference(self._routes, routes),
            )
        except OSError as error:
            _log.warning(event("tunnel", device=self._tun.name, error=error))
            return
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

    # -- for the admin API

    def init_tunnel(self, name: str | None) -> None:
        """Make the device. Raises EdgeError."""
        if self._tun is not None:
            raise EdgeError(f"{self._tun.name} is there already")
        try:
            self.start(name)
        except StartError as error:
            raise EdgeError(error.args[0].splitlines()[0]) from error

    def stop_tunnel(self) -> bool:
        """Remove the device; False if there is none."""
        was_there = self._tun is not None
        self.close()
        return was_there


def _difference(before: frozenset[_T], after: frozenset[_T]) -> dict[_T, bool]:
    """Give what is new (True), then what is old (False)."""
    return {**dict.fromkeys(after - before, True), **dict.fromkeys(before - after, False)}
