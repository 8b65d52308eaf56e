"""Mail and calls at a public address: the same programs, another address, other doors and other risks."""

from __future__ import annotations

from typing import Any

import pytest

from dexsetup.answers.against import problems_on
from dexsetup.answers.load import parse_answers
from dexsetup.answers.model import Public
from dexsetup.errors import AnswersError
from dexsetup.plan.build import build_plan
from dexsetup.plan.model import AddressBound, FirewallOpening, Plan, TcpGreets, Unit
from dexsetup.steps import all_steps
from dexsetup.steps.firewall import chosen_services
from step_inputs import ADDRESS, answers, debian, file_of, inputs, with_node

PUBLIC = "2001:db8::5"
WANTED = answers(
    public={"address": PUBLIC},
    mail={},
    phone={},
    firewall={},
    user=({"login": "carol", "files": ("mailrc", "linphonerc")},),
)


def planned(*, has_node: bool = False, **changes: Any) -> Plan:
    facts = with_node(**changes) if has_node else debian(**changes)
    return build_plan(inputs(WANTED, facts), all_steps())


def text_of(plan: Plan, step: str, path: str) -> str:
    (found,) = [one for one in plan.steps if one.name == step]
    return (file_of(found, path).content or b"").decode()


def test_no_node_is_made_for_it() -> None:
    assert {"identity", "router", "peers"}.isdisjoint(step.name for step in planned().steps)


def test_every_file_carries_the_public_address_also_beside_a_node() -> None:
    plan = planned(has_node=True)
    assert text_of(plan, "mail", "/etc/mailname") == f"[IPv6:{PUBLIC}]\n"
    smtpd = text_of(plan, "mail", "/etc/smtpd.conf")
    assert f"listen on {PUBLIC} " in smtpd
    assert f'relay src "{PUBLIC}" helo' in smtpd
    assert r'regex "^\[ipv6:[23]"' in smtpd
    assert PUBLIC in text_of(plan, "userfiles", "/home/carol/.mailrc")
    assert f"bind_address={PUBLIC}" in text_of(plan, "userfiles", "/home/carol/.linphonerc")
    for step in plan.steps:
        assert ADDRESS not in str(step.risks) + str(step.notes)


def test_the_ports_are_opened_towards_the_internet_and_not_towards_the_mesh() -> None:
    (step,) = [step for step in planned().steps if step.name == "public"]
    opened = {(item.port, item.protocol) for item in step.resources if isinstance(item, FirewallOpening)}
    media = {(port, "udp") for port in (7078, 7079, 9078, 9079)}
    assert opened == {(25, "tcp"), (5060, "tcp"), (5060, "udp"), *media}
    assert chosen_services(WANTED) == ()


def test_without_a_firewall_that_is_managed_the_ports_are_named() -> None:
    (step,) = [step for step in planned(firewall="none").steps if step.name == "public"]
    assert step.resources == ()
    assert "25/tcp" in step.notes[0]


def test_what_it_exposes_are_risks_with_names_of_their_own() -> None:
    risks = {risk.name for step in planned().steps for risk in step.risks}
    assert {"public-mail", "public-calls"} <= risks
    assert "mesh-mail" not in risks


def test_the_server_waits_for_the_network_and_the_end_is_checked_there() -> None:
    plan = planned()
    drop_in = text_of(plan, "boot", "/etc/systemd/system/opensmtpd.service.d/10-dexsetup.conf")
    assert "After=network-online.target" in drop_in
    assert "cjdns-wait-online" not in drop_in
    (verify,) = [step for step in plan.steps if step.name == "verify"]
    assert [type(check) for check in verify.verifications] == [AddressBound, TcpGreets]
    (mail,) = [step for step in plan.steps if step.name == "mail"]
    queue = [item for item in mail.resources if isinstance(item, Unit) and "mailqueue" in item.name]
    assert [unit.active for unit in queue] == [False]


@pytest.mark.parametrize(
    "address", ["fc00::1", "fe80::1", "192.0.2.1", "nonsense", "::1", "2001:db8::5%eth0"]
)
def test_what_is_no_public_address_is_named(address: str) -> None:
    with pytest.raises(AnswersError, match="is not a public IPv6 address"):
        parse_answers(f'schema = 1\n[public]\naddress = "{address}"\n', "my.toml")


def test_an_address_that_is_not_on_this_machine_is_refused_with_those_that_are() -> None:
    facts = debian(stable_addresses=("2001:db8::7",))
    assert problems_on(answers(public={"address": "2001:DB8:0::7"}), facts) == ()
    (problem,) = problems_on(WANTED, facts)
    assert "here is 2001:db8::7" in problem


def test_switched_off_everything_is_at_the_mesh_address_again() -> None:
    wanted = WANTED.model_copy(update={"public": Public(enable=False, address=PUBLIC)})
    plan = build_plan(inputs(wanted, with_node()), all_steps())
    assert text_of(plan, "mail", "/etc/mailname") == f"[IPv6:{ADDRESS}]\n"
    assert "public" not in {step.name for step in plan.steps}
