"""Puts new answers over those that were applied last: what they do not mention stays.

A section gives way key by key, and so does each of a list: a peer is found by its public key, a user by the
login (Entry.identity). Whoever is to be absent is forgotten here as well, once removed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from dexsetup.answers.model import Answers, Entry, Section, User, list_models, section_models
from dexsetup.answers.sense import is_switched_off

__all__ = ["merge_answers", "with_known_contacts"]

_SectionT = TypeVar("_SectionT", bound=Section)


def merge_answers(last: Answers | None, new: Answers) -> Answers:
    """Return what is in force when `new` has been applied over `last`."""
    if last is None:
        last = Answers(schema=1)
    changes: dict[str, object] = {}
    for name in section_models():
        merged = _section(getattr(last, name), getattr(new, name))
        if merged is not None:
            changes[name] = merged
    for name in list_models():
        entries = _entries(getattr(last, name), getattr(new, name))
        if entries:
            changes[name] = entries
    return Answers(schema=1).model_copy(update=changes)


def with_known_contacts(last: Answers | None, new: Answers, logins: Collection[str]) -> Answers:
    """Return the new answers with what address books need of the last: they are always written as a whole.

    Contacts stay known that the new answers do not mention. Where these mention contacts and no user, the
    contacts are for the users from before who are among `logins`, in the programs that are not switched off.
    """
    if last is None:
        return new
    merged = merge_answers(last, new)
    changes: dict[str, object] = {"contact": merged.contact} if merged.contact else {}
    if new.contact and not new.user:
        used = (user.model_copy(update={"files": _in_use(user, merged)}) for user in merged.user)
        changes["user"] = tuple(user for user in used if user.login in logins and user.files)
    return new.model_copy(update=changes)


def _in_use(user: User, answers: Answers) -> tuple[str, ...]:
    return tuple(word for word in user.files if not is_switched_off(word, answers))


def _section(last: _SectionT | None, new: _SectionT | None) -> _SectionT | None:
    if last is None or new is None:
        return new if new is not None else last
    return last.model_copy(update={name: getattr(new, name) for name in new.model_fields_set})


def _entries(last: tuple[Entry, ...], new: tuple[Entry, ...]) -> tuple[Entry, ...]:
    found = {entry.identity: entry for entry in last}
    for entry in new:
        found[entry.identity] = _section(found.get(entry.identity), entry) or entry
    return tuple(entry for entry in found.values() if entry.is_wanted)
