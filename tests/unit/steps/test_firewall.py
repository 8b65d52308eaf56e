"""The firewall step: what is let in from where, for each kind of firewall and of mesh interface."""

from __future__ import annotations

from typing import Any

import pytest

from dexrouter.config import load_config
from dexsetup.facts import FileFact, Program
from dexsetup.plan.model import (
    FirewallOpening,
    FirewallRule,
    LoadedZone,
    ManagedFile,
    PackageSet,
    StepPlan,
    Unit,
)
from dexsetup.steps.firewall import FirewallStep, mesh_ports
from step_inputs import DRAWN, answers, config, debian, file_of, inputs, with_node

PORT = load_config(DRAWN).udp_interfaces[0].bind.port
ZONE = "/etc/firewalld/zones/cjdns.xml"
SIP = "/etc/firewalld/services/cjdns-sip.xml"
KEEP_OFF = "/etc/NetworkManager/conf.d/90-dexsetup.conf"
GUARD = "/etc/dexsetup/guard.nft"


def planned(facts: Any = None, **sections: Any) -> StepPlan:
    wanted = answers(**{"node": {}, "firewall": {}, **sections})
    plan = FirewallStep().plan(inputs(wanted, facts or debian()))
    assert plan is not None
    return plan


def text_of(plan: StepPlan, path: str) -> str:
    return (file_of(plan, path).content or b"").decode()


def test_the_uplink_lets_in_the_router_and_the_mesh_only_what_was_chosen() -> None:
    """Port 25 is open in the mesh interface's own zone, and nowhere else."""
    plan = planned(mail={})
    assert plan.resources[0] == FirewallOpening(PORT, "udp")
    assert not any(isinstance(item, FirewallOpening) for item in plan.resources[1:])
    assert LoadedZone("cjdns", "cjdns0", ("smtp",), files=(SIP, ZONE)) in plan.resources
    assert '<interface name="cjdns0"/>' in text_of(plan, ZONE)
    assert '<service name="smtp"/>' in text_of(plan, ZONE)
    assert "cjdns-sip" not in text_of(plan, ZONE)
    assert file_of(plan, SIP).content is None
    assert plan.risks == ()


def test_mesh_addresses_are_dropped_in_every_other_zone_in_both_directions() -> None:
    """After the zone is there, or the mesh itself would be cut off for a moment."""
    *_, zone, to_mesh, from_mesh = planned().resources
    assert isinstance(zone, LoadedZone)
    assert isinstance(to_mesh, FirewallRule)
    assert isinstance(from_mesh, FirewallRule)
    assert to_mesh.rule == 'rule family="ipv6" destination address="fc00::/8" drop'
    assert from_mesh.rule == 'rule family="ipv6" source address="fc00::/8" drop'
    assert to_mesh.except_zone == from_mesh.except_zone == "cjdns"


def test_calls_open_sip_with_sound_picture_and_their_control_ports() -> None:
    plan = planned(phone={})
    assert '<service name="cjdns-sip"/>' in text_of(plan, ZONE)
    for port in ("5060", "7078-7079", "9078-9079"):
        assert f'<port port="{port}" protocol="udp"/>' in text_of(plan, SIP)
    assert '<port port="5060" protocol="tcp"/>' in text_of(plan, SIP)
    assert mesh_ports(("smtp", "ssh")) == (("25", "tcp"), ("22", "tcp"))


def test_ssh_is_open_only_if_asked_and_is_a_risk_with_a_name() -> None:
    assert "ssh" not in text_of(planned(mail={}), ZONE)
    plan = planned(firewall={"ssh": True})
    assert '<service name="ssh"/>' in text_of(plan, ZONE)
    assert [risk.name for risk in plan.risks] == ["mesh-ssh"]


@pytest.mark.parametrize(
    ("sections", "services"),
    [
        ({"firewall": {}}, ("smtp", "ssh")),
        ({"firewall": {"ssh": False}}, ("smtp",)),
        ({"mail": {"enable": False}}, ("ssh",)),
        ({"phone": {}}, ("smtp", "cjdns-sip", "ssh")),
    ],
    ids=["nothing_mentioned", "ssh_shut", "mail_off", "phone_on"],
)
@pytest.mark.parametrize("firewall", ["running", "none"])
def test_what_the_answers_do_not_mention_stays_as_it_is(
    sections: dict[str, Any], services: tuple[str, ...], firewall: str
) -> None:
    """An answers file with one section must not shut what another one opened, zone or guard."""
    guard = {"guard": True}
    first = planned(debian(firewall=firewall), mail={}, firewall={"ssh": True, **guard})
    files = {
        item.path: FileFact(item.content)
        for item in first.resources
        if isinstance(item, ManagedFile) and item.path in {ZONE, GUARD}
    }
    assert files
    wanted = {**sections, "firewall": {**sections.get("firewall", {}), **guard}}
    plan = planned(
        with_node(config(1, tun_device="cjdns0"), files=files, firewall=firewall), node=None, **wanted
    )
    (written,) = [
        (item.content or b"").decode()
        for item in plan.resources
        if isinstance(item, ManagedFile) and item.path in {ZONE, GUARD}
    ]
    for name, text in (
        ("smtp", "tcp dport 25 accept"),
        ("cjdns-sip", "udp dport 5060 accept"),
        ("ssh", "tcp dport 22 accept"),
    ):
        marks = (f'<service name="{name}"/>', text)
        assert any(mark in written for mark in marks) == (name in services), name


