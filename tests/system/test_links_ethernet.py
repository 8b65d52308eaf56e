"""Routers find each other over Ethernet frames: real packet sockets on a real cable, in namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from machine import NAMESPACES, ROOT, TUN, needs
from router_pair import DEVICE, REFERENCE, RouterPair

pytestmark = [pytest.mark.system, pytest.mark.timeout(90), needs(ROOT, TUN, NAMESPACES)]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[RouterPair]:
    with RouterPair(tmp_path) as built:
        yield built


@pytest.mark.parametrize(("mine", "yours"), [(2, 2), (2, 1), (1, 2)])
def test_beacons_alone_make_neighbours(pair: RouterPair, mine: int, yours: int) -> None:
    """Whoever sends, whoever only listens: nothing but the device is configured."""
    first, second = (1, 0) if mine == 2 else (0, 1)
    pair.configure(0, ETHInterface=[{"bind": DEVICE, "beacon": mine}])
    pair.configure(1, ETHInterface=[{"bind": "all", "beacon": yours}])
    # The one that only listens is there first: the other sends its beacon when it starts.
    pair.start(first)
    pair.wait_for_log(first, "started")
    pair.start(second)
    pair.wait_for_pings()


def test_a_configured_peer_is_called_by_its_hardware_address(pair: RouterPair) -> None:
    """No beacons: login, password and a MAC address."""
    pair.configure(0, ETHInterface=[{"bind": DEVICE, "beacon": 0}])
    peer = {pair.macs[0]: pair.credentials(0)}
    pair.configure(1, ETHInterface=[{"bind": DEVICE, "beacon": 0, "connectTo": peer}])
    pair.start(0)
    pair.start(1)
    pair.wait_for_pings()
    assert f"peer address={pair.macs[1]} state=ESTABLISHED" in pair.log(0)


def test_a_device_that_comes_late_goes_and_comes_again_is_used(pair: RouterPair) -> None:
    """A missing device is a warning at start and no more; each time it appears, neighbours are found."""
    pair.pull_cable()
    pair.configure(0, ETHInterface=[{"bind": DEVICE, "beacon": 2}])
    pair.configure(1, ETHInterface=[{"bind": "all", "beacon": 2}])
    for number in (0, 1):
        pair.start(number)
        pair.wait_for_log(number, "started")
    pair.wait_for_log(0, "WARNING ethernet device=lan0 state=waiting")
    pair.connect_cable()
    pair.wait_for_pings()
    pair.pull_cable()
    for number in (0, 1):
        pair.wait_for_log(number, "ethernet device=lan0 state=gone")
    assert not pair.reaches(0)
    pair.connect_cable()
    pair.wait_for_pings()


@needs(REFERENCE)
@pytest.mark.parametrize("reference", [0, 1])
@pytest.mark.parametrize("beacon", [2, 0])
def test_the_reference_router_is_a_neighbour(tmp_path: Path, reference: int, beacon: int) -> None:
    """By beacons alone and by configuration, whoever calls."""
    with RouterPair(tmp_path, reference=frozenset({reference})) as pair:
        peer = {} if beacon else {pair.macs[0]: pair.credentials(0)}
        pair.configure(0, ETHInterface=[{"bind": DEVICE, "beacon": beacon}])
        pair.configure(1, ETHInterface=[{"bind": DEVICE, "beacon": beacon, "connectTo": peer}])
        pair.start(0)
        pair.start(1)
        pair.wait_for_pings()
