"""`ip:port` as configurations write it: `192.0.2.7:1234` or `[2001:db8::7]:1234`, numbers only.

Host names are refused, as the reference does: a router that needs the mesh to resolve names cannot wait
for a name to find the mesh. A zone is for peers on the same network that are called by their link-local
address, `[fe80::7%eth0]:1234`; the reference has no place to put it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from ipaddress import AddressValueError, IPv4Address, IPv6Address

__all__ = ["AddressError", "Family", "SocketAddress", "parse_peer_address", "parse_socket_address"]


class AddressError(ValueError):
    """A text is no `ip:port`; `what` says why and `hint` what to write."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(f"{what}. {hint}")
        self.what = what
        self.hint = hint


class Family(IntEnum):
    """The version of the internet protocol."""

    IPV4 = 4
    IPV6 = 6


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """A numeric address and a port; `str` gives the form of the configuration."""

    host: str
    """Canonical text, an IPv6 address without its brackets."""
    port: int
    zone: str = ""
    """Device of a link-local address."""

    @property
    def family(self) -> Family:
        """The family of the address."""
        return Family.IPV6 if ":" in self.host else Family.IPV4

    def __str__(self) -> str:
        if self.family is Family.IPV4:
            return f"{self.host}:{self.port}"
        return f"[{self.host}{'%' if self.zone else ''}{self.zone}]:{self.port}"


def parse_socket_address(text: str, *, zones: bool = False) -> SocketAddress:
    """Read an address to bind to, or to call if it may have a zone; port 0 means any. Raise AddressError."""
    host, port_text = _split(text)
    zone = ""
    if zones and "%" in host:
        host, zone = _split_zone(host)
    if not (port_text.isascii() and port_text.isdigit()) or len(port_text) > 5 or int(port_text) > 65535:
        raise AddressError(f'the port in "{text}" is not a number up to 65535', "Write address:port")
    if "%" in host:
        raise AddressError(f'"{text}" names a zone', "Use an address that needs none")
    try:
        canonical = str(IPv6Address(host[1:-1]) if host.startswith("[") else IPv4Address(host))
    except AddressValueError as error:
        raise _bad_host(host) from error
    return SocketAddress(canonical, int(port_text), zone)


def parse_peer_address(text: str) -> SocketAddress:
    """Read an address to call: a port that can be called, an address that can be a peer's."""
    address = parse_socket_address(text)
    if address.port == 0:
        raise AddressError(f'"{text}" has port 0', "Ask your peer for the port of the bind line")
    numeric = IPv6Address(address.host) if address.family is Family.IPV6 else IPv4Address(address.host)
    if numeric.is_unspecified or numeric.is_multicast:
        raise AddressError(
            f'"{text}" is no address that can be called', "Ask your peer for the public address"
        )
    if isinstance(numeric, IPv6Address) and numeric.packed[0] == 0xFC:
        raise AddressError(
            f'"{text}" is an address inside the mesh',
            "A peer is called at its address on the ordinary internet or the local network",
        )
    return address


def _split(text: str) -> tuple[str, str]:
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise AddressError(f'"{text}" has no port', "Write address:port, an IPv6 address in brackets")
    if ":" in host and not host.startswith("["):
        raise AddressError(
            f'"{text}" is an IPv6 address without brackets', "Write [address]:port, as in [2001:db8::7]:1234"
        )
    if host.startswith("[") and not host.endswith("]"):
        raise AddressError(f'"{text}" has no port behind its bracket', "Write [address]:port")
    return host, port


def _split_zone(host: str) -> tuple[str, str]:
    """Take the device's name off a link-local address in brackets."""
    address, _, zone = host[1:-1].partition("%")
    if not zone or not zone.isprintable() or set(zone) & set(" /%") or not host.startswith("["):
        raise AddressError(f'"{host}" names no device behind the %', "Write [fe80::7%eth0]:port")
    if not address.lower().startswith("fe80:"):
        raise AddressError(f'"{host}" is not link-local and needs no zone', "Take it out from the % on")
    return f"[{address}]", zone


def _bad_host(host: str) -> AddressError:
    looks_like_name = any(letter.isalpha() for letter in host) and not host.startswith("[")
    if looks_like_name:
        return AddressError(
            f'"{host}" is a host name, and only numbers are allowed here',
            f"Look it up (getent ahosts {host}) and write the address it shows",
        )
    return AddressError(f'"{host}" is not an IP address', "Write four numbers, or IPv6 in brackets")
