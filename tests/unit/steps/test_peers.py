"""The peers step: merged into what is there, removed only when asked."""

from __future__ import annotations

import pytest

from dexrouter.config import ConnectTo, load_config
from dexsetup.errors import AnswersError
from dexsetup.plan.model import Unit
from dexsetup.steps.identity import IdentityStep
from dexsetup.steps.node import CONFIG
from dexsetup.steps.peers import PeersStep
from step_inputs import (
    ADDRESS,
    DRAWN,
    OTHER_KEY,
    SPARE_KEY,
    answers,
    debian,
    file_of,
    inputs,
    peer,
    with_node,
)

STEP = PeersStep()


def peers_of(content: bytes | None) -> list[tuple[str, ...]]:
    """Return the addresses of the peers, by interface."""
    return [
        tuple(entry.address for entry in interface.connect_to)
        for interface in load_config(content or b"").udp_interfaces
    ]


def present(*peers: dict[str, object]) -> bytes:
    """Return a configuration with these peers in it."""
    content = file_of(STEP.plan(inputs(answers(peer=peers), with_node())), CONFIG).content
    assert content is not None
    return content


def test_without_peers_in_the_answers_nothing_is_wanted() -> None:
    assert STEP.plan(inputs(answers(node={}), with_node())) is None


def test_a_peer_goes_into_the_interface_of_its_family() -> None:
    content = present(peer(), peer(OTHER_KEY, "[2001:db8::1]:2000", login="me", name="six"))
    assert peers_of(content) == [("192.0.2.1:2000",), ("[2001:db8::1]:2000",)]
    assert load_config(content).udp_interfaces[1].connect_to == (
        ConnectTo("[2001:db8::1]:2000", OTHER_KEY, "word", "me", "six"),
    )


def test_a_peer_that_is_not_mentioned_is_left_alone() -> None:
    before = present(peer())
    plan = STEP.plan(inputs(answers(peer=(peer(OTHER_KEY, "192.0.2.9:9"),)), with_node(before)))
    assert peers_of(file_of(plan, CONFIG).content) == [("192.0.2.1:2000", "192.0.2.9:9"), ()]


def test_the_same_peer_again_changes_nothing() -> None:
    before = present(peer())
    plan = STEP.plan(inputs(answers(peer=(peer(),)), with_node(before)))
    assert file_of(plan, CONFIG).content == before


def test_what_an_answer_leaves_out_is_taken_from_the_entry_that_is_there() -> None:
    """Only the name is new; address, password and login stay."""
    before = present(peer(login="me"))
    plan = STEP.plan(inputs(answers(peer=({"public_key": SPARE_KEY, "name": "nearby"},)), with_node(before)))
    (entry,) = load_config(file_of(plan, CONFIG).content or b"").udp_interfaces[0].connect_to
    assert entry == ConnectTo("192.0.2.1:2000", SPARE_KEY, "word", "me", "nearby")


def test_absent_takes_a_peer_out_and_gives_the_bytes_back() -> None:
    before = present(peer())
    plan = STEP.plan(inputs(answers(peer=({"public_key": SPARE_KEY, "state": "absent"},)), with_node(before)))
    assert file_of(plan, CONFIG).content == DRAWN


def test_all_problems_of_all_peers_are_told_at_once() -> None:
    wanted = answers(
        peer=(
            {"public_key": SPARE_KEY},
            {"public_key": SPARE_KEY, "address": "192.0.2.1:1"},
            peer("short.k"),
            peer(address="host.example:1"),
            peer(),
        )
    )
    with pytest.raises(AnswersError) as caught:
        STEP.plan(inputs(wanted, with_node()))
    named = [text.split(":")[0] for text in caught.value.problems]
    assert named == [f"peer[{number}]" for number in range(1, 5)]
    assert "an address is needed" in caught.value.problems[0]
    assert "a password is needed" in caught.value.problems[1]


def test_removing_a_peer_where_no_node_is_says_so() -> None:
    wanted = answers(peer=({"public_key": SPARE_KEY, "state": "absent"},))
    with pytest.raises(AnswersError, match="no node here"):
        STEP.plan(inputs(wanted, debian()))


def test_with_a_new_node_the_peers_are_based_on_what_the_identity_writes() -> None:
    """Two steps edit one file: the second one starts from the bytes that the first one leaves."""
    wanted = inputs(answers(node={}, peer=(peer(),)), debian())
    plan = STEP.plan(wanted)
    assert plan is not None
    assert plan.address == ADDRESS
    assert file_of(plan, CONFIG).based_on == file_of(IdentityStep().plan(wanted), CONFIG).content
    assert not any(isinstance(item, Unit) for item in plan.resources)


@pytest.mark.parametrize(
    ("running", "unit"),
    [
        ("embedded", Unit("dexrouter.service", reload_on=(CONFIG,))),
        ("cjdns", Unit("cjdns.service", reload_on=(CONFIG,))),
    ],
)
def test_a_router_that_runs_reads_the_changed_peers(running: str, unit: Unit) -> None:
    """Either takes a peer while it runs; a unit that cannot be reloaded is restarted."""
    facts = debian(with_node().files, running_router=running)
    plan = STEP.plan(inputs(answers(peer=(peer(),)), facts))
    assert plan is not None
    assert plan.resources[-1] == unit


def test_without_a_router_the_peers_are_only_written_down() -> None:
    plan = STEP.plan(inputs(answers(peer=(peer(),)), debian(with_node().files)))
    assert plan is not None
    assert plan.notes == ("No router is running here: this holds from when one is started.",)
