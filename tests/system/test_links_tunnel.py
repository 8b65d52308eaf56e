"""IPv4 and IPv6 through the mesh: ours at both ends, and the reference router at either."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import dexrouter
from machine import NAMESPACES, ROOT, TUN, needs
from neighbourhood import Place, wait_until
from router_pair import REFERENCE, SECONDS, RouterPair

pytestmark = [pytest.mark.system, pytest.mark.timeout(120), needs(ROOT, TUN, NAMESPACES)]

GATEWAY, CLIENT = 0, 1
PORT = 4001
GIVEN = {
    "ip4Address": "10.99.0.4",
    "ip4Prefix": 0,
    "ip4Alloc": 32,
    "ip6Address": "2001:db8:77::4",
    "ip6Prefix": 64,
    "ip6Alloc": 128,
}


@pytest.fixture(
    params=[
        pytest.param(frozenset[int](), id="ours-ours"),
        pytest.param(frozenset({GATEWAY}), id="reference-gateway", marks=needs(REFERENCE)),
        pytest.param(frozenset({CLIENT}), id="reference-client", marks=needs(REFERENCE)),
    ]
)
def pair(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RouterPair]:
    with RouterPair(tmp_path, reference=request.param) as built:
        yield built


def start(pair: RouterPair) -> None:
    peer = {f"10.77.0.1:{PORT}": pair.credentials(GATEWAY)}
    pair.configure(
        GATEWAY,
        tunnel={"allowedConnections": [{"publicKey": pair.key(CLIENT), **GIVEN}], "outgoingConnections": []},
        UDPInterface=[{"bind": f"0.0.0.0:{PORT}", "connectTo": {}}],
    )
    pair.configure(
        CLIENT,
        tunnel={"allowedConnections": [], "outgoingConnections": [pair.key(GATEWAY)]},
        UDPInterface=[{"bind": f"0.0.0.0:{PORT}", "connectTo": peer}],
    )
    pair.start(GATEWAY)
    pair.start(CLIENT)
    wait_until(
        lambda: pair.places[GATEWAY].succeeds("ip", "link", "show", "mesh0"), what="mesh0", seconds=SECONDS
    )
    # A gateway's own addresses are its administrator's to set.
    pair.places[GATEWAY].ip(
        "addr add 10.99.0.1/24 dev mesh0",
        "addr add 2001:db8:77::1/64 dev mesh0 nodad",
        "addr add 198.51.100.1/32 dev lo",
    )


def routes(pair: RouterPair) -> dict[str, str]:
    """Destinations and devices of the client's IPv4 routes."""
    shown = json.loads(pair.places[CLIENT].run("ip", "-j", "-4", "route", "show"))
    return {entry["dst"]: entry["dev"] for entry in shown}


def test_both_families_go_through_the_tunnel(pair: RouterPair) -> None:
    """The client gets addresses and a default route in two halves; pings of both families are answered."""
    start(pair)
    for target in ("10.99.0.1", "2001:db8:77::1", "198.51.100.1"):
        wait_until(lambda: pair.reaches(CLIENT, target), what=f"ping {target}", seconds=SECONDS)  # noqa: B023 - called within this round
    assert pair.reaches(GATEWAY, "10.99.0.4")
    assert pair.reaches(GATEWAY, "2001:db8:77::4")
    assert routes(pair)["10.77.0.0/24"] == "lan0"
    if CLIENT not in pair.reference:
        assert routes(pair)["0.0.0.0/1"] == routes(pair)["128.0.0.0/1"] == "mesh0"


def test_nobody_may_use_another_address(tmp_path: Path) -> None:
    """A client that gives itself the address of a neighbour in the gateway's network is not let through."""
    with RouterPair(tmp_path) as pair:
        start(pair)
        wait_until(lambda: pair.reaches(CLIENT, "10.99.0.1"), what="ping", seconds=SECONDS)
        pair.places[CLIENT].ip("addr add 10.99.0.5/32 dev mesh0")
        ping = ("ping", "-c", "2", "-W", "1", "-n", "-I")
        assert pair.places[CLIENT].succeeds(*ping, "10.99.0.4", "10.99.0.1")
        assert not pair.places[CLIENT].succeeds(*ping, "10.99.0.5", "10.99.0.1")


def test_the_way_to_a_public_peer_stays_out_of_the_tunnel(tmp_path: Path) -> None:
    """A peer outside of private networks is left out of the default route that the tunnel takes over."""
    with RouterPair(tmp_path) as pair:
        pair.places[GATEWAY].ip("addr add 203.0.113.1/24 dev lan0")
        pair.places[CLIENT].ip("addr add 203.0.113.2/24 dev lan0")
        peer = {f"203.0.113.1:{PORT}": pair.credentials(GATEWAY)}
        pair.configure(
            GATEWAY,
            tunnel={"allowedConnections": [{"publicKey": pair.key(CLIENT), **GIVEN}]},
            UDPInterface=[{"bind": f"0.0.0.0:{PORT}", "connectTo": {}}],
        )
        pair.configure(
            CLIENT,
            tunnel={"outgoingConnections": [pair.key(GATEWAY)]},
            UDPInterface=[{"bind": f"0.0.0.0:{PORT}", "connectTo": peer}],
        )
        pair.start(GATEWAY)
        pair.start(CLIENT)
        pair.wait_for_log(CLIENT, "tunnel addresses=10.99.0.4/32")
        through = [destination for destination, device in routes(pair).items() if device == "mesh0"]
        assert len(through) == 32
        assert "203.0.113.0" in through
        assert "203.0.113.1" not in through


CHANGE = """
import sys
from ipaddress import ip_interface, ip_network
sys.path.insert(0, sys.argv[1])
from dexrouter.io.netlink import change_device
change_device(
    "mesh0",
    addresses={ip_interface("10.99.0.4/32"): False, ip_interface("10.99.0.5/32"): True},
    routes={ip_network("10.98.0.0/16"): False, ip_network("10.97.0.0/16"): True},
)
"""


def test_what_was_taken_away_by_hand_does_not_stop_the_next_change() -> None:
    """The former address and the former route are gone already; the new ones come all the same."""
    with closing(Place("tunnel")) as place:
        place.ip("tuntap add mesh0 mode tun", "link set mesh0 up")
        place.run(sys.executable, "-c", CHANGE, str(Path(dexrouter.__file__).parents[1]))
        assert "10.99.0.5/32" in place.run("ip", "addr", "show", "mesh0")
        assert "10.97.0.0/16" in place.run("ip", "route", "show", "dev", "mesh0")
