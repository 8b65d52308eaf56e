"""The Internet checksum (spec 03 §8.1).

Summing 16 bit words with end-around carry is arithmetic modulo 65535, and 2**16 is 1 there: so the sum of a
whole buffer is the buffer as one big number, modulo 65535. Before the division the number is folded a few
times, because shifts and sums of big numbers are cheaper than a division of all their digits.
"""

from __future__ import annotations

from typing import Final

__all__ = ["internet_checksum", "pseudo_header_sum"]

_MODULUS: Final = 0xFFFF

_FOLDS: Final = tuple((bits, (1 << bits) - 1) for bits in (5280, 2640, 1440, 720))
"""Widths to fold at, for packets of about 1300 bytes: multiples of 16, so that the sum stays the same, and of
30, the bits of CPython's digits."""


def internet_checksum(data: bytes | bytearray | memoryview, initial: int = 0) -> int:
    """Give the complement of the one's-complement sum; 0 for data whose checksum field is right.

    An odd last byte is the high byte of a last word. `initial` is a sum that belongs to it, as
    `pseudo_header_sum` gives. A UDP header stores 0 as ffff, which is the caller's business.
    """
    total = int.from_bytes(data, "big")
    if len(data) & 1:
        total <<= 8
    total += initial
    if not total:
        return _MODULUS
    for bits, mask in _FOLDS:
        if total > mask:
            total = (total >> bits) + (total & mask)
    # A sum of words that are not all zero is never zero in one's complement, but ffff.
    return _MODULUS - (total % _MODULUS or _MODULUS)


def pseudo_header_sum(source: bytes, destination: bytes, length: int, next_header: int) -> int:
    """Sum the pseudo header of TCP, UDP or ICMPv6, for `initial`; addresses of IPv4 or IPv6."""
    return int.from_bytes(source, "big") + int.from_bytes(destination, "big") + length + next_header
