"""What the router sets in the kernel's network, through pyroute2: address and MTU of its device."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from dexrouter.crypto.keys import Address, address_short
from dexrouter.io.errors import StartError

__all__ = ["broadcast_addresses", "configure_device"]

PREFIX_LENGTH: Final = 8
"""fc00::/8 is on the device: tools recognise the mesh address by this prefix length."""

_IFA_F_NODAD: Final = 0x02


def configure_device(name: str, address: Address, mtu: int) -> None:
    """Give the device its address (usable at once, no duplicate detection) and MTU, and bring it up.

    Raises StartError.
    """
    text = address_short(address)
    try:
        with IPRoute() as kernel:
            index = kernel.link_lookup(ifname=name)[0]
            kernel.link("set", index=index, mtu=mtu)
            kernel.addr(
                "replace",
                index=index,
                address=text,
                prefixlen=PREFIX_LENGTH,
                family=socket.AF_INET6,
                flags=_IFA_F_NODAD,
            )
            kernel.link("set", index=index, state="up")
    except (NetlinkError, IndexError, OSError) as error:
        raise StartError(
            f"cannot set address {text}/{PREFIX_LENGTH} on {name}: {error}",
            advice="Root or CAP_NET_ADMIN is needed, and IPv6 must be switched on "
            "(sysctl net.ipv6.conf.all.disable_ipv6 = 0).",
        ) from error


def broadcast_addresses(devices: tuple[str, ...], *, own_device: str) -> list[str]:
    """IPv4 broadcast addresses of the named devices, `all` for every one but loopback and the mesh itself."""
    found: list[str] = []
    with IPRoute() as kernel:
        names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in kernel.get_links()}
        for entry in kernel.get_addr(family=socket.AF_INET):
            name = names.get(entry["index"], "")
            if name in (own_device, "lo") or not ("all" in devices or name in devices):
                continue
            address = entry.get_attr("IFA_LOCAL") or entry.get_attr("IFA_ADDRESS")
            network = ipaddress.ip_network(f"{address}/{entry['prefixlen']}", strict=False)
            if not network.is_loopback and network.prefixlen < 31:
                found.append(str(network.broadcast_address))
    return found
