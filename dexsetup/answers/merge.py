"""Puts new answers over those that were applied last: what they do not mention stays.

A section gives way key by key, a peer is found by its public key, a user and somebody who may call by the
login, a contact by its name. Whoever is to be absent is forgotten here as well, once removed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from dexsetup.answers.model import Allow, Answers, Contact, Peer, Section, User
from dexsetup.answers.sense import is_switched_off

__all__ = ["merge_answers", "with_known_contacts"]

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
    allowed = tuple(one for one in _by_key(last.allow, new.allow, _login) if one.state == "present")
    contacts = tuple(one for one in _by_key(last.contact, new.contact, _nick) if one.state == "present")
    users = _by_key(last.user, new.user, _login)
    if peers:
        changes["peer"] = peers
    if allowed:
        changes["allow"] = allowed
    if users:
        changes["user"] = users
    if contacts:
        changes["contact"] = contacts
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


def _by_key(
    last: tuple[_SectionT, ...], new: tuple[_SectionT, ...], key: Callable[[_SectionT], str]
) -> tuple[_SectionT, ...]:
    found = {key(item): item for item in last}
    for item in new:
        found[key(item)] = _section(found.get(key(item)), item) or item
    return tuple(found.values())


def _peer_key(peer: Peer) -> str:
    return peer.public_key


def _nick(contact: Contact) -> str:
    return contact.name.lower()


def _login(person: User | Allow) -> str:
    return person.login
