"""What the declarations alone cannot say of answers: that their values make sense together.

Pure. What must be compared with the machine (does the user exist) is in against.py. A peer without address or
password may be one that the machine knows already: the peers step says so if it is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Any

from dexsetup.answers.model import Allow, Answers, Contact, Entry, Peer, Tunnel, User
from dexsetup.networks import MESH, PUBLIC

__all__ = [
    "allow_problems",
    "contact_address",
    "contact_problems",
    "has_phone",
    "is_switched_off",
    "mesh_address",
    "peer_problems",
    "problems_of",
    "tunnel_problems",
]

_PHONES = frozenset({"linphonerc", "baresip"})
"""Programs of people, by their words, that are about calls; the others are about mail."""
_LITERAL = re.compile(r"\[(?:IPv6:)?([^\]]*)\]\Z", re.IGNORECASE)
Problem = tuple[tuple[str | int, ...], str]

_KEY = re.compile(r"[0-9bcdfghjklmnpqrstuvwxyz]{52}\.k\Z")
"""Base32 of a public key (spec 01): 52 digits of the alphabet without a, e, i, o, and the ending."""
_NO_KEY = "is not a public key: 54 characters without a, e, i and o, of which the last are .k"
_PLACE = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<four>[^:\[\]]*)):(?P<port>[0-9]{1,5})\Z")


def problems_of(answers: Answers) -> Iterator[Problem]:
    """Yield (path, sentence) of everything that does not make sense."""
    for section, problems in _PROBLEMS.items():
        for index, entry in enumerate(getattr(answers, section)):
            for key, sentence in problems(entry):
                yield (section, index, key), sentence
    yield from _peers_named_twice(answers.peer)
    if answers.public is not None and not _is_public(answers.public.address):
        sentence = f'"{answers.public.address}" is not a public IPv6 address: those begin with 2 or 3'
        yield ("public", "address"), sentence
    for section in ("allow", "user", "contact", "tunnel"):
        yield from _named_twice(section, getattr(answers, section))


def _peers_named_twice(peers: Sequence[Peer]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, peer in enumerate(peers):
        if peer.public_key in first:
            sentence = f"the same key as peer[{first[peer.public_key] + 1}]: a peer is named once"
            yield ("peer", index, "public_key"), sentence
        first.setdefault(peer.public_key, index)


def _named_twice(section: str, entries: Sequence[Entry]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        if entry.identity in seen:
            shown = getattr(entry, entry.identified_by)
            yield (section, index, entry.identified_by), f'"{shown}" is named twice'
        seen.add(entry.identity)


def is_switched_off(program: str, answers: Answers) -> bool:
    """Return whether a user's program, by its word in the answers, is one whose subject is switched off."""
    section = answers.phone if program in _PHONES else answers.mail
    return section is not None and not section.enable


def has_phone(user: User, answers: Answers) -> bool:
    """Return whether a program for calls is set up for this user."""
    return any(file in _PHONES and not is_switched_off(file, answers) for file in user.files)


def contact_problems(contact: Contact) -> Iterator[tuple[str, str]]:
    """Yield (key, sentence) of what is wrong with one contact."""
    if contact.address is None:
        if contact.state == "present":
            yield "address", "missing"
    elif not contact_address(contact.address):
        yield (
            "address",
            f'"{contact.address}" is not a mesh address: they begin with fc (public ones with 2 or 3)',
        )


def mesh_address(text: str) -> str:
    """Return a mesh address as RFC 5952 writes it, out of any spelling or literal; "" if it is none."""
    match = _LITERAL.match(text.strip())
    try:
        address = IPv6Address(match[1] if match is not None else text.strip())
    except AddressValueError:
        return ""
    return str(address) if address in MESH and address.scope_id is None else ""


def tunnel_problems(tunnel: Tunnel) -> Iterator[tuple[str, str]]:
    """Yield (key, sentence) of what is wrong with one node that addresses are shared with."""
    if _KEY.match(tunnel.public_key) is None:
        yield "public_key", _NO_KEY
    for key, text, read in (("ip4", tunnel.ip4, IPv4Interface), ("ip6", tunnel.ip6, IPv6Interface)):
        if text is None:
            continue
        try:
            read(text)
        except ValueError:
            yield (
                key,
                f'"{text}" is no IPv{key[-1]} address, with or without the length of a network behind it',
            )
            continue
        if "%" in text:
            yield key, _zone_sentence(text)


def contact_address(text: str) -> str:
    """Return a contact's address, of the mesh or public, as RFC 5952 writes it; "" if it is neither."""
    return mesh_address(text) or (str(IPv6Address(text)) if _is_public(text) else "")


def _is_public(text: str) -> bool:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return False
    return address in PUBLIC and address.scope_id is None


def peer_problems(peer: Peer) -> Iterator[tuple[str, str]]:
    """Yield (key, sentence) of what is wrong with one peer."""
    if _KEY.match(peer.public_key) is None:
        yield "public_key", _NO_KEY
    if peer.address is not None and "%" in peer.address:
        yield "address", _zone_sentence(peer.address)
    elif peer.address is not None and not _is_place(peer.address):
        yield (
            "address",
            f'"{peer.address}" is not an address with a port, as 192.0.2.1:26041',
        )


def allow_problems(allow: Allow) -> Iterator[tuple[str, str]]:
    """Yield (key, sentence) of what is wrong with somebody who may call."""
    text = allow.address
    if text is not None and "%" in text:
        yield "address", _zone_sentence(text)
    elif text is not None and not any(_is_place(form) for form in (text, f"{text}:1", f"[{text}]:1")):
        yield "address", f'"{text}" is not an IP address, as 192.0.2.1, with or without a port behind it'


_PROBLEMS: Mapping[str, Callable[[Any], Iterator[tuple[str, str]]]] = {
    "peer": peer_problems,
    "allow": allow_problems,
    "contact": contact_problems,
    "tunnel": tunnel_problems,
}
"""What can be wrong with one entry, by the name of its list."""


def _zone_sentence(text: str) -> str:
    return f'"{text}" names a device behind the %, which is known on one machine alone: leave it out'


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
