"""What undo would do, as a plan made from the journal alone: `dexsetup undo --dry-run`. Changes nothing."""

from __future__ import annotations

from itertools import groupby

from dexsetup.exitcodes import ExitCode
from dexsetup.host.base import Host
from dexsetup.plan.events import Listener, PlanMade, PlannedChange, PlannedStep, RunDone, StepMark
from dexsetup.plan.journal import ChangeRecord
from dexsetup.plan.undo import NOTHING_TO_UNDO, chosen_run

__all__ = ["foresee_undo"]


def foresee_undo(
    host: Host, run: str | None, listen: Listener, *, removes_packages: bool = False
) -> ExitCode:
    """Tell what undo of that run (None: the last one still in place) would give back, in its order."""
    record = chosen_run(host, run)
    if record is None:
        listen(RunDone(ExitCode.OK, NOTHING_TO_UNDO))
        return ExitCode.OK
    left = (change for change in reversed(record.changes) if not change.is_undone)
    steps = []
    for name, changes in groupby(left, lambda change: change.step):
        planned = tuple(PlannedChange(_words(one, removes_packages=removes_packages)) for one in changes)
        steps.append(PlannedStep(name, "As it was before", StepMark.TODO, planned))
    listen(PlanMade(None, tuple(steps)))
    listen(RunDone(ExitCode.CHANGES, f"This is what undo of run {record.run} would do. Nothing was changed."))
    return ExitCode.CHANGES


def _words(change: ChangeRecord, *, removes_packages: bool) -> str:
    before, subject = change.before, change.subject
    match change.kind:
        case "packages":
            return f"remove what was installed of {subject}" if removes_packages else f"leave {subject}"
        case "unit":
            enabled = "enabled" if before.get("enabled") else "disabled"
            active = "active" if before.get("active") else "not active"
            return f"leave {subject} {enabled}, {active}"
        case "opening" | "zone" | "rule":
            return f"give back the firewall's {subject}"
    was_there = before.get("exists") or before.get("target") or before.get("aside")
    return f"{'give back' if was_there else 'remove'} {subject}"
