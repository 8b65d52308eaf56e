"""Welcome: what was found on this machine, and what will be proposed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from dexsetup.ui.pages.base import Page, clean_lines, words
from dexsetup.ui.widgets.fields import Push

if TYPE_CHECKING:
    from dexsetup.ui.desk import Survey

__all__ = ["WelcomePage", "found"]

_INTRO = (
    "This sets up a mesh node: an address that is yours because it comes from a key on this machine, and "
    "mail and calls to everybody who has one, without a provider.\n\n"
    "Enter goes on; every answer can be changed until Apply."
)


class WelcomePage(Page):
    """See the module docstring."""

    step: ClassVar[str] = "Welcome"
    keys: ClassVar[str] = "F5 Look again"
    help: ClassVar[str] = "This page shows what was found. It asks nothing and changes nothing."

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield words(_INTRO)
        yield Static(self._found(), id="found", classes="gap", markup=False)
        yield Static("", id="problems", classes="bad gap", markup=False)
        with Horizontal(classes="buttons", id="interrupted"):
            yield Push("Go on with that run", id="resume")
            yield Push("Undo it", id="undo")
        yield self.buttons("Go on")

    def on_mount(self) -> None:
        """Fill in what is known already."""
        self.renew()

    def renew(self) -> None:
        """Show the survey."""
        survey = self.wizard.survey
        self.query_one("#found", Static).update(self._found())
        interrupted = survey.interrupted if survey else None
        self.query_one("#interrupted").display = interrupted is not None
        problems = list(self.wizard.draft.problems) if survey else []
        if interrupted is not None:
            problems.insert(0, f"Run {interrupted.name} was interrupted after {interrupted.changes} changes.")
        label = self.query_one("#problems", Static)
        label.update(clean_lines("\n".join(f"[!] {text}" for text in problems)))
        label.display = bool(problems)

    def _found(self) -> str:
        if self.wizard.survey is None:
            return "Looking at this machine \u2026"
        return clean_lines("\n".join(f"[{mark}] {text}" for mark, text in found(self.wizard.survey)))

    def on_push_pushed(self, event: Push.Pushed) -> None:
        """Take care of the run that was interrupted. Going on is the business of every page."""
        if event.push.id == "resume":
            event.stop().prevent_default()
            self.wizard.running.start_apply(resume=True)
        elif event.push.id == "undo":
            event.stop().prevent_default()
            self.wizard.running.start_undo()


def found(survey: Survey) -> list[tuple[str, str]]:
    """Return what was found as lines: a mark and a sentence."""
    facts = survey.facts
    lines = [("x", f"{facts.os_name} on {facts.hostname}")]
    if survey.has_key:
        count = len(survey.configured)
        peers = "1 peer" if count == 1 else f"{count} peers"
        lines.append(("x", f"A node with its key and {peers}: it is kept."))
    else:
        lines.append((" ", "No node yet: a new key was drawn; Apply writes it."))
    routers = {
        "none": (" ", "No router runs."),
        "embedded": ("x", "dexsetup's router runs."),
        "cjdns": ("!", "The distribution's cjdns runs: Review asks before it is replaced."),
    }
    lines.append(routers[facts.running_router])
    if not facts.has_tun:
        lines.append(("!", "No /dev/net/tun: a router cannot run here until the module tun is loaded."))
    server = facts.mail_server
    if server.port_25_holder not in {"", "?", "smtpd", "opensmtpd"}:
        lines.append(("!", f"{server.port_25_holder} listens on port 25, so no mail is proposed."))
    elif server.installed is not None:
        lines.append(("x", f"opensmtpd {server.installed.version}"))
    else:
        lines.append((" ", "opensmtpd is not installed; it will be, if you want mail."))
    people = ", ".join(account.login for account in facts.accounts if account.uid != 0)
    lines.append(("x", f"People: {people}") if people else (" ", "No person's account but root's."))
    firewalls = {"running": "firewalld runs", "stopped": "firewalld is stopped", "none": "no firewalld"}
    init = "systemd" if facts.init == "systemd" else "no systemd: the router will not survive a reboot"
    lines.append(("x", f"{firewalls[facts.firewall]}; {init}"))
    if not facts.is_root:
        lines.append(("!", "You are not root: all but Apply works, and Apply shows the command to use."))
    return lines
