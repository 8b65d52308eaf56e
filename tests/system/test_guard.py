"""The nftables guard for machines without firewalld, loaded by nft and knocked at from two sides.

A node with a mesh interface and an ordinary one, in namespaces; only the kernel decides.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from dexsetup.render.jinja import JinjaRenderer
from dexsetup.steps.firewall import mesh_ports
from machine import NAMESPACES, ROOT, find_program, needs, program
from neighbourhood import Place, wait_until

pytestmark = [pytest.mark.system, needs(ROOT, NAMESPACES, program("nft"))]

_CHECKOUT = Path(__file__).resolve().parents[2]
NODE_MESH, PEER_MESH = "fc00::1", "fc00::2"
NODE_LAN, HOST_LAN = "fd00:1::1", "fd00:1::2"

_LISTEN = """
import select, socket
servers = [socket.create_server(("::", port), family=socket.AF_INET6) for port in (25, 22)]
while True:
    for server in select.select(servers, [], [])[0]:
        server.accept()[0].close()
"""
_KNOCK = """
import json, socket, sys
answers = {}
for port in (25, 22):
    try:
        socket.create_connection((sys.argv[1], port), 2).close()
        answers[port] = "open"
    except TimeoutError:
        answers[port] = "dropped"
    except OSError:
        answers[port] = "refused"
print(json.dumps(answers))
"""


class Places(NamedTuple):
    """Who is there."""

    node: Place
    peer: Place
    lan: Place


def link(node: Place, device: str, address: str, other: Place, other_address: str) -> None:
    """Lay a cable between the node and another place."""
    node.ip(f"link add {device} type veth peer name eth0 netns {other.pid}")
    for place, name, its in ((node, device, address), (other, "eth0", other_address)):
        prefix = 8 if its.startswith("fc") else 64
        place.ip(f"addr add {its}/{prefix} dev {name} nodad", f"link set {name} up")


@pytest.fixture
def places() -> Iterator[Places]:
    """Build the three, with mail and ssh listening on all addresses of the node."""
    everyone = Places(Place("node"), Place("peer"), Place("host on the lan"))
    try:
        link(everyone.node, "cjdns0", NODE_MESH, everyone.peer, PEER_MESH)
        link(everyone.node, "eth0", NODE_LAN, everyone.lan, HOST_LAN)
        everyone.lan.ip(f"route add fc00::/8 via {NODE_LAN}")
        with tempfile.TemporaryFile("w+") as log:
            everyone.node.start(sys.executable, "-c", _LISTEN, log=log)
            wait_until(
                lambda: everyone.node.run("ss", "-ltnH").count("LISTEN") == 2, what="listeners", seconds=20
            )
            yield everyone
    finally:
        for place in everyone:
            place.close()


def knock(place: Place, address: str) -> dict[str, str]:
    """Return what a place finds at mail's and ssh's port."""
    answers: dict[str, str] = json.loads(place.run(sys.executable, "-c", _KNOCK, address))
    return answers


def scanned(place: Place, address: str) -> list[int]:
    """Return what dexsetup finds open on a node, looking from another."""
    path = f"PYTHONPATH={_CHECKOUT}:{_CHECKOUT / 'router'}"
    command = ("env", path, sys.executable, "-m", "dexsetup", "audit", "--scan", address, "--ports", "20-30")
    shown = place.run(*command, "--json", allowed=(0, 6)).splitlines()[-1]
    found: list[int] = json.loads(shown)["open"]
    return found


def test_the_guard_lets_in_what_was_chosen_and_hides_the_mesh_address_from_the_lan(places: Places) -> None:
    """Before it everything is open to everybody; twice loaded is once loaded; without it, as before."""
    nft = find_program("nft") or ""
    is_open = {"25": "open", "22": "open"}
    assert knock(places.peer, NODE_MESH) == is_open
    assert knock(places.lan, NODE_MESH) == is_open
    assert scanned(places.peer, NODE_MESH) == [22, 25]
    rules = JinjaRenderer().render("nftables/guard.nft.j2", device="cjdns0", ports=mesh_ports(("smtp",)))
    for _ in range(2):
        places.node.run(nft, "-f", "-", stdin=rules.decode())
        assert knock(places.peer, NODE_MESH) == {"25": "open", "22": "refused"}
        assert knock(places.lan, NODE_MESH) == {"25": "dropped", "22": "dropped"}
        assert knock(places.lan, NODE_LAN) == is_open
        assert places.peer.succeeds("ping", "-6", "-c", "1", "-W", "2", NODE_MESH)
        assert places.node.succeeds("ping", "-6", "-c", "1", "-W", "2", PEER_MESH)
    assert scanned(places.peer, NODE_MESH) == [25]
    places.node.run(nft, "delete", "table", "inet", "dexsetup_guard")
    assert knock(places.peer, NODE_MESH) == is_open
