"""Cookie and hash: how a request proves that its sender knows the password (spec 07 §4).

The cookie is the wall clock in units of 1024 ms. The hash covers the whole datagram, in which it stands
itself: first as the hash of password and cookie, then replaced by the hash of what that gave.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from dexrouter.admin.message import AUTH, Request, Value, encode

__all__ = ["NO_PASSWORD", "cookie_at", "is_authentic", "sign"]

NO_PASSWORD: Final = "NONE"  # noqa: S105 - the word for "no password is asked for"
"""Every request counts as authenticated; a signed one must nevertheless be signed correctly."""

COOKIE_UNIT: Final = 1024
"""Milliseconds."""

COOKIE_WINDOW: Final = 20
"""Units for which a cookie is good."""

_COOKIE_MASK: Final = 0xFFFF_FFFF
_HASH_LENGTH: Final = 64


def cookie_at(wall_ms: int) -> int:
    """Give the cookie of a moment (Unix time in milliseconds)."""
    return wall_ms // COOKIE_UNIT & _COOKIE_MASK


def is_authentic(datagram: bytes, request: Request, password: bytes, wall_ms: int) -> bool:
    """Whether the hash of a signed request is right and its cookie of these 20 seconds."""
    claimed, cookie = request.hash, request.cookie
    if claimed is None or cookie is None or len(claimed) != _HASH_LENGTH:
        return False
    if not 0 <= cookie_at(wall_ms) - cookie <= COOKIE_WINDOW:
        return False
    inner = _password_hash(password, cookie)
    digest = sha256(datagram.replace(claimed, inner, 1)).hexdigest().encode()
    return compare_digest(digest, claimed)


def sign(function: str, arguments: Mapping[str, Value], *, password: bytes, cookie: int, txid: str) -> bytes:
    """Make the datagram of a signed request."""
    inner = _password_hash(password, cookie)
    message: dict[str, Value] = {
        "q": AUTH,
        "aq": function,
        "args": arguments,
        "cookie": str(cookie),
        "hash": inner,
        "txid": txid,
    }
    datagram = encode(message)
    return datagram.replace(inner, sha256(datagram).hexdigest().encode(), 1)


def _password_hash(password: bytes, cookie: int) -> bytes:
    return sha256(password + str(cookie).encode()).hexdigest().encode()
