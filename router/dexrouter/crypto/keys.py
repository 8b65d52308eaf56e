"""Key pairs, addresses and their text forms (spec 01 §1).

A private key is 32 random bytes, stored unclamped. The address is the first
16 bytes of `sha512(sha512(public))`. Only keys whose address begins with `fc` are cjdns keys; that is the
whole binding between key and address, and everybody who sees a key computes it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import sha512
from ipaddress import AddressValueError, IPv6Address
from typing import Final, NewType

from dexrouter.crypto import base32
from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.primitives import public_key_of
from dexrouter.crypto.secret import Secret
from dexrouter.wire.errors import WireError
from dexrouter.wire.labels import format_label, parse_label

__all__ = [
    "ADDRESS_SIZE",
    "KEY_SIZE",
    "MESH_PREFIX",
    "Address",
    "KeyErrorCode",
    "KeyPair",
    "KeyParseError",
    "NodeName",
    "PublicKey",
    "address_of",
    "address_short",
    "address_text",
    "format_node",
    "generate_key_pair",
    "is_mesh_address",
    "is_node_key",
    "key_pair_from_private",
    "parse_address",
    "parse_node",
    "parse_public_key",
    "public_key_text",
]

PublicKey = NewType("PublicKey", bytes)
"""32 raw bytes of a Curve25519 public key."""

Address = NewType("Address", bytes)
"""16 raw bytes of an IPv6 address."""

KEY_SIZE: Final = 32
ADDRESS_SIZE: Final = 16
MESH_PREFIX: Final = 0xFC
"""First byte of every address of the mesh, fc00::/8."""

_KEY_TEXT_LENGTH: Final = 52
_KEY_SUFFIX: Final = ".k"
_LOW_ORDER_MESH_KEY: Final = b"\xee" + b"\xff" * 30 + b"\x7f"
"""Of all low-order points, with which anybody "shares" the same secret, the one that hashes to fc00::/8."""

_KEY_TRIES: Final = 65536
"""256 tries are needed on average; a source of entropy that fails so often does not give entropy."""


class KeyErrorCode(StrEnum):
    """What is wrong with a text that should be a public key (spec 01 §1.3)."""

    TOO_SHORT = "TOO_SHORT"
    MALFORMED = "MALFORMED"
    DECODE_FAILED = "DECODE_FAILED"
    INVALID = "INVALID"


class KeyParseError(ValueError):
    """A text form of a key, an address or a node is not one."""

    code: KeyErrorCode

    def __init__(self, code: KeyErrorCode, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code = code


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The identity of a node. `repr` does not show the private key."""

    private: Secret
    """32 bytes, unclamped."""

    public: PublicKey
    address: Address


@dataclass(frozen=True, slots=True)
class NodeName:
    """What the admin API calls a node address with key: version, path and public key (spec 01 §1.3)."""

    version: int
    """Protocol version; 0 if unknown."""

    label: int
    key: PublicKey


@lru_cache(maxsize=4096)
def address_of(public_key: bytes) -> Address:
    """Compute the address of a public key, whether it is of the mesh or not (spec 01 §1.1)."""
    return Address(sha512(sha512(public_key).digest()).digest()[:ADDRESS_SIZE])


def is_mesh_address(address: bytes) -> bool:
    """Whether an address lies in fc00::/8."""
    return len(address) == ADDRESS_SIZE and address[0] == MESH_PREFIX


def is_node_key(key: bytes) -> bool:
    """Whether a public key can be a node: its address is of the mesh, and a secret can be shared with it."""
    return is_mesh_address(address_of(key)) and key != _LOW_ORDER_MESH_KEY


def key_pair_from_private(private: bytes) -> KeyPair:
    """Complete a private key. Raises `KeyParseError` (INVALID) unless its address is of the mesh."""
    if len(private) != KEY_SIZE:
        raise KeyParseError(KeyErrorCode.MALFORMED, f"a private key has {KEY_SIZE} bytes")
    public = PublicKey(public_key_of(private))
    address = address_of(public)
    if not is_mesh_address(address):
        raise KeyParseError(KeyErrorCode.INVALID, "the address of this private key is not in fc00::/8")
    return KeyPair(Secret(private), public, address)


