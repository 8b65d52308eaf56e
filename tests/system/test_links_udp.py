"""Routers over UDP: beacons, IPv6, addresses that change; real sockets on a real cable, in namespaces."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from machine import NAMESPACES, ROOT, TUN, needs
from router_pair import DEVICE, REFERENCE, RouterPair

pytestmark = [pytest.mark.system, pytest.mark.timeout(90), needs(ROOT, TUN, NAMESPACES)]

PORT = 4001
BEACON_PORT = 64512


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[RouterPair]:
    with RouterPair(tmp_path) as built:
        yield built


@pytest.fixture(params=[frozenset[int](), pytest.param(frozenset({0}), marks=needs(REFERENCE))])
def mixed(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RouterPair]:
    """Two of ours, and the reference router beside ours."""
    with RouterPair(tmp_path, reference=request.param) as built:
        yield built


def with_beacons(mode: int) -> list[dict[str, Any]]:
    return [
        {
            "bind": f"0.0.0.0:{PORT}",
            "beacon": mode,
            "beaconPort": BEACON_PORT,
            "beaconDevices": ["all"],
            "connectTo": {},
        }
    ]


@pytest.mark.parametrize("yours", [1, 2])
def test_udp_beacons_alone_make_neighbours(mixed: RouterPair, yours: int) -> None:
    """Ours sends; the other listens, or sends as well and both say hello at once."""
    mixed.configure(0, UDPInterface=with_beacons(yours))
    mixed.configure(1, UDPInterface=with_beacons(2))
    mixed.start(0)
    mixed.wait_for_port(0, BEACON_PORT)
    mixed.start(1)
    mixed.wait_for_pings()


@pytest.mark.parametrize("scope", ["global", "link-local"])
@pytest.mark.parametrize("caller", [0, 1])
def test_peers_over_ipv6(mixed: RouterPair, scope: str, caller: int) -> None:
    """Either calls; a link-local address is called through the device behind its %."""
    if caller in mixed.reference and scope == "link-local":
        caller = 1
    called = 1 - caller
    host = f"fd77::{called + 1}" if scope == "global" else f"{mixed.link_local(called)}%{DEVICE}"
    peer = {f"[{host}]:{PORT}": mixed.credentials(called)}
    mixed.configure(caller, UDPInterface=[{"bind": f"[::]:{PORT}", "connectTo": peer}])
    mixed.configure(called, UDPInterface=[{"bind": f"[::]:{PORT}", "connectTo": {}}])
    for number in (called, caller):
        mixed.start(number)
    mixed.wait_for_pings()


def test_a_link_local_peer_is_called_when_its_device_comes(pair: RouterPair) -> None:
    """A device that is missing at start, and one that has come again with another number."""
    host = pair.link_local(0)
    pair.pull_cable()
    peer = {f"[{host}%{DEVICE}]:{PORT}": pair.credentials(0)}
    pair.configure(0, UDPInterface=[{"bind": f"[::]:{PORT}", "connectTo": {}}])
    pair.configure(1, UDPInterface=[{"bind": f"[::]:{PORT}", "connectTo": peer}])
    for number in (0, 1):
        pair.start(number)
        pair.wait_for_log(number, "started")
    for _ in range(2):
        pair.connect_cable()
        pair.wait_for_pings()
        pair.pull_cable()


def test_an_address_that_changes_costs_a_moment(mixed: RouterPair) -> None:
    """A laptop gets another address: its peers hear a hello from there before they miss it."""
    peer = {f"10.77.0.1:{PORT}": mixed.credentials(0)}
    mixed.configure(0, UDPInterface=[{"bind": f"0.0.0.0:{PORT}", "connectTo": {}}])
    mixed.configure(1, UDPInterface=[{"bind": f"0.0.0.0:{PORT}", "connectTo": peer}])
    mixed.start(0)
    mixed.start(1)
    mixed.wait_for_pings()
    mixed.places[1].ip(f"addr del 10.77.0.2/24 dev {DEVICE}", f"addr add 10.77.0.77/24 dev {DEVICE}")
    mixed.wait_for_log(1, "renewed=1", seconds=2)
    assert mixed.wait_for_pings(seconds=5) < 4


def test_a_router_that_slept_finds_its_peers(pair: RouterPair) -> None:
    """Stopped for longer than ten seconds, it notices and asks its peers at once."""
    peer = {f"10.77.0.1:{PORT}": pair.credentials(0)}
    pair.configure(0, UDPInterface=[{"bind": f"0.0.0.0:{PORT}", "connectTo": {}}])
    pair.configure(1, UDPInterface=[{"bind": f"0.0.0.0:{PORT}", "connectTo": peer}])
    pair.start(0)
    pair.start(1)
    pair.wait_for_pings()
    pair.send_signal(1, signal.SIGSTOP)
    assert not pair.places[0].succeeds("ping", "-c", "13", "-W", "1", "-n", pair.address(1), timeout=30)
    pair.send_signal(1, signal.SIGCONT)
    pair.wait_for_log(1, "resumed", seconds=2)
    assert pair.wait_for_pings(seconds=5) < 4
