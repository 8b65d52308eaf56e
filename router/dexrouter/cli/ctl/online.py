"""`dexctl wait-online`: wait until programs can bind the mesh address, and if asked until a peer is there.

It needs neither password nor configuration, and works with the C router: the address is asked of the admin
API, and where nobody answers there any fc00::/8 address of the kernel counts, as it does for cjdns-online. An
address counts when a socket can be bound to it, so one that the kernel still checks for duplicates does not.
"""

from __future__ import annotations

import socket
import sys
import time
from argparse import Namespace
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final

from dexrouter.admin.access import Access
from dexrouter.admin.client import AdminClient, AdminError

__all__ = ["KernelAddress", "kernel_addresses", "wait_online"]

POLL_INTERVAL: Final = 0.2
_ADMIN_TIMEOUT: Final = 1.0
"""Seconds."""

_KERNEL_TABLE: Final = Path("/proc/net/if_inet6")
_MESH_BYTE: Final = 0xFC
_MESH_PREFIX: Final = 8


@dataclass(frozen=True, slots=True)
class KernelAddress:
    """An address in fc00::/8 that a device of this machine has."""

    address: IPv6Address
    device: str


def wait_online(access: Access, options: Namespace) -> int:
    """Wait; 0 when online, 1 at the end of the time."""
    deadline = time.monotonic() + options.timeout
    while True:
        missing = _missing(access, options)
        if not missing:
            return 0
        left = deadline - time.monotonic()
        if options.exit or left <= 0:
            print(f"dexctl: {missing}", file=sys.stderr)
            return 1
        time.sleep(min(POLL_INTERVAL, left))


def kernel_addresses(table: str) -> list[KernelAddress]:
    """Read `/proc/net/if_inet6`: the addresses that cjdns-online would take."""
    found: list[KernelAddress] = []
    for line in table.splitlines():
        digits, _, prefix, _, _, device = line.split()
        address = IPv6Address(bytes.fromhex(digits))
        if address.packed[0] == _MESH_BYTE and int(prefix, 16) == _MESH_PREFIX:
            found.append(KernelAddress(address, device))
    return found


def _missing(access: Access, options: Namespace) -> str:
    """Say what is not there yet; empty when all is, after printing the addresses."""
    own, admin_problem, has_peer = _ask_router(access, want_peer=options.peer)
    try:
        known = kernel_addresses(_KERNEL_TABLE.read_text("ascii"))
    except OSError:
        return "This machine has no IPv6."
    if own is not None:
        known = [one for one in known if one.address == own]
    ready = [one for one in known if _can_bind(one.address)]
    if not ready:
        if own is not None:
            return f"The address {own} cannot be bound: no device has it yet."
        return f"No device has an address in fc00::/8. {admin_problem}"
    if options.peer and not has_peer:
        return admin_problem or "No peer is ESTABLISHED."
    for one in ready:
        if not options.quiet:
            print(one.device if options.interface else one.address)
    return ""


def _ask_router(access: Access, *, want_peer: bool) -> tuple[IPv6Address | None, str, bool]:
    """Ask for the address and for a peer: address, why not, whether a peer is ESTABLISHED."""
    has_peer = False
    try:
        with AdminClient(access, _ADMIN_TIMEOUT) as client:
            text = client.call("Core_nodeInfo", signed=False).get("myIp6")
            if want_peer:
                has_peer = any(
                    isinstance(peer, dict) and peer.get("state") == "ESTABLISHED"
                    for peer in client.pages("InterfaceController_peerStats", "peers", signed=False)
                )
            return IPv6Address(str(text)), "", has_peer
    except AdminError as error:
        return None, str(error), False
    except ValueError:
        return None, f"What answers at {access.where} does not tell its address.", has_peer


def _can_bind(address: IPv6Address) -> bool:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
