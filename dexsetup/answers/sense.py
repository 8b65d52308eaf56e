"""What the declarations alone cannot say of answers: that their values make sense together.

Pure. What must be compared with the machine (does the user exist) is in against.py. A peer without address or
password may be one that the machine knows already: the peers step says so if it is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network

from dexsetup.answers.model import Allow, Answers, Contact, Peer

__all__ = [
    "allow_problems",
    "contact_problems",
    "is_switched_off",
    "mesh_address",
    "peer_problems",
    "problems_of",
]

_PHONES = frozenset({"linphonerc", "baresip"})
"""Programs of people, by their words, that are about calls; the others are about mail."""
_MESH = IPv6Network("fc00::/8")
_LITERAL = re.compile(r"\[(?:IPv6:)?([^\]]*)\]\Z", re.IGNORECASE)
Problem = tuple[tuple[str | int, ...], str]

_KEY = re.compile(r"[0-9bcdfghjklmnpqrstuvwxyz]{52}\.k\Z")
"""Base32 of a public key (spec 01): 52 digits of the alphabet without a, e, i, o, and the ending."""
_PLACE = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<four>[^:\[\]]*)):(?P<port>\d{1,5})\Z")


def problems_of(answers: Answers) -> Iterator[Problem]:
    """Yield (path, sentence) of everything that does not make sense."""
    first: dict[str, int] = {}
    for index, peer in enumerate(answers.peer):
        for key, sentence in peer_problems(peer):
            yield ("peer", index, key), sentence
        if peer.public_key in first:
            sentence = f"the same key as peer[{first[peer.public_key] + 1}]: a peer is named once"
            yield ("peer", index, "public_key"), sentence
        first.setdefault(peer.public_key, index)
    for index, allow in enumerate(answers.allow):
        for key, sentence in allow_problems(allow):
            yield ("allow", index, key), sentence
    names: set[str] = set()
    for index, contact in enumerate(answers.contact):
        for key, sentence in contact_problems(contact):
            yield ("contact", index, key), sentence
        if contact.name.lower() in names:
            yield ("contact", index, "name"), f'"{contact.name}" is named twice'
        names.add(contact.name.lower())
    for section in ("allow", "user"):
        logins: set[str] = set()
        for index, entry in enumerate(getattr(answers, section)):
            if entry.login in logins:
                yield (section, index, "login"), f'"{entry.login}" is named twice'
            logins.add(entry.login)


def is_switched_off(program: str, answers: Answers) -> bool:
    """Return whether a user's program, by its word in the answers, is one whose subject is switched off."""
    section = answers.phone if program in _PHONES else answers.mail
    return section is not None and not section.enable


def contact_problems(contact: Contact) -> Iterator[tuple[str, str]]:
    """Yield (key, sentence) of what is wrong with one contact."""
    if contact.address is None:
        if contact.state == "present":
            yield "address", "missing"
    elif not mesh_address(contact.address):
        yield "address", f'"{contact.address}" is not a mesh address: they begin with fc'


def mesh_address(text: str) -> str:
    """Return a mesh address as RFC 5952 writes it, out of any spelling or literal; "" if it is none."""
    match = _LITERAL.match(text.strip())
    try:
        address = IPv6Address(match[1] if match is not None else text.strip())
    except AddressValueError:
        return ""
    return str(address) if address in _MESH and address.scope_id is None else ""


def peer_problems(peer: Peer) -> Iterator[tuple[str, str]]:
    """Yield (key, sentence) of what is wrong with one peer."""
    if _KEY.match(peer.public_key) is None:
        yield (
            "public_key",
            "is not a public key: 54 characters without a, e, i and o, of which the last are .k",
        )
    if peer.address is not None and not _is_place(peer.address):
        yield (
            "address",
            f'"{peer.address}" is not an address with a port, as 192.0.2.1:26041',
        )


def allow_problems(allow: Allow) -> Iterator[tuple[str, str]]:
    """Yield (key, sentence) of what is wrong with somebody who may call."""
    text = allow.address
    if text is not None and not any(_is_place(form) for form in (text, f"{text}:1", f"[{text}]:1")):
        yield "address", f'"{text}" is not an IP address, as 192.0.2.1, with or without a port behind it'


def _is_place(text: str) -> bool:
    """Whether this is an IP address with a port. Names are not looked up: the router knows none."""
    match = _PLACE.match(text)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        return False
    try:
        if match["six"] is not None:
            IPv6Address(match["six"])
        else:
            IPv4Address(match["four"])
    except AddressValueError:
        return False
    return True
