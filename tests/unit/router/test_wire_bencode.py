"""Bencode: tolerant in reading, canonical in writing, bounded against hostile data."""

from __future__ import annotations

import pytest

from dexrouter.wire.bencode import MAX_DEPTH, Bencoded, decode, encode
from dexrouter.wire.errors import WireError


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"0:", b""),
        (b"4:spam", b"spam"),
        (b"i0e", 0),
        (b"i-42e", -42),
        (b"i9223372036854775807e", 2**63 - 1),
        (b"i-9223372036854775808e", -(2**63)),
        (b"le", []),
        (b"li1e1:ae", [1, b"a"]),
        (b"de", {}),
        (b"d1:ali1ee1:bd1:c0:ee", {b"a": [1], b"b": {b"c": b""}}),
    ],
)
def test_values(data: bytes, value: Bencoded) -> None:
    """Each kind of value is read, and written to the same bytes."""
    assert decode(data) == value
    assert encode(value) == data


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"d01:q004:pinge", {b"q": b"ping"}),
        (b"d0000001:q4:ponge", {b"q": b"pong"}),
        (b"d1:b1:x1:a1:ye", {b"a": b"y", b"b": b"x"}),
        (b"d1:ai1e1:ai2ee", {b"a": 2}),
        (b"i007e", 7),
        (b"i-0e", 0),
    ],
)
def test_tolerance(data: bytes, value: Bencoded) -> None:
    """Padding, any order of keys, and repeated keys (the last wins) are read as stock nodes read them."""
    assert decode(data) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"5:spam",
        b"4spam",
        b"-1:a",
        b":",
        b"i",
        b"ie",
        b"i-e",
        b"i1.5e",
        b"i 1e",
        b"i9223372036854775808e",
        b"i000000000000000000000001e",
        b"l",
        b"li1e",
        b"d",
        b"d1:a",
        b"di1ei2ee",
        b"d1:ae",
        b"99999999999999999999:",
        b"4:spam ",
    ],
)
def test_malformed(data: bytes) -> None:
    """What is no bencode is refused with its reason, never by another exception."""
    with pytest.raises(WireError):
        decode(data)


def test_bytes_behind_the_value() -> None:
    """Bytes behind a value are an error unless the caller allows them."""
    with pytest.raises(WireError, match="behind"):
        decode(b"dejunk")
    assert decode(memoryview(b"dejunk"), trailing=True) == {}


def test_depth_is_bounded() -> None:
    """A datagram full of opening brackets costs nothing but its refusal."""
    assert decode(b"l" * MAX_DEPTH + b"e" * MAX_DEPTH)
    with pytest.raises(WireError, match="deep"):
        decode(b"l" * 60000)
    with pytest.raises(WireError, match="deep"):
        decode(b"d1:a" * 10000)


def test_keys_are_sorted() -> None:
    """Clients of the admin API insist on sorted keys."""
    assert encode({b"b": 1, b"a": 2, b"B": 3}) == b"d1:Bi3e1:ai2e1:bi1ee"


def test_text_is_no_bencode() -> None:
    """Giving a str to the encoder is a mistake of ours and raises at once."""
    with pytest.raises(TypeError, match="str"):
        encode("text")  # type: ignore[arg-type]
