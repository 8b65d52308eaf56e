"""What Home does with the running node: look at it again and again, verify, send a letter, undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dexsetup.ui.messages import Heard, Pulsed, RunEnded, TaskDone

if TYPE_CHECKING:
    from dexsetup.plan.events import Checked, Event
    from dexsetup.ui.app import Wizard
    from dexsetup.ui.pulse import Pulse

__all__ = ["Watching"]


class Watching:
    """The last look at the running node. One look, and one verification, at a time."""

    def __init__(self, wizard: Wizard) -> None:
        self._wizard = wizard
        self.pulse: Pulse | None = None
        self.checks: list[Checked] = []
        self.is_verifying = False
        self.is_looking = False

    def look(self) -> None:
        """Look at router and mail queue."""
        wizard = self._wizard
        if self.is_looking or not wizard.has_draft or wizard.running.is_applying:
            return
        self.is_looking = True
        desk = wizard.desk
        wizard.in_thread("pulse", lambda: wizard.post_message(Pulsed(desk.pulse())))

    def take(self, pulse: Pulse) -> None:
        """Take in a look."""
        self.is_looking = False
        self.pulse = pulse

    def failed(self, what: str) -> None:
        """Know that a look or a verification came to nothing."""
        self.is_verifying = self.is_verifying and what != "verify"
        self.is_looking = self.is_looking and what != "pulse"

    # -- verify

    def verify(self) -> None:
        """Check from end to end."""
        wizard = self._wizard
        if self.is_verifying or wizard.running.is_applying:
            return
        self.is_verifying = True
        self.checks = []
        desk = wizard.desk

        def hear(event: Event) -> None:
            wizard.post_message(Heard(event))

        wizard.in_thread("verify", lambda: wizard.post_message(RunEnded("verify", desk.verify(hear))))
        wizard.renew()

    def checked(self, check: Checked) -> None:
        """Take in one observation."""
        self.checks.append(check)

    # -- undo, and a letter

    def ask_undo(self) -> None:
        """Undo the last run, after a question."""
        from dexsetup.ui.dialogs import AskSheet  # noqa: PLC0415 - most starts never open one
        from dexsetup.ui.option import Option  # noqa: PLC0415 - as above

        wizard = self._wizard
        runs = wizard.survey.runs if wizard.survey is not None else ()
        last = next((run for run in reversed(runs) if run.is_undoable), None)
        if last is None:
            wizard.say("There is no run to undo.")
            return

        def take(value: object) -> None:
            if value:
                wizard.running.start_undo()

        wizard.push_screen(
            AskSheet(
                "Undo",
                f"Run {last.name} made {last.changes} changes. Undo gives back what was there before it.",
                (Option(None, "Leave it so"), Option(True, "Undo it")),
                take,
            )
        )

    def send_letter(self) -> None:
        """Send a test letter to the first person of the answers."""
        wizard = self._wizard
        users = wizard.draft.answers.user
        login = users[0].login if users else "postmaster"
        address = wizard.address
        wizard.say("Sending a letter \u2026")

        def work() -> None:
            from dexsetup.ui.letter import send_test_letter  # noqa: PLC0415 - most starts never send one

            said = send_test_letter(address, login)
            wizard.post_message(TaskDone(lambda: wizard.say(said)))

        wizard.in_thread("letter", work)
