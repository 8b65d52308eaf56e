"""The way that everything hangs on: from two fresh homes to a letter delivered over the mesh, and its answer.

One scenario, walked through in the order of this file; the demo walks through the same one. Real dexsetup,
dexrouter, opensmtpd and s-nail, in namespaces.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

import pytest

from machine import NAMESPACES, OVERLAY, ROOT, TUN, needs, program
from two_homes import ANN, BEN, Person, TwoHomes, differences

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(400),
    needs(ROOT, TUN, NAMESPACES, OVERLAY, program("nft"), program("smtpd"), program("s-nail")),
]

MESH = IPv6Network("fc00::/8")
CHECKOUT = Path(__file__).resolve().parents[2]
NOBODY = "ann@[IPv6:fc00::1]"
_LOOK = f"""
import json, sys, time
from dataclasses import asdict
sys.path[:0] = [{str(CHECKOUT)!r}, {str(CHECKOUT / "router")!r}]
from dexsetup.commands.session import Flags
from dexsetup.ui.desk import Desk
desk = Desk(Flags())
for _ in range(40):
    pulse = desk.pulse()
    if pulse.letters and any(peer.rtt_ms is not None for peer in pulse.peers):
        break
    time.sleep(0.5)
print(json.dumps(asdict(pulse)))
"""


def home_of(scenario: TwoHomes, person: Person) -> dict[str, Any]:
    """Look as Home does, until there is a letter and a round trip."""
    shown: dict[str, Any] = json.loads(scenario.home_of(person).run(sys.executable, "-c", _LOOK))
    return shown


@pytest.fixture
def scenario() -> Iterator[TwoHomes]:
    with TwoHomes() as two_homes:
        two_homes.start_public_node()
        for person in (ANN, BEN):
            two_homes.add_home(person)
        yield two_homes


def test_two_homes_exchange_letters(scenario: TwoHomes) -> None:
    """Answers alone let two homes behind NAT write to each other; again changes nothing; undo undoes."""
    before = scenario.fingerprint(BEN)
    for person in (ANN, BEN):
        scenario.set_up(person)
        assert IPv6Address(scenario.address_of(person)) in MESH
    assert scenario.address_of(ANN) != scenario.address_of(BEN)

    scenario.write_letter(ANN, BEN, subject="Hello", text="can you read this?")
    scenario.wait_for_letter(BEN, "can you read this?")
    letter = scenario.mailbox(BEN)
    assert f"From: {ANN.real_name} <{scenario.mail_address(ANN)}>" in letter
    assert f"Received: from [IPv6:{scenario.address_of(ANN)}]" in letter
    scenario.answer_letter(BEN, text="every word.")
    scenario.wait_for_letter(ANN, "every word.")
    assert "Subject: Re: Hello" in scenario.mailbox(ANN)

    scenario.home_of(ANN).run("s-nail", "-s", "Lost", NOBODY, stdin="nobody is there\n", login=ANN.login)
    seen = home_of(scenario, ANN)
    assert seen["is_router_there"], seen["said"]
    assert [(peer["state"], peer["rtt_ms"] is not None) for peer in seen["peers"]] == [("ESTABLISHED", True)]
    assert [letter["recipient"] for letter in seen["letters"]] == [NOBODY]

    files = scenario.fingerprint(ANN)
    scenario.set_up(ANN)
    assert differences(files, scenario.fingerprint(ANN)) == []

    routes = ("ip", "-6", "route", "show", "type", "blackhole")
    assert "fc00::/8" in scenario.home_of(BEN).run(*routes)
    scenario.undo(BEN)
    assert scenario.home_of(BEN).run(*routes) == ""
    assert scenario.address_of(BEN) == ""
    assert differences(before, scenario.fingerprint(BEN)) == []
