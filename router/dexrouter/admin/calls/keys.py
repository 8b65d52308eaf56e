"""Keys and addresses in arguments, with the error texts of spec 07 §8.3."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from dexrouter.admin.table import CallError
from dexrouter.crypto.keys import KeyErrorCode, KeyParseError, PublicKey, parse_public_key

__all__ = ["parse_key", "parse_socket_address"]

_KEY_ERRORS: Final = {
    KeyErrorCode.TOO_SHORT: "key must be 52 characters long",
    KeyErrorCode.MALFORMED: "key must end in .k",
    KeyErrorCode.DECODE_FAILED: "failed to base-32 decode key",
    KeyErrorCode.INVALID: "invalid cjdns public key.",
}
_HIGHEST_PORT: Final = 65535


def parse_key(text: str) -> PublicKey:
    """Read a public key. Raises CallError."""
    try:
        return parse_public_key(text)
    except KeyParseError as error:
        raise CallError(_KEY_ERRORS[error.code]) from error


def parse_socket_address(text: str) -> tuple[str, int] | None:
    """Read `a.b.c.d[:port]`, `[v6]:port` or bare `v6` as host and port; None if it is none of them.

    A missing port is 0. Host names are never resolved.
    """
    host, colon, port = text.rpartition(":")
    if text.startswith("["):
        host, bracket, port = text[1:].rpartition("]")
        if not bracket or (port and not port.startswith(":")):
            return None
        port = port[1:]
    elif not colon or ":" in host:
        host, port = text, ""
    number = _port(port)
    try:
        canonical = str(IPv6Address(host) if ":" in host else IPv4Address(host))
    except AddressValueError:
        return None
    if number is None or "%" in canonical:
        return None
    return canonical, number


def _port(text: str) -> int | None:
    if not text:
        return 0
    if len(text) > 5 or not (text.isascii() and text.isdigit()) or int(text) > _HIGHEST_PORT:
        return None
    return int(text)
