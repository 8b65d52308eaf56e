"""The engine on a machine in memory: what is changed, what is not, and what a run comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dexsetup.errors import DexsetupError, LockedError, MachineError
from dexsetup.exitcodes import ExitCode
from dexsetup.host.base import Completed, UnitState
from dexsetup.host.fake import CrashingHost, FakeHost, SimulatedCrash
from dexsetup.plan.engine import Engine, Options, Outcome
from dexsetup.plan.events import Asked, Checked, Event, Grade, PlanMade, RunDone, StepFailed, StepMark
from dexsetup.plan.journal import list_runs
from dexsetup.plan.model import (
    AddressBound,
    Directory,
    FileSharing,
    FirewallOpening,
    Link,
    ManagedFile,
    PackageSet,
    PeerEstablished,
    Plan,
    Resource,
    Risk,
    StepPlan,
    SystemUser,
    Tree,
    Unit,
)
from dexsetup.plan.undo import undo_run
from dexsetup.report.redact import Redactor

UNIT = "/etc/systemd/system/thing.service"
RUN = "20261122T140211Z-3f"


def plan_of(*resources: Resource, **more: object) -> Plan:
    step = StepPlan("thing", "Set up the thing", resources)
    return Plan((replace(step, **more),), None)  # type: ignore[arg-type]  # keyword values of a test


def everything() -> Plan:
    """A plan with one of each resource."""
    packages = StepPlan("packages", "Install", (PackageSet(("thing",)),))
    thing = StepPlan(
        "thing",
        "Set up the thing",
        (
            SystemUser("thing", "/var/lib/thing", "the thing"),
            Directory("/etc/thing", 0o750),
            ManagedFile("/etc/thing/conf", b"listen = yes\n", 0o640, template="thing/conf 1"),
            Link("/etc/thing/current", "/opt/thing"),
            Tree("/opt/thing", "/checkout"),
            ManagedFile(UNIT, b"[Service]\nExecStart=/opt/thing/run\n"),
            Unit("thing.service", restart_on=(UNIT, "/etc/thing/conf")),
            FirewallOpening(26041, "udp"),
        ),
        needs=("packages",),
    )
    return Plan((packages, thing), None)


def machine() -> FakeHost:
    host = FakeHost()
    host.sources["/checkout"] = {"run": b"#!/bin/sh\n", "lib/thing.py": b"pass\n"}
    return host


def run(
    host: FakeHost, plan: Plan | Callable[[], Plan], *, name: str = RUN, **options: object
) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []
    make_plan = plan if callable(plan) else lambda: plan
    engine = Engine(host, make_plan, events.append, run=name, options=Options(**options))  # type: ignore[arg-type]
    return engine.run(), events


def undo(host: FakeHost) -> ExitCode:
    return undo_run(host, None, lambda _: None, Redactor())


def test_first_run_puts_everything_in_place() -> None:
    """A run brings every resource about, and ends with 0."""
    host = machine()
    outcome, _ = run(host, everything())
    assert outcome == Outcome(ExitCode.OK, RUN)
    assert host.read("/etc/thing/conf") == b"listen = yes\n"
    assert host.services.state("thing.service") == UnitState(True, True, True)
    assert host.firewall.is_open("public", 26041, "udp") == (True, True)
    assert host.read("/opt/thing/lib/thing.py") == b"pass\n"


def test_second_run_changes_nothing_and_says_so() -> None:
    """Applying twice changes nothing the second time, and leaves no run behind."""
    host = machine()
    run(host, everything())
    before = dict(host.nodes)
    outcome, events = run(host, everything(), name="20261122T150000Z-00")
    assert outcome == Outcome(ExitCode.OK)
    assert events[-1] == RunDone(0, "Nothing to do: everything is already in place.")
    assert host.nodes == before


def test_undo_gives_back_what_was_there() -> None:
    """After undo, files, accounts, units and firewall are as before the run; packages stay."""
    host = machine()
    host.put("/etc/thing/conf", b"mine\n", mode=0o600, owner="jo")
    before = host.snapshot()
    run(host, everything())
    assert host.snapshot() != before
    assert undo(host) is ExitCode.OK
    assert host.snapshot() == before
    assert undo(host) is ExitCode.OK  # nothing is left to undo


def test_a_running_service_is_restarted_on_the_old_files_by_undo() -> None:
    """A unit that ran before the run runs again on its old files after undo."""
    host = machine()
    host.put(UNIT, b"[Service]\nExecStart=/old\n")
    host.services.units["thing.service"] = UnitState(True, True, True)
    run(host, everything())
    host.services.log.clear()
    undo(host)
    assert host.services.log == ["reload", "restart thing.service"]
    assert host.read(UNIT) == b"[Service]\nExecStart=/old\n"


def test_unit_is_restarted_only_when_its_files_changed() -> None:
    """A change of a file restarts the unit that names it; a rerun does not."""
    host = machine()
    run(host, everything())
    host.services.log.clear()
    plan = everything()
    thing = plan.steps[1]
    changed = tuple(
        replace(r, content=b"listen = no\n") if isinstance(r, ManagedFile) and r.path.endswith("conf") else r
        for r in thing.resources
    )
    run(host, Plan((plan.steps[0], replace(thing, resources=changed)), None), name="20261122T150000Z-00")
    assert host.services.log == ["reload", "restart thing.service"]


@pytest.mark.parametrize(
    ("name", "on_disk", "written_before", "wanted", "expected"),
    [
        ("never_there_is_created", None, None, b"new", b"new"),
        ("removed_by_hand_is_a_conflict", None, b"old", b"new", ExitCode.CONFLICT),
        ("as_written_and_same_is_in_sync", b"old", b"old", b"old", b"old"),
        ("as_written_is_updated", b"old", b"old", b"new", b"new"),
        ("edited_to_what_we_want_is_adopted", b"new", b"old", b"new", b"new"),
        ("edited_otherwise_is_a_conflict", b"mine", b"old", b"new", ExitCode.CONFLICT),
        ("foreign_and_same_is_adopted", b"new", None, b"new", b"new"),
        ("foreign_is_taken_over", b"mine", None, b"new", b"new"),
        ("as_written_and_unwanted_is_removed", b"old", b"old", None, None),
        ("foreign_and_unwanted_stays", b"mine", None, None, b"mine"),
        ("edited_and_unwanted_is_a_conflict", b"mine", b"old", None, ExitCode.CONFLICT),
    ],
)
def test_managed_file_table(
    name: str,
    on_disk: bytes | None,
    written_before: bytes | None,
    wanted: bytes | None,
    expected: bytes | ExitCode | None,
) -> None:
    """Each row of the table of managed files comes to what it says, and conflicts change nothing."""
    host = FakeHost()
    if written_before is not None:
        run(host, plan_of(ManagedFile("/etc/f", written_before)))
    if on_disk is None:
        host.nodes.pop("/etc/f", None)
    elif on_disk != host.read("/etc/f"):
        host.put("/etc/f", on_disk)
    before = host.snapshot()
    outcome, events = run(host, plan_of(ManagedFile("/etc/f", wanted)), name="20261122T150000Z-00")
    if isinstance(expected, ExitCode):
        assert outcome.code is expected, name
        assert host.snapshot() == before
        assert any(isinstance(event, Asked) for event in events)
    else:
        assert outcome.code is ExitCode.OK, name
        assert host.read("/etc/f") == expected


def test_unwanted_file_gives_way_to_what_was_there_before() -> None:
    """When a file that we took over is no longer wanted, the one that was there before comes back."""
    host = FakeHost()
    host.put("/etc/f", b"theirs", mode=0o600, owner="jo")
    run(host, plan_of(ManagedFile("/etc/f", b"ours")))
    run(host, plan_of(ManagedFile("/etc/f", None)), name="20261122T150000Z-00")
    info = host.stat("/etc/f")
    assert info is not None
    assert (host.read("/etc/f"), info.mode, info.owner) == (b"theirs", 0o600, "jo")


@pytest.mark.parametrize(
    ("decision", "content", "saved"),
    [("ours", b"new", b"mine"), ("theirs", b"mine", None)],
)
@pytest.mark.parametrize("way", ["answers", "command line"])
def test_a_decision_settles_a_conflict(decision: str, content: bytes, saved: bytes | None, way: str) -> None:
    """Ours keeps theirs beside it; theirs leaves the file. Answers and command line decide alike."""
    host = FakeHost()
    run(host, plan_of(ManagedFile("/etc/f", b"old")))
    host.put("/etc/f", b"mine")
    before = host.snapshot()
    file = ManagedFile("/etc/f", b"new")
    decisions: dict[str, str] = {}
    if way == "answers":
        file = replace(file, on_conflict=decision)  # type: ignore[arg-type]  # a word of the table
    else:
        decisions["/etc/f"] = decision
    outcome, _ = run(host, plan_of(file), name="20261122T150000Z-00", decisions=decisions)
    assert outcome.code is ExitCode.OK
    assert host.read("/etc/f") == content
    assert host.read("/etc/f.dexsetup-saved") == saved
    if decision == "ours":
        undo(host)
        assert host.snapshot() == before


def test_a_foreign_file_may_be_a_conflict_unless_its_package_brought_it() -> None:
    """foreign="ask": a person's own file stops the run, the package's default does not."""
    file = ManagedFile("/etc/smtpd.conf", b"ours", foreign="ask")
    host = FakeHost({"/etc/smtpd.conf": b"a person's"})
    assert run(host, plan_of(file))[0].code is ExitCode.CONFLICT
    host.packages.pristine["/etc/smtpd.conf"] = b"a person's"
    assert run(host, plan_of(file))[0].code is ExitCode.OK


def test_package_default_that_appears_during_the_run_is_replaced() -> None:
    """A file that a package brings in this very run is no conflict, even for a step that asks."""
    host = FakeHost()
    host.packages.brings["smtpd"] = {"/etc/smtpd.conf": b"the package's default"}
    plan = plan_of(PackageSet(("smtpd",)), ManagedFile("/etc/smtpd.conf", b"ours", foreign="ask"))
    assert run(host, plan)[0].code is ExitCode.OK
    assert host.read("/etc/smtpd.conf") == b"ours"


def test_shared_file_that_changes_meanwhile_is_planned_again() -> None:
    """A shared file edited between plan and apply is edited anew from what is there, not overwritten."""
    host = FakeHost({"/home/jo/.mailrc": b"set a\n"})
    host.users.add("jo")
    calls = 0

    def make_plan() -> Plan:
        nonlocal calls
        calls += 1
        based_on = host.read("/home/jo/.mailrc")
        if calls == 1:
            based_on = b"set a\n"
        file = ManagedFile(
            "/home/jo/.mailrc",
            (based_on or b"") + b"set ours\n" if b"ours" not in (based_on or b"") else based_on,
            sharing=FileSharing.SHARED,
            based_on=based_on,
            as_user="jo",
            owner="jo",
            group="jo",
        )
        meddler = PackageSet(("meddler",))
        return plan_of(meddler, file)

    host.packages.brings["meddler"] = {"/home/jo/.mailrc": b"set b\n"}
    outcome, _ = run(host, make_plan)
    assert outcome.code is ExitCode.OK
    assert host.read("/home/jo/.mailrc") == b"set b\nset ours\n"


def test_a_file_that_a_running_program_would_overwrite_is_left_until_it_ends() -> None:
    """Nothing is changed, and the program is named; one that runs does not matter when all is in place."""
    host = FakeHost({"/home/jo/.pinerc": b"a\n"})
    host.users.add("jo")
    argv = ("pgrep", "-u", "jo", "-x", "alpine")
    host.programs[argv] = Completed(argv, 0, "612\n", "")
    file = ManagedFile(
        "/home/jo/.pinerc",
        b"a\nb\n",
        owner="jo",
        group="jo",
        as_user="jo",
        sharing=FileSharing.SHARED,
        based_on=b"a\n",
        unless_running=("pine", "alpine"),
    )
    before = host.snapshot()
    outcome, events = run(host, plan_of(file))
    assert outcome.code is ExitCode.MACHINE
    failure = next(event for event in events if isinstance(event, StepFailed))
    assert failure.what == "alpine of jo is running and would write over /home/jo/.pinerc at its end."
    assert host.snapshot() == before
    del host.programs[argv]
    assert run(host, plan_of(file))[0].code is ExitCode.OK
    host.programs[argv] = Completed(argv, 0, "612\n", "")
    assert run(host, plan_of(replace(file, based_on=b"a\nb\n")))[0].code is ExitCode.OK


def test_invalid_file_stops_before_the_first_change() -> None:
    """A file that its own program refuses is found while checking: nothing is changed."""
    host = FakeHost()
    host.validators["smtpd"] = lambda content: "line 1: syntax error" if b"bad" in content else ""
    before = host.snapshot()
    file = ManagedFile("/etc/smtpd.conf", b"bad", validate=("smtpd", "-n", "-f", "{}"))
    outcome, events = run(host, plan_of(ManagedFile("/etc/first", b"x"), file))
    assert outcome.code is ExitCode.MACHINE
    failure = next(event for event in events if isinstance(event, StepFailed))
    assert failure.why == "line 1: syntax error"
    assert host.snapshot() == before


def test_unaccepted_risk_stops_before_the_first_change() -> None:
    """A named risk must be accepted by name; then the run goes through."""
    host = FakeHost()
    plan = plan_of(ManagedFile("/etc/f", b"x"), risks=(Risk("mesh-mail", "the mesh can reach port 25"),))
    before = host.snapshot()
    assert run(host, plan)[0].code is ExitCode.RISK
    assert host.snapshot() == before
    assert run(host, plan, accepted_risks=frozenset({"mesh-mail"}))[0].code is ExitCode.OK
    assert run(host, plan)[0].code is ExitCode.OK  # nothing to do brings no risk


def test_a_node_that_knows_nobody_is_not_done() -> None:
    """Verify says so and what to do; a neighbour that was heard is enough."""
    host = FakeHost()
    plan = plan_of(ManagedFile("/etc/f", b"x"), verifications=(PeerEstablished(0.0, is_any_named=False),))
    outcome, events = run(host, plan)
    assert outcome.code is ExitCode.UNSATISFIED
    (said,) = (event for event in events if isinstance(event, Checked))
    assert said.grade is Grade.WARN
    assert said.text.startswith("the node knows nobody yet: ")
    assert "dexsetup peers add" in said.text
    host.network.peers = (("192.168.1.9:4000", "ESTABLISHED"),)
    assert run(host, plan)[0].code is ExitCode.OK


def test_a_dry_run_says_which_risk_would_stop_the_run() -> None:
    """It asks in the words of the run, names the risk at its end and in the plan, and still says 10."""
    host = FakeHost()
    plan = plan_of(ManagedFile("/etc/f", b"x"), risks=(Risk("mesh-mail", "the mesh can reach port 25"),))
    asked = [event for event in run(host, plan)[1] if isinstance(event, Asked)]
    events: list[Event] = []
    assert Engine(host, lambda: plan, events.append, run=RUN).dry_run().code is ExitCode.CHANGES
    assert [event for event in events if isinstance(event, Asked)] == asked
    made, end = events[0], events[-1]
    assert isinstance(made, PlanMade)
    assert made.open_risks == ("mesh-mail",)
    assert isinstance(end, RunDone)
    assert "A run would stop here: the risk mesh-mail is not accepted." in end.text


def test_a_dry_run_is_silent_about_accepted_risks() -> None:
    host = FakeHost()
    plan = plan_of(ManagedFile("/etc/f", b"x"), risks=(Risk("mesh-mail", "the mesh can reach port 25"),))
    events: list[Event] = []
    options = Options(accepted_risks=frozenset({"mesh-mail"}))
    Engine(host, lambda: plan, events.append, run=RUN, options=options).dry_run()
    assert isinstance(events[0], PlanMade)
    assert events[0].open_risks == ()
    assert events[1:] == [RunDone(int(ExitCode.CHANGES), "There are changes to make. Nothing was changed.")]


def test_failing_step_is_undone_and_so_is_all_else() -> None:
    """When a service does not start, its words are shown and the machine is as before."""
    host = machine()
    host.services.refuses_to_start["thing.service"] = "bind: Cannot assign requested address"
    before = host.snapshot()
    outcome, events = run(host, everything())
    assert outcome.code is ExitCode.UNDONE
    failure = next(event for event in events if isinstance(event, StepFailed))
    assert (failure.what, failure.why) == (
        "thing.service did not start.",
        "bind: Cannot assign requested address",
    )
    assert host.snapshot() == before


def test_a_service_that_keeps_trying_to_start_is_stopped_by_undo() -> None:
    """With Restart=always it is not active at the moment of the undo, and would be again soon after."""
    host = machine()
    host.services.refuses_to_start["thing.service"] = "exited, will be started again"
    run(host, everything())
    assert "stop thing.service" in host.services.log


def test_keep_going_leaves_what_worked_and_skips_what_needed_the_failure() -> None:
    """With keep_going, steps that do not need the failed one are applied; the outcome names what remains."""
    host = FakeHost()
    host.put("/etc/systemd/system/bad.service", b"")
    host.services.refuses_to_start["bad.service"] = "no"
    plan = Plan(
        (
            StepPlan("bad", "bad", (Unit("bad.service"),)),
            StepPlan("after", "after", (ManagedFile("/etc/after", b""),), needs=("bad",)),
            StepPlan("other", "other", (ManagedFile("/etc/other", b"x"),)),
        ),
        None,
    )
    outcome, _ = run(host, plan, keep_going=True)
    assert (outcome.code, outcome.remains) == (ExitCode.REMAINS, ("other",))
    assert host.read("/etc/after") is None
    assert host.read("/etc/other") == b"x"
    assert undo(host) is ExitCode.OK
    assert host.read("/etc/other") is None


def test_packages_that_cannot_be_had_are_exit_3() -> None:
    """When the package manager is offline, nothing is changed and the code says that the machine cannot."""
    host = machine()
    host.packages.failure = MachineError("The package servers cannot be reached.", why="Could not resolve")
    before = host.snapshot()
    outcome, _ = run(host, everything())
    assert outcome.code is ExitCode.MACHINE
    assert host.snapshot() == before


def test_second_run_at_the_same_time_is_refused() -> None:
    """The lock names its holder, and the exit code is 8."""
    host = machine()
    with host.hold_lock("/run/dexsetup.lock", "pid 1"), pytest.raises(LockedError) as caught:
        run(host, everything())
    assert "pid 1" in caught.value.why
    assert caught.value.exit_code is ExitCode.LOCKED


def test_stop_is_heard_between_changes_and_undoes() -> None:
    """A wish to stop ends the run with 130 after the change under way, and takes back what was done."""
    host = machine()
    before = host.snapshot()
    plan = everything()
    engine: Engine
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)
        if type(event).__name__ == "Changed":
            engine.request_stop()

    engine = Engine(host, lambda: plan, listen, run=RUN)
    assert engine.run().code is ExitCode.INTERRUPTED
    assert host.snapshot() == before


def test_peer_that_does_not_answer_is_a_warning() -> None:
    """No peer within the time: exit 6, and everything stays in place."""
    host = FakeHost()
    host.network.peers = (("192.0.2.1:1", "HANDSHAKE_1"),)
    peers = (PeerEstablished(5.0),)
    plan = plan_of(ManagedFile("/etc/f", b"x"), waits=peers, verifications=peers)
    outcome, events = run(host, plan)
    assert outcome.code is ExitCode.UNSATISFIED
    assert host.read("/etc/f") == b"x"
    assert any(isinstance(event, Checked) and "HANDSHAKE_1" in event.text for event in events)
    assert host.clock < 10


def test_address_that_does_not_come_undoes_the_step() -> None:
    """The router's address does not appear: its step failed, and what it changed is taken back."""
    host = FakeHost()
    plan = plan_of(ManagedFile("/etc/f", b"x"), waits=(AddressBound("fc00::1", 3.0),))
    outcome, _ = run(host, plan)
    assert outcome.code is ExitCode.UNDONE
    assert host.read("/etc/f") is None


