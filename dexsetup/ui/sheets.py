"""What opens over a page, and what is done with the answers: help, diff, log, peers, card, saving, leaving.

The sheets themselves are in dialogs.py. Most starts never open one, so they are loaded when they are opened.
"""

# ruff: noqa: PLC0415 - see above
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dexsetup.ui.widgets.lines import Line

if TYPE_CHECKING:
    from dexsetup.ui.app import Wizard

__all__ = ["NOTHING", "Sheets"]

NOTHING = "Nothing has been written."
_KEY_HELP = (
    "Arrows, Tab    move                        ^N  ^B   next, back",
    "Space, Enter   tick, act                   1 to 9   go to that page",
    "Esc            one level back              ^S       save the answers to a file",
    "F1  ?          this help                   ^Y       copy the value of this page",
    "F2  ^T         diff of every file          F5  ^R   test or look again",
    "F3  ^L         log of the run              F10 ^Q   quit",
)


class Sheets:
    """See the module docstring."""

    def __init__(self, wizard: Wizard) -> None:
        self._wizard = wizard
        self.pasted = ""
        """What was typed into the sheet for peers, kept when it is closed."""
        self.card_due = ""
        """The friend whose card is to be shown when it exists: after Apply."""
        self._path = ""
        """The file of peers that was named last."""

    # -- to read

    def help(self) -> None:
        """Show keys and what this page changes."""
        from dexsetup.ui.dialogs import TextSheet

        page = self._wizard.page
        lines = [
            Line(page.help, wraps=True),
            Line(""),
            Line("Keys", "strong"),
            *(Line(text) for text in _KEY_HELP),
        ]
        if page.footer:
            lines += [Line(""), Line(f"Here: {page.footer}")]
        self._wizard.push_screen(TextSheet(f"Help: {page.step}", lines))

    def diff(self) -> None:
        """Show the diff over everything."""
        from dexsetup.ui.dialogs import TextSheet

        if self._wizard.has_draft:
            lines = self._wizard.frame.diff_lines(is_all=True)
            self._wizard.push_screen(TextSheet("What would change", lines))

    def log(self) -> None:
        """Show the log of the run."""
        from dexsetup.ui.dialogs import TextSheet

        view = self._wizard.running.view
        lines = view.log if view is not None else ["Nothing was applied yet."]
        shown = [Line(text, wraps=True) for text in lines]
        self._wizard.push_screen(TextSheet("Log of the run", shown, at_end=True))

    def card(self) -> None:
        """Show what to send to a friend."""
        from dexsetup.ui.callers import show_card

        if self._wizard.survey is not None:
            show_card(self._wizard)

    def show_due_card(self) -> None:
        """Show the card that was wished for, once its friend may call."""
        from dexsetup.ui.callers import show_card_for

        wizard, login = self._wizard, self.card_due
        friend = wizard.draft.caller(login)
        if friend is not None and wizard.survey is not None and login in wizard.survey.callers:
            self.card_due = ""
            show_card_for(wizard, friend)

    # -- peers

    def paste(self) -> None:
        """Open the sheet that takes pasted peers."""
        from dexsetup.ui.dialogs import PasteSheet

        self._wizard.push_screen(PasteSheet(self._take_peers))

    def file(self) -> None:
        """Open the sheet that takes a file of peers."""
        from dexsetup.ui.dialogs import PathSheet

        self._wizard.push_screen(
            PathSheet("Peers: a file", "A file with entries in any form.", self._path, self._take_file)
        )

    def _take_peers(self, text: str) -> str:
        """Take pasted peers; return what is wrong. A card is good for its peer, if it has one."""
        from dexsetup.card import find_card, read_card
        from dexsetup.errors import AnswersError
        from dexsetup.ui.pages.peers import PeersPage

        wizard, page = self._wizard, self._wizard.page
        if not isinstance(page, PeersPage):
            return "Peers are taken on the page of that name."
        if not find_card(text):
            return page.take(text)
        try:
            card = read_card(text)
        except AnswersError as error:
            return error.what
        if card.peer is None:
            return f"This card is {card.name or 'somebody'} at {card.address}; it has no peer to call."
        problems = wizard.draft.add_peers([card.peer])
        wizard.draft.is_peers_chosen = True
        wizard.draft_changed()
        wizard.probing.ask([card.peer])
        page.renew()
        return "\n".join(problems)

    def _take_file(self, path: str) -> str:
        self._path = path
        try:
            return self._take_peers(Path(path).expanduser().read_text("utf-8", "replace"))
        except OSError as error:
            return f"{path}: cannot be read: {error.strerror}"
        except (RuntimeError, ValueError) as error:  # ~nobody, a NUL
            return f"{path}: cannot be read: {error}"

    # -- the answers

    def ask_path(self, sentence: str, then: Callable[[], None] | None = None) -> None:
        """Ask for a file and save the answers to it; then do that, or show the command that repeats."""
        from dexsetup.ui.dialogs import PathSheet, TextSheet

        wizard = self._wizard

        def take(path: str) -> str:
            from dexsetup.errors import AnswersError
            from dexsetup.ui.desk import command_line, save_draft

            try:
                saved = save_draft(wizard.draft, path)
            except AnswersError as error:
                return error.what
            command = command_line(wizard.draft, saved, root=wizard.desk.flags.root)
            if then is not None:
                then()
                return ""
            lines = [Line(f"Saved: {saved}"), Line(""), Line("The same again, without a screen:"), Line("")]
            lines += [Line(f"    {command} --dry-run"), Line(f"    {command}")]
            wizard.call_after_refresh(wizard.push_screen, TextSheet("Saved", lines, to_copy=command))
            return ""

        wizard.push_screen(PathSheet("Save the answers", sentence, "dexsetup-answers.toml", take))

    def save(self) -> None:
        """Save the answers to a file."""
        if self._wizard.has_draft:
            self.ask_path("Passwords of peers stand in it: nobody but you can read it.")

    def leave(self) -> None:
        """Quit; ask only if something would be lost."""
        wizard = self._wizard
        code = wizard.running.code
        if not wizard.has_draft or not wizard.draft.is_unsaved:
            wizard.exit(code)
            return
        from dexsetup.ui.dialogs import AskSheet
        from dexsetup.ui.option import Option

        def take(value: object) -> None:
            if value == "save":
                self.ask_path("Then the wizard ends.", lambda: wizard.exit(code))
            elif value == "leave":
                wizard.exit(code)

        options = (
            Option("save", "Save the answers"),
            Option("leave", "Quit without saving"),
            Option("", "Stay"),
        )
        sentence = f"Your answers are not saved. {'' if wizard.running.is_written else NOTHING}"
        wizard.push_screen(AskSheet("Quit", sentence, options, take))
