"""Routes into the IP tunnel that leave out the peers which carry it (spec 06 §6).

A default route into the tunnel would swallow the links that the tunnel itself runs over. So each wanted
network is covered by routes around the exceptions. Networks of one's own premises are no way to a peer on the
Internet: an exception inside one of them is not cut out, unless the wanted network lies there itself. A
result that is a whole default route is given as two halves, so that the machine's own default route survives.

What is wanted comes from the tunnel's gateways and, through the admin API, by hand: `RouteTable` holds both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    summarize_address_range,
)
from typing import Final, TypeAlias, TypeVar

__all__ = ["Address", "Network", "RouteTable", "generate_routes"]

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address
_N = TypeVar("_N", IPv4Network, IPv6Network)

_PREMISES: Final[tuple[Network, ...]] = (
    *map(IPv4Network, ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")),
    *map(IPv6Network, ("fd00::/8", "fe80::/10")),
)
_MOST: Final = 256
"""Entries of one list that may be added by hand; each costs up to 128 routes."""


class RouteTable:
    """What shall be routed into the tunnel, and what not.

    The lists are changed by hand (the admin API), by the gateways of the tunnel (`granted`) and by peers
    coming and going (`around`). `generate` gives the routes that follow; setting them is up to the edge.
    """

    def __init__(self) -> None:
        self.prefixes: list[Network] = []
        """What is routed into the tunnel."""
        self.local_prefixes: list[Network] = list(_PREMISES)
        """One's own premises."""
        self.exceptions: list[Network] = []
        """What must not be routed into the tunnel: the ways to peers."""
        self._granted: frozenset[Network] = frozenset()
        self._around: frozenset[Network] = frozenset()

    @staticmethod
    def add(networks: list[Network], network: Network) -> bool:
        """Put one into a list of this table; False: the list is full."""
        if network in networks:
            return True
        if len(networks) >= _MOST:
            return False
        networks.append(network)
        return True

    def grant(self, networks: Iterable[Network]) -> None:
        """Replace what the gateways gave before by this."""
        granted = frozenset(networks)
        _replace(self.prefixes, self._granted, granted)
        self._granted = granted

    def route_around(self, addresses: Iterable[Address]) -> bool:
        """Replace the peers' addresses of before by these; tells whether that is a change."""
        around = frozenset(map(_alone, addresses))
        if around == self._around:
            return False
        _replace(self.exceptions, self._around, around)
        self._around = around
        return True

    def generate(self) -> tuple[Network, ...]:
        """Give the routes, IPv4 first, in order."""
        return generate_routes(self.prefixes, self.exceptions, self.local_prefixes)


def generate_routes(
    networks: Iterable[Network], exceptions: Iterable[Network], premises: Iterable[Network] = _PREMISES
) -> tuple[Network, ...]:
    """Give the routes that cover the networks without the exceptions, IPv4 first, in order."""
    wanted, left_out, local = tuple(networks), tuple(exceptions), tuple(premises)
    return (
        *_cover(
            *([one for one in some if isinstance(one, IPv4Network)] for some in (wanted, left_out, local))
        ),
        *_cover(
            *([one for one in some if isinstance(one, IPv6Network)] for some in (wanted, left_out, local))
        ),
    )


def _replace(networks: list[Network], old: frozenset[Network], new: frozenset[Network]) -> None:
    """Take out what is old, put in what is new, leave what somebody added by hand where it is."""
    gone = old - new
    networks[:] = [one for one in networks if one not in gone]
    networks += sorted(new - frozenset(networks), key=str)


def _alone(address: Address) -> Network:
    return IPv4Network(address) if isinstance(address, IPv4Address) else IPv6Network(address)


def _cover(networks: list[_N], exceptions: list[_N], premises: list[_N]) -> list[_N]:
    pieces: list[_N] = []
    for network in networks:
        foreign = [area for area in premises if not network.subnet_of(area)]
        cut = [one for one in exceptions if not any(one.subnet_of(area) for area in foreign)]
        pieces += _around(network, cut)
    collapsed = sorted(collapse_addresses(pieces))
    if len(collapsed) == 1 and not collapsed[0].prefixlen:
        return list(collapsed[0].subnets())
    return collapsed


def _around(network: _N, exceptions: Iterable[_N]) -> Iterator[_N]:
    """Cut others out of a network: what lies between them is left."""
    address = type(network.network_address)
    first, end = int(network.network_address), int(network.broadcast_address) + 1
    for other in collapse_addresses(exceptions):
        if not other.overlaps(network):
            continue
        gap = int(other.network_address)
        if gap > first:
            yield from summarize_address_range(address(first), address(gap - 1))
        first = int(other.broadcast_address) + 1
    if first < end:
        yield from summarize_address_range(address(first), address(end - 1))
