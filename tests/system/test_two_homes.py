"""The way that everything hangs on: from two fresh homes to a letter delivered over the mesh, and its answer.

One scenario, walked through in the order of this file; the demo walks through the same one. Real dexsetup,
dexrouter, opensmtpd and s-nail, in namespaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Network

import pytest

from machine import NAMESPACES, OVERLAY, ROOT, TUN, needs, program
from two_homes import ANN, BEN, TwoHomes, differences

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(400),
    needs(ROOT, TUN, NAMESPACES, OVERLAY, program("nft"), program("smtpd"), program("s-nail")),
]

MESH = IPv6Network("fc00::/8")


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

    files = scenario.fingerprint(ANN)
    scenario.set_up(ANN)
    assert differences(files, scenario.fingerprint(ANN)) == []

    scenario.undo(BEN)
    assert scenario.address_of(BEN) == ""
    assert differences(before, scenario.fingerprint(BEN)) == []
