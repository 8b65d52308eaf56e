"""Signatures against a computed example; those of real nodes are in the admin transcripts."""

from __future__ import annotations

import pytest
from nacl.bindings import crypto_scalarmult_base

from dexrouter.crypto.signing import is_signed_by, node_key_of, sign, signing_key_of

PRIVATE = bytes(range(1, 33))
RANDOM = bytes(range(32, 64))
MESSAGE = bytes.fromhex(
    "cfe058a4a189ee7230e43a1347ea1a7eef01f3557991a7fd3cec8915fd290aec"
    "fc000000000000000000000000000001000018bcfe568009010700611445810004020015"
)
SIGNATURE = bytes.fromhex(
    "8772c33d385399b2fbe146f37ddcc789a34550ecc5fa115e83aeb1e6e0ed6db1"
    "58e76e4054c17a91461775b3049a1e5bbf4ea65c1410700cb5aed64eb7bcef06"
)


def test_the_computed_example() -> None:
    """The signing key stands at the head of the signed part."""
    assert signing_key_of(PRIVATE) == MESSAGE[:32]
    assert sign(PRIVATE, MESSAGE, RANDOM) == SIGNATURE
    assert is_signed_by(MESSAGE[:32], MESSAGE, SIGNATURE)


@pytest.mark.parametrize("at", range(0, 64, 7))
def test_a_changed_signature_or_message_is_none(at: int) -> None:
    """One bit is enough."""
    changed = bytearray(SIGNATURE)
    changed[at] ^= 1
    assert not is_signed_by(MESSAGE[:32], MESSAGE, bytes(changed))
    assert not is_signed_by(MESSAGE[:32], MESSAGE + b"x", SIGNATURE)


def test_the_node_of_a_signing_key() -> None:
    """It is that of the same private key."""
    assert node_key_of(signing_key_of(PRIVATE)) == crypto_scalarmult_base(PRIVATE)


@pytest.mark.parametrize("bad", [b"", bytes(31), bytes(32), b"\xff" * 32])
def test_what_is_no_key_is_refused(bad: bytes) -> None:
    """By a value, not by an exception: these bytes come from others."""
    assert node_key_of(bad) is None
    assert not is_signed_by(bad, b"m", SIGNATURE)
    assert not is_signed_by(MESSAGE[:32], MESSAGE, SIGNATURE[:63])


def test_misuse_is_an_exception() -> None:
    """Our own lengths must be right."""
    with pytest.raises(ValueError, match="32 random bytes"):
        sign(PRIVATE, b"m", b"")
    with pytest.raises(ValueError, match="32 bytes"):
        sign(b"", b"m", RANDOM)
