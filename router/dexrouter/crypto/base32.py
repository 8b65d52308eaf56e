"""The base32 of public keys (spec 01 §1.2). Not RFC 4648.

The input is a little-endian bit stream, cut into groups of five from bit 0 of byte 0 upwards; the first
character is the lowest group. Upper case decodes like lower case.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Base32Error", "decode", "encode"]

_ALPHABET: Final = "0123456789bcdfghjklmnpqrstuvwxyz"
_VALUES: Final = {letter: value for value, lower in enumerate(_ALPHABET) for letter in (lower, lower.upper())}


class Base32Error(ValueError):
    """The text is not the base32 of any bytes."""


def encode(data: bytes) -> str:
    """Write bytes as base32; the last character is padded with zero bits."""
    bits = int.from_bytes(data, "little")
    return "".join(_ALPHABET[bits >> shift & 31] for shift in range(0, len(data) * 8, 5))


def decode(text: str) -> bytes:
    """Read base32. Raises `Base32Error`: foreign characters, a superfluous one, padding not zero."""
    bits = 0
    for position, letter in enumerate(text):
        value = _VALUES.get(letter)
        if value is None:
            raise Base32Error(f"character {position + 1} is not of the base32 alphabet")
        bits |= value << position * 5
    size, left_over = divmod(len(text) * 5, 8)
    if left_over >= 5:
        raise Base32Error("the text is one character too long or too short")
    if bits >> size * 8:
        raise Base32Error("the bits behind the last byte are not zero")
    return bits.to_bytes(size, "little")
