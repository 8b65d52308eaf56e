"""The wizard: its state, its pages, and the messages of threads handed to whom they are for.

It holds the draft and what was found; each idea has a part of its own beside this file (keys, frame,
planning, probing, running, watching, sheets). What takes time is done by the desk in threads; a thread posts
messages and the handlers here change the screen. Nothing but the toolkit and the first page is loaded before
the first frame is drawn: the answers and the engine come with the survey.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container
from textual.css.query import NoMatches
from textual.events import Resize
from textual.widget import Widget
from textual.widgets import Input

from dexsetup.exitcodes import ExitCode
from dexsetup.ui.faults import told
from dexsetup.ui.frame import SECTION_PAGES, Frame
from dexsetup.ui.glyphs import AsciiFilter
from dexsetup.ui.keys import Keys
from dexsetup.ui.messages import (
    Failed,
    Found,
    Heard,
    LookDone,
    Probed,
    Pulsed,
    RunEnded,
    Surveyed,
    TaskDone,
)
from dexsetup.ui.pages.base import Page
from dexsetup.ui.pages.welcome import WelcomePage
from dexsetup.ui.planning import Planning
from dexsetup.ui.probing import Probing
from dexsetup.ui.running import Running
from dexsetup.ui.sheets import NOTHING, Sheets
from dexsetup.ui.terminal import is_terminal_lost
from dexsetup.ui.watching import Watching

if TYPE_CHECKING:
    from dexsetup.report.redact import Redactor
    from dexsetup.ui.desk import Desk, Survey
    from dexsetup.ui.draft import Draft

__all__ = ["Wizard"]

_PAGES = {
    "Identity": ("sections", "IdentityPage"),
    "Peers": ("peers", "PeersPage"),
    "Firewall": ("firewall", "FirewallPage"),
    "Mail": ("sections", "MailPage"),
    "Phone": ("sections", "PhonePage"),
    "Review": ("review", "ReviewPage"),
    "Apply": ("apply", "ApplyPage"),
    "Home": ("home", "HomePage"),
}
_TERMINAL_CHECK = 2.0
"""Seconds between looks at whether the terminal is still there."""


class Wizard(Keys):
    """The wizard. `make_desk` is called in a thread: it may load what it likes."""

    CSS_PATH: ClassVar[str] = "theme.tcss"
    ENABLE_COMMAND_PALETTE: ClassVar[bool] = False
    TITLE = "dexsetup"

    def __init__(
        self,
        make_desk: Callable[[], Desk],
        *,
        page: str = "",
        is_ascii: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        self.animation_level = "none"
        self.is_ascii = is_ascii
        self.clock = clock
        if is_ascii:
            self._filters.append(AsciiFilter())
        self._make_desk = make_desk
        self._wanted_page = SECTION_PAGES.get(page, page.capitalize())
        self._desk: Desk | None = None
        self._draft: Draft | None = None
        self.survey: Survey | None = None
        self.step = "Welcome"
        self._page: Page = WelcomePage()
        self.visited: set[str] = set()
        self.said = ""
        self.frame = Frame(self)
        self.planning = Planning(self)
        self.probing = Probing(self)
        self.running = Running(self)
        self.watching = Watching(self)
        self.sheets = Sheets(self)

    # -- what pages and parts ask

    @property
    def has_draft(self) -> bool:
        """Whether the machine was looked at: then there are answers to edit, and a desk."""
        return self._draft is not None

    @property
    def draft(self) -> Draft:
        """The answers under edit. Pages other than the first are opened only when there are some."""
        if self._draft is None:
            raise AssertionError("no page of questions is opened before the survey")
        return self._draft

    @property
    def desk(self) -> Desk:
        """The work behind the screens."""
        if self._desk is None:
            raise AssertionError("no work is asked for before the survey")
        return self._desk

    @property
    def address(self) -> str:
        """The node's mesh address, as soon as there is a key; empty before."""
        return self.planning.address or (self.survey.address if self.survey is not None else "")

    @property
    def is_typing(self) -> bool:
        """Whether letters go into a text of the page."""
        return isinstance(self.focused, Input)

    @property
    def is_over(self) -> bool:
        """Whether the program is about to end: long work in threads stops then."""
        return self._exit

    @property
    def page(self) -> Page:
        """The page that is shown."""
        return self._page

    def say(self, text: str = "") -> None:
        """Show a sentence in the line above the keys."""
        end = "" if self.running.is_written or self.running.is_applying else NOTHING
        self.said = " ".join(part for part in (text, end) if part)
        self.frame.draw()

    def renew(self) -> None:
        """Draw page and frame from the state."""
        self.renew_page()
        self.frame.draw()

    def renew_page(self) -> None:
        """Draw the page from the state."""
        if self.is_running and self._page.is_mounted:
            self._page.renew()

    def draft_changed(self) -> None:
        """Plan anew when the keyboard rests."""
        self.say()
        self.planning.soon()

    def copy(self, text: str) -> None:
        """Copy by the terminal (OSC 52): it works over ssh, and where it does not, nothing happens."""
        if text:
            self.copy_to_clipboard(text)
            self.say("Copied.")

    # -- beginning and end

    def compose(self) -> ComposeResult:
        """Lay out the frame and the first page."""
        yield from self.frame.compose()

    def on_mount(self) -> None:
        """Draw, then begin to look at the machine."""
        self.visited.add("Welcome")
        self.frame.follow_focus(self.screen)
        self.frame.draw()
        self.page.query_one("#next").focus()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        if self._driver is not None and not self.is_headless:
            self._show_cursor()
            self.app_resume_signal.subscribe(self, lambda _: self.call_later(self._came_back))
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, self.running.ended_from_outside)
            self.set_interval(_TERMINAL_CHECK, self._look_for_terminal)
        self.survey_again()

    def _show_cursor(self) -> None:
        """Let the terminal's own cursor be seen: it follows the keyboard."""
        if self._driver is not None:
            self._driver.write("\x1b[?25h")
            self._driver.flush()

    def _came_back(self) -> None:
        """Draw everything anew after the program was in the background."""
        self._show_cursor()
        self.renew()
        self.screen.refresh(layout=True)

    def _look_for_terminal(self) -> None:
        """Leave when the terminal is gone and nobody sent a signal for it."""
        if not self.running.is_leaving and is_terminal_lost():
            self.running.ended_from_outside()

    def on_resize(self, event: Resize) -> None:
        """Use the room there is."""
        self.frame.resize(event.size)

    def end_run(self) -> None:
        """End a run that is under way although the screen is gone, and wait for its end."""
        if self._desk is not None:
            self._desk.finish()

    def _fatal_error(self) -> None:
        """End after a fault of ours: with a report, and never with values of variables on the screen."""
        if self._desk is not None:
            self._desk.request_stop()
        fault = self._exception
        self._return_code = int(ExitCode.BUG)
        self.panic(
            Text(
                told(fault, self._redactor)
                if isinstance(fault, Exception)
                else "dexsetup ended by a fault of its own."
            )
        )

    @property
    def _redactor(self) -> Redactor | None:
        """What knows the secrets of the answers."""
        return self._desk.session.redactor if self._desk is not None else None

    # -- going from page to page

    def go(self, step: str) -> None:
        """Open a page."""
        if not self.has_draft and step != "Welcome":
            self._wanted_page = step
            self.say("Still looking at this machine \u2026")
            return
        if step == "Apply" and self.running.view is None:
            self.running.want()
            return
        self.step = step
        self.running.want_no_more()
        self.visited.add(step)
        page = self._page = self._make_page(step)
        holder = self.screen_stack[0].query_one("#holder", Container)
        holder.remove_children()
        holder.mount(page)
        self.call_after_refresh(self._arrived, page)

    def _make_page(self, step: str) -> Page:
        if step == "Welcome":
            return WelcomePage()
        module, name = _PAGES[step]
        page = getattr(import_module(f"dexsetup.ui.pages.{module}"), name)()
        if not isinstance(page, Page):
            raise TypeError(name)
        return page

    def _arrived(self, page: Page) -> None:
        """Give the likeliest control the keyboard."""
        if page is not self._page:
            return
        try:
            first: Widget = page.query_one(page.first)
        except NoMatches:
            first = page
        first.focus(scroll_visible=False)
        page.scroll_home(animate=False)
        self.say(page.words)

    # -- threads and their messages

    def in_thread(self, what: str, work: Callable[[], object]) -> None:
        """Do something that takes time; what goes wrong comes back as a message."""

        def guarded() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - the edge of a thread: every error becomes a message
                self.post_message(Failed(what, told(error, self._redactor), error))

        self.run_worker(guarded, name=what, group=what, thread=True, exit_on_error=False)

    def survey_again(self) -> None:
        """Look at the machine anew."""
        if self._desk is None:
            self.say("Looking at this machine \u2026")

        def work() -> None:
            from dexsetup.ui.defaults import first_draft  # noqa: PLC0415 - loads the answers, after first paint

            desk = self._desk or self._make_desk()
            survey = desk.survey()
            self.post_message(Surveyed(desk, survey, first_draft(survey)))

        self.in_thread("survey", work)

    def on_surveyed(self, message: Surveyed) -> None:
        """Take in what was found; the first time with a draft to begin with."""
        self._desk, self.survey = message.desk, message.survey
        is_first = self._draft is None
        if is_first:
            self._draft = message.draft
        self.planning.soon(0.0)
        self.probing.listen()
        wanted, self._wanted_page = self._wanted_page, ""
        if not wanted and is_first and self.survey.is_set_up and self.survey.interrupted is None:
            wanted = "Home" if self.survey.given is None else ""
        self.said = ""
        if wanted and wanted != self.step:
            self.go(wanted)
        else:
            self.renew()
            self.say()
        if self.sheets.card_due:
            self.sheets.show_due_card()

    def on_failed(self, message: Failed) -> None:
        """Tell an error; a run that failed to begin ends here."""
        if message.what in {"apply", "undo"}:
            self.running.failed(message.text)
            return
        self.watching.failed(message.what)
        if message.what == "look":
            self.planning.failed()
        if message.what == "probe":
            self.probing.failed()
        self.renew()
        self.say(f"[!] {message.text.splitlines()[0]}")

    def on_task_done(self, message: TaskDone) -> None:
        """Show what a small piece of work came to."""
        message.then()

    def on_look_done(self, message: LookDone) -> None:
        """Show the plan."""
        self.planning.take(message)
        self.renew()
        self.running.planned()

    def on_probed(self, message: Probed) -> None:
        """Take in one answer of a peer."""
        self.probing.take(message.result)
        if self.step == "Peers":
            self.renew_page()

    def on_found(self, message: Found) -> None:
        """Show a neighbour on the local network."""
        self.probing.found(message.neighbour)
        if self.step == "Peers":
            self.renew_page()

    def on_probes_done(self) -> None:
        """Say what became of the search for peers."""
        self.probing.done()
        if self.step == "Peers" and self.probing.words:
            self.say(self.probing.words)
        self.renew()

    def on_heard(self, message: Heard) -> None:
        """Take in an event of the engine, or an observation of a verification."""
        if self.watching.is_verifying:
            self.watching.checked(message.event)  # type: ignore[arg-type]  # a verification tells nothing else
            self.renew()
            return
        self.running.take(message.event)
        if self.step == "Apply":
            self.renew_page()

    def on_run_ended(self, message: RunEnded) -> None:
        """Show what came of a run, an undo or a verification."""
        if message.what == "verify":
            self.watching.is_verifying = False
            self.renew()
        else:
            self.running.ended(message)

    def on_pulsed(self, message: Pulsed) -> None:
        """Show the running node."""
        self.watching.take(message.pulse)
        if self.step in {"Home", "Peers"}:
            self.renew_page()
