"""What the engine tells while it works. It never prints: console, JSON lines, log file and screen listen.

Events are frozen values. Texts in them are masked by the engine's redactor before they are sent, and once
more by every listener that writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from dexsetup.exposure import Door

__all__ = [
    "Asked",
    "Changed",
    "Checked",
    "Event",
    "Grade",
    "Listener",
    "Output",
    "PlanMade",
    "PlannedChange",
    "PlannedStep",
    "Progress",
    "RunDone",
    "StepDone",
    "StepFailed",
    "StepMark",
    "StepStarted",
    "event_to_json",
]


class StepMark(StrEnum):
    """The state of a step, as the characters before it."""

    TODO = "todo"
    IN_SYNC = "in_sync"
    CONFLICT = "conflict"
    UNAVAILABLE = "unavailable"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class Grade(StrEnum):
    """How good an observation is."""

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One change of the plan."""

    summary: str
    diff: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of the plan, checked against the machine."""

    name: str
    title: str
    mark: StepMark
    changes: tuple[PlannedChange, ...] = ()
    risks: tuple[tuple[str, str], ...] = ()
    """(name, text) of the risks that its changes bring."""
    notes: tuple[str, ...] = ()
    doors: tuple[Door, ...] = ()
    """What becomes reachable, from where, before and after."""
    problem: str = ""
    """Why it cannot be done, or what the conflict is."""


@dataclass(frozen=True, slots=True)
class PlanMade:
    """All steps were checked; nothing was changed."""

    address: str | None
    steps: tuple[PlannedStep, ...]
    open_risks: tuple[str, ...] = ()
    """Names of the risks that nobody has accepted: a run would stop at them."""


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step is being applied."""

    step: str
    title: str
    index: int
    """From 1, of the steps that have something to do."""
    count: int


@dataclass(frozen=True, slots=True)
class Progress:
    """What is being waited for."""

    step: str
    text: str


@dataclass(frozen=True, slots=True)
class Output:
    """A line of a program that works for a step."""

    step: str
    text: str


@dataclass(frozen=True, slots=True)
class Changed:
    """One change was made and looked at again."""

    step: str
    summary: str


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step is in place: a fresh look says so."""

    step: str
    seconds: float
    changes: int


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step did not come about; the four parts of the message."""

    step: str
    what: str
    why: str = ""
    done: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """An observation: a verification, a thing undone or kept, a note."""

    step: str
    grade: Grade
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A decision is needed. Headless it ends the run; a screen asks it."""

    step: str
    question: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunDone:
    """The run is over."""

    code: int
    text: str
    run: str = ""
    """Its name, if it changed anything."""
    address: str | None = None
    remains: tuple[str, ...] = ()
    """What is still in place after a failure."""


Event = (
    PlanMade | StepStarted | Progress | Output | Changed | StepDone | StepFailed | Checked | Asked | RunDone
)
Listener = Callable[[Event], None]


def event_to_json(event: Event) -> dict[str, Any]:
    """Return the event as JSON values, its class name under "event"."""
    return {"event": type(event).__name__, **asdict(event)}
