"""Home: the node as it is now. Address, peers with their last minute, letters that wait, the last check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from dexsetup.exposure import Access, Source
from dexsetup.invitation import own_card
from dexsetup.plan.events import Checked, Grade
from dexsetup.ui.glyphs import shortened
from dexsetup.ui.pages.base import Page, clean_lines
from dexsetup.ui.printable import clean
from dexsetup.ui.pulse import Letter, PeerLine, Pulse, sparkline
from dexsetup.ui.widgets.fields import Push
from dexsetup.ui.widgets.lines import Row, Rows

__all__ = ["HomePage"]

_SPARK = 20
_WIDE, _MIDDLE = 96, 70
_SECONDS = 1.0
_LETTERS_SHOWN = 3
_OTHER_LINES = 16
"""What Home shows beside the checks, with a few peers and letters."""
_HELP = (
    "This page looks once a second and changes nothing by itself. a adds a peer, m sends a test letter to"
    " a person here, v checks from end to end, u gives back what was there before the last run, c shows "
    "your card, w goes to the questions."
)


class HomePage(Page):
    """See the module docstring."""

    step: ClassVar[str] = "Home"
    keys: ClassVar[str] = "a Add peer  m Test letter  v Verify  u Undo  c Card  w Wizard"
    help: ClassVar[str] = _HELP
    first: ClassVar[str] = "#live"
    is_alone: ClassVar[bool] = True

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static("", id="who", classes="gap", markup=False)
        yield Static("", id="head", classes="title", markup=False)
        yield Rows(id="live")
        yield Static("", id="letters", classes="gap", markup=False)
        yield Static("", id="checks", classes="gap", markup=False)
        with Horizontal(classes="buttons last"):
            yield Push("Add a peer", id="add")
            yield Push("Verify", id="verify")

    def on_mount(self) -> None:
        """Begin to look."""
        self.wizard.watching.look()
        self.set_interval(_SECONDS, self.wizard.watching.look)
        self.renew()

    def on_resize(self) -> None:
        """Use the room."""
        if self.is_mounted:
            self.renew()

    def test_again(self) -> None:
        """Verify."""
        self.wizard.watching.verify()

    def value_to_copy(self) -> str:
        """Return the marked peer's address, or the node's."""
        row = self.query_one("#live", Rows).row
        return self.wizard.address if row is None else row.key

    def renew(self) -> None:
        """Show the last look."""
        pulse = self.wizard.watching.pulse
        self.query_one("#who", Static).update(clean_lines(self._who()))
        self.query_one("#head", Static).update(self._head())
        self.query_one("#live", Rows).show(self._rows(pulse))
        self.query_one("#live", Rows).styles.max_height = max(3, self.size.height - 14)
        self.query_one("#letters", Static).update(clean_lines(_letters(pulse)))
        self.query_one("#checks", Static).update(clean_lines("\n".join(self._checks())))

    def _who(self) -> str:
        wizard = self.wizard
        lines = [f"address  {wizard.address}"]
        if wizard.survey is not None:
            card = own_card(wizard.address, wizard.draft.answers, wizard.survey.facts)
            ways = (("mail", card.mail), ("calls", card.sip))
            lines += [f"{way:<8} {place}" for way, place in ways if place]
        lines.append(f"open     {', '.join(self._reachable())}")
        return "\n".join(lines)

    def _reachable(self) -> list[str]:
        """Say what others reach here, as the firewall has it now; only the router's ports if nobody knows."""
        wizard = self.wizard
        step = wizard.planning.step("firewall")
        doors = step.doors if step is not None else ()
        mesh = [door.text for door in doors if door.source is Source.MESH and door.before is Access.OPEN]
        if doors:
            return [f"to the mesh: {', '.join(mesh) or 'nothing'}"]
        ports = wizard.survey.udp_ports if wizard.survey is not None else ()
        return [f"to other nodes: UDP {port}" for port in ports if port] or ["nothing"]

    def _columns(self) -> list[tuple[str, int, str]]:
        """Return the columns that there is room for: heading, width, alignment."""
        width = self.size.width - 3
        columns = [("state", 12, "<"), ("rtt", 7, ">"), ("in/out kbit/s", 14, ">")]
        if width >= _MIDDLE:
            columns.append(("loss", 6, ">"))
        if width >= _WIDE:
            columns.append(("last minute", _SPARK, "<"))
        rest = width - sum(size + 1 for _, size, _ in columns)
        if width < _MIDDLE:
            return [("peer", max(8, rest), "<"), *columns]
        address = max(21, rest * 3 // 5)
        return [("peer", max(6, rest - address - 1), "<"), ("address", address, "<"), *columns]

    def _head(self) -> str:
        return " " + " ".join(f"{name:{align}{size}}" for name, size, align in self._columns())

    def _rows(self, pulse: Pulse | None) -> list[Row]:
        if pulse is None:
            return [Row("", "Asking the router \u2026")]
        if not pulse.is_router_there:
            return [Row("", f"[!] {pulse.said}", "bad")]
        if not pulse.peers:
            return [Row("", "The router has no peers yet: a adds one.")]
        return [self._row(peer) for peer in pulse.peers]

    def _row(self, peer: PeerLine) -> Row:
        minute = sparkline(peer.minute, _SPARK)
        if self.wizard.is_ascii:
            minute = f"most {max(peer.minute, default=0.0):.1f} kbit/s"
        values = {
            "peer": _caller(peer) if peer.is_incoming else clean(peer.name),
            "address": peer.address,
            "state": peer.state,
            "rtt": f"{peer.rtt_ms} ms" if peer.rtt_ms is not None else "-",
            "in/out kbit/s": f"{peer.in_kbps:.1f}/{peer.out_kbps:.1f}",
            "loss": f"{peer.loss_percent:.1f}%",
            "last minute": minute,
        }
        parts = (f"{shortened(values[name], size):{align}{size}}" for name, size, align in self._columns())
        return Row(peer.address, " ".join(parts), "good" if peer.state == "ESTABLISHED" else "warn")

    def _checks(self) -> list[str]:
        wizard = self.wizard
        survey = wizard.survey
        lines = []
        if wizard.watching.checks:
            lines += _check_lines(wizard.watching.checks, max(2, self.size.height - _OTHER_LINES))
        elif wizard.watching.is_verifying:
            lines.append("Checking from end to end \u2026")
        else:
            lines.append("Not checked since the wizard was opened: v checks.")
        if survey is not None and survey.runs:
            last = survey.runs[-1]
            lines.append(f"last run {last.name}, {last.changes} changes, {last.result}")
        return lines

    def on_push_pushed(self, event: Push.Pushed) -> None:
        """Add a peer, or verify."""
        event.stop().prevent_default()
        if event.push.id == "add":
            self.wizard.go("Peers")
        else:
            self.wizard.watching.verify()

    def key_a(self) -> None:
        """Add a peer."""
        self.wizard.go("Peers")

    def key_w(self) -> None:
        """Go to the questions."""
        self.wizard.go("Welcome")

    def key_v(self) -> None:
        """Check from end to end."""
        self.wizard.watching.verify()

    def key_u(self) -> None:
        """Undo the last run, after a question."""
        self.wizard.watching.ask_undo()

    def key_m(self) -> None:
        """Send a test letter."""
        self.wizard.watching.send_letter()

    def key_c(self) -> None:
        """Show the card."""
        self.wizard.sheets.card()


def _check_lines(checks: Sequence[Checked], room: int) -> list[str]:
    """Return observations in as many lines as there are, what is not well first."""
    ordered = sorted(checks, key=lambda check: check.grade is Grade.OK)
    shown = ordered if len(ordered) <= room else ordered[: room - 1]
    lines = [f"{check.grade:<4} {check.step:<8} {check.text}" for check in shown]
    rest = ordered[len(shown) :]
    if rest:
        is_well = all(check.grade is Grade.OK for check in rest)
        lines.append(
            f"{'ok  ' if is_well else 'warn'} {len(rest)} more: v checks again, a larger window shows all"
        )
    return lines


def _caller(peer: PeerLine) -> str:
    """Return what to call a peer that nobody configured."""
    return "(neighbour)" if peer.is_local else "(calls us)"


def _letters(pulse: Pulse | None) -> str:
    letters: tuple[Letter, ...] = pulse.letters if pulse is not None else ()
    if not letters:
        return "No letters wait."
    lines = [f"{len(letters)} letter{'' if len(letters) == 1 else 's'} waiting"]
    for letter in letters[:_LETTERS_SHOWN]:
        due = f", next try in {letter.next_seconds} s" if letter.next_seconds is not None else ""
        why = f": {letter.error}" if letter.error else ""
        lines.append(f"  {letter.recipient} {letter.state}{due}{why}")
    return "\n".join(lines)
