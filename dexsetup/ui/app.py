"""The wizard's frame: the list of steps, the page, the diff beside it, the keys, and the messages of threads.

It holds the draft, the last look at it and the view of a run, and draws them. What takes time is done by the
desk in threads; a thread posts messages and the handlers here change the screen. Nothing but the toolkit and
the first page is loaded before the first frame is drawn: the answers and the engine come with the survey.
"""

from __future__ import annotations

import asyncio
import signal
import textwrap
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.css.query import NoMatches
from textual.events import Resize
from textual.geometry import Offset, Region, Size
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from dexsetup import __version__
from dexsetup.exitcodes import ExitCode
from dexsetup.ui.glyphs import AsciiFilter, clean, shortened
from dexsetup.ui.messages import (
    Failed,
    Heard,
    LookDone,
    Probed,
    ProbesDone,
    Pulsed,
    RunEnded,
    Surveyed,
    TaskDone,
)
from dexsetup.ui.pages.base import Page
from dexsetup.ui.pages.welcome import WelcomePage
from dexsetup.ui.terminal import is_terminal_lost
from dexsetup.ui.widgets.lines import Line, Lines, Row, Rows

if TYPE_CHECKING:
    from dexrouter.config import ConnectTo
    from dexsetup.plan.events import Checked, PlannedStep
    from dexsetup.probe import Result
    from dexsetup.ui.desk import Desk, Looked, Survey
    from dexsetup.ui.draft import Draft
    from dexsetup.ui.pulse import Pulse
    from dexsetup.ui.runview import RunView

__all__ = ["STEPS", "Wizard"]

STEPS = ("Welcome", "Identity", "Peers", "Firewall", "Mail", "Phone", "Review", "Apply", "Home")
_PAGES = {
    "Identity": ("sections", "IdentityPage"),
    "Peers": ("peers", "PeersPage"),
    "Firewall": ("sections", "FirewallPage"),
    "Mail": ("sections", "MailPage"),
    "Phone": ("sections", "PhonePage"),
    "Review": ("review", "ReviewPage"),
    "Apply": ("apply", "ApplyPage"),
    "Home": ("home", "HomePage"),
}
_SECTION_PAGES = {"node": "Identity", "peer": "Peers", "user": "Mail"}
_WIDE, _NARROW = 100, 72
_SMALLEST = Size(60, 16)
_TERMINAL_CHECK = 2.0
"""Seconds between looks at whether the terminal is still there."""
_PAUSE = 0.25
"""Seconds after the last key before a draft is planned anew."""
_KEYS = "F1 Help  F2 Diff  ^B Back  ^N Next  ^Q Quit"
_ALWAYS = frozenset({"focus_next", "focus_previous"})
"""Actions of the app that sheets use as well."""
_PLANNING = "Still planning: a moment, please."
_NOTHING = "Nothing has been written."
_KEY_HELP = (
    "Arrows, Tab    move                        ^N  ^B   next, back",
    "Space, Enter   tick, act                   1 to 9   go to that page",
    "Esc            one level back              ^S       save the answers to a file",
    "F1  ?          this help                   ^Y       copy the value of this page",
    "F2  ^T         diff of every file          F5  ^R   test or look again",
    "F3  ^L         log of the run              F10 ^Q   quit",
)


