"""Link addresses: who is at the other end of a link, as the core names it (spec 02 §1).

A link address tells a peer apart within one interface and nothing else; the core compares it, keeps it and
hands it back to the edge. IPv4 and IPv6 addresses are what the operating system's socket calls use, so that
no packet pays for a translation; an Ethernet address is 6 bytes.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["LinkAddress", "LinkKind", "format_link_address"]

LinkAddress = tuple[str, int] | tuple[str, int, int, int] | bytes
"""(IPv4 text, port), (IPv6 text, port, flow 0, scope) or a MAC address."""


class LinkKind(StrEnum):
    """What an interface runs over; the text is the first part of its name (spec 02 §1)."""

    UDP4 = "UDP/IPv4"
    UDP6 = "UDP/IPv6"
    ETHERNET = "ETH"


def format_link_address(address: LinkAddress) -> str:
    """Write it as cjdns tools show it: `192.0.2.1:33000`, `[2001:db8::1]:33000`, `00:11:22:33:44:55`."""
    if isinstance(address, bytes):
        return address.hex(":")
    if len(address) == 2:
        return f"{address[0]}:{address[1]}"
    return f"[{address[0]}]:{address[1]}"
