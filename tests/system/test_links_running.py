"""A router that runs well: it reloads, gives up its rights, and leaves nothing open when it dies."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine import NAMESPACES, ROOT, TUN, needs
from neighbourhood import wait_until
from router_pair import DEVICE, LOGIN, SECONDS, RouterPair

pytestmark = [pytest.mark.system, pytest.mark.timeout(90), needs(ROOT, TUN, NAMESPACES)]

PORT = 4001


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[RouterPair]:
    with RouterPair(tmp_path) as built:
        yield built


def configure(
    pair: RouterPair, number: int, *, users: tuple[str, ...] = (LOGIN,), calls: bool = False
) -> None:
    peer = {f"10.77.0.{2 - number}:{PORT}": pair.credentials(1 - number)} if calls else {}
    pair.configure(number, users=users, UDPInterface=[{"bind": f"0.0.0.0:{PORT}", "connectTo": peer}])


def test_sighup_adds_a_peer_and_a_password_and_keeps_the_session(pair: RouterPair) -> None:
    """First nobody is called, then a peer; a broken file changes nothing; a password goes, its peer too."""
    configure(pair, 0)
    configure(pair, 1)
    for number in (0, 1):
        pair.start(number)
        pair.wait_for_log(number, "started")
    configure(pair, 1, calls=True)
    pair.send_signal(1, signal.SIGHUP)
    pair.wait_for_pings()
    configure(pair, 0, users=(LOGIN, "somebody"))
    pair.send_signal(0, signal.SIGHUP)
    pair.wait_for_log(0, "reload added=password user=somebody")
    good = pair.config_path(0).read_text()
    pair.config_path(0).write_text(good[:-9])
    pair.send_signal(0, signal.SIGHUP)
    pair.wait_for_log(0, "ERROR reload refused=")
    assert pair.reaches(0)
    assert pair.log(0).count("state=ESTABLISHED") == 1
    configure(pair, 0, users=("somebody",))
    pair.send_signal(0, signal.SIGHUP)
    pair.wait_for_log(0, "state=FORGOTTEN was=ESTABLISHED")


def test_a_service_is_handed_its_new_configuration(pair: RouterPair, tmp_path: Path) -> None:
    """Started by standard input: the signal alone is refused; a file laid ready is taken, and gone."""
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    configure(pair, 0)
    pair.start(0, runtime_directory=runtime)
    pair.wait_for_log(0, "started")
    pair.send_signal(0, signal.SIGHUP)
    pair.wait_for_log(0, "ERROR reload refused=")
    configure(pair, 0, users=(LOGIN, "somebody"))
    handed = runtime / "cjdroute.conf"
    handed.write_bytes(pair.config_path(0).read_bytes())
    pair.send_signal(0, signal.SIGHUP)
    pair.wait_for_log(0, "reload added=password user=somebody")
    assert not handed.exists()


def test_a_router_of_root_becomes_another_user_and_goes_on(pair: RouterPair) -> None:
    """It keeps two capabilities, can gain none, still follows devices, and may not read its file again."""
    beacon = [{"bind": DEVICE, "beacon": 2}]
    for number in (0, 1):
        pair.configure(number, ETHInterface=beacon)
        path = pair.config_path(number)
        config = json.loads(path.read_text())
        config["security"] = [{"setuser": "nobody", "keepNetAdmin": 1}, {"chroot": 0}]
        path.write_text(json.dumps(config))
        pair.start(number)
    pair.wait_for_pings()
    pair.wait_for_log(0, "privileges user=")
    status = pair.status(0)
    # CAP_NET_ADMIN is bit 12, CAP_NET_RAW bit 13.
    assert status["CapEff"] == status["CapPrm"] == status["CapBnd"] == f"{0x3000:016x}"
    assert status["NoNewPrivs"] == "1"
    assert "0" not in status["Uid"].split()
    pair.send_signal(0, signal.SIGHUP)
    pair.wait_for_log(0, "ERROR reload refused=")
    pair.pull_cable()
    pair.wait_for_log(0, "state=gone")
    pair.connect_cable()
    pair.wait_for_pings()


def test_an_unknown_user_is_no_reason_to_stop(pair: RouterPair) -> None:
    """A container without that account: the log says so, the router runs."""
    configure(pair, 0)
    path = pair.config_path(0)
    config = json.loads(path.read_text())
    config["security"] = [{"setuser": "no-such-user", "keepNetAdmin": 1}]
    path.write_text(json.dumps(config))
    pair.start(0)
    pair.wait_for_log(0, "WARNING privileges user=no-such-user")
    assert pair.status(0)["NoNewPrivs"] == "1"


def test_nothing_for_the_mesh_leaves_while_the_router_is_down(pair: RouterPair) -> None:
    """There is a default route; with the router killed, a packet to the mesh does not take it."""
    configure(pair, 0)
    home, internet = pair.places
    home.ip(f"route add ::/0 via fd77::2 dev {DEVICE}")
    stranger = "fc12::1"
    internet.ip(f"addr add {stranger}/128 dev lo")
    wait_until(lambda: pair.reaches(0, stranger), what="the default route to carry it", seconds=SECONDS)
    pair.start(0)
    pair.wait_for_log(0, "started")
    assert '"dev":"mesh0"' in home.run("ip", "-j", "-6", "route", "get", stranger)
    assert not pair.reaches(0, stranger)
    pair.stop(0, signal.SIGKILL)
    wait_until(lambda: not home.succeeds("ip", "link", "show", "mesh0"), what="device gone", seconds=SECONDS)
    assert not pair.reaches(0, stranger)
    assert "blackhole" in home.run("ip", "-6", "route", "show", "type", "blackhole", "fc00::/8")
