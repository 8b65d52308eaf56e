"""Puts new answers over those that were applied last: what they do not mention stays.

A section gives way key by key, a peer is found by its public key, a user by the login. A peer that is to be
absent is forgotten here as well once it has been removed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from dexsetup.answers.model import Answers, Peer, Section, User

__all__ = ["merge_answers"]

_SectionT = TypeVar("_SectionT", bound=Section)


def merge_answers(last: Answers | None, new: Answers) -> Answers:
    """Return what is in force when `new` has been applied over `last`."""
    if last is None:
        last = Answers(schema=1)
    changes: dict[str, object] = {}
    for name in ("node", "firewall", "mail", "phone"):
        merged = _section(getattr(last, name), getattr(new, name))
        if merged is not None:
            changes[name] = merged
    peers = tuple(peer for peer in _by_key(last.peer, new.peer, _peer_key) if peer.state == "present")
    users = _by_key(last.user, new.user, _user_key)
    if peers:
        changes["peer"] = peers
    if users:
        changes["user"] = users
    return Answers(schema=1).model_copy(update=changes)


def _section(last: _SectionT | None, new: _SectionT | None) -> _SectionT | None:
    if last is None or new is None:
        return new if new is not None else last
    return last.model_copy(update={name: getattr(new, name) for name in new.model_fields_set})


def _by_key(
    last: tuple[_SectionT, ...], new: tuple[_SectionT, ...], key: Callable[[_SectionT], str]
) -> tuple[_SectionT, ...]:
    found = {key(item): item for item in last}
    for item in new:
        found[key(item)] = _section(found.get(key(item)), item) or item
    return tuple(found.values())


def _peer_key(peer: Peer) -> str:
    return peer.public_key


def _user_key(user: User) -> str:
    return user.login