def test_network_manager_is_kept_off_where_there_is_one() -> None:
    facts = debian(programs={"NetworkManager": Program("/usr/sbin/NetworkManager", "1.42.4")})
    plan = planned(facts)
    assert "unmanaged-devices+=interface-name:cjdns0" in text_of(plan, KEEP_OFF)
    assert "nmcli general reload conf" in plan.notes[0]
    assert not any(isinstance(item, ManagedFile) and item.path == KEEP_OFF for item in planned().resources)


def test_an_interface_without_a_fixed_name_gets_no_zone_and_the_plan_says_so() -> None:
    """The ports are opened as well as can be, in the uplink's zone."""
    plan = planned(with_node(), node=None, mail={})
    assert plan.resources == (FirewallOpening(PORT, "udp"), FirewallOpening(25, "tcp"))
    assert 'device = "cjdns0"' in plan.notes[0]


def test_the_firewall_is_left_alone_unless_the_answers_name_it() -> None:
    assert FirewallStep().plan(inputs(answers(node={}), debian())) is None
    assert FirewallStep().plan(inputs(answers(firewall={}), debian())) is None


def test_switched_off_what_we_put_there_is_wanted_gone() -> None:
    """Rules first, the zone last, when its file is gone; ports where we opened them."""
    plan = planned(firewall={"enable": False}, node={"udp_port": 4000})
    *others, zone = plan.resources
    assert zone == LoadedZone("cjdns", "cjdns0", (), files=(SIP, ZONE), is_wanted=False)
    files = [item for item in others if isinstance(item, ManagedFile)]
    assert {ZONE, SIP, KEEP_OFF, GUARD} <= {file.path for file in files}
    assert all(file.content is None for file in files)
    rules = [item for item in others if isinstance(item, FirewallRule)]
    assert [rule.is_wanted for rule in rules] == [False, False]
    assert [item for item in others if isinstance(item, FirewallOpening)] == [
        FirewallOpening(4000, "udp", is_wanted=False),
        FirewallOpening(25, "tcp", is_wanted=False),
    ]
    assert not any(isinstance(item, Unit) for item in others)


def test_no_firewall_is_said_with_what_follows_from_it() -> None:
    plan = planned(debian(firewall="none"))
    assert plan.resources == ()
    assert "can be reached from the mesh" in plan.notes[0]
    assert "guard = true" in plan.notes[0]


def test_without_firewalld_a_table_of_our_own_guards_the_interface_if_asked() -> None:
    """Loaded by a unit of its own before the router; the rules are checked by nft itself."""
    plan = planned(debian(firewall="none"), firewall={"guard": True}, mail={})
    assert PackageSet(("nftables",)) in plan.resources
    guard = file_of(plan, GUARD)
    assert guard.validate == ("nft", "-c", "-f", "{}")
    text = (guard.content or b"").decode()
    assert 'iifname "cjdns0" goto mesh' in text
    assert "tcp dport 25 accept" in text
    assert "ip6 daddr fc00::/8 counter drop" in text
    unit = plan.resources[-1]
    assert isinstance(unit, Unit)
    assert unit.name == "dexsetup-guard.service"
    assert plan.notes == ()


def test_the_guard_needs_systemd_and_a_firewall_that_is_there_needs_no_guard() -> None:
    plan = planned(debian(firewall="none", init="direct"), firewall={"guard": True})
    assert plan.resources == ()
    assert "no systemd" in plan.notes[0]
    assert not any(isinstance(item, Unit) for item in planned(firewall={"guard": True}).resources)


def test_who_is_not_root_sees_the_plan_without_asking_nft() -> None:
    """It would refuse to look at any rules, good or bad."""
    plan = planned(debian(firewall="none", is_root=False), firewall={"guard": True})
    assert file_of(plan, GUARD).validate == ()


def test_a_port_that_is_drawn_at_each_start_cannot_be_opened() -> None:
    content = config(1).replace(f":{PORT}".encode(), b":0")
    plan = planned(with_node(content), node=None)
    assert not any(isinstance(item, FirewallOpening) for item in plan.resources)
    assert "set node.udp_port" in plan.notes[-1]
