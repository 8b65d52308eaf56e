"""Before a router runs here: real routers on a real cable are heard by their beacons, of both kinds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine import NAMESPACES, ROOT, TUN, needs
from neighbourhood import wait_until
from router_pair import DEVICE, SECONDS, RouterPair

pytestmark = [pytest.mark.system, pytest.mark.timeout(90), needs(ROOT, TUN, NAMESPACES)]

_LISTEN = """
from dexsetup.neighbours import listen
print("listening", flush=True)
listen(lambda found: print(found.address, found.public_key, found.device or "UDP", flush=True), lambda: False)
"""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[RouterPair]:
    with RouterPair(tmp_path) as built:
        yield built


@pytest.mark.parametrize("kind", ["UDP", "Ethernet"])
def test_a_router_is_heard_before_one_runs_here(
    pair: RouterPair, kind: str, tmp_path: Path, checkout: Path
) -> None:
    """Its link address and its key, from the beacon that it sends when it starts."""
    if kind == "UDP":
        udp = {"bind": "0.0.0.0:4001", "beacon": 2, "beaconPort": 64512, "beaconDevices": ["all"]}
        pair.configure(0, UDPInterface=[udp])
    else:
        pair.configure(0, ETHInterface=[{"bind": DEVICE, "beacon": 2}])
    heard = (tmp_path / "heard").read_text
    path = f"PYTHONPATH={checkout}:{checkout / 'router'}"
    with (tmp_path / "heard").open("w") as log:
        ear = pair.places[1].start("env", path, sys.executable, "-c", _LISTEN, log=log)
        try:
            wait_until(lambda: "listening" in heard(), what="somebody listens", seconds=SECONDS)
            pair.start(0)
            wait_until(lambda: pair.key(0) in heard(), what="the router is heard", seconds=SECONDS)
            address, device = ("10.77.0.1:4001", "UDP") if kind == "UDP" else (pair.macs[0], DEVICE)
            assert f"{address} {pair.key(0)} {device}" in heard()
        finally:
            ear.kill()
            ear.wait()
