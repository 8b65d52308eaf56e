"""A card between two real nodes: made by one, read by the other, ESTABLISHED; revoked, and it is over."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dexsetup.card import find_card, read_card
from dexsetup.exitcodes import ExitCode
from machine import NAMESPACES, OVERLAY, ROOT, TUN, needs, program
from neighbourhood import PUBLIC_ADDRESS, Home, Neighbourhood, wait_until
from two_homes import program as of_checkout

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(300),
    needs(ROOT, TUN, NAMESPACES, OVERLAY, program("nft")),
]

FRIEND = 'Ann "the box" [1]'
SECONDS = 60.0


@pytest.fixture
def street(checkout: Path) -> Iterator[Neighbourhood]:
    with Neighbourhood((checkout, Path(sys.prefix))) as made:
        made.add_home("home a")
        yield made


def dexsetup(place: Home, *words: str, stdin: str = "", allowed: tuple[int, ...] = (0,)) -> str:
    return place.run(*of_checkout("dexsetup.cli"), *words, stdin=stdin, timeout=120, allowed=allowed)


def states(place: Home) -> list[str]:
    """Return the state of each peer, as the router sees it."""
    shown = json.loads(dexsetup(place, "status", "--json"))
    return [peer["state"] for peer in shown["peers"]]


def router_of(place: Home) -> str:
    return place.run("pgrep", "-u", "dexrouter").strip()


def test_a_friend_s_card_connects_two_nodes_until_it_is_revoked(street: Neighbourhood) -> None:
    """The router that lets friends in and sends them away is told, and never restarted."""
    node, home = street.public, street.homes["home a"]
    alone = "schema = 1\n[node]\nlan_peering = false\n"
    dexsetup(node, "--answers", "-", stdin=alone, allowed=(ExitCode.UNSATISFIED,))
    router = router_of(node)

    link = find_card(dexsetup(node, "card", "--for", FRIEND, "--at", PUBLIC_ADDRESS))
    entry = read_card(link).peer
    assert entry is not None
    assert entry.login == FRIEND
    dexsetup(home, "peers", "add", link)
    wait_until(lambda: states(home) == ["ESTABLISHED"], what="the friend is connected", seconds=SECONDS)
    assert states(node) == ["ESTABLISHED"]

    dexsetup(node, "card", "--for", "Ben", "--at", PUBLIC_ADDRESS)
    allowed = dexsetup(node, "peers", "allowed")
    assert FRIEND in allowed
    assert "Ben" in allowed

    dexsetup(node, "peers", "revoke", FRIEND)
    assert FRIEND not in dexsetup(node, "peers", "allowed")
    wait_until(lambda: "ESTABLISHED" not in states(node), what="the node forgets the friend", seconds=SECONDS)
    assert entry.password not in node.read("/etc/cjdroute.conf")

    behind_nat = dexsetup(home, "card", "--for", "Cid")
    assert "192.168.1.2 is reached from the local network alone." in behind_nat
    assert find_card(behind_nat)
    assert "ESTABLISHED" not in states(node)
    assert router_of(node) == router
