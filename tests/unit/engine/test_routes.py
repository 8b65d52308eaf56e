"""Routes at which packets end: what a run adds to the kernel goes with it, and nothing else."""

from __future__ import annotations

from dexsetup.exitcodes import ExitCode
from dexsetup.host.base import UnitState
from dexsetup.host.fake import FakeHost
from dexsetup.host.rooted import RootedHost
from dexsetup.plan.engine import Engine, Options
from dexsetup.plan.events import Checked, Event, PlanMade, RunDone
from dexsetup.plan.handlers import check
from dexsetup.plan.handlers.context import Context
from dexsetup.plan.model import BlackholeRoute, Plan, StepPlan
from dexsetup.plan.results import InSync
from dexsetup.plan.undo import undo_run
from dexsetup.report.redact import Redactor

ROUTE = BlackholeRoute("fc00::/8", 500, "Nothing leaves in plain text.", kept_for=("thing.service",))
KEY = ("fc00::/8", 500)


def run(host: FakeHost) -> list[Event]:
    events: list[Event] = []
    plan = Plan((StepPlan("router", "Router", (ROUTE,)),), None)
    outcome = Engine(host, lambda: plan, events.append, run="20261122T140211Z-3f", options=Options()).run()
    assert outcome.code is ExitCode.OK
    return events


def undo(host: FakeHost) -> list[Event]:
    events: list[Event] = []
    undo_run(host, None, events.append, Redactor())
    return events


def test_the_plan_shows_the_route_and_undo_says_that_it_is_gone() -> None:
    """Who reads plan and undo sees what becomes of the kernel's routes."""
    host = FakeHost()
    shown = next(event for event in run(host) if isinstance(event, PlanMade))
    (change,) = shown.steps[0].changes
    assert (change.summary, change.note) == ("add the route blackhole fc00::/8 metric 500", ROUTE.what)
    assert host.blackholes == {KEY}
    said = [event.text for event in undo(host) if isinstance(event, Checked)]
    assert said == ["took the route blackhole fc00::/8 metric 500 away"]
    assert host.blackholes == set()


def test_a_route_that_was_there_before_stays() -> None:
    """It is not ours, whoever put it there."""
    host = FakeHost()
    host.blackholes = {KEY, ("fc00::/8", 700)}
    run(host)
    undo(host)
    assert host.blackholes == {KEY, ("fc00::/8", 700)}


def test_other_routes_for_the_same_prefix_stay() -> None:
    """Ours is the one of our metric."""
    host = FakeHost()
    host.blackholes = {("fc00::/8", 700)}
    run(host)
    undo(host)
    assert host.blackholes == {("fc00::/8", 700)}


def test_a_route_that_is_gone_already_is_no_reason_to_fail() -> None:
    """A reboot after the unit was switched off takes it, too."""
    host = FakeHost()
    run(host)
    host.blackholes.clear()
    assert isinstance(undo(host)[-1], RunDone)


def test_while_a_router_runs_the_route_stays_and_undo_says_so() -> None:
    """Somebody started it by hand, or a later run did: without the route its packets could leave."""
    host = FakeHost()
    run(host)
    host.services.units["thing.service"] = UnitState(True, False, True)
    (done,) = undo(host)
    assert isinstance(done, RunDone)
    assert done.remains == ("the route blackhole fc00::/8 metric 500 stays, because thing.service runs",)
    assert host.blackholes == {KEY}


def test_a_directory_that_stands_for_a_machine_has_no_routes(tmp_path: object) -> None:
    """Its unit adds the route when it boots."""
    host = RootedHost(str(tmp_path))
    assert check(ROUTE, Context(host, {})) == InSync()
