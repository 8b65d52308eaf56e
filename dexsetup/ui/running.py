"""A run of the engine from the screen: what may stand in its way, its beginning, its events, its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.widget import Widget

from dexsetup.exitcodes import ExitCode
from dexsetup.ui.messages import Heard, RunEnded

if TYPE_CHECKING:
    from dexsetup.plan.events import Event
    from dexsetup.ui.app import Wizard
    from dexsetup.ui.runview import RunView

__all__ = ["Running"]

_PLANNING = "Still planning: a moment, please."


class Running:
    """At most one run at a time; leaving in the middle ends it where that is safe."""

    def __init__(self, wizard: Wizard) -> None:
        self._wizard = wizard
        self.view: RunView | None = None
        self.is_applying = False
        self.is_written = False
        """Whether anything was changed since the wizard was opened."""
        self.code = ExitCode.OK
        """What the last run came to."""
        self._is_wanted = False
        self._is_leaving = False

    # -- the beginning

    def want(self) -> None:
        """Apply, if everything is decided; else go to what is not."""
        wizard = self._wizard
        if not wizard.has_draft or self.is_applying:
            return
        if wizard.step != "Review":
            wizard.go("Review")
            return
        obstacle = self._obstacle()
        self._is_wanted = obstacle == _PLANNING
        if obstacle:
            wizard.say(obstacle)
            return
        if wizard.survey is not None and not wizard.survey.facts.is_root:
            wizard.sheets.ask_path("Apply needs root: save the answers, then use the command that is shown.")
            return
        self.start_apply()

    def want_no_more(self) -> None:
        """Forget that Apply was pressed: another page was opened."""
        self._is_wanted = False

    def planned(self) -> None:
        """Go on with an Apply that waited for the plan."""
        if self._is_wanted and self._wizard.planning.is_current:
            self._wizard.say()
            self.want()

    def _obstacle(self) -> str:
        """Return why Apply cannot begin, with the keyboard on what is missing; empty if it can."""
        wizard = self._wizard
        looked = wizard.planning.looked
        if wizard.draft.unfit:
            return "[!] An answer does not fit yet: see the page with [!]."
        if not wizard.planning.is_current or looked is None:
            return _PLANNING
        if looked.plan is None:
            return "[!] There is no plan yet: see above."
        if looked.conflicts:
            path = next(iter(looked.conflicts.values()))[0].path
            self._focus_named(f"conflict:{path}")
            return f"[!] Decide what shall happen with {path}."
        risks = [name for step in looked.plan.steps for name, _ in step.risks]
        waiting = next((name for name in risks if not wizard.draft.is_accepted(name)), None)
        if waiting is not None:
            self._focus_named(f"risk:{waiting}")
            return f"[!] Read the risk {waiting}, and tick it if you accept it."
        return ""

    def _focus_named(self, name: str) -> None:
        for widget in self._wizard.page.query(Widget):
            if widget.name == name:
                widget.focus()

    def start_apply(self, *, resume: bool = False) -> None:
        """Apply the draft."""
        draft, desk = self._wizard.draft, self._wizard.desk
        self._start("apply", lambda: desk.apply(draft, self._hear, resume=resume))

    def start_undo(self) -> None:
        """Undo the last run."""
        desk = self._wizard.desk
        self._start("undo", lambda: desk.undo(None, self._hear))

    def _hear(self, event: Event) -> None:
        self._wizard.post_message(Heard(event))

    def _start(self, what: str, run: Callable[[], ExitCode]) -> None:
        from dexsetup.ui.runview import RunView  # noqa: PLC0415 - comes with the plan, after first paint

        wizard = self._wizard
        if self.is_applying:
            return
        self.view = RunView(wizard.clock())
        self.is_applying = True
        wizard.watching.checks = []
        wizard.go("Apply")
        wizard.in_thread(what, lambda: wizard.post_message(RunEnded(what, run())))

    # -- what comes of it

    def take(self, event: Event) -> None:
        """Take in an event of the engine."""
        if self.view is not None:
            self.view.take(event, self._wizard.clock())

    def ended(self, message: RunEnded) -> None:
        """Show what came of a run, and look at the machine anew."""
        wizard = self._wizard
        self.is_applying = False
        self.code = message.code
        if self.view is not None:
            wizard.watching.checks = list(self.view.checks)
            self.is_written = self.is_written or bool(self.view.done and self.view.done.run)
        if message.what == "apply" and self.view is not None and self.view.are_answers_kept:
            wizard.draft.saved = wizard.draft.answers
            wizard.draft.is_peers_chosen = True
        if self._is_leaving:
            wizard.exit(ExitCode.INTERRUPTED)
            return
        wizard.desk.forget_router()
        wizard.survey_again()
        wizard.renew()
        wizard.say()

    def failed(self, text: str) -> None:
        """Show a run that could not begin."""
        self.is_applying = False
        if self.view is not None:
            self.view.error = tuple(text.splitlines())
            self.view.ended = self._wizard.clock()
        self._wizard.renew()
        if self._is_leaving:
            self._wizard.exit(ExitCode.INTERRUPTED)

    # -- the end

    def stop(self) -> None:
        """Stop the run where that is safe."""
        self._wizard.desk.request_stop()
        if self.view is not None:
            self.view.is_stopping = True
        self._wizard.say("Stopping after the change that is under way \u2026")
        self._wizard.renew_page()

    @property
    def is_leaving(self) -> bool:
        """Whether the program was told from outside to end."""
        return self._is_leaving

    def ended_from_outside(self) -> None:
        """SIGTERM, or a terminal that is gone: end the run where that is safe, then leave."""
        self._is_leaving = True
        if self.is_applying:
            self._wizard.desk.request_stop()
        else:
            self._wizard.exit(ExitCode.INTERRUPTED)