def generate_key_pair(entropy: Entropy) -> KeyPair:
    """Draw private keys until one has an address of the mesh: 256 tries on average (spec 01 §1.1)."""
    for _ in range(_KEY_TRIES):
        private = entropy(KEY_SIZE)
        if address_of.__wrapped__(public_key_of(private))[0] == MESH_PREFIX:
            return key_pair_from_private(private)
    raise RuntimeError(f"{_KEY_TRIES} random private keys and no cjdns key: the entropy is broken")


def public_key_text(key: bytes) -> str:
    """Write a public key as 52 base32 characters and `.k`."""
    return base32.encode(key) + _KEY_SUFFIX


def parse_public_key(text: str) -> PublicKey:
    """Read a public key; what follows the 54th character is ignored, as in the reference (spec 01 §1.3).

    Raises `KeyParseError`, whose `code` is found in the reference's order: TOO_SHORT, MALFORMED,
    DECODE_FAILED, INVALID (a key whose address is not in fc00::/8).
    """
    if len(text) < _KEY_TEXT_LENGTH:
        raise KeyParseError(KeyErrorCode.TOO_SHORT, "a public key has 52 characters and .k")
    end = _KEY_TEXT_LENGTH + len(_KEY_SUFFIX)
    if text[_KEY_TEXT_LENGTH:end] != _KEY_SUFFIX:
        raise KeyParseError(KeyErrorCode.MALFORMED, "a public key ends with .k behind 52 characters")
    try:
        key = base32.decode(text[:_KEY_TEXT_LENGTH])
    except base32.Base32Error as error:
        raise KeyParseError(KeyErrorCode.DECODE_FAILED, str(error)) from error
    if not is_node_key(key):
        raise KeyParseError(KeyErrorCode.INVALID, "the address of this public key is not in fc00::/8")
    return PublicKey(key)


def address_text(address: bytes) -> str:
    """Write an address in eight groups of exactly four digits, as configurations and logs do."""
    digits = address.hex()
    return ":".join(digits[at : at + 4] for at in range(0, 2 * ADDRESS_SIZE, 4))


def address_short(address: bytes) -> str:
    """Write an address without the leading zeros of its groups, but never with `::`, as tools do."""
    return ":".join(f"{int.from_bytes(address[at : at + 2]):x}" for at in range(0, ADDRESS_SIZE, 2))


def parse_address(text: str) -> Address:
    """Read any text form of an IPv6 address. Raises `KeyParseError` (MALFORMED)."""
    if "%" in text:
        raise KeyParseError(KeyErrorCode.MALFORMED, "an address of the mesh has no zone")
    try:
        return Address(IPv6Address(text).packed)
    except AddressValueError as error:
        raise KeyParseError(KeyErrorCode.MALFORMED, str(error)) from error


def format_node(version: int, label: int, key: bytes) -> str:
    """Write a node address with key: `v21.0000.0000.0000.0013.<52 characters>.k`."""
    return f"v{version}.{format_label(label)}.{public_key_text(key)}"


def parse_node(text: str) -> NodeName:
    """Read a node address with key. Raises `KeyParseError`."""
    version, _, rest = text.partition(".")
    digits = version[1:]
    if version[:1] != "v" or not (digits.isascii() and digits.isdigit()) or len(digits) > 5:
        raise KeyParseError(KeyErrorCode.MALFORMED, "a node address begins with v, its version and a dot")
    path, key = rest[:19], rest[19:]
    try:
        label = parse_label(path)
    except WireError as error:
        raise KeyParseError(KeyErrorCode.MALFORMED, str(error)) from error
    if key[:1] != "." or len(key) > 1 + _KEY_TEXT_LENGTH + len(_KEY_SUFFIX):
        raise KeyParseError(KeyErrorCode.MALFORMED, "a node address ends with a dot and a public key")
    return NodeName(int(digits), label, parse_public_key(key[1:]))
