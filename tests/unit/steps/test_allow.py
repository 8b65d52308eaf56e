"""The allow step: who may call is merged into what is there, with a password that stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dexrouter.config import (
    AuthorizedPassword,
    ConnectTo,
    add_authorized_password,
    apply_edits,
    load_config,
    set_udp_port,
    set_value,
    upsert_peer,
)
from dexrouter.config.spans import Edit
from dexsetup.errors import AnswersError, MachineError
from dexsetup.plan.model import Unit
from dexsetup.steps.allow import AllowStep
from dexsetup.steps.configuration import is_taken_while_running
from dexsetup.steps.node import CONFIG
from step_inputs import DRAWN, SPARE_KEY, answers, debian, file_of, inputs, with_node

STEP = AllowStep()
OWN = load_config(DRAWN).authorized_passwords
HOSTILE = 'Ann "the \\ box" \u202eevil\u202c \U0001f600 [1]'


def content_with(*allowed: dict[str, Any], base: bytes = DRAWN) -> bytes:
    content = file_of(STEP.plan(inputs(answers(allow=allowed), with_node(base))), CONFIG).content
    assert content is not None
    return content


def entries(content: bytes) -> tuple[AuthorizedPassword, ...]:
    return load_config(content).authorized_passwords


def test_without_the_section_nothing_is_wanted() -> None:
    assert STEP.plan(inputs(answers(node={}), with_node())) is None


def test_a_friend_gets_a_password_of_31_characters_beside_what_is_there() -> None:
    found = entries(content_with({"login": "ann"}))
    assert found[: len(OWN)] == OWN
    (new,) = found[len(OWN) :]
    assert new.user == "ann"
    assert len(new.password) == 31


def test_each_friend_gets_another_password_and_planning_again_gives_the_same() -> None:
    both = ({"login": "ann"}, {"login": "ben"})
    content = content_with(*both)
    ann, ben = entries(content)[len(OWN) :]
    assert ann.password != ben.password
    assert content_with(*both) == content


def test_who_is_there_keeps_the_password_whatever_is_drawn() -> None:
    before = content_with({"login": "ann"})
    given = inputs(answers(allow=({"login": "ann"},)), with_node(before))
    other_draw = replace(given, draws=replace(given.draws, secret=b"another" * 5))
    assert file_of(STEP.plan(other_draw), CONFIG).content == before


def test_a_password_of_the_answers_replaces_the_one_that_is_there() -> None:
    before = content_with({"login": "ann"})
    after = content_with({"login": "ann", "password": "chosen by hand"}, base=before)
    assert [entry.password for entry in entries(after) if entry.user == "ann"] == ["chosen by hand"]


def test_absent_gives_the_bytes_back_and_keeps_the_others() -> None:
    assert content_with({"login": "ann", "state": "absent"}, base=content_with({"login": "ann"})) == DRAWN
    both = content_with({"login": "ann"}, {"login": "ben"})
    left = entries(content_with({"login": "ann", "state": "absent"}, base=both))
    assert [entry.user for entry in left[len(OWN) :]] == ["ben"]


def test_a_hostile_name_survives_into_the_file() -> None:
    assert entries(content_with({"login": HOSTILE}))[-1].user == HOSTILE


def test_the_running_router_is_told_and_not_restarted() -> None:
    plan = STEP.plan(inputs(answers(allow=({"login": "ann"},)), with_node()))
    assert plan is not None
    assert Unit("dexrouter.service", reload_on=(CONFIG,)) in plan.resources


def test_the_distribution_s_router_can_be_told_of_a_new_password() -> None:
    facts = replace(with_node(), running_router="cjdns")
    plan = STEP.plan(inputs(answers(allow=({"login": "ann"},)), facts))
    assert plan is not None
    assert Unit("cjdns.service", reload_on=(CONFIG,)) in plan.resources


def test_where_no_router_runs_the_plan_says_from_when_it_holds() -> None:
    facts = replace(with_node(), running_router="none")
    plan = STEP.plan(inputs(answers(allow=({"login": "ann"},)), facts))
    assert plan is not None
    assert plan.notes == ("No router is running here: this holds from when one is started.",)


def test_nobody_can_be_sent_away_where_there_is_no_node() -> None:
    with pytest.raises(AnswersError, match="no node here"):
        STEP.plan(inputs(answers(allow=({"login": "ann", "state": "absent"},)), debian()))


def test_a_file_without_room_for_passwords_is_named() -> None:
    """The entry of the answers and the place in the file."""
    odd = with_node(apply_edits(DRAWN, set_value(DRAWN, "authorizedPasswords", {"odd": {}})))
    with pytest.raises(MachineError, match="cannot be understood") as caught:
        STEP.plan(inputs(answers(allow=({"login": "ann"},)), odd))
    assert "authorizedPasswords" in caught.value.why


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda data: set_udp_port(data, 4242), False),
        (lambda data: set_value(data, "router.interface.tunDevice", "other0"), False),
        (lambda data: add_authorized_password(data, "a word", "ben"), True),
        (lambda data: upsert_peer(data, ConnectTo("192.0.2.1:1", SPARE_KEY, "pw", None, None)), True),
        (lambda data: set_value(data, "router.supernodes", [SPARE_KEY]), True),
    ],
)
def test_what_needs_a_restart(edit: Callable[[bytes], tuple[Edit, ...]], expected: bool) -> None:
    """Peers, passwords and route servers are taken while the router runs, all else is not."""
    assert is_taken_while_running(DRAWN, apply_edits(DRAWN, edit(DRAWN))) is expected


def test_equal_bytes_and_a_new_file_need_no_telling() -> None:
    assert not is_taken_while_running(DRAWN, DRAWN)
    assert not is_taken_while_running(None, DRAWN)
