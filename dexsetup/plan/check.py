"""Checks a whole plan against the machine before the first change, and tells what it found as an event."""

from __future__ import annotations

from dataclasses import dataclass

from dexsetup.host.base import Host
from dexsetup.plan import handlers
from dexsetup.plan.events import PlanMade, PlannedChange, PlannedStep, StepMark
from dexsetup.plan.handlers.context import Context
from dexsetup.plan.model import Plan, Resource, Risk, StepPlan
from dexsetup.plan.results import Change, CheckResult, Conflict, InSync, Stale, Unavailable

__all__ = ["CheckedPlan", "CheckedStep", "check_plan"]


@dataclass(frozen=True, slots=True)
class CheckedStep:
    """A step and what a look at each of its resources came to."""

    step: StepPlan
    results: tuple[CheckResult, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """What would be changed."""
        return tuple(result for result in self.results if isinstance(result, Change))

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """What nobody has decided."""
        return tuple(result for result in self.results if isinstance(result, Conflict))

    @property
    def unavailable(self) -> tuple[Unavailable, ...]:
        """What this machine cannot have."""
        if self.step.unavailable:
            return (Unavailable(self.step.unavailable),)
        return tuple(result for result in self.results if isinstance(result, Unavailable))

    @property
    def is_stale(self) -> bool:
        """Whether a shared file changed between planning and this look."""
        return any(isinstance(result, Stale) for result in self.results)

    @property
    def risks(self) -> tuple[Risk, ...]:
        """The risks that its changes bring: none if nothing is to be changed."""
        return self.step.risks if self.changes else ()

    @property
    def mark(self) -> StepMark:
        """The step's state in one word."""
        if self.unavailable:
            return StepMark.UNAVAILABLE
        if self.conflicts or self.is_stale:
            return StepMark.CONFLICT
        return StepMark.TODO if self.changes else StepMark.IN_SYNC


@dataclass(frozen=True, slots=True)
class CheckedPlan:
    """The plan with all its looks."""

    plan: Plan
    steps: tuple[CheckedStep, ...]

    @property
    def has_changes(self) -> bool:
        """Whether there is anything to do."""
        return any(step.changes for step in self.steps)

    def open_risks(self, accepted: frozenset[str]) -> tuple[tuple[CheckedStep, Risk], ...]:
        """Return the risks that a run would stop at, with their steps."""
        return tuple((step, risk) for step in self.steps for risk in step.risks if risk.name not in accepted)

    def event(self, accepted: frozenset[str]) -> PlanMade:
        """Return it as what listeners see; `accepted` are the names of the risks that were."""
        names = dict.fromkeys(risk.name for _, risk in self.open_risks(accepted))
        return PlanMade(self.plan.address, tuple(_planned(step) for step in self.steps), tuple(names))


def check_plan(plan: Plan, host: Host, context: Context) -> CheckedPlan:
    """Look at every resource. Changes nothing; `context` must be a fresh one without a journal."""
    context.host = host
    checked = []
    for step in plan.steps:
        if step.unavailable:
            checked.append(CheckedStep(step, ()))
            continue
        context.step = step.name
        checked.append(
            CheckedStep(step, tuple(handlers.check(resource, context) for resource in step.resources))
        )
    return CheckedPlan(plan, tuple(checked))


def _planned(checked: CheckedStep) -> PlannedStep:
    problem = ""
    if checked.unavailable:
        first = checked.unavailable[0]
        problem = f"{first.why}{f' ({first.detail})' if first.detail else ''}"
    elif checked.conflicts:
        problem = checked.conflicts[0].why
    elif checked.is_stale:
        problem = "a file that is edited here changed in this moment; start again"
    notes = [result.note for result in checked.results if isinstance(result, InSync) and result.note]
    return PlannedStep(
        name=checked.step.name,
        title=checked.step.title,
        mark=checked.mark,
        changes=(
            *(PlannedChange(change.summary, change.diff, change.note) for change in checked.changes),
            *(PlannedChange(f"CONFLICT {found.path}", found.diff, found.why) for found in checked.conflicts),
        ),
        risks=tuple((risk.name, risk.text) for risk in checked.risks),
        notes=(*checked.step.notes, *notes),
        doors=checked.step.doors,
        problem=problem,
    )


def describe(resource: Resource) -> str:
    """Return a few words for a resource that could not be brought about."""
    name = getattr(resource, "path", None) or getattr(resource, "name", None)
    return str(name) if name else type(resource).__name__
