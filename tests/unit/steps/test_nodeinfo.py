"""The node information: what is published about a node whose owner asked for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dexsetup.answers.load import parse_answers
from dexsetup.errors import AnswersError
from dexsetup.steps.firewall import chosen_services
from dexsetup.steps.nodeinfo import NodeinfoStep
from step_inputs import ADDRESS, answers, debian, file_of, inputs, with_node

NODEINFO = NodeinfoStep()
FILE = "/var/www/html/nodeinfo.json"


def told(**sections: Any) -> dict[str, Any]:
    plan = NODEINFO.plan(inputs(answers(**sections), with_node()))
    found: dict[str, Any] = json.loads(file_of(plan, FILE).content or b"")
    return found


def test_who_did_not_ask_is_not_published() -> None:
    assert NODEINFO.plan(inputs(answers(mail={}, user=({"login": "carol"},)), debian())) is None


def test_name_contact_and_services_are_those_of_the_answers() -> None:
    carol = {"login": "carol", "files": ("linphonerc",)}
    content = told(nodeinfo={"name": 'Carol "C"'}, mail={}, phone={}, user=(carol,))
    assert content["contact"] == {"name": 'Carol "C"', "email": f"carol@[IPv6:{ADDRESS}]"}
    assert [service["uri"] for service in content["services"]] == [
        f"mailto:carol@[IPv6:{ADDRESS}]",
        f"sip:carol@[{ADDRESS}]",
    ]
    assert content["hostname"] == f"[{ADDRESS}]"
    assert content["key"].endswith(".k")


def test_what_is_not_set_up_is_not_named() -> None:
    """Nor calls, for whom no phone program is."""
    content = told(nodeinfo={}, user=({"login": "carol"},))
    assert (content["contact"], content["services"]) == ({}, [])
    assert told(nodeinfo={}, phone={}, user=({"login": "carol", "files": ()},))["services"] == []
    assert told(nodeinfo={"contact": "x@example.net"})["contact"] == {"email": "x@example.net"}


def test_publishing_is_a_named_risk_and_opens_the_web_to_the_mesh() -> None:
    wanted = answers(nodeinfo={}, firewall={})
    plan = NODEINFO.plan(inputs(wanted, debian()))
    assert plan is not None
    assert [risk.name for risk in plan.risks] == ["mesh-web"]
    assert chosen_services(wanted) == ("http",)
    assert chosen_services(answers(nodeinfo={"enable": False}, firewall={}), frozenset({"http"})) == ()


def test_switched_off_it_is_gone() -> None:
    plan = NODEINFO.plan(inputs(answers(nodeinfo={"enable": False}), with_node()))
    assert file_of(plan, FILE).content is None


def test_another_file_is_refused_by_name() -> None:
    with pytest.raises(AnswersError, match=r"nodeinfo\.file"):
        parse_answers('schema = 1\n[nodeinfo]\nfile = "/etc/passwd"\n', "my.toml")
