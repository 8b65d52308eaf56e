"""The calls into libsodium that cryptoauth needs, and nothing else (spec 01 §2.1).

Rules:

* Low-order points are a failed operation: `None`, never an exception.
* `seal_at` and `open_at` are the compiled library's own functions, for packets that stay where they are in a
  buffer: half the time of `nacl.bindings`, which copies each argument into a new buffer. Nothing checks their
  arguments but crypto/cryptoauth.py and crypto/runs.py, which alone call them.
* `seal_behind` and `open_behind` are for packets that are objects of their own. They work through one scratch
  buffer, which makes them unfit for use from several threads at once; the router has one.
* Boxes are tag first, then cipher text.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from nacl._sodium import ffi, lib

__all__ = [
    "KEY_SIZE",
    "MAX_MESSAGE",
    "NONCE_SIZE",
    "TAG_SIZE",
    "BoxKey",
    "box_secret",
    "is_low_order",
    "open_at",
    "open_behind",
    "password_secret",
    "pointer",
    "prepare_key",
    "public_key_of",
    "scalarmult",
    "seal_at",
    "seal_behind",
]

KEY_SIZE: Final = 32
NONCE_SIZE: Final = 24
TAG_SIZE: Final = 16

MAX_MESSAGE: Final = 65536
"""No datagram is longer."""

MAX_PREFIX: Final = 256

BoxKey = Any
"""A key as `prepare_key` gives it: libsodium reads it in place."""

_from_buffer: Final = ffi.from_buffer
_secretbox: Final = lib.crypto_secretbox_easy
_secretbox_open: Final = lib.crypto_secretbox_open_easy
seal_at: Final = _secretbox
"""(target, message, message size, nonce, key): writes the box; the message may be at target + 16."""

open_at: Final = _secretbox_open
"""(target, box, box size, nonce, key): 0, or nothing is written; the target may be at box + 16."""

pointer: Final = _from_buffer
"""Give a buffer as these functions take it; sums with an offset point into it."""

_scratch: Final = bytearray(MAX_PREFIX + TAG_SIZE + MAX_MESSAGE)
_scratch_at: Final = _from_buffer(_scratch)
_scratch_view: Final = memoryview(_scratch)

if lib.sodium_init() < 0:
    raise RuntimeError("libsodium cannot be initialised")


def public_key_of(private: bytes) -> bytes:
    """Compute X25519(private, 9)."""
    _require(len(private) == KEY_SIZE, "a private key has 32 bytes")
    out = ffi.new("unsigned char[]", KEY_SIZE)
    lib.crypto_scalarmult_base(out, private)
    return bytes(ffi.buffer(out, KEY_SIZE))


def scalarmult(private: bytes, public: bytes) -> bytes | None:
    """Compute X25519(private, public); None for a low-order point."""
    _require(len(private) == KEY_SIZE and len(public) == KEY_SIZE, "keys have 32 bytes")
    out = ffi.new("unsigned char[]", KEY_SIZE)
    if lib.crypto_scalarmult(out, private, public):
        return None
    return bytes(ffi.buffer(out, KEY_SIZE))


def is_low_order(public: bytes) -> bool:
    """Whether no secret can be shared with this public key."""
    return scalarmult(_ANY_SCALAR, public) is None


def box_secret(private: bytes, public: bytes) -> bytes | None:
    """Compute BOXKEY: HSalsa20 of the shared point; None for a low-order point (spec 01 §2.1)."""
    _require(len(private) == KEY_SIZE and len(public) == KEY_SIZE, "keys have 32 bytes")
    out = ffi.new("unsigned char[]", KEY_SIZE)
    if lib.crypto_box_beforenm(out, public, private):
        return None
    return bytes(ffi.buffer(out, KEY_SIZE))


def password_secret(private: bytes, public: bytes, auth_secret: bytes) -> bytes | None:
    """Compute W: SHA-256 of the shared point and the auth secret; None for a low-order point (spec 01 §5)."""
    shared = scalarmult(private, public)
    return None if shared is None else sha256(shared + auth_secret).digest()


def prepare_key(secret: bytes) -> BoxKey:
    """Make a 32 byte secret ready for `seal_behind` and `open_behind`."""
    _require(len(secret) == KEY_SIZE, "a secret has 32 bytes")
    return _from_buffer(secret)


def seal_behind(prefix: bytes, message: bytes | memoryview, nonce: bytes, key: BoxKey) -> bytes:
    """Give `prefix || tag || cipher text`. The prefix is neither encrypted nor authenticated."""
    size = len(message)
    start = len(prefix)
    if size > MAX_MESSAGE or start > MAX_PREFIX:
        raise ValueError(f"{size} bytes are more than any datagram holds")
    _scratch[:start] = prefix
    source = message if type(message) is bytes else _from_buffer(message)
    _secretbox(_scratch_at + start, source, size, nonce, key)
    return bytes(_scratch_view[: start + TAG_SIZE + size])


def open_behind(packet: bytes | memoryview, start: int, nonce: bytes, key: BoxKey) -> bytes | None:
    """Open the box that begins at `start` of a packet; None if it is not authentic or of impossible size."""
    size = len(packet) - start
    if not TAG_SIZE <= size <= MAX_MESSAGE:
        return None
    source = packet[start:] if type(packet) is bytes else _from_buffer(packet) + start
    if _secretbox_open(_scratch_at, source, size, nonce, key):
        return None
    return bytes(_scratch_view[: size - TAG_SIZE])


def _require(is_met: bool, what: str) -> None:
    if not is_met:
        raise ValueError(what)


_ANY_SCALAR: Final = bytes(31) + b"\x40"
