"""What a person reads while dexsetup works: the plan, the diffs, the progress, the outcome.

State is in the characters ([x] [ ] [!] [-] [=], ok note warn FAIL); colour only repeats it, and there is none
with NO_COLOR or off a terminal. Without a UTF-8 terminal everything is ASCII. Data goes to standard output,
narration to standard error; with `data` False both are narration.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TextIO

from dexsetup import __version__
from dexsetup.errors import AnswersError, DexsetupError
from dexsetup.exitcodes import ExitCode
from dexsetup.exposure import door_lines
from dexsetup.plan.events import (
    Asked,
    Changed,
    Checked,
    Event,
    Grade,
    Output,
    PlanMade,
    PlannedStep,
    Progress,
    RunDone,
    StepDone,
    StepFailed,
    StepMark,
    StepStarted,
)
from dexsetup.report.redact import Redactor
from dexsetup.report.stream import tell

__all__ = ["Console", "Style", "style_for"]

_WIDTH = 79
_NAME_WIDTH = 10
_MARKS = {
    StepMark.TODO: "[ ]",
    StepMark.IN_SYNC: "[=]",
    StepMark.CONFLICT: "[!]",
    StepMark.UNAVAILABLE: "[-]",
    StepMark.DONE: "[x]",
    StepMark.FAILED: "[!]",
    StepMark.SKIPPED: "[-]",
}
_COLOURS = {"[x]": 32, "[!]": 31, "ok": 32, "warn": 33, "FAIL": 31, "+": 32, "-": 31, "@": 36}
_ASCII = {
    0x2026: "...",
    0x2013: "-",
    0x2014: "-",
    0x201C: '"',
    0x201D: '"',
    0x2019: "'",
    0x2192: "->",
    0xD7: "x",
}
"""Ellipsis, dashes, quotation marks, arrow, multiplication sign."""
_COLOUR_ON, _COLOUR_OFF = "\ufdd0", "\ufdd1"
"""Stand for escape codes until the text has been cleaned of those that a file or a program brought."""

_PERCENT = re.compile(r" \(\d+ %\)$")
_LEAVES_CHANGES = frozenset({ExitCode.OK, ExitCode.UNSATISFIED, ExitCode.REMAINS})
_CODE = re.compile(f"{_COLOUR_ON}(\\d+):")


@dataclass(frozen=True, slots=True)
class Style:
    """How text may look on this terminal."""

    is_terminal: bool = False
    has_colour: bool = False
    has_unicode: bool = False


def style_for(stream: TextIO, environment: Mapping[str, str]) -> Style:
    """Return what the stream can show."""
    is_terminal = stream.isatty()
    has_unicode = is_terminal and (getattr(stream, "encoding", "") or "").lower().replace("-", "") == "utf8"
    is_plain = "NO_COLOR" in environment or environment.get("TERM", "dumb") in {"dumb", ""}
    return Style(
        is_terminal, is_terminal and not is_plain, has_unicode and environment.get("TERM") != "linux"
    )


class Console:
    """A listener that tells a person."""

    def __init__(
        self,
        out: TextIO,
        narration: TextIO,
        redactor: Redactor,
        style: Style,
        *,
        clock: Callable[[], float],
        shows_diffs: bool = False,
    ) -> None:
        self._out = out
        self._narration = narration
        self._redactor = redactor
        self._style = style
        self._clock = clock
        self._shows_diffs = shows_diffs
        self._is_line_open = False
        self._last_progress = ""
        self._started = clock()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case PlanMade():
                self._plan(event)
            case StepStarted(step, title, index, count):
                self._say(f"[>] {step:<{_NAME_WIDTH}} {title}  ({index} of {count})")
            case Progress(step, text) | Output(step, text):
                self._progress(step, text)
            case Changed(_, summary):
                self._say(f"      {summary}")
            case StepDone(step, seconds, _):
                self._say(_justified(f"[x] {step:<{_NAME_WIDTH}} done", f"{seconds:.1f} s"))
            case StepFailed():
                self._failed(event)
            case Checked(step, grade, text):
                self._checked(step, grade, text)
            case Asked(step, question, choices):
                self._asked(step, question, choices)
            case RunDone():
                self._done(event)

    # -- the plan

    def _plan(self, event: PlanMade) -> None:
        left = f"dexsetup {__version__}"
        self._tell(_justified(left, event.address) if event.address else left)
        todo = sum(step.mark is StepMark.TODO for step in event.steps)
        right = sum(step.mark is StepMark.IN_SYNC for step in event.steps)
        stuck = len(event.steps) - todo - right
        counts = [f"{todo} to do", f"{right} already right", *([f"{stuck} in need of you"] if stuck else [])]
        self._tell(f"{len(event.steps)} steps: {', '.join(counts)}")
        for step in event.steps:
            self._step(step, with_notes=bool(todo) or self._shows_diffs)
        if self._shows_diffs:
            self._diffs(event.steps)

    def _step(self, step: PlannedStep, *, with_notes: bool) -> None:
        """Tell one step. Its notes are for whoever reads the plan before it is applied, once."""
        summary = "already right" if step.mark is StepMark.IN_SYNC else step.title
        self._tell(f" {_MARKS[step.mark]} {step.name:<{_NAME_WIDTH}} {summary}")
        indent = " " * (_NAME_WIDTH + 6)
        if step.problem:
            self._tell(_wrapped(step.problem, indent))
        for change in step.changes:
            if not change.summary.startswith("CONFLICT"):
                self._tell(f"{indent}{change.summary}")
            if change.note and change.note != step.problem:
                self._tell(_wrapped(change.note, f"{indent}  "))
        for name, text in step.risks:
            self._tell(_wrapped(f"risk {name}: {text}", indent))
        if step.mark is not StepMark.IN_SYNC or with_notes:
            for line in door_lines(step.doors, _WIDTH - len(indent)):
                self._tell(f"{indent}{line}")
            for note in step.notes:
                self._tell(_wrapped(f"note: {note}", indent))

    def _diffs(self, steps: Iterable[PlannedStep]) -> None:
        for step in steps:
            for change in step.changes:
                if not change.diff:
                    continue
                self._tell("")
                if not change.diff[0].startswith("---"):
                    self._tell(f"{step.name}: {change.summary}")
                for line in change.diff:
                    self._tell(self._coloured(line, line[:1]))

    # -- while it works

    def _progress(self, step: str, text: str) -> None:
        """Show what is waited for: on a terminal in one line that is written over, else a line each."""
        line = f"      {step}: {text}"
        if self._style.is_terminal:
            tell(self._narration, f"\r{self._plain(line)[: _WIDTH - 1]:<{_WIDTH - 1}}")
            self._is_line_open = True
            return
        words = _PERCENT.sub("", line)
        if words != self._last_progress:
            self._last_progress = words
            self._say(words)

    def _checked(self, step: str, grade: Grade, text: str) -> None:
        word = f"{grade:<4}"
        self._say(f"{self._coloured(word, grade)} {step:<{_NAME_WIDTH}} {text}")

    def _asked(self, step: str, question: str, choices: tuple[str, ...]) -> None:
        self._say(f"{self._coloured('[!]', '[!]')} {step:<{_NAME_WIDTH}} {question}")
        if choices:
            self._say(f"      You can: {' or '.join(choices)}")

    def _failed(self, event: StepFailed) -> None:
        self._say(f"{self._coloured('FAIL', 'FAIL')} {event.step}: {event.what}")
        self._parts(event.why, event.done, event.advice)

    def _done(self, event: RunDone) -> None:
        for item in event.remains:
            self._say(f"  remains: {item}")
        self._tell(event.text)
        if event.run:
            seconds = self._clock() - self._started
            back = f" To go back: dexsetup undo {event.run}" if event.code in _LEAVES_CHANGES else ""
            self._say(f"Run {event.run}, {seconds:.0f} s.{back}")

    # -- errors that end a run

    def error(self, error: DexsetupError) -> None:
        """Tell an error in its four parts."""
        if isinstance(error, AnswersError):
            for problem in error.problems:
                self._say(problem)
        else:
            self._say(f"{self._coloured('FAIL', 'FAIL')} {error.what}")
        self._parts("" if isinstance(error, AnswersError) else error.why, error.done, error.advice)

    def _parts(self, why: str, done: str, advice: str) -> None:
        """Tell the parts of a message behind the first: why, what was done about it, what a person can do."""
        for line in why.splitlines():
            self._say(f"  said: {line}")
        if done:
            self._say(f"  Done about it: {done}")
        if advice:
            self._say(f"  You can: {advice}")

    def text(self, text: str) -> None:
        """Print data."""
        self._tell(text)

    def note(self, text: str) -> None:
        """Print narration."""
        self._say(text)

    # -- beneath

    def _tell(self, text: str) -> None:
        self._write(self._out, text)

    def _say(self, text: str) -> None:
        self._write(self._narration, text)

    def _write(self, stream: TextIO, text: str) -> None:
        if self._is_line_open:
            tell(self._narration, f"\r{'':<{_WIDTH - 1}}\r")
            self._is_line_open = False
        tell(stream, f"{self._plain(text)}\n")

    def _plain(self, text: str) -> str:
        """Return the text without secrets, without control characters and, where needed, in ASCII."""
        masked = self._redactor.text(text)
        clean = "".join(ch for ch in masked if ch in f"\n{_COLOUR_ON}{_COLOUR_OFF}" or ch.isprintable())
        if not self._style.has_unicode:
            marks = {ord(_COLOUR_ON): "\x0e", ord(_COLOUR_OFF): "\x0f"}
            clean = clean.translate({**_ASCII, **marks}).encode("ascii", "backslashreplace").decode()
            clean = clean.replace("\x0e", _COLOUR_ON).replace("\x0f", _COLOUR_OFF)
        if not self._style.has_colour:
            return clean.replace(_COLOUR_ON, "").replace(_COLOUR_OFF, "")
        return _CODE.sub("\x1b[\\1m", clean).replace(_COLOUR_OFF, "\x1b[0m")

    def _coloured(self, text: str, kind: str) -> str:
        code = _COLOURS.get(kind)
        if code is None or not self._style.has_colour:
            return text
        return f"{_COLOUR_ON}{code}:{text}{_COLOUR_OFF}"


def _justified(left: str, right: str) -> str:
    return f"{left}{right:>{max(_WIDTH - len(left), len(right) + 1)}}"


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ")
