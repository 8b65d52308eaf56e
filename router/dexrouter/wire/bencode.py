"""Bencode, as routers and the admin API write it (spec 05 §2.2, spec 07 §2).

Reading is tolerant, because stock nodes pad the length of a dictionary's first key with zeros: leading
zeros are accepted everywhere, keys in any order; of equal keys the last wins. Writing is canonical: sorted
keys, no padding.

Bounds: nesting of 32, integers of 64 bits; the size is that of the given data, of which each byte is read
once.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from dexrouter.wire.errors import WireError

__all__ = ["MAX_DEPTH", "Bencoded", "decode", "encode"]

Bencoded: TypeAlias = int | bytes | list["Bencoded"] | dict[bytes, "Bencoded"]

MAX_DEPTH: Final = 32
"""As v22.2 and later have it."""

_MAX_LENGTH_DIGITS: Final = 20
"""Of a string's length or an integer: more than any buffer and any 64 bit number needs, padding included."""

_INT_LIMIT: Final = 1 << 63


def decode(data: bytes | memoryview, *, trailing: bool = False) -> Bencoded:
    """Read one value. Raises `WireError`, also for bytes behind it unless `trailing` allows them."""
    reader = _Reader(bytes(data))
    value = reader.value(0)
    if not trailing and reader.at != len(reader.data):
        raise WireError("there are bytes behind the bencoded value", reader.at)
    return value


def encode(value: Bencoded) -> bytes:
    """Write a value canonically. Raises `TypeError` for what bencode has no form for."""
    out: list[bytes] = []
    _write(value, out)
    return b"".join(out)


def _write(value: Bencoded, out: list[bytes]) -> None:
    match value:
        case bytes():
            out.append(b"%d:%b" % (len(value), value))
        case int():
            out.append(b"i%de" % value)
        case list():
            out.append(b"l")
            for item in value:
                _write(item, out)
            out.append(b"e")
        case dict():
            out.append(b"d")
            for key in sorted(value):
                _write(key, out)
                _write(value[key], out)
            out.append(b"e")
        case _:
            raise TypeError(f"bencode has no form for {type(value).__name__}")


class _Reader:
    """A position in the data; each method reads one thing and moves behind it."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def value(self, depth: int) -> Bencoded:
        if depth > MAX_DEPTH:
            raise WireError("bencoded values are nested too deep", self.at)
        match self.data[self.at : self.at + 1]:
            case b"i":
                return self._integer()
            case b"l":
                return self._list(depth)
            case b"d":
                return self._dictionary(depth)
            case b"":
                raise WireError("the bencoded value ends early", self.at)
        return self._string()

    def _integer(self) -> int:
        start = self.at + 1
        end = self._find(b"e", start)
        digits = self.data[start:end]
        if not digits.removeprefix(b"-").isdigit():
            raise WireError("a bencoded integer has something else than digits", start)
        number = int(digits)
        if not -_INT_LIMIT <= number < _INT_LIMIT:
            raise WireError("a bencoded integer has more than 64 bits", start)
        self.at = end + 1
        return number

    def _string(self) -> bytes:
        end = self._find(b":", self.at)
        digits = self.data[self.at : end]
        if not digits.isdigit():
            raise WireError("a bencoded value begins with none of i, l, d or a length", self.at)
        start = end + 1
        self.at = start + int(digits)
        if self.at > len(self.data):
            raise WireError("a bencoded string is longer than the data", end)
        return self.data[start : self.at]

    def _list(self, depth: int) -> list[Bencoded]:
        self.at += 1
        items: list[Bencoded] = []
        while self.data[self.at : self.at + 1] != b"e":
            items.append(self.value(depth + 1))
        self.at += 1
        return items

    def _dictionary(self, depth: int) -> dict[bytes, Bencoded]:
        self.at += 1
        entries: dict[bytes, Bencoded] = {}
        while self.data[self.at : self.at + 1] != b"e":
            key = self._string()
            entries[key] = self.value(depth + 1)
        self.at += 1
        return entries

    def _find(self, mark: bytes, start: int) -> int:
        end = self.data.find(mark, start, start + _MAX_LENGTH_DIGITS + 1)
        if end < 0:
            raise WireError("a bencoded number has no end", start)
        return end
