"""The router, packages and verify steps: exact resources for recorded machines."""

from __future__ import annotations

import pytest

from dexrouter.io.netlink import BLACKHOLE_METRIC, MESH
from dexsetup.facts import FileFact, Program
from dexsetup.plan.model import (
    AddressBound,
    BlackholeRoute,
    Link,
    ManagedFile,
    PackageSet,
    PeerEstablished,
    StepPlan,
    SystemUser,
    TcpGreets,
    Tree,
    Unit,
    UnitActive,
)
from dexsetup.render.jinja import templates_directory
from dexsetup.steps.configuration import udp_ports, with_peers
from dexsetup.steps.node import CONFIG, parsed
from dexsetup.steps.packages import PackagesStep
from dexsetup.steps.router import RouterStep
from dexsetup.steps.verify import VerifyStep
from step_inputs import ADDRESS, OTHER_KEY, answers, config, debian, file_of, inputs, peer, with_node

UNITS = "/etc/systemd/system"
WAIT = "cjdns-wait-online.service"
PORT = udp_ports(parsed(config(1)))[0]


def blackhole(*units: str) -> BlackholeRoute:
    """Return the route that keeps plain text in, and goes when none of these units runs."""
    what = "While the router is down, what is sent to mesh addresses ends there, not in the clear."
    return BlackholeRoute("fc00::/8", 500, what, kept_for=units)


def test_the_embedded_router_is_a_copy_an_account_and_two_units() -> None:
    """In the order in which they can be made."""
    plan = RouterStep().plan(inputs(answers(node={}), debian()))
    assert plan is not None
    shapes = [
        (item.path, item.owner, item.mode) if isinstance(item, ManagedFile) else item
        for item in plan.resources
    ]
    assert shapes == [
        SystemUser("dexrouter", home="/nonexistent", comment="mesh router"),
        Tree("/opt/dexsetup", source="/var/cache/dexsetup/program/tree"),
        Link("/usr/local/bin/dexctl", "/opt/dexsetup/bin/dexctl"),
        Link("/usr/local/bin/dexrouter", "/opt/dexsetup/bin/dexrouter"),
        Link("/usr/local/bin/dexsetup", "/opt/dexsetup/bin/dexsetup"),
        (f"{UNITS}/dexrouter.service", "root", 0o644),
        blackhole("dexrouter.service", "cjdns.service"),
        (f"{UNITS}/cjdns-wait-online.service", "root", 0o644),
        Unit(
            "dexrouter.service",
            restart_on=(CONFIG, f"{UNITS}/dexrouter.service", "/opt/dexsetup"),
        ),
        Unit("cjdns-wait-online.service", restart_on=(f"{UNITS}/cjdns-wait-online.service",)),
    ]
    assert plan.waits == (AddressBound(ADDRESS, 60.0),)
    assert plan.verifications == (UnitActive("dexrouter.service"),)
    assert plan.needs == ("packages", "identity", "peers", "allow")
    assert (plan.unavailable, plan.risks, plan.notes) == ("", (), ())


@pytest.mark.parametrize(
    ("content", "rights"),
    [
        (config(1), b"CAP_NET_ADMIN"),
        (config(1, eth=True), b"CAP_NET_ADMIN CAP_NET_RAW"),
        (config(1, udp_port=443), b"CAP_NET_ADMIN CAP_NET_BIND_SERVICE"),
    ],
    ids=["plain", "ethernet", "privileged_port"],
)
def test_the_unit_has_the_rights_that_the_configuration_needs_and_no_others(
    content: bytes, rights: bytes
) -> None:
    plan = RouterStep().plan(inputs(answers(node={}), with_node(content)))
    lines = (file_of(plan, f"{UNITS}/dexrouter.service").content or b"").splitlines()
    assert b"AmbientCapabilities=" + rights in lines
    assert b"CapabilityBoundingSet=" + rights in lines


def test_a_running_cjdns_is_replaced_only_as_an_accepted_risk() -> None:
    """It is stopped before ours starts, and the risk has a name."""
    facts = debian(with_node().files, running_router="cjdns")
    plan = RouterStep().plan(inputs(answers(node={}), facts))
    assert plan is not None
    assert [risk.name for risk in plan.risks] == ["replace-cjdns"]
    units = [item.name for item in plan.resources if isinstance(item, Unit)]
    assert units == ["cjdns.service", "dexrouter.service", "cjdns-wait-online.service"]
    assert Unit("cjdns.service", enabled=False, active=False) in plan.resources


FOUND = {"cjdroute": Program("/usr/bin/cjdroute", "")}
FOUND_UNIT = "/usr/local/lib/systemd/system/cjdns.service"
DROP_IN = f"{UNITS}/cjdns.service.d/10-dexsetup.conf"
PACKAGED = "/usr/lib/systemd/system"
BACKEND = answers(node={"backend": "cjdns"})


def shown(plan: StepPlan | None) -> list[object]:
    """Return the resources of a plan; of files, their paths and whether they shall be there."""
    assert plan is not None
    return [
        (item.path, item.content is not None) if isinstance(item, ManagedFile) else item
        for item in plan.resources
    ]


