"""Routes into the IP tunnel that leave out the peers which carry it (spec 06 §6).

A default route into the tunnel would swallow the links that the tunnel itself runs over. So each wanted
network is covered by routes around the exceptions. Networks of one's own premises are no way to a peer on the
Internet: an exception inside one of them is not cut out, unless the wanted network lies there itself. A
result that is a whole default route is given as two halves, so that the machine's own default route survives.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, collapse_addresses
from typing import Final, TypeAlias, TypeVar

__all__ = ["generate_routes"]

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address
_N = TypeVar("_N", IPv4Network, IPv6Network)

_PREMISES4: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")))
_PREMISES6: Final = tuple(map(IPv6Network, ("fe80::/10", "fd00::/8")))


def generate_routes(networks: Iterable[Network], exceptions: Iterable[Address]) -> tuple[Network, ...]:
    """Give the routes that cover the networks without the exceptions, IPv4 first, in order."""
    wanted, left_out = tuple(networks), tuple(exceptions)
    four = [one for one in wanted if isinstance(one, IPv4Network)]
    six = [one for one in wanted if isinstance(one, IPv6Network)]
    out4 = [IPv4Network(one) for one in left_out if isinstance(one, IPv4Address)]
    out6 = [IPv6Network(one) for one in left_out if isinstance(one, IPv6Address)]
    return (*_cover(four, out4, _PREMISES4), *_cover(six, out6, _PREMISES6))


def _cover(networks: list[_N], exceptions: list[_N], premises: tuple[_N, ...]) -> list[_N]:
    pieces: list[_N] = []
    for network in networks:
        foreign = [area for area in premises if not network.subnet_of(area)]
        cut = [one for one in exceptions if not any(one.subnet_of(area) for area in foreign)]
        pieces += _around(network, cut)
    collapsed = sorted(collapse_addresses(pieces))
    if len(collapsed) == 1 and not collapsed[0].prefixlen:
        return list(collapsed[0].subnets())
    return collapsed


def _around(network: _N, exceptions: list[_N]) -> list[_N]:
    """Cut single addresses out of a network."""
    kept = [network]
    for single in exceptions:
        remaining: list[_N] = []
        for piece in kept:
            if single.subnet_of(piece):
                remaining += piece.address_exclude(single)
            else:
                remaining.append(piece)
        kept = remaining
    return kept