def test_not_root_changes_nothing() -> None:
    """Without root a run is refused with exit 3; looking still works."""
    host = machine()
    with pytest.raises(MachineError) as caught:
        run(host, everything(), is_root=False)
    assert caught.value.exit_code is ExitCode.MACHINE
    engine = Engine(host, everything, lambda _: None, run=RUN, options=Options(is_root=False))
    assert engine.dry_run().code is ExitCode.CHANGES


def test_dry_run_changes_nothing_and_marks_the_steps() -> None:
    """A dry run says 10 while there is something to do, 0 afterwards, and touches nothing."""
    host = machine()
    before = dict(host.nodes)
    events: list[Event] = []
    engine = Engine(host, everything, events.append, run=RUN)
    assert engine.dry_run().code is ExitCode.CHANGES
    assert host.nodes == before
    made = next(event for event in events if isinstance(event, PlanMade))
    assert [step.mark for step in made.steps] == [StepMark.TODO, StepMark.TODO]
    run(host, everything())
    assert Engine(host, everything, events.append, run=RUN).dry_run().code is ExitCode.OK


def test_file_edited_since_the_run_is_kept_by_undo() -> None:
    """Undo leaves a file that was edited after the run, and says so with exit 5."""
    host = FakeHost()
    run(host, plan_of(ManagedFile("/etc/f", b"ours"), ManagedFile("/etc/g", b"ours")))
    host.put("/etc/f", b"edited")
    assert undo(host) is ExitCode.REMAINS
    assert host.read("/etc/f") == b"edited"
    assert host.read("/etc/g") is None


