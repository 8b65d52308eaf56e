"""The one table of exit codes. They are an interface: scripts that set up many machines branch on them."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """What a run of dexsetup came to, as the status of the process."""

    OK = 0
    """As asked: in place and verified (with --dry-run: nothing to do)."""
    BUG = 1
    """A fault of dexsetup itself; a redacted report was written."""
    USAGE = 2
    """Bad command line or bad answers. Nothing was changed."""
    MACHINE = 3
    """This machine cannot: not root, no TUN, package not to be had. Nothing was changed."""
    UNDONE = 4
    """A step failed and everything was undone."""
    REMAINS = 5
    """A step failed and something remains; the report names what."""
    UNSATISFIED = 6
    """Applied, but a check is not satisfied yet (no peer answers)."""
    CONFLICT = 7
    """A file was edited by hand and nobody decided. Nothing was changed."""
    LOCKED = 8
    """Another run holds the lock. Nothing was changed."""
    RISK = 9
    """A named risk was not accepted. Nothing was changed."""
    CHANGES = 10
    """--dry-run: there are changes to make. A run may still stop at a risk: the dry run names it."""
    INTERRUPTED = 130
    """Interrupted; what was begun was finished or undone, and the output says which."""