def test_a_router_that_its_package_brings_needs_a_drop_in_alone() -> None:
    """Its own unit waits for the address; the drop-in lets it be told of peers while it runs."""
    units = {f"{PACKAGED}/{name}": FileFact(b"[Unit]\n") for name in ("cjdns.service", WAIT)}
    facts = debian({**with_node().files, **units}, family="fedora", running_router="cjdns", programs=FOUND)
    plan = RouterStep().plan(inputs(BACKEND, facts))
    assert shown(plan) == [
        Tree("/opt/dexsetup", source="/var/cache/dexsetup/program/tree"),
        Link("/usr/local/bin/dexctl", "/opt/dexsetup/bin/dexctl"),
        Link("/usr/local/bin/dexsetup", "/opt/dexsetup/bin/dexsetup"),
        (DROP_IN, True),
        (f"{UNITS}/{WAIT}", False),
        Unit("cjdns.service", restart_on=(CONFIG,), reload_on=(DROP_IN,)),
    ]
    assert plan is not None
    assert plan.risks == ()
    assert plan.verifications == (UnitActive("cjdns.service"),)


def test_where_cjdns_has_a_unit_of_its_own_the_route_is_for_our_router_alone() -> None:
    """That unit ran without it before, and shall again after undo."""
    units = {f"{PACKAGED}/{name}": FileFact(b"[Unit]\n") for name in ("cjdns.service", WAIT)}
    facts = debian({**with_node().files, **units}, running_router="cjdns", programs=FOUND)
    plan = RouterStep().plan(inputs(answers(node={}), facts))
    assert plan is not None
    assert [item for item in plan.resources if isinstance(item, BlackholeRoute)] == [
        blackhole("dexrouter.service")
    ]


@pytest.mark.parametrize("template", ["dexrouter.service", "cjdns.service"])
def test_the_route_of_the_plan_is_the_one_that_the_units_set(template: str) -> None:
    """Else undo would leave theirs."""
    text = (templates_directory() / "units" / f"{template}.j2").read_text()
    route = blackhole()
    assert f"route replace blackhole {route.network} metric {route.metric}\n" in text
    assert (str(MESH), BLACKHOLE_METRIC) == (route.network, route.metric)


def test_before_fedoras_package_is_there_its_units_are_counted_on() -> None:
    """They come with it, in the same run."""
    plan = RouterStep().plan(inputs(BACKEND, debian(family="fedora")))
    paths = [item.path for item in plan.resources if isinstance(item, ManagedFile)] if plan else []
    assert paths == [DROP_IN, f"{UNITS}/{WAIT}"]


def test_a_router_that_was_found_gets_a_unit_and_one_that_waits() -> None:
    """In a place that our own router's alias does not cover; the wait is for the router that runs."""
    plan = RouterStep().plan(inputs(BACKEND, debian(with_node().files, programs=FOUND)))
    assert shown(plan)[3:] == [
        (FOUND_UNIT, True),
        (DROP_IN, True),
        blackhole("dexrouter.service", "cjdns.service"),
        (f"{UNITS}/{WAIT}", True),
        Unit("cjdns.service", restart_on=(CONFIG, FOUND_UNIT), reload_on=(DROP_IN,)),
        Unit(WAIT, restart_on=(f"{UNITS}/{WAIT}",)),
    ]
    assert b'ExecStart="/usr/bin/cjdroute" --nobg' in (file_of(plan, FOUND_UNIT).content or b"")
    assert b"Requires=cjdns.service" in (file_of(plan, f"{UNITS}/{WAIT}").content or b"")


def test_a_unit_that_somebody_wrote_by_hand_is_used_and_never_an_alias() -> None:
    """Ours cannot take its name: systemd refuses an alias where a file is."""
    mine = {f"{UNITS}/cjdns.service": FileFact(b"[Unit]\nDescription=mine\n")}
    facts = debian({**with_node().files, **mine}, programs=FOUND)
    plan = RouterStep().plan(inputs(BACKEND, facts))
    assert plan is not None
    assert FOUND_UNIT not in [item.path for item in plan.resources if isinstance(item, ManagedFile)]
    unit = f"{UNITS}/dexrouter.service"
    embedded = RouterStep().plan(inputs(answers(node={}), facts))
    assert b"Alias=" not in (file_of(embedded, unit).content or b"")
    assert b"Alias=cjdns.service" in (
        file_of(RouterStep().plan(inputs(answers(node={}), with_node())), unit).content or b""
    )


def test_from_one_router_to_the_other_and_back_nothing_of_the_first_stays() -> None:
    to_cjdns = shown(RouterStep().plan(inputs(BACKEND, with_node(programs=FOUND))))
    assert Unit("dexrouter.service", enabled=False, active=False) in to_cjdns
    assert (f"{UNITS}/dexrouter.service", False) in to_cjdns
    ours = {path: FileFact(b"# Written by dexsetup.\n") for path in (FOUND_UNIT, DROP_IN)}
    facts = debian({**with_node().files, **ours}, programs=FOUND, running_router="cjdns")
    back = shown(RouterStep().plan(inputs(answers(node={}), facts)))
    assert Unit("cjdns.service", enabled=False, active=False) in back
    assert (FOUND_UNIT, False) in back
    assert (DROP_IN, False) in back