def test_undo_goes_back_run_by_run() -> None:
    """Each undo takes back the last run that is still in place."""
    host = FakeHost({"/etc/f": b"0"})
    run(host, plan_of(ManagedFile("/etc/f", b"1")))
    run(host, plan_of(ManagedFile("/etc/f", b"2")), name="20261122T150000Z-00")
    undo(host)
    assert host.read("/etc/f") == b"1"
    undo(host)
    assert host.read("/etc/f") == b"0"
    assert [record.result for record in list_runs(host)] == ["undone", "undone"]


def test_interrupted_run_is_not_passed_over() -> None:
    """After a crash a headless run refuses with advice; with resume it goes on in the same journal."""
    host = machine()
    before = host.snapshot()
    crashing = CrashingHost(host, at=12)
    with pytest.raises(SimulatedCrash):
        Engine(crashing.as_host(), everything, lambda _: None, run=RUN).run()
    with pytest.raises(DexsetupError) as caught:
        run(host, everything(), name="20261122T150000Z-00")
    assert caught.value.exit_code is ExitCode.REMAINS
    assert "dexsetup undo" in caught.value.advice
    outcome, _ = run(host, everything(), name="20261122T150000Z-00", resume=True)
    assert outcome == Outcome(ExitCode.OK, RUN)
    assert undo(host) is ExitCode.OK
    assert host.snapshot() == before


