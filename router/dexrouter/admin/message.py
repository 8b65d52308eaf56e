"""Requests and replies of the admin API as values (spec 07 §2 and §3).

Reading is as tolerant as the C router's: keys in any order, superfluous ones, `args` and `txid` of a wrong
type as if they were absent. What is no request at all is `None`, and gets no reply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from dexrouter.wire import bencode
from dexrouter.wire.bencode import Bencoded
from dexrouter.wire.errors import WireError

__all__ = [
    "AUTH",
    "MAX_REQUEST",
    "TOO_BIG",
    "Arguments",
    "Reply",
    "Request",
    "Value",
    "decode_reply",
    "encode",
    "parse_request",
]

MAX_REQUEST: Final = 2048
"""Bytes of the longest request (512 in v20 and v21, which makes long `connectTo` entries fail there)."""

TOO_BIG: Final = b"d5:error16:Request too big.e"

AUTH: Final = "auth"
"""The function name of a signed request."""

Value: TypeAlias = "int | str | bytes | Sequence[Value] | Mapping[str, Value]"
"""What a reply or an argument may be. Text is written as UTF-8; bytes that were not UTF-8 survive."""

Reply: TypeAlias = dict[str, Value]

Arguments: TypeAlias = dict[bytes, Bencoded]


@dataclass(frozen=True, slots=True)
class Request:
    """One request; a signed one as if its inner function had been called."""

    function: str
    """`q`, or `aq` of a signed request; a name that is not ASCII is no function's name."""
    arguments: Arguments
    txid: bytes | None
    is_signed: bool
    """`q` was `auth`: `hash` and `cookie` must be right."""
    hash: bytes | None
    cookie: int | None


def parse_request(datagram: bytes) -> Request | None:
    """Read a datagram; None if it is nothing to reply to."""
    try:
        message = bencode.decode(datagram)
    except WireError:
        return None
    if not isinstance(message, dict):
        return None
    query = message.get(b"q")
    if not isinstance(query, bytes):
        return None
    name = query.decode("ascii", "replace")
    is_signed = name == AUTH
    if is_signed:
        inner = message.get(b"aq")
        name = inner.decode("ascii", "replace") if isinstance(inner, bytes) else ""
    arguments = message.get(b"args")
    txid = message.get(b"txid")
    digest = message.get(b"hash")
    return Request(
        function=name,
        arguments=arguments if isinstance(arguments, dict) else {},
        txid=txid if isinstance(txid, bytes) and txid else None,
        is_signed=is_signed,
        hash=digest if isinstance(digest, bytes) else None,
        cookie=_cookie(message.get(b"cookie")),
    )


def encode(message: Mapping[str, Value]) -> bytes:
    """Write a message, keys sorted."""
    return bencode.encode(_to_wire(message))


def decode_reply(datagram: bytes) -> dict[str, Value]:
    """Read a reply: keys and strings as text. Raises WireError."""
    message = bencode.decode(datagram)
    if not isinstance(message, dict):
        raise WireError("a reply is a dictionary")
    return {_text(key): _from_wire(value) for key, value in message.items()}


def _cookie(value: Bencoded | None) -> int | None:
    """Read a cookie, string or integer; None if it cannot be one."""
    if isinstance(value, int):
        return value
    if isinstance(value, bytes) and len(value) <= 10 and value.isdigit():
        return int(value)
    return None


def _to_wire(value: Value) -> Bencoded:
    match value:
        case bool() | int():
            return int(value)
        case str():
            return value.encode("utf-8", "surrogateescape")
        case bytes():
            return value
        case Mapping():
            return {key.encode("utf-8", "surrogateescape"): _to_wire(item) for key, item in value.items()}
        case _:
            return [_to_wire(item) for item in value]


def _from_wire(value: Bencoded) -> Value:
    match value:
        case int():
            return value
        case bytes():
            return _text(value)
        case list():
            return [_from_wire(item) for item in value]
        case _:
            return {_text(key): _from_wire(item) for key, item in value.items()}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
