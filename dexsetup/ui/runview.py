"""A run as the screen shows it: made from the engine's events alone, one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from dexsetup.plan.events import (
    Asked,
    Changed,
    Checked,
    Event,
    Output,
    PlanMade,
    PlannedStep,
    Progress,
    RunDone,
    StepDone,
    StepFailed,
    StepMark,
    StepStarted,
)

__all__ = ["RunStep", "RunView"]

_LOG_MOST = 5000


@dataclass(slots=True)
class RunStep:
    """One step."""

    name: str
    title: str
    mark: StepMark
    text: str = ""
    started: float = 0.0
    seconds: float | None = None
    is_running: bool = False


@dataclass
class RunView:
    """The state of a run. `now` in `take` is monotonic seconds."""

    started: float
    steps: dict[str, RunStep] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    index: int = 0
    count: int = 0
    checks: list[Checked] = field(default_factory=list)
    failures: list[StepFailed] = field(default_factory=list)
    done: RunDone | None = None
    ended: float | None = None
    is_stopping: bool = False
    error: tuple[str, ...] = ()

    def take(self, event: Event, now: float) -> None:
        """Take in one event."""
        for text in _words(event):
            minutes, seconds = divmod(int(now - self.started), 60)
            self.log.append(f"{minutes:02}:{seconds:02} {text}")
        del self.log[:-_LOG_MOST]
        match event:
            case PlanMade(steps=steps):
                self._plan(steps)
            case StepStarted(step=name, index=index, count=count, title=title):
                self.index, self.count = index, count
                entry = self._step(name, title)
                entry.is_running, entry.started, entry.text = True, now, title
            case Progress(step=name, text=text) | Output(step=name, text=text):
                self._step(name).text = text
            case Changed(step=name, summary=summary):
                self._step(name).text = summary
            case StepDone(step=name, seconds=took):
                entry = self._step(name)
                entry.is_running, entry.mark, entry.seconds = False, StepMark.DONE, took
            case StepFailed(step=name, what=what):
                entry = self._step(name)
                entry.is_running, entry.mark, entry.text = False, StepMark.FAILED, what
                self.failures.append(event)
            case Checked():
                self.checks.append(event)
            case RunDone():
                self.done = event
                self.ended = now
            case Asked():
                pass

    def _plan(self, steps: Iterable[PlannedStep]) -> None:
        self.steps = {step.name: RunStep(step.name, step.title, step.mark) for step in steps}
        self.count = sum(step.mark is StepMark.TODO for step in self.steps.values())

    def _step(self, name: str, title: str = "") -> RunStep:
        return self.steps.setdefault(name, RunStep(name, title or name, StepMark.TODO))

    @property
    def finished(self) -> int:
        """How many steps that had something to do are over."""
        return sum(step.mark in {StepMark.DONE, StepMark.FAILED} for step in self.steps.values())

    @property
    def are_answers_kept(self) -> bool:
        """Whether the machine remembers the answers of this run."""
        step = self.steps.get("answers")
        return self.done is not None and step is not None and step.mark in {StepMark.DONE, StepMark.IN_SYNC}


def _words(event: Event) -> tuple[str, ...]:
    """Return the lines of the log for an event."""
    match event:
        case PlanMade(steps=steps):
            return (f"plan      {len(steps)} steps",)
        case StepStarted(step=name, title=title, index=index, count=count):
            return (f"{name:<9} {title} ({index} of {count})",)
        case Progress(step=name, text=text) | Output(step=name, text=text):
            return (f"{name:<9} {text}",)
        case Changed(step=name, summary=summary):
            return (f"{name:<9} {summary}",)
        case StepDone(step=name, seconds=seconds):
            return (f"{name:<9} done in {seconds:.1f} s",)
        case StepFailed(step=name, what=what, why=why, done=done, advice=advice):
            said = [f"said: {line}" for line in why.splitlines()]
            parts = (f"FAIL {what}", *said, *([done] if done else []), *([advice] if advice else []))
            return tuple(f"{name:<9} {part}" for part in parts)
        case Checked(step=name, grade=grade, text=text):
            return (f"{name:<9} {grade} {text}",)
        case Asked(step=name, question=question):
            return (f"{name:<9} {question}",)
        case RunDone(text=text):
            return (f"run       {text}",)