class Wizard(App[ExitCode]):
    """The wizard. `make_desk` is called in a thread: it may load what it likes."""

    CSS_PATH: ClassVar[str] = "theme.tcss"
    ENABLE_COMMAND_PALETTE: ClassVar[bool] = False
    TITLE = "dexsetup"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", priority=True, show=False),
        Binding("question_mark", "help", show=False),
        Binding("f2,ctrl+t", "diff", priority=True, show=False),
        Binding("f3,ctrl+l", "log", priority=True, show=False),
        Binding("f5,ctrl+r", "again", priority=True, show=False),
        Binding("f10,ctrl+q", "leave", priority=True, show=False),
        Binding("ctrl+n", "next", priority=True, show=False),
        Binding("ctrl+b", "previous", priority=True, show=False),
        Binding("ctrl+s", "save", priority=True, show=False),
        Binding("ctrl+y", "copy", priority=True, show=False),
        Binding("ctrl+a", "apply", show=False),
        Binding("ctrl+c", "interrupt", show=False),
        Binding("escape", "escape", show=False),
        *(Binding(str(number), f"jump({number})", show=False) for number in range(1, 10)),
    ]

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
        self._wanted_page = _SECTION_PAGES.get(page, page.capitalize())
        self._desk: Desk | None = None
        self._draft: Draft | None = None
        self.survey: Survey | None = None
        self.looked: Looked | None = None
        self.step = "Welcome"
        self._page: Page = WelcomePage()
        self.visited: set[str] = set()
        self.said = ""
        self._probe_words = ""
        self.pasted = ""
        """What was typed into the sheet for peers, kept when it is closed."""
        self._look_wanted = 0
        self._look_done = 0
        self._is_looking = False
        self._look_timer: object | None = None
        self.results: dict[str, Result] = {}
        """By address: what came of asking a peer."""
        self.asked: set[str] = set()
        self.is_probing = False
        self.run_view: RunView | None = None
        self.is_applying = False
        self.is_verifying = False
        self.checks: list[Checked] = []
        self.last_pulse: Pulse | None = None
        self._is_pulsing = False
        self._is_written = False
        self._is_apply_wanted = False
        self._is_leaving = False
        self._code = ExitCode.OK

    # -- what pages ask

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
        if self.looked is not None and self.looked.plan is not None and self.looked.plan.address:
            return self.looked.plan.address
        return self.survey.address if self.survey is not None else ""

    @property
    def is_typing(self) -> bool:
        """Whether letters go into a text."""
        return isinstance(self.focused, Input | TextArea)

    @property
    def page(self) -> Page:
        """The page that is shown."""
        return self._page

    def planned_step(self, name: str) -> PlannedStep | None:
        """Return a step of the last plan."""
        plan = self.looked.plan if self.looked is not None else None
        return next((step for step in plan.steps if step.name == name), None) if plan else None

    # -- layout

    def compose(self) -> ComposeResult:
        """Lay out the frame and the first page."""
        yield Static("", id="top", markup=False)
        with Horizontal(id="body"):
            steps = Rows(id="steps")
            steps.can_focus = False
            yield steps
            yield Static("", id="bar", markup=False)
            yield Container(self._page, id="holder")
            yield Lines(id="side")
        yield Static("", id="status", markup=False)
        yield Static("", id="keys", markup=False)
        yield Static(
            "This window is too small for the wizard: it needs 60 columns and 16 lines. "
            "Make it larger, or use dexsetup --plain.",
            id="small",
            markup=False,
        )

    def on_mount(self) -> None:
        """Draw, then begin to look at the machine."""
        self.visited.add("Welcome")
        self.follow_focus(self.screen)
        self._draw_frame()
        self.page.query_one("#next").focus()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        if self._driver is not None and not self.is_headless:
            self._driver.write("\x1b[?25h")  # the terminal's own cursor follows the keyboard
            self._driver.flush()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, self._ended_from_outside)
            self.set_interval(_TERMINAL_CHECK, self._look_for_terminal)
        self.survey_again()

    def _look_for_terminal(self) -> None:
        """Leave when the terminal is gone and nobody sent a signal for it."""
        if not self._is_leaving and is_terminal_lost():
            self._ended_from_outside()

    def on_resize(self, event: Resize) -> None:
        """Use the room there is."""
        screen = self.screen_stack[0]
        width, height = event.size
        screen.set_class(width < _NARROW, "narrow")
        screen.set_class(width < _SMALLEST.width or height < _SMALLEST.height, "tiny")
        self._draw_frame(width)

    def follow_focus(self, screen: Screen[Any]) -> None:
        """Let the terminal's own cursor follow the keyboard on a screen, for speech and braille."""
        screen.screen_layout_refresh_signal.subscribe(self, lambda _: self._place_cursor())
        self.watch(screen, "focused", self._place_cursor_soon)

    def _place_cursor_soon(self) -> None:
        self.call_after_refresh(self._place_cursor)

    def _place_cursor(self) -> None:
        place = getattr(self.focused, "cursor_place", None)
        if isinstance(self.focused, Input):
            place = self.focused.cursor_screen_offset
        if isinstance(place, Offset) and place != self.cursor_position:
            self.cursor_position = place
            self.screen.refresh(Region(0, 0, 1, 1))

    def _draw_frame(self, width: int = 0) -> None:
        """Draw everything around the page."""
        if not self.is_running or not self.screen_stack[0].is_mounted:
            return
        width = width or self.size.width
        screen = self.screen_stack[0]
        page = self._page
        screen.set_class(page.is_alone, "alone")
        number = STEPS.index(self.step) + 1
        place = f"{number}/{len(STEPS)} {self.step}"
        screen.query_one("#top", Static).update(_header(place, self.address, width))
        screen.query_one("#steps", Rows).show([self._step_row(step) for step in STEPS])
        screen.query_one("#steps", Rows).mark(self.step)
        screen.query_one("#bar", Static).update("\u2502\n" * max(1, self.size.height - 3))
        screen.query_one("#status", Static).update(_in_two_lines(clean(self.said), width - 2))
        keys = "  ".join(part for part in (page.keys, _KEYS) if part)
        screen.query_one("#keys", Static).update(f" {_fitting(keys, width - 2)}")
        self.renew_side(width)

    def _step_row(self, step: str) -> Row:
        mark = " "
        if step == self.step:
            mark = ">"
        elif self._draft is not None and any(
            _SECTION_PAGES.get(path[0], path[0].capitalize()) == step for path in self.draft.unfit
        ):
            mark = "!"
        elif step in self.visited:
            mark = "x"
        return Row(step, f"[{mark}] {step}", "strong" if step == self.step else "")

    def renew_side(self, width: int = 0) -> None:
        """Show the diff beside the page, where there is room for it."""
        side = self.screen_stack[0].query_one("#side", Lines)
        is_shown = (width or self.size.width) >= _WIDE and not self.page.is_alone and self.step != "Apply"
        side.set_class(is_shown, "shown")
        if is_shown:
            side.show(self._diff_lines())

    def _diff_lines(self, *, is_all: bool = False) -> list[Line]:
        """Return what this page's answers change, file by file; the other steps' behind it, if wanted."""
        if self.looked is None:
            return [Line("Planning \u2026" if self.survey else "", "quiet")]
        if self.looked.plan is None:
            return [Line(f"[!] {problem}", "bad", wraps=True) for problem in self.looked.problems]
        from dexsetup.ui.pages.review import step_lines  # noqa: PLC0415 - comes with the plan, after first paint

        marked = getattr(self.page, "marked_step", "")
        names = (marked,) if marked else self.page.planned
        steps = self.looked.plan.steps
        chosen = [step for step in steps if step.name in names] if names else list(steps)
        if is_all:
            chosen += [step for step in steps if step not in chosen]
        lines: list[Line] = []
        for step in chosen:
            lines += [*step_lines(step), Line("")]
        return lines or [Line("Nothing changes here.", "quiet")]

    def say(self, text: str = "") -> None:
        """Show a sentence in the line above the keys."""
        end = "" if self._is_written or self.is_applying else _NOTHING
        self.said = " ".join(part for part in (text, end) if part)
        self._draw_frame()

    def renew(self) -> None:
        """Draw page and frame from the state."""
        self._renew_page()
        self._draw_frame()

    def _renew_page(self) -> None:
        if self.is_running and self._page.is_mounted:
            self._page.renew()

    # -- going from page to page

    def go(self, step: str) -> None:
        """Open a page."""
        if self._draft is None and step != "Welcome":
            self._wanted_page = step
            self.say("Still looking at this machine \u2026")
            return
        if step == "Apply" and self.run_view is None:
            self.action_apply()
            return
        self.step = step
        self._is_apply_wanted = False
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
        self.say(self._words_of_page())

    def action_next(self) -> None:
        """Go to the next page."""
        if self.step == "Review":
            self.action_apply()
        elif self.step != STEPS[-1]:
            self.go(STEPS[STEPS.index(self.step) + 1])

    def action_previous(self) -> None:
        """Go to the page before."""
        if self.is_applying:
            self.say("A run is under way: Esc stops it after this change.")
        elif self.step != STEPS[0]:
            step = STEPS[STEPS.index(self.step) - 1]
            self.go("Review" if step == "Apply" and self.run_view is None else step)

    def action_jump(self, number: int) -> None:
        """Go to a page by its number."""
        if not self.is_applying:
            self.go(STEPS[number - 1])

    def action_escape(self) -> None:
        """Go one level back; in Apply, stop."""
        if self.is_applying:
            self.stop_run()
        elif self.survey is not None and self.survey.is_set_up and self.step != "Home":
            self.go("Home")
        elif self.step not in {"Welcome", "Home"}:
            self.action_previous()

    def action_interrupt(self) -> None:
        """Stop a run, else say how to quit."""
        if self.is_applying:
            self.stop_run()
        else:
            self.say("To quit: ^Q or F10.")

    def action_again(self) -> None:
        """Look or test again."""
        if self._draft is not None:
            self.page.test_again()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the keys to a sheet while one is open."""
        del parameters
        return len(self.screen_stack) == 1 or action in _ALWAYS

    # -- sheets

    def action_help(self) -> None:
        """Show keys and what this page changes."""
        from dexsetup.ui.dialogs import TextSheet  # noqa: PLC0415 - most starts never open one

        lines = [
            Line(self.page.help, wraps=True),
            Line(""),
            Line("Keys", "strong"),
            *(Line(text) for text in _KEY_HELP),
        ]
        if self.page.keys:
            lines += [Line(""), Line(f"Here: {self.page.keys}")]
        self.push_screen(TextSheet(f"Help: {self.step}", lines))

    def action_diff(self) -> None:
        """Show the diff over everything."""
        from dexsetup.ui.dialogs import TextSheet  # noqa: PLC0415 - as above

        if self._draft is not None:
            self.push_screen(TextSheet("What would change", self._diff_lines(is_all=True)))

    def action_log(self) -> None:
        """Show the log of the run."""
        from dexsetup.ui.dialogs import TextSheet  # noqa: PLC0415 - as above

        lines = self.run_view.log if self.run_view is not None else ["Nothing was applied yet."]
        shown = [Line(text, wraps=True) for text in lines]
        self.push_screen(TextSheet("Log of the run", shown, at_end=True))

    def open_paste(self) -> None:
        """Open the sheet that takes pasted peers."""
        from dexsetup.ui.dialogs import PasteSheet  # noqa: PLC0415 - as above

        self.push_screen(PasteSheet(self._take_peers))

    def open_file(self) -> None:
        """Open the sheet that takes a file of peers."""
        from dexsetup.ui.dialogs import PathSheet  # noqa: PLC0415 - as above

        self.push_screen(
            PathSheet("Peers: a file", "A file with entries in any form.", self.pasted_path, self._take_file)
        )

    pasted_path = ""

    def _take_peers(self, text: str) -> str:
        """Take pasted peers; return what is wrong. A card is good for its peer, if it has one."""
        from dexsetup.card import find_card, read_card  # noqa: PLC0415 - as above
        from dexsetup.errors import AnswersError  # noqa: PLC0415 - as above
        from dexsetup.ui.pages.peers import PeersPage  # noqa: PLC0415 - as above

        page = self.page
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
        problems = self.draft.add_peers([card.peer])
        self.draft.is_peers_chosen = True
        self.draft_changed()
        page.renew()
        return "\n".join(problems)

    def _take_file(self, path: str) -> str:
        from pathlib import Path  # noqa: PLC0415 - as above

        self.pasted_path = path
        try:
            return self._take_peers(Path(path).expanduser().read_text("utf-8", "replace"))
        except OSError as error:
            return f"{path}: cannot be read: {error.strerror}"

    def open_card(self) -> None:
        """Show what to send to a friend."""
        from dexsetup.ui.cards import card_lines, own_card  # noqa: PLC0415 - as above
        from dexsetup.ui.dialogs import TextSheet  # noqa: PLC0415 - as above

        if self.survey is None:
            return
        card = own_card(self.address, self.draft.answers, self.survey.facts)
        lines, link = card_lines(card, self.size.width - 2, self.size.height - 2, is_ascii=self.is_ascii)
        self.push_screen(TextSheet("Your card: send it to a friend", lines, to_copy=link))

    def action_copy(self) -> None:
        """Copy the value that this page is about."""
        self.copy(self.page.value_to_copy())

    def copy(self, text: str) -> None:
        """Copy by the terminal (OSC 52): it works over ssh, and where it does not, nothing happens."""
        if text:
            self.copy_to_clipboard(text)
            self.say("Copied.")

    def _fatal_error(self) -> None:
        """End after a fault of ours: with a report, and never with values of variables on the screen."""
        if self._desk is not None:
            self._desk.request_stop()
        fault = self._exception
        self._return_code = int(ExitCode.BUG)
        self.panic(
            Text(_told(fault) if isinstance(fault, Exception) else "dexsetup ended by a fault of its own.")
        )

    # -- threads

    def _in_thread(self, what: str, work: Callable[[], object]) -> None:
        """Do something that takes time; what goes wrong comes back as a message."""

        def guarded() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - the edge of a thread: every error becomes a message
                self.post_message(Failed(what, _told(error), error))

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

        self._in_thread("survey", work)

    def on_surveyed(self, message: Surveyed) -> None:
        """Take in what was found; the first time with a draft to begin with."""
        self._desk, self.survey = message.desk, message.survey
        is_first = self._draft is None
        if is_first:
            self._draft = message.draft
        self.look_soon(0.0)
        wanted, self._wanted_page = self._wanted_page, ""
        if not wanted and is_first and self.survey.is_set_up and self.survey.interrupted is None:
            wanted = "Home" if self.survey.given is None else ""
        self.said = ""
        if wanted and wanted != self.step:
            self.go(wanted)
        else:
            self.renew()
            self.say()

    def on_failed(self, message: Failed) -> None:
        """Tell an error; a run that failed to begin ends here."""
        if message.what in {"apply", "undo"}:
            self.is_applying = False
            if self.run_view is not None:
                self.run_view.error = tuple(message.text.splitlines())
                self.run_view.ended = self.clock()
            self.renew()
            if self._is_leaving:
                self.exit(ExitCode.INTERRUPTED)
            return
        self.is_verifying = self.is_verifying and message.what != "verify"
        self._is_looking = self._is_looking and message.what != "look"
        self.is_probing = self.is_probing and message.what != "probe"
        self._is_pulsing = self._is_pulsing and message.what != "pulse"
        self.renew()
        self.say(f"[!] {message.text.splitlines()[0]}")

    def on_task_done(self, message: TaskDone) -> None:
        """Show what a small piece of work came to."""
        message.then()

    # -- the draft and its plan

    def draft_changed(self) -> None:
        """Plan anew when the keyboard rests."""
        self.say()
        self.look_soon(_PAUSE)

    def look_soon(self, seconds: float) -> None:
        """Plan after a pause; a later wish replaces an earlier one."""
        self._look_wanted += 1
        number = self._look_wanted
        if seconds:
            self.set_timer(seconds, lambda: self._look(number))
        else:
            self._look(number)

    def _look(self, number: int) -> None:
        if number != self._look_wanted or self._is_looking or self._draft is None or self.is_applying:
            return
        if self.draft.unfit:
            return
        self._is_looking = True
        snapshot = replace(
            self.draft, decisions=dict(self.draft.decisions), accepted=set(self.draft.accepted)
        )
        desk = self.desk
        self._in_thread("look", lambda: self._post_look(number, desk, snapshot))

    def _post_look(self, number: int, desk: Desk, draft: Draft) -> None:
        self.post_message(LookDone(number, desk.look(draft)))

    def on_look_done(self, message: LookDone) -> None:
        """Show the plan, and look again if the draft has changed meanwhile."""
        self._is_looking = False
        self._look_done = message.number
        self.looked = message.looked
        if message.number != self._look_wanted:
            self._look(self._look_wanted)
        self.renew()
        if self._is_apply_wanted and self.is_plan_current:
            self.say()
            self.action_apply()

    @property
    def is_plan_current(self) -> bool:
        """Whether the plan that is shown is that of the draft."""
        return self._look_done == self._look_wanted and not self._is_looking

    # -- peers

    def probe_if_needed(self) -> None:
        """Ask the public peers, once."""
        if not self.asked:
            self.probe()

    def probe(self, peers: Iterable[ConnectTo] = (), *, is_forced: bool = False) -> None:
        """Ask peers whether they answer: these, or all that the page shows."""
        if self.survey is None or not self.survey.is_live or (self.is_probing and not peers):
            return
        chosen = tuple(peers)
        if not chosen:
            if is_forced:
                self.results = {}
                self.asked = set()
            own = (peer.connect_to() for peer in self.survey.public.peers)
            chosen = (*self.survey.configured, *own)
        self.asked |= {peer.address for peer in chosen}
        self.is_probing = True
        desk = self.desk

        def work() -> None:
            desk.probe(chosen, self._hear_probe, lambda: self._exit)
            self.post_message(ProbesDone())

        self._in_thread("probe", work)
        self.renew()

    def _hear_probe(self, result: Result) -> None:
        self.post_message(Probed(result))

    def on_probed(self, message: Probed) -> None:
        """Take in one answer."""
        self.results[message.result.peer.address] = message.result
        if self.step == "Peers":
            self._renew_page()

    def on_probes_done(self) -> None:
        """Propose the best, where nobody has chosen yet."""
        from dexsetup.ui.defaults import best_peers  # noqa: PLC0415 - comes with the answers, after first paint

        self.is_probing = False
        draft, survey = self.draft, self.survey
        has_any = bool(draft.answers.peer) or survey is None or bool(survey.configured)
        if survey is not None and not has_any and not draft.is_peers_chosen:
            was_saved = not draft.is_unsaved
            best = best_peers(survey.public.peers, self.results)
            draft.add_peers(peer.connect_to() for peer in best)
            if was_saved:
                draft.saved = draft.answers
            self.draft_changed()
            self._probe_words = (
                f"The {len(best)} fastest are ticked."
                if best
                else "None answers: is this machine on the Internet?"
            )
            if self.step == "Peers":
                self.say(self._words_of_page())
        self.renew()

    def _words_of_page(self) -> str:
        """Give what the page of peers says first: what became of the search for the best."""
        is_open = self.step == "Peers" and self._draft is not None and not self._draft.is_peers_chosen
        return self._probe_words if is_open else ""

    # -- applying

    def action_apply(self) -> None:
        """Apply, if everything is decided; else go to what is not."""
        if self._draft is None or self.is_applying:
            return
        if self.step != "Review":
            self.go("Review")
            return
        obstacle = self._obstacle()
        self._is_apply_wanted = obstacle == _PLANNING
        if obstacle:
            self.say(obstacle)
            return
        if self.survey is not None and not self.survey.facts.is_root:
            self._ask_path("Apply needs root: save the answers, then use the command that is shown.")
            return
        self.start_apply()

    def _obstacle(self) -> str:
        """Return why Apply cannot begin, with the keyboard on what is missing; empty if it can."""
        if self.draft.unfit:
            return "[!] An answer does not fit yet: see the page with [!]."
        if not self.is_plan_current or self.looked is None:
            return _PLANNING
        if self.looked.plan is None:
            return "[!] There is no plan yet: see above."
        if self.looked.conflicts:
            path = next(iter(self.looked.conflicts.values()))[0].path
            self._focus_named(f"conflict:{path}")
            return f"[!] Decide what shall happen with {path}."
        risks = [name for step in self.looked.plan.steps for name, _ in step.risks]
        waiting = next((name for name in risks if not self.draft.is_accepted(name)), None)
        if waiting is not None:
            self._focus_named(f"risk:{waiting}")
            return f"[!] Read the risk {waiting}, and tick it if you accept it."
        return ""

    def _focus_named(self, name: str) -> None:
        for widget in self.page.query(Widget):
            if widget.name == name:
                widget.focus()

    def start_apply(self, *, resume: bool = False) -> None:
        """Apply the draft."""
        draft, desk = self.draft, self.desk
        self._start_run("apply", lambda: desk.apply(draft, self._hear, resume=resume))

    def start_undo(self) -> None:
        """Undo the last run."""
        desk = self.desk
        self._start_run("undo", lambda: desk.undo(None, self._hear))

    def _hear(self, event: object) -> None:
        self.post_message(Heard(event))  # type: ignore[arg-type]  # the engine calls with events alone

    def _start_run(self, what: str, run: Callable[[], ExitCode]) -> None:
        from dexsetup.ui.runview import RunView  # noqa: PLC0415 - comes with the plan, after first paint

        if self.is_applying:
            return
        self.run_view = RunView(self.clock())
        self.is_applying = True
        self.checks = []
        self.go("Apply")
        self._in_thread(what, lambda: self.post_message(RunEnded(what, run())))

    def on_heard(self, message: Heard) -> None:
        """Take in an event of the engine."""
        if self.is_verifying:
            self.checks.append(message.event)  # type: ignore[arg-type]  # a verification tells nothing else
            self.renew()
            return
        if self.run_view is not None:
            self.run_view.take(message.event, self.clock())
            if self.step == "Apply":
                self._renew_page()

    def on_run_ended(self, message: RunEnded) -> None:
        """Show what came of it, and look at the machine anew."""
        if message.what == "verify":
            self.is_verifying = False
            self.renew()
            return
        self.is_applying = False
        self._code = message.code
        if self.run_view is not None:
            self.checks = list(self.run_view.checks)
            self._is_written = self._is_written or bool(self.run_view.done and self.run_view.done.run)
        if message.what == "apply" and self.run_view is not None and self.run_view.are_answers_kept:
            self.draft.saved = self.draft.answers
            self.draft.is_peers_chosen = True
        if self._is_leaving:
            self.exit(ExitCode.INTERRUPTED)
            return
        self.desk.forget_router()
        self.survey_again()
        self.renew()
        self.say()

    def stop_run(self) -> None:
        """Stop the run where that is safe."""
        self.desk.request_stop()
        if self.run_view is not None:
            self.run_view.is_stopping = True
        self.say("Stopping after the change that is under way \u2026")
        self._renew_page()

    def _ended_from_outside(self) -> None:
        """SIGTERM, or a terminal that is gone: end the run where that is safe, then leave."""
        self._is_leaving = True
        if self.is_applying:
            self.desk.request_stop()
        else:
            self.exit(ExitCode.INTERRUPTED)

    def end_run(self) -> None:
        """End a run that is under way although the screen is gone, and wait for its end."""
        if self._desk is not None:
            self._desk.finish()

    # -- Home

    def pulse(self) -> None:
        """Look at router and mail queue."""
        if self._is_pulsing or self._desk is None or self.is_applying:
            return
        self._is_pulsing = True
        desk = self.desk
        self._in_thread("pulse", lambda: self.post_message(Pulsed(desk.pulse())))

    def on_pulsed(self, message: Pulsed) -> None:
        """Show it."""
        self._is_pulsing = False
        self.last_pulse = message.pulse
        if self.step == "Home":
            self._renew_page()

    def start_verify(self) -> None:
        """Check from end to end."""
        if self.is_verifying or self.is_applying:
            return
        self.is_verifying = True
        self.checks = []
        desk = self.desk
        self._in_thread(
            "verify", lambda: self.post_message(RunEnded("verify", desk.verify(self._hear))) and None
        )
        self.renew()

    def ask_undo(self) -> None:
        """Undo the last run, after a question."""
        from dexsetup.ui.dialogs import AskSheet  # noqa: PLC0415 - most starts never open one
        from dexsetup.ui.option import Option  # noqa: PLC0415 - as above

        runs = self.survey.runs if self.survey is not None else ()
        last = next((run for run in reversed(runs) if run.is_undoable), None)
        if last is None:
            self.say("There is no run to undo.")
            return

        def take(value: object) -> None:
            if value:
                self.start_undo()

        self.push_screen(
            AskSheet(
                "Undo",
                f"Run {last.name} made {last.changes} changes. Undo gives back what was there before it.",
                (Option(None, "Leave it so"), Option(True, "Undo it")),
                take,
            )
        )

    def send_letter(self) -> None:
        """Send a test letter to the first person of the answers."""
        users = self.draft.answers.user
        login = users[0].login if users else "postmaster"
        address = self.address
        self.say("Sending a letter \u2026")

        def work() -> None:
            from dexsetup.ui.letter import send_test_letter  # noqa: PLC0415 - most starts never send one

            said = send_test_letter(address, login)
            self.post_message(TaskDone(lambda: self.say(said)))

        self._in_thread("letter", work)

    # -- saving and leaving

    def action_save(self) -> None:
        """Save the answers to a file."""
        if self._draft is not None:
            self._ask_path("Passwords of peers stand in it: nobody but you can read it.")

    def _ask_path(self, sentence: str, then: Callable[[], None] | None = None) -> None:
        from dexsetup.ui.dialogs import PathSheet, TextSheet  # noqa: PLC0415 - most starts never open one

        def take(path: str) -> str:
            from dexsetup.errors import AnswersError  # noqa: PLC0415 - as above
            from dexsetup.ui.desk import command_line, save_draft  # noqa: PLC0415 - as above

            try:
                saved = save_draft(self.draft, path)
            except AnswersError as error:
                return error.what
            command = command_line(self.draft, saved, root=self.desk.flags.root)
            if then is not None:
                then()
                return ""
            lines = [Line(f"Saved: {saved}"), Line(""), Line("The same again, without a screen:"), Line("")]
            lines += [Line(f"    {command} --dry-run"), Line(f"    {command}")]
            self.call_after_refresh(self.push_screen, TextSheet("Saved", lines, to_copy=command))
            return ""

        self.push_screen(PathSheet("Save the answers", sentence, "dexsetup-answers.toml", take))

    def action_leave(self) -> None:
        """Quit; ask only if something would be lost."""
        if self.is_applying:
            self.say("A run is under way: Esc stops it after this change.")
            return
        if self._draft is None or not self.draft.is_unsaved:
            self.exit(self._code)
            return
        from dexsetup.ui.dialogs import AskSheet  # noqa: PLC0415 - most starts never open one
        from dexsetup.ui.option import Option  # noqa: PLC0415 - as above

        def take(value: object) -> None:
            if value == "save":
                self._ask_path("Then the wizard ends.", lambda: self.exit(self._code))
            elif value == "leave":
                self.exit(self._code)

        options = (
            Option("save", "Save the answers"),
            Option("leave", "Quit without saving"),
            Option("", "Stay"),
        )
        self.push_screen(
            AskSheet(
                "Quit", f"Your answers are not saved. {'' if self._is_written else _NOTHING}", options, take
            )
        )


def _header(place: str, address: str, width: int) -> str:
    """Return the first line: program, page and address, or without the program where there is no room."""
    left = f" dexsetup {__version__}   {place}"
    if len(left) + len(address) + 2 > width:
        left = f" {place}"
    room = width - len(left) - 1
    return f"{left}{address:>{room}}" if room > len(address) else left


def _in_two_lines(text: str, width: int) -> str:
    """Return a sentence in one line or two, each one space from the edge."""
    first, *rest = textwrap.wrap(text, max(20, width)) or [""]
    return f" {first}\n {shortened(' '.join(rest), width)}" if rest else f" {first}"


def _fitting(keys: str, width: int) -> str:
    """Return as many of the keys as fit, the general ones first if not all do."""
    if len(keys) <= width:
        return keys
    parts = keys.split("  ")
    while parts and len("  ".join(parts)) > width:
        parts.pop(0 if len(parts) <= 4 else len(parts) - 4)
    return "  ".join(parts)


def _told(error: Exception) -> str:
    """Return an error as lines: its four parts, or a fault of ours with its report."""
    from dexsetup.errors import AnswersError, DexsetupError  # noqa: PLC0415 - after first paint

    if isinstance(error, AnswersError):
        return "\n".join((*error.problems, *((error.advice,) if error.advice else ())))
    if isinstance(error, DexsetupError):
        said = [f"said: {line}" for line in error.why.splitlines()]
        parts = [error.what, *said, error.done, error.advice]
        return "\n".join(part for part in parts if part)
    from dexsetup.commands.crash import write_report  # noqa: PLC0415 - only a fault of ours needs it
    from dexsetup.report.redact import Redactor  # noqa: PLC0415 - as above

    redactor = Redactor()
    path = write_report(error, ["(wizard)"], redactor, time.time())
    text = redactor.text(f"{type(error).__name__}: {error}")
    return f"This is a fault of dexsetup: {text}\nA report without secrets is in {path}."