def test_what_a_crash_in_an_installation_left_in_force_goes_whether_one_goes_on_or_back() -> None:
    """No later run would look at it: the packages are there by then."""
    for resume in (False, True):
        host = machine()
        crashing = CrashingHost(host, at=6, after=True)
        with pytest.raises(SimulatedCrash):
            Engine(crashing.as_host(), everything, lambda _: None, run=RUN).run()
        assert crashing.trace[-1].startswith("install")
        if resume:
            run(host, everything(), resume=True)
        else:
            undo(host)
        assert host.packages.cleared == 1


def test_a_directory_of_a_person_s_own_keeps_its_rights() -> None:
    """What a program made before is right as it is; one that is missing is made as wanted."""
    host = FakeHost()
    host.users.add("jo")
    host.put("/home/jo/.there/file", b"")
    wanted = [
        Directory(f"/home/jo/{name}", 0o700, "jo", "jo", as_user="jo", keeps_rights=True)
        for name in (".there", ".new")
    ]
    run(host, plan_of(*wanted))
    rights = [host.stat(f"/home/jo/{name}") for name in (".there", ".new")]
    assert [(info.mode, info.owner) for info in rights if info] == [(0o755, "root"), (0o700, "jo")]


def test_a_run_of_a_name_that_is_taken_gets_the_next_one() -> None:
    """Two that began in one instant, or a clock that was set back: neither loses what undo needs."""
    host = FakeHost({"/etc/f": b"0"})
    for content in (b"1", b"2", b"3"):
        run(host, plan_of(ManagedFile("/etc/f", content)))
    assert [record.run for record in list_runs(host)] == [RUN, f"{RUN}-2", f"{RUN}-3"]
    for content in (b"2", b"1", b"0"):
        undo(host)
        assert host.read("/etc/f") == content
