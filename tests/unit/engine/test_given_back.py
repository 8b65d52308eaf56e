"""Parts that are switched off: what was there before dexsetup came is given back, by the journals' memory."""

from __future__ import annotations

import pytest

from dexsetup.errors import MachineError
from dexsetup.exitcodes import ExitCode
from dexsetup.host.base import FirewallState, UnitState
from dexsetup.host.fake import FakeHost
from dexsetup.plan.engine import Engine
from dexsetup.plan.events import Checked, Event
from dexsetup.plan.model import (
    FirewallOpening,
    FirewallRule,
    ManagedFile,
    PackageSet,
    Plan,
    Resource,
    StepPlan,
    Unit,
)
from dexsetup.plan.undo import undo_run
from dexsetup.report.redact import Redactor

CONF = "/etc/thing.conf"
ON = (ManagedFile(CONF, b"ours\n"), Unit("thing.service", restart_on=(CONF,)))
OFF = (
    ManagedFile(CONF, None),
    Unit("thing.service", enabled=False, active=False, restart_on=(CONF,), as_before=True),
)
PORT = FirewallOpening(26041, "udp")
NO_PORT = FirewallOpening(26041, "udp", is_wanted=False)
RULE = FirewallRule("rule drop", "drop", except_zone="mesh")
NO_RULE = FirewallRule("rule drop", "drop", except_zone="mesh", is_wanted=False)
ZONE = "/etc/firewalld/zones/public.xml"


def run(host: FakeHost, number: int, *resources: Resource) -> ExitCode:
    plan = Plan((StepPlan("thing", "Thing", resources),), None)
    return Engine(host, lambda: plan, lambda _: None, run=f"20261122T14{number:02}00Z-00").run().code


def undo(host: FakeHost) -> ExitCode:
    return undo_run(host, None, lambda _: None, Redactor())


def machine(*, enabled: bool, active: bool) -> FakeHost:
    host = FakeHost({CONF: b"theirs\n", "/etc/systemd/system/thing.service": b"[Service]\nExecStart=/x\n"})
    host.services.units["thing.service"] = UnitState(exists=True, enabled=enabled, active=active)
    return host


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("active", [True, False])
def test_a_service_is_again_as_it_was_with_the_file_it_had(*, enabled: bool, active: bool) -> None:
    """However often it was changed meanwhile; twice switched off is once; undo switches it on again."""
    host = machine(enabled=enabled, active=active)
    before = host.snapshot()
    assert run(host, 1, *ON) is ExitCode.OK
    assert run(host, 2, ManagedFile(CONF, b"ours again\n"), ON[1]) is ExitCode.OK
    during = host.snapshot()
    assert run(host, 3, *OFF) is ExitCode.OK
    assert host.snapshot() == before
    assert run(host, 4, *OFF) is ExitCode.OK
    assert host.snapshot() == before
    assert undo(host) is ExitCode.OK
    assert host.snapshot() == during


def test_what_a_person_did_after_it_was_given_back_is_what_is_given_back_next() -> None:
    """The memory begins anew: an old run does not know best."""
    host = machine(enabled=False, active=False)
    run(host, 1, *ON)
    run(host, 2, *OFF)
    host.services.units["thing.service"] = UnitState(exists=True, enabled=True, active=True)
    run(host, 3, *ON)
    run(host, 4, *OFF)
    state = host.services.state("thing.service")
    assert (state.enabled, state.active) == (True, True)


def test_a_service_of_which_nobody_knows_is_as_the_plan_says() -> None:
    host = machine(enabled=True, active=True)
    run(host, 1, OFF[1])
    state = host.services.state("thing.service")
    assert (state.enabled, state.active) == (False, False)


@pytest.mark.parametrize("state", [FirewallState.RUNNING, FirewallState.STOPPED])
def test_a_port_that_we_opened_is_shut_again_and_undo_opens_it(state: FirewallState) -> None:
    host = FakeHost()
    host.firewall.state = state
    before = host.snapshot()
    run(host, 1, PORT, RULE)
    during = host.snapshot()
    assert during != before
    assert run(host, 2, NO_PORT, NO_RULE) is ExitCode.OK
    assert host.snapshot() == before
    assert run(host, 3, NO_PORT, NO_RULE) is ExitCode.OK
    undo(host)
    assert host.snapshot() == during


def test_a_port_that_somebody_else_opened_stays_open() -> None:
    host = FakeHost()
    host.firewall.open_port("public", 26041, "udp")
    before = host.snapshot()
    run(host, 1, PORT)
    run(host, 2, NO_PORT)
    assert host.snapshot() == before


def test_a_firewall_that_is_gone_has_nothing_to_shut() -> None:
    host = FakeHost()
    run(host, 1, PORT)
    host.firewall.state = FirewallState.NONE
    assert run(host, 2, NO_PORT) is ExitCode.OK


def test_the_file_of_a_zone_is_again_what_it_was_before_the_first_change() -> None:
    """Not before the last one: in between, the zone was ours."""
    host = FakeHost({"/usr/lib/firewalld/zones/public.xml": b"<zone><forward/></zone>"})
    host.put("/etc/firewalld/zones/.keep", b"")
    run(host, 1, PORT)
    host.put(ZONE, b"<zone> <forward/> </zone>")
    run(host, 2, RULE)
    assert run(host, 3, NO_RULE, NO_PORT) is ExitCode.OK
    assert host.read(ZONE) is None


def test_directories_that_were_made_for_a_file_go_with_it_and_others_stay() -> None:
    """Undo of the switching off makes them again, for the file to be put back."""
    mine, deep = "/etc/mine/ours.conf", "/etc/a/b/ours.conf"
    host = FakeHost({"/etc/mine/.keep": b""})
    before = host.snapshot()
    run(host, 1, ManagedFile(mine, b"x"), ManagedFile(deep, b"x"))
    during = host.snapshot()
    assert run(host, 2, ManagedFile(mine, None), ManagedFile(deep, None)) is ExitCode.OK
    assert host.snapshot() == before
    assert undo(host) is ExitCode.OK
    assert host.snapshot() == during
    host.put("/etc/a/b/theirs.conf", b"y")
    run(host, 3, ManagedFile(deep, None))
    assert host.read("/etc/a/b/theirs.conf") == b"y"


def undo_with_packages(host: FakeHost, *, removes_packages: bool) -> list[str]:
    """Undo; gives the sentences that the person reads."""
    heard: list[Event] = []
    done = undo_run(host, None, heard.append, Redactor(), removes_packages=removes_packages)
    assert done is ExitCode.OK
    return [event.text for event in heard if isinstance(event, Checked)]


def test_packages_go_only_when_a_person_says_so() -> None:
    """Only those that were installed by the run; without the word they stay and are named."""
    for removes_packages, left in ((False, {"old", "new"}), (True, {"old"})):
        host = FakeHost()
        host.packages.present.add("old")
        assert run(host, 1, PackageSet(("old", "new"))) is ExitCode.OK
        (text,) = undo_with_packages(host, removes_packages=removes_packages)
        assert host.packages.present == left
        assert text.startswith("removed: new;" if removes_packages else "left installed: new")


def test_a_package_that_another_one_needs_stays_and_the_reason_is_told() -> None:
    host = FakeHost()
    assert run(host, 1, PackageSet(("new",))) is ExitCode.OK
    host.packages.failure = MachineError("new cannot be removed alone: mailer needs it.")
    (text,) = undo_with_packages(host, removes_packages=True)
    assert text == "left installed: new. new cannot be removed alone: mailer needs it."
    assert host.packages.present == {"new"}
