"""Who is let in: by login and password, by password alone, from one address only; ours and the reference."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dexrouter import PROTOCOL_VERSION
from machine import NAMESPACES, ROOT, TUN, needs
from neighbourhood import wait_until
from router_pair import REFERENCE, SECONDS, RouterPair

pytestmark = [pytest.mark.system, pytest.mark.timeout(120), needs(ROOT, TUN, NAMESPACES)]

CALLED, CALLER = 0, 1
PORT = 4001
PASSWORD = "a password of the entry"
ROUTER = Path(__file__).resolve().parents[2] / "router"


@pytest.fixture(
    params=[
        pytest.param(frozenset[int](), id="ours"),
        pytest.param(frozenset({CALLED}), id="the reference is called", marks=needs(REFERENCE)),
        pytest.param(frozenset({CALLER}), id="the reference calls", marks=needs(REFERENCE)),
    ]
)
def pair(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RouterPair]:
    with RouterPair(tmp_path, reference=request.param) as built:
        yield built


def start(pair: RouterPair, entry: dict[str, str], given: dict[str, str]) -> None:
    """Start both: the called one with this entry, the other with what it was given of it."""
    pair.configure(CALLED, UDPInterface=[{"bind": f"0.0.0.0:{PORT}", "connectTo": {}}])
    path = pair.config_path(CALLED)
    config = {**json.loads(path.read_text()), "authorizedPasswords": [{"password": PASSWORD, **entry}]}
    path.write_text(json.dumps(config))
    peer = {"password": PASSWORD, "publicKey": pair.key(CALLED), **given}
    pair.configure(
        CALLER, UDPInterface=[{"bind": f"0.0.0.0:{PORT}", "connectTo": {f"10.77.0.1:{PORT}": peer}}]
    )
    pair.start(CALLED)
    pair.wait_for_port(CALLED, PORT)
    pair.start(CALLER)


def peers(pair: RouterPair, number: int) -> list[dict[str, Any]]:
    """Ask a router, of whichever make, for its peers; one that does not answer yet has none."""
    command = ("env", f"PYTHONPATH={ROUTER}", sys.executable, "-m", "dexrouter.cli.control")
    text = pair.places[number].run(*command, "peers", "--json", allowed=(0, 1))
    found: list[dict[str, Any]] = json.loads(text) if text.startswith("[") else []
    return found


def version_of(pair: RouterPair, number: int) -> int:
    """Tell which version of the protocol a router speaks."""
    if number not in pair.reference:
        return PROTOCOL_VERSION
    said = subprocess.run(
        [os.environ["DEX_CJDROUTE"], "--version"], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"protocol version: (\d+)", said)
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize(
    ("login", "is_bound"),
    [("a-login", False), (None, False), ("a-login", True)],
    ids=["by login", "by password alone", "bound to its address"],
)
def test_who_has_the_credentials_is_let_in(pair: RouterPair, login: str | None, *, is_bound: bool) -> None:
    """And both learn which version of the protocol the other speaks."""
    entry = {"user": "a-login"}
    if is_bound:
        entry["ipv6"] = pair.address(CALLER)
    start(pair, entry, {"login": login} if login else {})
    pair.wait_for_pings()
    for number in (CALLED, CALLER):
        (peer,) = peers(pair, number)
        assert peer["state"] == "ESTABLISHED"
        assert peer["addr"].startswith(f"v{version_of(pair, 1 - number)}.")


def test_credentials_that_are_bound_to_another_address_let_nobody_in(pair: RouterPair) -> None:
    """However often it is tried."""
    start(pair, {"user": "a-login", "ipv6": "fc00::7"}, {"login": "a-login"})

    def has_tried_twice() -> bool:
        (peer,) = peers(pair, CALLER) or [{"bytesOut": 0}]
        return int(peer["bytesOut"]) > 300

    wait_until(has_tried_twice, what="a second hello", seconds=SECONDS)
    assert not pair.reaches(CALLER)
    assert [peer["state"] for peer in peers(pair, CALLER)] != ["ESTABLISHED"]
    assert all(peer["state"] != "ESTABLISHED" for peer in peers(pair, CALLED))
