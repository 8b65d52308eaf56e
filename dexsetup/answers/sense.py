"""What the declarations alone cannot say of answers: that their values make sense together.

Pure. What must be compared with the machine (does the user exist) is in against.py. A peer without address or
password may be one that the machine knows already: the peers step says so if it is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from dexsetup.answers.model import Answers, Peer

__all__ = ["peer_problems", "problems_of"]

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
    logins: set[str] = set()
    for index, user in enumerate(answers.user):
        if user.login in logins:
            yield ("user", index, "login"), f'"{user.login}" is named twice'
        logins.add(user.login)


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
