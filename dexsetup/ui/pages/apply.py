"""Apply: what is being done, how far it is, and how to stop; afterwards what came of it and what to do."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from dexsetup.plan.events import StepMark
from dexsetup.ui.pages.base import Page, clean_lines
from dexsetup.ui.pages.review import MARKS
from dexsetup.ui.runview import RunStep, RunView
from dexsetup.ui.widgets.fields import Push
from dexsetup.ui.widgets.lines import Line, Lines, Row, Rows

__all__ = ["ApplyPage"]

_BAR = 42
_LOG_SHOWN = 6
_HELP = (
    "This page shows the run. Esc stops it after the change that is under way, and takes back what it "
    "changed. The log is kept with the run; afterwards undo gives back what was there before."
)


class ApplyPage(Page):
    """See the module docstring."""

    step: ClassVar[str] = "Apply"
    keys: ClassVar[str] = "Esc Stop  F3 Log"
    help: ClassVar[str] = _HELP
    first: ClassVar[str] = "#run"

    @property
    def footer(self) -> str:
        """Esc stops a run, and there is none to stop once it is over."""
        return self.keys if self.wizard.running.is_applying else "F3 Log"

    def compose(self) -> ComposeResult:
        """Lay it out."""
        rows = Rows(id="run")
        yield rows
        yield Static("", id="progress", classes="title", markup=False)
        log = Lines(id="tail")
        log.styles.height = _LOG_SHOWN
        log.can_focus = False
        yield log
        yield Static("", id="outcome", classes="gap", markup=False)
        with Horizontal(classes="buttons last", id="choices"):
            yield Push("To Home", id="home")
            yield Push("Try again", id="again")
            yield Push("Undo everything", id="undo")

    def on_mount(self) -> None:
        """Show the time going by."""
        self._was_over = False
        self.set_interval(1.0, self.renew)
        self.renew()

    def renew(self) -> None:
        """Show the run."""
        run = self.wizard.running.view
        choices = self.query_one("#choices")
        choices.display = run is not None and not self.wizard.running.is_applying
        if run is None:
            self.query_one("#outcome", Static).update("Nothing is being applied. Review shows the plan.")
            return
        self.query_one("#run", Rows).show([self._row(step) for step in run.steps.values()])
        self.query_one("#run", Rows).styles.max_height = max(3, self.size.height - _LOG_SHOWN - 5)
        self.query_one("#progress", Static).update(self._progress(run))
        self.query_one("#tail", Lines).show([Line(text) for text in run.log[-_LOG_SHOWN:]], at_end=True)
        self.query_one("#tail").display = self.wizard.running.is_applying
        self.query_one("#outcome", Static).update(clean_lines("\n".join(_outcome(run))))
        is_over = not self.wizard.running.is_applying
        if is_over and not self._was_over:
            has_failed = bool(run.failures or run.error)
            self.query_one("#again").display = has_failed
            self.query_one("#undo").display = bool(run.done and run.done.run and has_failed)
            chosen = self.query_one("#again" if has_failed else "#home")
            self.call_after_refresh(chosen.focus)
        self._was_over = is_over

    def _row(self, step: RunStep) -> Row:
        mark = ">" if step.is_running else MARKS[step.mark]
        seconds = step.seconds
        if step.is_running:
            seconds = self.wizard.clock() - step.started
        took = f"{seconds:.1f} s" if seconds is not None else ""
        text = step.text or ("already right" if step.mark is StepMark.IN_SYNC else step.title)
        room = max(10, self.size.width - 28)
        look = {"!": "bad", "x": "good", ">": "strong", "=": "quiet"}.get(mark, "")
        return Row(step.name, f"[{mark}] {step.name:<10} {text[:room]:<{room}} {took:>8}", look)

    def _progress(self, run: RunView) -> str:
        total = max(1, run.count)
        filled = _BAR * min(run.finished, total) // total
        end = run.ended if run.ended is not None else self.wizard.clock()
        minutes, seconds = divmod(int(end - run.started), 60)
        words = f"{run.finished} of {run.count}" if run.count else "nothing to do"
        return f"[{'#' * filled}{'-' * (_BAR - filled)}] {words}  {minutes:02}:{seconds:02}"

    def on_push_pushed(self, event: Push.Pushed) -> None:
        """Go on from here."""
        event.stop().prevent_default()
        match event.push.id:
            case "again":
                self.wizard.running.start_apply()
            case "undo":
                self.wizard.running.start_undo()
            case _:
                self.wizard.go("Home")


def _outcome(run: RunView) -> list[str]:
    lines = list(run.error)
    if run.done is not None:
        lines.append(run.done.text)
        if run.done.run:
            lines.append(f"To go back: dexsetup undo {run.done.run}")
    elif run.is_stopping:
        lines.append("Stopping after the change that is under way \u2026")
    for failed in run.failures:
        lines.append(f"FAIL {failed.step}: {failed.what}")
        lines += [f"  said: {line}" for line in failed.why.splitlines()]
        lines += [f"  Done about it: {failed.done}"] if failed.done else []
        lines += [f"  You can: {failed.advice}"] if failed.advice else []
    return lines + [f"{check.grade:<4} {check.step:<8} {check.text}" for check in run.checks]
