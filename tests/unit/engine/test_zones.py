"""A zone of our own and rules in the others, with the engine: running, stopped and missing firewalls."""

from __future__ import annotations

from dexsetup.exitcodes import ExitCode
from dexsetup.host.base import FirewallState
from dexsetup.host.fake import FakeHost
from dexsetup.plan.engine import Engine, Outcome
from dexsetup.plan.events import Event
from dexsetup.plan.model import FirewallRule, LoadedZone, ManagedFile, Plan, StepPlan
from dexsetup.plan.undo import undo_run
from dexsetup.report.redact import Redactor

FIRST, SECOND = "20261122T140211Z-3f", "20261122T150000Z-00"
FILE = "/etc/firewalld/zones/mesh.xml"


def plan(*services: str, is_wanted: bool = True) -> Plan:
    lines = "".join(f'<service name="{service}"/>' for service in services)
    content = f'<zone><interface name="mesh0"/>{lines}</zone>'.encode() if is_wanted else None
    rule = FirewallRule("rule drop", "drop all", except_zone="mesh", is_wanted=is_wanted)
    zone = LoadedZone("mesh", "mesh0", services if is_wanted else (), files=(FILE,), is_wanted=is_wanted)
    return Plan((StepPlan("firewall", "Firewall", (ManagedFile(FILE, content), zone, rule)),), None)


def run(host: FakeHost, wanted: Plan, name: str = FIRST) -> Outcome:
    events: list[Event] = []
    return Engine(host, lambda: wanted, events.append, run=name).run()


def test_the_zone_holds_at_once_and_the_rule_in_the_other_zones() -> None:
    """The zone itself does not get the rule: the mesh would be cut off from it."""
    host = FakeHost()
    assert run(host, plan("smtp")).code is ExitCode.OK
    assert host.firewall.zone_members("mesh") == (frozenset({"smtp"}), frozenset({"mesh0"}))
    assert host.firewall.rules == host.firewall.kept_rules == {("public", "rule drop")}
    assert run(host, plan("smtp"), SECOND) == Outcome(ExitCode.OK)


def test_another_choice_of_services_is_loaded_anew() -> None:
    host = FakeHost()
    run(host, plan("smtp"))
    assert run(host, plan("smtp", "ssh"), SECOND).code is ExitCode.OK
    assert host.firewall.zone_members("mesh") == (frozenset({"smtp", "ssh"}), frozenset({"mesh0"}))


def test_undo_gives_back_zone_by_zone_what_was_there() -> None:
    """The first run's undo takes the zone away; that of a later run gives back the first run's."""
    host = FakeHost()
    before = host.snapshot()
    run(host, plan("smtp"))
    first = host.snapshot()
    run(host, plan("smtp", "ssh"), SECOND)
    assert undo_run(host, None, lambda _: None, Redactor()) is ExitCode.OK
    assert host.snapshot() == first
    assert undo_run(host, None, lambda _: None, Redactor()) is ExitCode.OK
    assert host.snapshot() == before


def test_a_rule_that_somebody_had_set_permanently_stays_so_after_undo() -> None:
    host = FakeHost()
    host.firewall.add_rule("public", "rule drop", now=False)
    before = host.snapshot()
    run(host, plan())
    assert host.firewall.has_rule("public", "rule drop") == (True, True)
    undo_run(host, None, lambda _: None, Redactor())
    assert host.snapshot() == before


def test_switched_off_zone_and_rule_go_and_undo_brings_them_back() -> None:
    host = FakeHost()
    run(host, plan("smtp"))
    before = host.snapshot()
    assert run(host, plan(is_wanted=False), SECOND).code is ExitCode.OK
    assert host.firewall.zone_members("mesh") is None
    assert host.firewall.rules == set()
    undo_run(host, None, lambda _: None, Redactor())
    assert host.snapshot() == before


def test_a_stopped_firewall_gets_the_settings_and_nothing_is_loaded() -> None:
    """They hold from its next start; the second run knows that."""
    host = FakeHost()
    host.firewall.state = FirewallState.STOPPED
    before = host.snapshot()
    assert run(host, plan("smtp")).code is ExitCode.OK
    assert host.firewall.zone_members("mesh") is None
    assert (host.firewall.rules, host.firewall.kept_rules) == (set(), {("public", "rule drop")})
    assert run(host, plan("smtp"), SECOND) == Outcome(ExitCode.OK)
    undo_run(host, None, lambda _: None, Redactor())
    assert host.snapshot() == before


def test_without_a_firewall_there_is_nothing_to_load() -> None:
    host = FakeHost()
    host.firewall.state = FirewallState.NONE
    assert run(host, plan("smtp")).code is ExitCode.OK
    assert host.firewall.rules == host.firewall.kept_rules == set()
