"""`dexctl genkey`, `key2ip6`, `priv2pub`, `genpass`: keys and passwords, without a router (spec 08 §9)."""

from __future__ import annotations

import os
import re
import sys
from argparse import Namespace
from typing import Final

from dexrouter.crypto.entropy import generate_password
from dexrouter.crypto.keys import (
    KeyErrorCode,
    KeyParseError,
    address_of,
    address_short,
    address_text,
    generate_key_pair,
    key_pair_from_private,
    parse_public_key,
    public_key_text,
)

__all__ = ["genkey", "genpass", "key2ip6", "priv2pub"]

_PRIVATE_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")

_WHY: Final = {
    KeyErrorCode.TOO_SHORT: "it is too short",
    KeyErrorCode.MALFORMED: "it does not end with .k behind 52 characters",
    KeyErrorCode.DECODE_FAILED: "it has characters that keys do not have",
    KeyErrorCode.INVALID: "its address does not begin with fc",
}


def genkey(_options: Namespace) -> int:
    """Print a new private key, its address and its public key, as makekeys does, but one only."""
    pair = generate_key_pair(os.urandom)
    print(pair.private.reveal().hex(), address_text(pair.address), public_key_text(pair.public))
    return 0


def key2ip6(options: Namespace) -> int:
    """Print the address of a public key."""
    try:
        key = parse_public_key(options.key)
    except KeyParseError as error:
        return _fail(f'"{options.key}" is no public key: {_WHY[error.code]}.')
    print(address_short(address_of(key)))
    return 0


def priv2pub(_options: Namespace) -> int:
    """Read a private key and print its public key and address."""
    text = sys.stdin.readline().strip()
    if not _PRIVATE_KEY.fullmatch(text):
        return _fail("A private key is one line of 64 hexadecimal digits on standard input.")
    try:
        pair = key_pair_from_private(bytes.fromhex(text))
    except KeyParseError:
        return _fail("This private key is not valid for cjdns: its address does not begin with fc.")
    print(public_key_text(pair.public), address_short(pair.address))
    return 0


def genpass(_options: Namespace) -> int:
    """Print a new password."""
    print(generate_password(os.urandom))
    return 0


def _fail(sentence: str) -> int:
    print(f"dexctl: {sentence}", file=sys.stderr)
    return 1
