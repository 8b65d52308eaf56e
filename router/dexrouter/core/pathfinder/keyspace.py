"""Distances between addresses (spec 05 §4).

All addresses of the mesh begin with `fc`, so the protocol swaps the halves of an address and reads the result
as one 128-bit number, here called its *position*: that puts the random bits first.
"""

from __future__ import annotations

from typing import Final

from dexrouter.crypto.keys import Address

__all__ = ["POSITION_BITS", "bucket", "flip_bit", "position_of"]

POSITION_BITS: Final = 128


def position_of(address: bytes) -> int:
    """Give the number whose XOR with that of another address is their distance."""
    return int.from_bytes(address[8:16] + address[:8])


def bucket(position: int, other: int) -> int:
    """Count the leading bits that two positions share, 0 to 127."""
    return min(POSITION_BITS - (position ^ other).bit_length(), POSITION_BITS - 1)


def flip_bit(address: Address, bit: int) -> Address:
    """Give the address whose position differs in this one bit: the target "bucket `bit` of" an address."""
    raw = (position_of(address) ^ 1 << POSITION_BITS - 1 - bit).to_bytes(16)
    return Address(raw[8:] + raw[:8])
