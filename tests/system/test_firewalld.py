"""What a real firewalld lets in after a set-up: from the mesh, from the local network, and after undo.

A home with firewalld on a bus of its own, behind a gateway that is a host on its local network; a peer on the
mesh that is a stranger. Real dexsetup, dexrouter, opensmtpd, firewalld and nftables, in namespaces.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator

import pytest

from machine import NAMESPACES, OVERLAY, ROOT, TUN, needs, program
from neighbourhood import Place, wait_until
from two_homes import BEN, TwoHomes, differences

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(400),
    needs(
        ROOT, TUN, NAMESPACES, OVERLAY, program("nft"), program("smtpd"), program("s-nail"),
        program("firewalld"), program("dbus-daemon"),
    ),
]  # fmt: skip

LAN_HOST, LAN_HOME = "fd00:1::1", "fd00:1::2"
OPEN_TO_ALL = 8080
SHUT = 9090
PASSING = "9999/tcp"
"""What somebody opened in the running firewall alone."""

_LISTEN = """
import select, socket, sys
servers = [socket.create_server(("::", int(port)), family=socket.AF_INET6) for port in sys.argv[1:]]
print("listening", flush=True)
while True:
    for server in select.select(servers, [], [])[0]:
        server.accept()[0].close()
"""
_KNOCK = """
import json, socket, sys
def knock(host, port):
    try:
        socket.create_connection((host, port), 3).close()
    except TimeoutError:
        return "dropped"
    except OSError as error:
        return "refused"
    return "open"
print(json.dumps({port: knock(sys.argv[1], port) for port in map(int, sys.argv[2:])}))
"""


def knock(place: Place, host: str, *ports: int) -> dict[int, str]:
    """Try to connect from a place; says open, refused or dropped for each port."""
    shown = place.run(sys.executable, "-c", _KNOCK, host, *map(str, ports), timeout=60)
    return {int(port): answer for port, answer in json.loads(shown).items()}


@pytest.fixture
def scenario() -> Iterator[TwoHomes]:
    """Build a home with a firewalld that runs; its uplink is in the default zone, as it comes."""
    with TwoHomes() as two_homes, tempfile.TemporaryFile("w+") as log:
        two_homes.start_public_node()
        home = two_homes.add_home(BEN)
        home.ip(f"addr add {LAN_HOME}/64 dev eth0 nodad")
        two_homes.neighbourhood.gateways[BEN.home].ip(f"addr add {LAN_HOST}/64 dev lan0 nodad")
        home.run("mkdir", "-p", "/run/dbus")
        home.run("dbus-daemon", "--system", "--fork", "--nopidfile")
        home.start("firewalld", "--nofork", "--nopid", log=log)
        wait_until(
            lambda: home.succeeds("firewall-cmd", "--state"), what="firewalld runs", seconds=30, every=0.3
        )
        home.run("firewall-cmd", f"--add-port={OPEN_TO_ALL}/tcp")
        home.run("firewall-cmd", "--permanent", f"--add-port={OPEN_TO_ALL}/tcp")
        home.run("firewall-cmd", f"--add-port={PASSING}")
        home.start(sys.executable, "-c", _LISTEN, "22", str(OPEN_TO_ALL), str(SHUT), log=log)
        wait_until(lambda: ":9090" in home.run("ss", "-ltnH"), what="the listeners listen", seconds=20)
        yield two_homes


def settings(two_homes: TwoHomes) -> str:
    """Return everything that firewalld says of its zones, as it runs and as it is kept."""
    home = two_homes.home_of(BEN)
    return "\n".join(
        home.run("firewall-cmd", *option, "--list-all-zones") for option in ((), ("--permanent",))
    )


def lan_reaches(two_homes: TwoHomes) -> dict[int, str]:
    """Knock at the home's address on the local network, from there."""
    return knock(two_homes.neighbourhood.gateways[BEN.home], LAN_HOME, 22, OPEN_TO_ALL, SHUT)


def test_the_mesh_reaches_what_was_chosen_and_the_local_network_no_mesh_address(scenario: TwoHomes) -> None:
    """And nothing else changes: not for the local network, not on a second run, not after undo."""
    home, gateway = scenario.home_of(BEN), scenario.neighbourhood.gateways[BEN.home]
    before, lan_before = settings(scenario), lan_reaches(scenario)
    assert lan_before == {22: "open", OPEN_TO_ALL: "open", SHUT: "refused"}

    scenario.set_up(BEN)
    address = scenario.address_of(BEN)
    public = scenario.neighbourhood.public
    wait_until(
        lambda: public.succeeds("ping", "-6", "-c", "1", "-W", "1", address),
        what="the stranger reaches the home",
        seconds=60,
    )
    assert knock(public, address, 25, 22, OPEN_TO_ALL, SHUT) == {
        25: "open", 22: "refused", OPEN_TO_ALL: "refused", SHUT: "refused",
    }  # fmt: skip
    zones = {zone["name"]: zone for zone in json.loads(scenario.dexsetup(BEN, "facts"))["zones"]}
    assert ["smtp", ["25/tcp"]] in zones["cjdns"]["openings"]
    assert zones["public"]["is_default"]
    assert f"{OPEN_TO_ALL}/tcp" in dict(zones["public"]["openings"])[""]
    audit = json.loads(scenario.dexsetup(BEN, "audit", "--json"))
    assert "is in the zone cjdns: " in audit["firewall"]
    shut = {
        entry["listener"]["port"] for entry in audit["listeners"] if entry["reach"] == "shut by the firewall"
    }
    assert {22, OPEN_TO_ALL, SHUT} <= shut
    gateway.run("ip", "-6", "route", "add", "fc00::/8", "via", LAN_HOME)
    assert knock(gateway, address, 25, 22, OPEN_TO_ALL) == {
        25: "dropped",
        22: "dropped",
        OPEN_TO_ALL: "dropped",
    }
    assert lan_reaches(scenario) == lan_before
    assert home.run("firewall-cmd", "--get-zone-of-interface=cjdns0").strip() == "cjdns"
    assert PASSING in home.run("firewall-cmd", "--list-ports")
    assert PASSING not in home.run("firewall-cmd", "--permanent", "--list-ports")

    after = settings(scenario)
    shown = scenario.set_up(BEN)
    assert "Nothing to do" in shown, shown
    assert differences(after, settings(scenario)) == []
    home.run("firewall-cmd", "--reload")
    home.run("firewall-cmd", f"--add-port={PASSING}")
    assert differences(after, settings(scenario)) == []

    scenario.undo(BEN)
    assert differences(before, settings(scenario)) == []
    assert lan_reaches(scenario) == lan_before
