"""Friends who may call this node: this node's card, who has one with a password of their own, a new one.

    [=] may call already    [x] may call when this is applied    [-] may then call no longer

A card with a password exists when the router's configuration has the password; until Apply there is only the
wish, in the draft, as for everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from dexsetup.answers.model import Allow
from dexsetup.invitation import own_card
from dexsetup.ui.cards import card_lines
from dexsetup.ui.dialogs import TakingSheet, TextSheet
from dexsetup.ui.questions import question_for
from dexsetup.ui.widgets.fields import TextField
from dexsetup.ui.widgets.lines import Line, Row, Rows

if TYPE_CHECKING:
    from dexsetup.card import Card
    from dexsetup.ui.app import Wizard

__all__ = ["CallersSheet", "CardSheet", "show_card", "show_card_for"]

_WORDS = {
    "=": "may call this node: Enter shows the card",
    "x": "may call when you apply",
    "-": "may call no longer when you apply",
}


class CardSheet(TextSheet):
    """This node's card, without any password in it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f", "friend", show=False, priority=True)]
    keys: ClassVar[str] = "f Fresh password for a friend  ^Y Copy the link  Esc Back"

    def action_friend(self) -> None:
        """Open the friends in its place."""
        self.dismiss()
        self.wizard.push_screen(CallersSheet())


def show_card(wizard: Wizard) -> None:
    """Show what anybody may have."""
    lines, link = _lines(wizard, _own(wizard))
    wizard.push_screen(CardSheet("Your card: send it to a friend", lines, to_copy=link))


def show_card_for(wizard: Wizard, friend: Allow) -> None:
    """Show the card of one friend, with the password that is theirs."""
    found = wizard.desk.invitation(_own(wizard), friend)
    if found is None:
        wizard.say(f"{friend.login} may not call this node yet: apply first.")
        return
    note = [Line(f"[!] {found.note}", wraps=True), Line("")] if found.note else []
    lines, link = _lines(wizard, found.card, reserved=3 * len(note))
    title = f"The card for {friend.login} alone: whoever has it can call this node"
    wizard.push_screen(TextSheet(title, [*note, *lines], to_copy=link))


def _own(wizard: Wizard) -> Card:
    if wizard.survey is None:
        raise AssertionError("no card is shown before the survey")
    return own_card(wizard.address, wizard.draft.answers, wizard.survey.facts)


def _lines(wizard: Wizard, card: Card, reserved: int = 0) -> tuple[Sequence[Line], str]:
    width, height = wizard.size
    return card_lines(card, width - 2, height - 2 - reserved, is_ascii=wizard.is_ascii)


class CallersSheet(TakingSheet):
    """Who may call, and somebody new."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+n", "take", show=False, priority=True)]
    keys: ClassVar[str] = "^N Go on  d Send away, in the list  Esc Back"

    def __init__(self) -> None:
        super().__init__("Friends who may call this node")

    def body(self) -> ComposeResult:
        """Return the list and the two fields."""
        yield Static(
            "Each has a password of their own, so that you can send one away and keep the others. Nothing is "
            "written before Apply; then the card is shown.\n",
            markup=False,
        )
        callers = Rows(id="callers")
        callers.styles.max_height = 5
        yield callers
        who, where = question_for("allow", "login"), question_for("allow", "address")
        yield Static(f"\n{who.title}. {who.hint.capitalize()}.", markup=False)
        yield TextField("", id="friend")
        yield Static(f"{where.title}. As {where.hint}", markup=False)
        yield TextField(self._known_place, id="place")
        yield Static("", id="place-hint", classes="hint", markup=False)
        yield from self.buttons()

    @property
    def _known_place(self) -> str:
        return self.wizard.survey.reachable if self.wizard.survey is not None else ""

    def on_mount(self) -> None:
        """Show who may call, and give the name the keyboard."""
        self._renew()
        words = "" if self._known_place else "It is not known here: what does your gateway or provider say?"
        self.query_one("#place-hint", Static).update(words)
        self.query_one("#friend Input").focus()

    def _renew(self) -> None:
        rows = self.query_one("#callers", Rows)
        rows.show([Row(login, f"[{mark}] {login}  {_WORDS[mark]}") for login, mark in self._callers()])
        rows.display = bool(rows.rows)

    def _callers(self) -> list[tuple[str, str]]:
        """Return each friend with a mark. Entries that nobody here made a card from stand at the end."""
        draft, present = self.wizard.draft, self._present
        named = {one.login: one for one in draft.answers.allow}
        marks = [
            (login, "-" if one.state == "absent" else "=" if login in present else "x")
            for login, one in named.items()
        ]
        return marks + [(login, "=") for login in present if login not in named]

    @property
    def _present(self) -> tuple[str, ...]:
        return self.wizard.survey.callers if self.wizard.survey is not None else ()

    def on_rows_acted(self, event: Rows.Acted) -> None:
        """Show the card of the marked friend."""
        event.stop()
        login = event.row.key
        show_card_for(self.wizard, self.wizard.draft.caller(login) or Allow.model_construct(login=login))

    def key_d(self) -> None:
        """Send the marked friend away, or let them stay."""
        rows = self.query_one("#callers", Rows)
        if rows.has_focus and rows.row is not None:
            self.wizard.draft.send_away(rows.row.key, is_present=rows.row.key in self._present)
            self.wizard.draft_changed()
            self._renew()

    def action_take(self) -> None:
        """Take the friend, when the field has seen every key that was pressed before."""
        (self.focused or self).call_later(self._take)

    def _take(self) -> None:
        """Take the friend into the draft and go to Review; one who may call already gets the card shown."""
        if not self.is_current:
            return
        wizard = self.wizard
        login, place = self.query_one("#friend", TextField), self.query_one("#place", TextField)
        name = login.value.strip()
        if not name and any(mark != "=" for _, mark in self._callers()):
            self.dismiss()
            wizard.go("Review")
            return
        address = place.value.strip()
        problems = wizard.draft.let_call(name, "" if address == self._known_place else address)
        for field, key in ((login, "login"), (place, "address")):
            field.complain(problems.get(key, ""))
        if problems:
            return
        wizard.draft_changed()
        if name in self._present:
            show_card_for(wizard, wizard.draft.caller(name) or Allow(login=name))
            return
        wizard.sheets.card_due = name
        self.dismiss()
        wizard.go("Review")
