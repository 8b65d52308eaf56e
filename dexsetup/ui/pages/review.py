"""Review: the plan as it would be applied, risks to accept, conflicts to decide. Then Apply."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from dexsetup.exposure import door_lines
from dexsetup.plan.events import PlannedStep, StepMark
from dexsetup.ui.pages.base import Page, clean_lines
from dexsetup.ui.pages.decisions import Decisions
from dexsetup.ui.widgets.fields import Push
from dexsetup.ui.widgets.lines import Line, Row, Rows, diff_lines

__all__ = ["MARKS", "ReviewPage", "step_lines"]

MARKS = {
    StepMark.TODO: " ",
    StepMark.IN_SYNC: "=",
    StepMark.CONFLICT: "!",
    StepMark.UNAVAILABLE: "-",
    StepMark.DONE: "x",
    StepMark.FAILED: "!",
    StepMark.SKIPPED: "-",
}
_DOORS = 40
"""Columns for what becomes reachable."""
_LOOKS = {"!": "bad", "-": "warn", "=": "quiet", "x": "good"}
_HELP = (
    "This page shows every change before it is made. Enter on a step shows its files; a risk has to be "
    "read and ticked; a file that somebody edited needs a decision. Apply makes the changes, Save writes the "
    "answers to a file."
)


class ReviewPage(Page):
    """See the module docstring."""

    step: ClassVar[str] = "Review"
    keys: ClassVar[str] = "^A Apply  Enter Open  ^S Save"
    help: ClassVar[str] = _HELP
    first: ClassVar[str] = "#apply"

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static("", id="summary", classes="title", markup=False)
        yield Rows(id="plan")
        yield Static("", id="validated", classes="title", markup=False)
        yield Decisions(id="decisions")
        yield Horizontal(Push("Apply", id="apply"), Push("Save answers", id="save"), classes="buttons last")

    def on_mount(self) -> None:
        """Plan anew: the machine may have changed."""
        self.wizard.planning.soon(0.0)
        self.renew()

    def on_resize(self) -> None:
        """Leave room for risks and conflicts below the plan."""
        self.query_one("#plan", Rows).styles.max_height = max(4, self.size.height - 11)

    def renew(self) -> None:
        """Show the plan."""
        looked = self.wizard.planning.looked
        summary = self.query_one("#summary", Static)
        if self.wizard.draft.unfit:
            where = ", ".join(".".join(path) for path in self.wizard.draft.unfit)
            summary.update(f"[!] Not an answer yet: {where}. Nothing is planned until it is.")
        elif looked is None:
            summary.update("Planning, and comparing with this machine \u2026")
        elif looked.problems:
            summary.update(clean_lines("\n".join(f"[!] {problem}" for problem in looked.problems)))
        elif looked.plan is not None:
            summary.update(_summary(looked.plan.steps))
        steps = looked.plan.steps if looked is not None and looked.plan is not None else ()
        self.query_one("#plan", Rows).show([_row(step) for step in steps])
        said = [
            f"{name}: {text}"
            for name, texts in (looked.validated if looked else {}).items()
            for text in texts
        ]
        self.query_one("#validated", Static).update(clean_lines("\n".join(said)))
        self.query_one("#validated").display = bool(said)
        self.query_one("#decisions", Decisions).show(steps)

    def on_push_pushed(self, event: Push.Pushed) -> None:
        """Apply or save."""
        event.stop().prevent_default()
        if event.push.id == "apply":
            self.wizard.running.want()
        else:
            self.wizard.sheets.save()

    def on_rows_marked(self, event: Rows.Marked) -> None:
        """Show the diff of the marked step beside the plan."""
        event.stop()
        self.wizard.frame.renew_side()

    def on_rows_acted(self, event: Rows.Acted) -> None:
        """Open the marked step."""
        event.stop()
        self.wizard.action_diff()

    @property
    def marked_step(self) -> str:
        """The name of the marked step."""
        row = self.query_one("#plan", Rows).row
        return row.key if row is not None else ""


def _summary(steps: tuple[PlannedStep, ...]) -> str:
    todo = sum(step.mark is StepMark.TODO for step in steps)
    right = sum(step.mark is StepMark.IN_SYNC for step in steps)
    stuck = len(steps) - todo - right
    counts = [f"{todo} to do", f"{right} already right"]
    if stuck:
        counts.append(f"{stuck} need{'s' if stuck == 1 else ''} you")
    return f"{len(steps)} steps: {', '.join(counts)}"


def _row(step: PlannedStep) -> Row:
    mark = MARKS[step.mark]
    match step.mark:
        case StepMark.IN_SYNC:
            text = "already right"
        case StepMark.TODO:
            first = step.changes[0].summary
            more = len(step.changes) - 1
            text = f"{first}{f', {more} more' if more else ''}"
        case _:
            text = step.problem
    return Row(step.name, f"[{mark}] {step.name:<10} {text}", _LOOKS.get(mark, ""))


def step_lines(step: PlannedStep) -> list[Line]:
    """Return everything there is to say about one step: problem, changes with their diffs, risks, notes."""
    lines = [Line(f"[{MARKS[step.mark]}] {step.name}: {step.title}", "strong")]
    if step.problem:
        lines.append(Line(f"[!] {step.problem}", "bad", wraps=True))
    lines += [Line(f"    {change.summary}") for change in step.changes]
    lines += [Line(f"    {change.note}", "warn", wraps=True) for change in step.changes if change.note]
    lines += [Line(f"    risk {name}: {text}", "warn", wraps=True) for name, text in step.risks]
    lines += [Line(f"    {text}") for text in door_lines(step.doors, _DOORS)]
    lines += [Line(f"    note: {note}", "quiet", wraps=True) for note in step.notes]
    for change in step.changes:
        if change.diff:
            lines += [Line(""), *diff_lines(change.diff)]
    return lines
