"""The router as a process, in namespaces: start, stop, what keeps it from starting, and a line of three."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dexrouter.crypto.keys import KeyPair, address_text, generate_key_pair, public_key_text
from machine import NAMESPACES, ROOT, TUN, needs
from neighbourhood import Place

pytestmark = [pytest.mark.system, pytest.mark.timeout(90), needs(ROOT, TUN, NAMESPACES)]

ROUTER = Path(__file__).resolve().parents[2] / "router"
STARTED_ROUTER = Path(__file__).resolve().parents[1] / "support" / "started_router.py"
PORT = 4001
DEVICE = "mesh0"
START_LIMIT = 3.0
"""Seconds until the address can be bound: half a second is the aim, but a test shares its machine."""


def key_of(name: str) -> KeyPair:
    return generate_key_pair(random.Random(name).randbytes)


def configuration(name: str, calls: dict[str, str] | None = None) -> dict[str, Any]:
    """Make a configuration; `calls` are addresses and the names of the routers there."""
    connect = {
        address: {"login": "x", "password": "a password", "publicKey": public_key_text(key_of(other).public)}
        for address, other in (calls or {}).items()
    }
    return {
        "privateKey": key_of(name).private.reveal().hex(),
        "authorizedPasswords": [{"password": "a password", "user": "x"}],
        "admin": {"bind": "127.0.0.1:11234", "password": "NONE"},
        "interfaces": {"UDPInterface": [{"bind": f"0.0.0.0:{PORT}", "connectTo": connect}]},
        "router": {"interface": {"type": "TUNInterface", "tunDevice": DEVICE}},
    }


def command(*options: str) -> list[str]:
    return ["env", f"PYTHONPATH={ROUTER}", sys.executable, "-m", "dexrouter.cli.daemon", *options]


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place("alone")
    yield made
    made.close()


def refusal(place: Place, config: dict[str, Any], *, prefix: tuple[str, ...] = ()) -> str:
    """Start a router that cannot start, by standard input; gives what it says."""
    return place.run(*prefix, *command(), stdin=json.dumps(config), allowed=(1,))


def test_the_address_can_be_bound_soon_after_the_start_and_sigterm_ends_it_cleanly(
    place: Place, tmp_path: Path
) -> None:
    """Status 0, the device gone, one line each for start and stop."""
    config = tmp_path / "cjdroute.conf"
    config.write_text(json.dumps(configuration("alone")), encoding="utf-8")
    address = address_text(key_of("alone").address)
    run = place.run(sys.executable, str(STARTED_ROUTER), address, DEVICE, *command("--config", str(config)))
    report = json.loads(run)
    assert report["bindable"] < START_LIMIT
    assert report["resident_mib"] < 60
    assert (report["status"], report["device_left"]) == (0, False)
    assert report["ending"] < 2.0
    said = report["said"].splitlines()
    assert sum(" started " in line for line in said) == 1
    assert sum(line.endswith(" stopped") for line in said) == 1


def test_a_port_in_use_is_named_and_nothing_is_left(place: Place) -> None:
    hold = (
        f"import socket,sys; s=socket.socket(2,2); s.bind(('0.0.0.0',{PORT})); "
        "print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        place.command([sys.executable, "-c", hold]), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        said = refusal(place, configuration("alone"))
        assert holder.stdin is not None
        holder.stdin.close()
    assert f"cannot bind UDP 0.0.0.0:{PORT}: Address already in use" in said
    assert "Another program (perhaps another router) has this port" in said
    assert "Traceback" not in said
    assert not place.succeeds("ip", "link", "show", DEVICE)


def test_without_the_tun_driver_it_says_what_is_missing(place: Place) -> None:
    place.run("mount", "-t", "tmpfs", "tmpfs", "/dev/net")
    said = refusal(place, configuration("alone"))
    assert "cannot open /dev/net/tun: No such file or directory" in said
    assert "modprobe tun" in said
    assert "Traceback" not in said


def test_without_the_capability_it_says_what_is_needed(place: Place) -> None:
    said = refusal(
        place, configuration("alone"), prefix=("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    )
    assert "Root or CAP_NET_ADMIN is needed" in said
    assert "Traceback" not in said


def test_a_device_of_another_program_is_named(place: Place) -> None:
    hold = (
        "import fcntl,os,struct,sys; d=os.open('/dev/net/tun',2); "
        f"fcntl.ioctl(d,0x400454ca,struct.pack('16sH22x',b'{DEVICE}',0x1001)); "
        "print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        place.command([sys.executable, "-c", hold]), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        said = refusal(place, configuration("alone"))
        assert holder.stdin is not None
        holder.stdin.close()
    assert f"cannot make the TUN device {DEVICE}" in said
    assert "Another program has this device" in said
    assert "Traceback" not in said
