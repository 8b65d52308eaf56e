"""Signatures by a node's X25519 key: Ed25519 with the clamped private key as its scalar (spec 05 §10.2).

Ordinary Ed25519 verification accepts them. Who verifies computes the X25519 key, and so the address, from
the signing key: nothing else needs to be known of the signer.

Nonces are made from the key, 32 random bytes and the message together: neither a weak generator nor a
repeated message gives the key away.
"""

from __future__ import annotations

from hashlib import sha512
from typing import Final

from nacl.bindings import (
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_reduce,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_sign_ed25519_pk_to_curve25519,
    crypto_sign_open,
)
from nacl.exceptions import CryptoError

from dexrouter.crypto.keys import KEY_SIZE, PublicKey

__all__ = ["RANDOM_SIZE", "SIGNATURE_SIZE", "is_signed_by", "node_key_of", "sign", "signing_key_of"]

SIGNATURE_SIZE: Final = 64
RANDOM_SIZE: Final = 32
"""Random bytes that a signature wants."""


def signing_key_of(private: bytes) -> bytes:
    """Compute the 32-byte Ed25519 public key that belongs to an X25519 private key."""
    return bytes(crypto_scalarmult_ed25519_base_noclamp(_clamp(private)))


def sign(private: bytes, message: bytes, random: bytes) -> bytes:
    """Sign: 64 bytes. `random` is 32 fresh bytes."""
    if len(random) != RANDOM_SIZE:
        raise ValueError(f"a signature wants {RANDOM_SIZE} random bytes")
    scalar = _clamp(private)
    public = signing_key_of(private)
    prefix = sha512(scalar + random).digest()[32:]
    nonce = crypto_core_ed25519_scalar_reduce(sha512(prefix + message).digest())
    point = crypto_scalarmult_ed25519_base_noclamp(nonce)
    challenge = crypto_core_ed25519_scalar_reduce(sha512(point + public + message).digest())
    product = crypto_core_ed25519_scalar_mul(challenge, crypto_core_ed25519_scalar_reduce(scalar + bytes(32)))
    return bytes(point + crypto_core_ed25519_scalar_add(nonce, product))


def is_signed_by(signing_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature of a message is by this Ed25519 key."""
    if len(signing_key) != KEY_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    try:
        crypto_sign_open(signature + message, signing_key)
    except CryptoError:
        return False
    return True


def node_key_of(signing_key: bytes) -> PublicKey | None:
    """Compute the X25519 public key of a signer; None if these bytes are no Ed25519 key."""
    if len(signing_key) != KEY_SIZE:
        return None
    try:
        return PublicKey(crypto_sign_ed25519_pk_to_curve25519(signing_key))
    except CryptoError:
        return None


def _clamp(private: bytes) -> bytes:
    if len(private) != KEY_SIZE:
        raise ValueError(f"a private key has {KEY_SIZE} bytes")
    return bytes((private[0] & 0xF8,)) + private[1:31] + bytes((private[31] & 0x3F | 0x40,))
