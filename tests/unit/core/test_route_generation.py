"""Routes into the tunnel go around the peers that carry it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from itertools import pairwise

import pytest

from dexrouter.core.route_generation import generate_routes


def routes(networks: list[str], exceptions: list[str]) -> list[str]:
    made = generate_routes([ip_network(text) for text in networks], [ip_network(text) for text in exceptions])
    return [str(route) for route in made]


@pytest.mark.parametrize(
    ("networks", "exceptions", "expected"),
    [
        ([], ["192.0.2.1"], []),
        (["0.0.0.0/0"], [], ["0.0.0.0/1", "128.0.0.0/1"]),
        (["::/0"], [], ["::/1", "8000::/1"]),
        (["10.77.0.0/24"], ["192.0.2.1"], ["10.77.0.0/24"]),
        (["192.0.2.0/29"], ["192.0.2.1"], ["192.0.2.0/32", "192.0.2.2/31", "192.0.2.4/30"]),
        (["0.0.0.0/0"], ["192.168.1.7"], ["0.0.0.0/1", "128.0.0.0/1"]),
        (["192.168.1.0/30"], ["192.168.1.1"], ["192.168.1.0/32", "192.168.1.2/31"]),
        (["0.0.0.0/0", "::/0"], ["fd00::1"], ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"]),
        (["192.0.2.0/25", "192.0.2.128/25"], [], ["192.0.2.0/24"]),
    ],
)
def test_named_cases(networks: list[str], exceptions: list[str], expected: list[str]) -> None:
    """Nothing wanted, defaults split, peers cut out, premises left alone, neighbours joined."""
    assert routes(networks, exceptions) == expected


def test_a_default_route_around_one_peer_has_a_route_for_each_bit() -> None:
    """32 routes for IPv4, none of which holds the peer, and together everything else."""
    made = generate_routes([ip_network("0.0.0.0/0")], [ip_network("198.51.100.7")])
    assert sorted(route.prefixlen for route in made) == list(range(1, 33))
    assert not any(ip_address("198.51.100.7") in route for route in made)
    assert sum(route.num_addresses for route in made) == 2**32 - 1


@pytest.mark.parametrize("peers", [[0, 2**32 - 1], [7, 8, 9, 2**31], list(range(0, 2**32, 3**17))])
def test_routes_hold_all_but_the_peers_and_nothing_twice(peers: list[int]) -> None:
    """Also at both ends, for peers side by side, and for many."""
    made = generate_routes([ip_network("0.0.0.0/0")], map(ip_network, peers))
    places = sorted((int(route.network_address), int(route.broadcast_address)) for route in made)
    assert all(before[1] < after[0] for before, after in pairwise(places))
    assert sum(route.num_addresses for route in made) == 2**32 - len(peers)
    assert not any(first <= peer <= last for peer in peers for first, last in places)
