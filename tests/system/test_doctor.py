"""The doctor and the audit on a machine that works, and on the same machine broken in real ways."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

from machine import NAMESPACES, OVERLAY, ROOT, TUN, needs, program
from neighbourhood import wait_until
from two_homes import BEN, TwoHomes

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(400),
    needs(ROOT, TUN, NAMESPACES, OVERLAY, program("nft"), program("smtpd"), program("s-nail")),
]

_LISTEN = """
import socket, time
server = socket.create_server(("::", 8080), family=socket.AF_INET6)
time.sleep(600)
"""


@pytest.fixture
def scenario() -> Iterator[TwoHomes]:
    with TwoHomes() as two_homes:
        two_homes.start_public_node()
        two_homes.add_home(BEN)
        two_homes.set_up(BEN)
        yield two_homes


def ask(scenario: TwoHomes, command: str, status: int) -> dict[str, Any]:
    """Run a command that looks; gives the object that it prints."""
    shown = scenario.dexsetup(BEN, *command.split(), "--json", allowed=(status,))
    found: dict[str, Any] = json.loads(shown.strip().splitlines()[-1])
    return found


def broken_links(scenario: TwoHomes) -> set[str]:
    """Return the links that the doctor finds broken; each with its cause and what mends it."""
    findings = [item for item in ask(scenario, "doctor", 6)["findings"] if item["grade"] == "FAIL"]
    assert all(finding["cause"] and finding["fix"] for finding in findings)
    return {finding["link"] for finding in findings}


def test_breaks_are_found_where_they_are_and_surprises_are_named(scenario: TwoHomes) -> None:
    """All well; a listener nobody chose; a file of another key; no address, no mail server: both mended."""
    home = scenario.home_of(BEN)
    well = ask(scenario, "doctor", 0)
    assert well["breaks"] == 0
    assert {"key", "service", "address", "port", "peers", "route", "mail"} <= {
        finding["link"] for finding in well["findings"] if finding["grade"] == "ok"
    }

    seen = ask(scenario, "audit", 0)
    assert {item["listener"]["program"] for item in seen["listeners"]} == {"smtpd", "dexrouter"}
    assert {item["reach"] for item in seen["listeners"]} == {"open, as chosen"}
    with tempfile.TemporaryFile("w+") as log:
        home.start(sys.executable, "-c", _LISTEN, log=log)
        wait_until(lambda: ":8080" in home.run("ss", "-ltnH"), what="the listener listens", seconds=20)
        surprised = ask(scenario, "audit", 6)
    assert surprised["surprises"] == 1

    mailname = home.read("/etc/mailname")
    home.write("/etc/mailname", "[IPv6:fc00::1]\n")
    assert broken_links(scenario) == {"mail", "address"}
    home.write("/etc/mailname", mailname)
    home.ip(f"addr del {scenario.address_of(BEN)}/8 dev cjdns0")
    assert "address" in broken_links(scenario)
    home.run("pkill", "-x", "smtpd")
    wait_until(lambda: ":25 " not in home.run("ss", "-ltnH"), what="the mail server ends", seconds=20)
    mended = ask(scenario, "doctor --fix", 0)
    assert mended["breaks"] == 0
