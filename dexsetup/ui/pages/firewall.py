"""Firewall: what is let in, and a table of every door, now and after Apply, from the mesh and elsewhere."""

from __future__ import annotations

import textwrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.widgets import Static

from dexsetup.exposure import door_lines
from dexsetup.ui.pages.base import clean_lines, title
from dexsetup.ui.pages.decisions import Decisions
from dexsetup.ui.pages.form import FormPage
from dexsetup.ui.questions import question_for

__all__ = ["FirewallPage"]


class FirewallPage(FormPage):
    """See the module docstring."""

    step: ClassVar[str] = "Firewall"
    planned: ClassVar[tuple[str, ...]] = ("firewall",)
    help: ClassVar[str] = (
        "This page decides what is let in, now and after a reboot. The table has a line for each door: [+] "
        "will be opened, [-] will be shut, [=] stays, [!] is open and nobody chose it. Below it stands who "
        "listens there now. Mail and calls are chosen on their own pages."
    )

    def compose(self) -> ComposeResult:
        """Lay it out."""
        for key in self._questions():
            yield from self.field(question_for("firewall", key))
        yield title("")
        yield Static("", id="reach", classes="gap", markup=False)
        yield Decisions(id="risks", has_conflicts=False)
        yield self.buttons()

    def _questions(self) -> tuple[str, ...]:
        """Return what there is to ask here: a guard is for machines without firewalld."""
        survey = self.wizard.survey
        has_firewalld = survey is not None and survey.facts.firewall != "none"
        return ("enable", "ssh") if has_firewalld else ("enable", "ssh", "guard")

    def on_mount(self) -> None:
        """Show what follows."""
        self.renew()

    def on_resize(self) -> None:
        """Use the room."""
        if self.is_mounted:
            self.renew()

    def renew(self) -> None:
        """Show what becomes reachable, as the plan has it."""
        self.query_one("#reach", Static).update(clean_lines("\n".join(self._reach())))
        looked = self.wizard.planning.looked
        steps = looked.plan.steps if looked is not None and looked.plan is not None else ()
        self.query_one("#risks", Decisions).show(steps)

    def _reach(self) -> list[str]:
        survey = self.wizard.survey
        if survey is None:
            return []
        state = {
            "running": "",
            "stopped": "firewalld is installed and stopped: it shuts nothing until somebody starts it.",
            "none": "No firewalld here.",
        }[survey.facts.firewall]
        lines = textwrap.wrap(state, self._room)
        planned = self.wizard.planning.step("firewall")
        if planned is not None:
            lines += door_lines(planned.doors, self._room)
            for note in planned.notes:
                lines += textwrap.wrap(note, self._room)
        elif self.wizard.planning.looked is not None:
            lines.append("[=] Left as it is.")
        else:
            lines.append("Planning \u2026")
        return lines

    @property
    def _room(self) -> int:
        return max(30, min(78, self.size.width - 3))
