"""What the router sets and sees in the kernel's network.

It sets: address and MTU of its device, addresses and routes of the IP tunnel on it, one blackhole route, and
an Ethernet device that it shall use is brought up. Nothing else of the machine is touched.

What every start needs goes through rtnetlink.py. pyroute2 sets what the IP tunnel's gateways give, and is
loaded when there is one: with the configuration (`load_tunnel_tools`), or when the admin API adds the first.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Final, TypeAlias

from dexrouter.crypto.keys import Address, address_short
from dexrouter.io.errors import StartError
from dexrouter.io.rtnetlink import Kernel

__all__ = [
    "IpInterface",
    "IpNetwork",
    "add_blackhole",
    "bring_up",
    "broadcast_addresses",
    "broadcast_devices",
    "change_device",
    "configure_device",
    "ethernet_devices",
    "load_tunnel_tools",
    "own_addresses",
]

IpInterface: TypeAlias = ipaddress.IPv4Interface | ipaddress.IPv6Interface
IpNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

PREFIX_LENGTH: Final = 8
"""fc00::/8 is on the device: tools recognise the mesh address by this prefix length."""

MESH: Final = ipaddress.IPv6Network("fc00::/8")

BLACKHOLE_METRIC: Final = 500
"""More than the 256 of a device's own route, which wins while it is there."""

_IFA_F_NODAD: Final = 0x02
_ARPHRD_ETHER: Final = 1
_GONE: Final = frozenset({errno.EADDRNOTAVAIL, errno.ESRCH, errno.ENOENT})
"""Why the kernel cannot take away an address or a route: there is none."""


def configure_device(name: str, address: Address, mtu: int) -> None:
    """Give the device its address (usable at once, no duplicate detection) and MTU, and bring it up.

    Raises StartError.
    """
    text = address_short(address)
    try:
        with Kernel() as kernel:
            index = socket.if_nametoindex(name)
            kernel.change_link(index, mtu=mtu)
            kernel.put_address(index, address, PREFIX_LENGTH)
            kernel.change_link(index, up=True)
    except OSError as error:
        raise StartError(
            f"cannot set address {text}/{PREFIX_LENGTH} on {name}: {error.strerror or error}",
            advice="Root or CAP_NET_ADMIN is needed, and IPv6 must be switched on "
            "(sysctl net.ipv6.conf.all.disable_ipv6 = 0).",
        ) from error


def change_device(
    name: str,
    *,
    addresses: Mapping[IpInterface, bool],
    routes: Mapping[IpNetwork, bool],
) -> None:
    """Add (True) and take away (False) addresses of a device and routes to it. Raises OSError.

    What is to be taken away may be gone already: somebody else took it, or the kernel with the device.
    """
    tools = load_tunnel_tools()

    def change(do: Callable[..., object], *, is_wanted: bool, **what: object) -> None:
        try:
            do("replace" if is_wanted else "del", **what)
        except tools.NetlinkError as error:
            if is_wanted or error.code not in _GONE:
                raise

    try:
        with tools.IPRoute() as kernel:
            index = kernel.link_lookup(ifname=name)[0]
            for interface, is_wanted in addresses.items():
                change(
                    kernel.addr,
                    is_wanted=is_wanted,
                    index=index,
                    address=str(interface.ip),
                    prefixlen=interface.network.prefixlen,
                    family=_family(interface),
                    **({"flags": _IFA_F_NODAD} if is_wanted and interface.version == 6 else {}),
                )
            for network, is_wanted in routes.items():
                change(
                    kernel.route, is_wanted=is_wanted, oif=index, family=_family(network), dst=str(network)
                )
    except tools.NetlinkError as error:
        raise OSError(error.code, str(error)) from error
    except IndexError as error:
        raise OSError(errno.ENODEV, f"{name}: no such device") from error


def load_tunnel_tools() -> ModuleType:
    """Load what sets addresses and routes of the tunnel. Raises OSError.

    It takes a third of a start, so only nodes with an IP tunnel do it. A user who may not read all of Python
    can do it no more: then it must be done before the router becomes that user.
    """
    try:
        import pyroute2  # noqa: PLC0415 - see above
    except ImportError as error:
        raise OSError(errno.ELIBACC, f"pyroute2 cannot be loaded: {error}") from error
    module: ModuleType = pyroute2
    return module


def _family(what: IpInterface | IpNetwork) -> int:
    return socket.AF_INET if what.version == 4 else socket.AF_INET6


def add_blackhole() -> None:
    """Let nothing for the mesh leave by another route when its device is not there. Raises OSError."""
    try:
        with Kernel() as kernel:
            kernel.add_blackhole(MESH, BLACKHOLE_METRIC)
    except FileExistsError:
        return


def broadcast_addresses(devices: tuple[str, ...], *, port: int, own_device: str) -> list[str]:
    """IPv4 broadcast addresses of the listed devices (spec 02 §2.1).

    `all` is every device but loopback and the mesh itself; a broadcast address is listed with the port.
    """
    found: list[str] = []
    for name, interface in _ipv4_interfaces():
        broadcast = str(interface.network.broadcast_address)
        if name in (own_device, "lo") or interface.is_loopback or interface.network.prefixlen > 30:
            continue
        if "all" in devices or name in devices or f"{broadcast}:{port}" in devices:
            found.append(broadcast)
    return found


def broadcast_devices(*, own_device: str) -> list[str]:
    """Names of the devices that have a broadcast address."""
    names = {
        name: None
        for name, interface in _ipv4_interfaces()
        if name not in (own_device, "lo") and not interface.is_loopback and interface.network.prefixlen < 31
    }
    return list(names)


def _ipv4_interfaces() -> list[tuple[str, ipaddress.IPv4Interface]]:
    with Kernel() as kernel:
        names = {link.index: link.name for link in kernel.links()}
        return [
            (names.get(one.index, ""), ipaddress.IPv4Interface(f"{one.address}/{one.prefix_length}"))
            for one in kernel.addresses(socket.AF_INET)
        ]


def ethernet_devices() -> list[str]:
    """Names of the Ethernet devices that stand for themselves: no port of a bridge, no part of a bond."""
    with Kernel() as kernel:
        return [
            link.name for link in kernel.links() if link.hardware == _ARPHRD_ETHER and not link.has_master
        ]


def bring_up(device: str) -> None:
    """Switch a device on if it is off. Raises OSError."""
    with Kernel() as kernel:
        for link in kernel.links():
            if link.name == device and not link.is_up:
                kernel.change_link(link.index, up=True)


def own_addresses() -> frozenset[tuple[int, str]]:
    """Addresses of this machine that have a device which is up: (number of the device, address)."""
    with Kernel() as kernel:
        up = {link.index for link in kernel.links() if link.is_up and not link.is_down_below}
        return frozenset(
            (one.index, one.address) for one in kernel.addresses() if one.index in up and not one.is_tentative
        )