@pytest.mark.parametrize(
    ("wanted", "is_told"),
    [
        ({"peer": (peer(),)}, True),
        ({"peer": (peer(), peer(OTHER_KEY, "192.0.2.2:2000", state="absent"))}, False),
        ({"peer": (peer(),), "node": {"udp_port": 4000}}, False),
        ({}, False),
    ],
    ids=["one_more", "one_less", "another_port", "nothing"],
)
def test_cjdns_is_told_of_new_peers_while_it_runs_and_restarted_for_the_rest(
    wanted: dict[str, object], *, is_told: bool
) -> None:
    present = with_peers(config(1), answers(peer=(peer(OTHER_KEY, "192.0.2.2:2000"),)).peer)
    facts = debian({CONFIG: FileFact(present, 0o600, "root", "root")}, running_router="cjdns", programs=FOUND)
    plan = RouterStep().plan(inputs(answers(**{"node": {}, **wanted, **_backend(wanted)}), facts))
    assert plan is not None
    (unit,) = [item for item in plan.resources if isinstance(item, Unit) and item.name == "cjdns.service"]
    assert (CONFIG in unit.reload_on, CONFIG in unit.restart_on) == (is_told, not is_told)


def _backend(wanted: dict[str, object]) -> dict[str, object]:
    node = wanted.get("node", {})
    assert isinstance(node, dict)
    return {"node": {**node, "backend": "cjdns"}}


def test_what_a_machine_lacks_is_said_in_a_sentence() -> None:
    no_tun = RouterStep().plan(inputs(answers(node={}), debian(has_tun=False)))
    no_package = RouterStep().plan(inputs(answers(node={"backend": "cjdns"}), debian()))
    assert no_tun is not None
    assert no_package is not None
    assert "/dev/net/tun" in no_tun.unavailable
    assert "has no package of cjdns" in no_package.unavailable


def test_without_systemd_the_plan_says_what_a_reboot_does() -> None:
    plan = RouterStep().plan(inputs(answers(node={}), debian(init="direct")))
    assert plan is not None
    assert "is not started at boot" in plan.notes[0]


def test_packages_are_those_of_what_is_switched_on() -> None:
    carol = {"login": "carol", "files": ("mailrc", "pinerc", "linphonerc")}
    wanted = answers(node={}, mail={}, user=(carol,))
    plan = PackagesStep().plan(inputs(wanted, debian()))
    assert plan is not None
    assert plan.resources == (PackageSet(("alpine", "iproute2", "opensmtpd", "s-nail")),)
    assert plan.notes[0].startswith("Linphone is not installed here")


def test_packages_have_fedoras_names_on_fedora() -> None:
    wanted = answers(node={"backend": "cjdns"}, user=({"login": "carol", "files": ("linphonerc",)},))
    plan = PackagesStep().plan(inputs(wanted, debian(family="fedora")))
    assert plan is not None
    assert plan.resources == (PackageSet(("cjdns", "cjdns-selinux")),)
    assert plan.notes[0].startswith("Linphone is not in Fedora")


def test_a_phone_that_is_there_needs_no_word() -> None:
    wanted = answers(user=({"login": "carol", "files": ("linphonerc",)},))
    facts = with_node(programs={"linphone": Program("/usr/bin/linphonec", "5.1.65")})
    assert PackagesStep().plan(inputs(wanted, facts)) is None


def test_an_unknown_distribution_is_told_what_to_install() -> None:
    plan = PackagesStep().plan(inputs(answers(node={}, mail={}), debian(family="other", os_name="Odd 1")))
    assert plan is not None
    assert plan.resources == ()
    assert plan.notes == ("Odd 1 is not one dexsetup knows: install what is missing of ip, opensmtpd.",)


def test_the_end_to_end_check_looks_at_what_was_set_up() -> None:
    wanted = answers(node={}, mail={}, peer=(peer(),))
    plan = VerifyStep().plan(inputs(wanted, debian()))
    assert plan is not None
    assert plan.verifications == (
        AddressBound(ADDRESS, 10.0),
        PeerEstablished(30.0),
        TcpGreets(ADDRESS, 25, "220 ", 20.0),
    )


@pytest.mark.parametrize(("lan_peering", "seconds"), [(True, 10.0), (False, 0.0)])
def test_a_node_without_peers_is_told_that_it_knows_nobody(*, lan_peering: bool, seconds: float) -> None:
    """Neighbours get their time to be heard; without them there is nothing to wait for."""
    plan = VerifyStep().plan(inputs(answers(node={"lan_peering": lan_peering}), debian()))
    assert plan is not None
    assert plan.verifications == (AddressBound(ADDRESS, 10.0), PeerEstablished(seconds, is_any_named=False))


def test_nothing_asked_is_nothing_checked() -> None:
    assert VerifyStep().plan(inputs(answers(firewall={}), with_node())) is None
