"""What a look at one resource can come to: in sync, change, conflict, unavailable, or stale."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Change", "CheckResult", "Conflict", "InSync", "Stale", "Unavailable"]


@dataclass(frozen=True, slots=True)
class InSync:
    """It is as wanted (or, with a note, left as a person decided)."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """It is not as wanted, and apply can make it so."""

    summary: str
    """A few words: "write /etc/aliases", "start dexrouter.service"."""
    diff: tuple[str, ...] = ()
    """Lines of a unified diff, secrets masked."""
    note: str = ""
    """What a person must know of it beforehand (whose file is replaced, where it is kept)."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody else changed it, and nobody has decided what shall happen."""

    why: str
    path: str
    choices: tuple[str, ...]
    """Words for a headless decision, ready to be pasted."""
    diff: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unavailable:
    """This machine cannot have it."""

    why: str
    detail: str = ""
    """The failing program's own words."""


@dataclass(frozen=True, slots=True)
class Stale:
    """A shared file changed after the plan was made from it: plan again."""

    path: str


CheckResult = InSync | Change | Conflict | Unavailable | Stale
