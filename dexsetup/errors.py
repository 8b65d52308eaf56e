"""The errors of dexsetup, in three families, and what each of their messages must say.

    DexsetupError
    ├── AnswersError      your input: an answers file, a command line, a pasted peer    exit 2
    ├── MachineError      your machine: not root, no TUN, a package that is not there   exit 3
    │   ├── LockedError       another run is under way                                  exit 8
    │   └── HostError         a look at or a change of the machine failed               exit 4 or 5
    └── (anything else that reaches the top is a fault of ours)                         exit 1

A message has four parts: what happened; why, in the failing program's own words; what was done about it;
what you can do. The first is the exception's text, the others are its attributes.
"""

from __future__ import annotations

from dexsetup.exitcodes import ExitCode

__all__ = ["AnswersError", "DexsetupError", "HostError", "LockedError", "MachineError"]


class DexsetupError(Exception):
    """Something that is not a fault of dexsetup and that a person can do something about."""

    exit_code = ExitCode.BUG

    def __init__(self, what: str, *, why: str = "", done: str = "", advice: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.done = done
        self.advice = advice


class AnswersError(DexsetupError):
    """The input is wrong. Carries every problem found, not the first one."""

    exit_code = ExitCode.USAGE

    def __init__(self, problems: tuple[str, ...], *, advice: str = "") -> None:
        super().__init__("\n".join(problems), advice=advice)
        self.problems = problems


class MachineError(DexsetupError):
    """This machine cannot do what was asked, and nothing was changed."""

    exit_code = ExitCode.MACHINE


class LockedError(MachineError):
    """Another run of dexsetup is under way."""

    exit_code = ExitCode.LOCKED


class HostError(MachineError):
    """A look at the machine or a change of it failed: the path or command is in the text."""

    exit_code = ExitCode.UNDONE
