"""Where random bytes come from: an argument, never a call to the operating system (house rule of the core).

`SeededEntropy` is the generator of `--genconf-seed` (spec 01 §1.4), so that a configuration made from a
seed is the same as the reference's. It is also what the simulator feeds to whole meshes.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Final

from dexrouter.crypto import base32

__all__ = ["Entropy", "SeededEntropy", "generate_password", "generate_port"]

Entropy = Callable[[int], bytes]
"""Gives that many fresh, unpredictable bytes."""

SEED_SIZE: Final = 64
PASSWORD_LENGTH: Final = 31
LOWEST_PORT: Final = 1025

_BUFFER_SIZE: Final = 128
_WORD: Final = 0xFFFF_FFFF
_CONSTANTS: Final = (0x61707865, 0x3320646E, 0x79622D32, 0x6B206574)

_QUARTER_ROUNDS: Final = (
    (0, 4, 8, 12),
    (5, 9, 13, 1),
    (10, 14, 2, 6),
    (15, 3, 7, 11),
    (0, 1, 2, 3),
    (5, 6, 7, 4),
    (10, 11, 8, 9),
    (15, 12, 13, 14),
)
"""One Salsa20 double round: four columns, then four rows."""


class SeededEntropy:
    """Salsa20 under the hash of a seed, in the reference's way of buffering (spec 01 §1.4).

    The 128 byte buffer starts as zeros; each refill XORs key stream into what is there. Requests above 128
    bytes take key stream of their own and leave the buffer alone.
    """

    __slots__ = ("_buffer", "_key", "_next", "_nonce")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_SIZE:
            raise ValueError(f"a seed has {SEED_SIZE} bytes, not {len(seed)}")
        self._key = sha256(seed).digest()
        self._nonce = 0
        self._buffer = bytes(_BUFFER_SIZE)
        self._next = _BUFFER_SIZE

    def __call__(self, size: int) -> bytes:
        """Give the next bytes of the generator."""
        if size > _BUFFER_SIZE:
            return self._key_stream(size)
        out = bytearray()
        while len(out) < size:
            if self._next == _BUFFER_SIZE:
                stream = self._key_stream(_BUFFER_SIZE)
                self._buffer = bytes(old ^ new for old, new in zip(self._buffer, stream, strict=True))
                self._next = 0
            piece = self._buffer[self._next : self._next + size - len(out)]
            self._next += len(piece)
            out += piece
        return bytes(out)

    def _key_stream(self, size: int) -> bytes:
        nonce = self._nonce.to_bytes(8, "little")
        self._nonce += 1
        blocks = (_salsa20_block(self._key, nonce, counter) for counter in range((size + 63) // 64))
        return b"".join(blocks)[:size]


def generate_password(entropy: Entropy) -> str:
    """Draw a password as the configuration generator does: 31 base32 characters (spec 01 §1.4)."""
    return (base32.encode(entropy(16)) + base32.encode(entropy(16)))[:PASSWORD_LENGTH]


def generate_port(entropy: Entropy) -> int:
    """Draw a UDP port above 1024 (spec 01 §1.4)."""
    while True:
        port = int.from_bytes(entropy(2), "little")
        if port >= LOWEST_PORT:
            return port


def _salsa20_block(key: bytes, nonce: bytes, counter: int) -> bytes:
    """64 bytes of Salsa20 key stream. Slow and plain: it makes configurations, never traffic."""
    words = [int.from_bytes(key[at : at + 4], "little") for at in range(0, 32, 4)]
    middle = [int.from_bytes(nonce[:4], "little"), int.from_bytes(nonce[4:], "little")]
    middle += [counter & _WORD, counter >> 32 & _WORD]
    start = [_CONSTANTS[0], *words[:4], _CONSTANTS[1], *middle, _CONSTANTS[2], *words[4:], _CONSTANTS[3]]
    state = list(start)
    for _ in range(10):
        for a, b, c, d in _QUARTER_ROUNDS:
            state[b] ^= _rotate(state[a] + state[d], 7)
            state[c] ^= _rotate(state[b] + state[a], 9)
            state[d] ^= _rotate(state[c] + state[b], 13)
            state[a] ^= _rotate(state[d] + state[c], 18)
    return b"".join(
        (now + before & _WORD).to_bytes(4, "little") for now, before in zip(state, start, strict=True)
    )


def _rotate(value: int, by: int) -> int:
    value &= _WORD
    return (value << by | value >> 32 - by) & _WORD
