"""The router of cjdns in place of ours, under systemd: found, told of peers, replaced, brought back, undone.

DEX_CJDROUTE names the program; nothing of it is in this tree. It is put where a person's own build would be,
without a unit, on the whole machine of test_booted.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from booted import BOOTS, BootedHome
from machine import NAMESPACES, OVERLAY, ROOT, TUN, Need, needs, program
from neighbourhood import wait_until
from two_homes import BEN, TwoHomes, differences

CJDROUTE = Path(os.environ.get("DEX_CJDROUTE", ""))
pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(400),
    needs(
        ROOT, TUN, NAMESPACES, OVERLAY, BOOTS, program("nft"), program("smtpd"), program("firewalld"),
        Need("DEX_CJDROUTE=/path/to/cjdroute", CJDROUTE.is_file),
    ),
]  # fmt: skip

ANSWERS = "/root/answers.toml"
ANOTHER_PEER = (
    '"203.0.113.99:4000": {"password": "a word between us", "login": "ben", '
    '"publicKey": "b465hml7z3g1vj22ktqdrc3z17mwjxl44cg0mj903n9vycxzqpv0.k"}'
)


@pytest.fixture
def machine() -> Iterator[TwoHomes]:
    """Build a machine on which somebody's own cjdroute lies."""
    with TwoHomes() as scenario:
        scenario.start_public_node()
        home = scenario.add_home(BEN, BootedHome)
        assert isinstance(home, BootedHome)
        home.install(CJDROUTE, "/usr/local/bin/cjdroute")
        yield scenario


def set_up(machine: TwoHomes, backend: str, *more: str) -> str:
    """Apply the home's answers with this router."""
    home = machine.home_of(BEN)
    text = re.sub(r"backend = .*\n", "", home.read(ANSWERS))
    home.write(ANSWERS, text.replace("[node]\n", f'[node]\nbackend = "{backend}"\n'), mode="0600")
    return machine.dexsetup(BEN, "--answers", ANSWERS, *more)


def pid_of(machine: TwoHomes, unit: str) -> str:
    """Return the unit's main process; 0 for none."""
    return machine.home_of(BEN).run("systemctl", "show", "--property=MainPID", "--value", unit).strip()


def waits_for_the_public_node(machine: TwoHomes) -> None:
    """Wait until the public node can be reached from the machine, and the machine from it."""
    address = machine.address_of(BEN)
    public = machine.neighbourhood.public
    wait_until(
        lambda: public.succeeds("ping", "-6", "-c", "1", "-W", "1", address),
        what="the machine answers over the mesh",
        seconds=60,
    )


def test_cjdns_own_router_serves_as_ours_does_and_either_takes_over_from_the_other(machine: TwoHomes) -> None:
    """Same answers, address, zones, mail and doctor; peers without a restart; a reboot; back, and undone."""
    home = machine.home_of(BEN)
    assert isinstance(home, BootedHome)
    before = machine.fingerprint(BEN)
    set_up(machine, "cjdns")
    address = machine.address_of(BEN)
    assert home.run("systemctl", "is-active", "cjdns", "opensmtpd").split() == ["active", "active"]
    waits_for_the_public_node(machine)
    assert "Everything that was looked at works" in machine.dexsetup(BEN, "doctor")
    assert "ESTABLISHED" in machine.dexsetup(BEN, "status")
    assert home.run("firewall-cmd", "--get-zone-of-interface=cjdns0").strip() == "cjdns"
    assert "Nothing to do" in set_up(machine, "cjdns")

    router = pid_of(machine, "cjdns")
    machine.dexsetup(BEN, "peers", "add", ANOTHER_PEER)
    assert "203.0.113.99:4000" in machine.dexsetup(BEN, "status")
    assert pid_of(machine, "cjdns") == router

    home.reboot()
    assert home.run("systemctl", "is-system-running").strip() == "running"
    assert machine.address_of(BEN) == address
    waits_for_the_public_node(machine)

    set_up(machine, "embedded", "--accept-risk", "replace-cjdns")
    assert machine.address_of(BEN) == address
    assert home.run("systemctl", "show", "--property=Id", "--value", "cjdns").strip() == "dexrouter.service"
    assert not home.succeeds("pgrep", "-x", "cjdroute")
    waits_for_the_public_node(machine)

    set_up(machine, "cjdns")
    assert pid_of(machine, "dexrouter") == "0"
    assert home.run("systemctl", "show", "--property=Id", "--value", "cjdns").strip() == "cjdns.service"
    waits_for_the_public_node(machine)
    for _ in range(4):
        machine.undo(BEN)
    assert differences(before, machine.fingerprint(BEN)) == []
    assert not home.succeeds("pgrep", "-x", "cjdroute")
