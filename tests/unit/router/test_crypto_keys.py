"""Keys, addresses and text forms against known answers of the reference implementation."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from dexrouter.crypto import base32
from dexrouter.crypto.entropy import SeededEntropy, generate_password, generate_port
from dexrouter.crypto.keys import (
    KeyErrorCode,
    KeyParseError,
    NodeName,
    address_of,
    address_short,
    address_text,
    format_node,
    generate_key_pair,
    is_mesh_address,
    is_node_key,
    key_pair_from_private,
    parse_address,
    parse_node,
    parse_public_key,
    public_key_text,
)
from dexrouter.crypto.primitives import public_key_of
from dexrouter.crypto.secret import Secret

KEYS = json.loads((Path(__file__).parents[2] / "vectors" / "keys.json").read_text())
PAIR = KEYS["pairs"][0]


@pytest.mark.parametrize("entry", KEYS["pairs"], ids=lambda entry: entry["ip6"])
def test_key_pairs(entry: dict[str, str]) -> None:
    """A private key gives the reference's public key, address and text forms, and all of them read back."""
    pair = key_pair_from_private(bytes.fromhex(entry["private_key"]))
    assert pair.public.hex() == entry["public_key"]
    assert public_key_text(pair.public) == entry["public_key_text"]
    assert address_text(pair.address) == entry["ip6"]
    assert address_short(pair.address) == entry["ip6_short"]
    assert parse_public_key(entry["public_key_text"]) == pair.public
    assert parse_address(entry["ip6"]) == parse_address(entry["ip6_short"]) == pair.address


@pytest.mark.parametrize("entry", KEYS["parse_cases"], ids=lambda entry: entry["text"])
def test_public_key_texts(entry: dict[str, str]) -> None:
    """Each malformed public key is refused for the reason which the reference gives."""
    if ":" in entry["result"]:
        assert address_text(address_of(parse_public_key(entry["text"]))) == entry["result"]
        return
    with pytest.raises(KeyParseError) as caught:
        parse_public_key(entry["text"])
    assert caught.value.code == entry["result"]


@pytest.mark.parametrize("entry", KEYS["not_cjdns_keys"], ids=lambda entry: entry["hash16"])
def test_keys_of_other_networks(entry: dict[str, str]) -> None:
    """A Curve25519 key whose hash does not begin with fc is no identity of the mesh."""
    private = bytes.fromhex(entry["private_key"])
    public = public_key_of(private)
    assert public.hex() == entry["public_key"]
    assert address_of(public).hex() == entry["hash16"]
    assert not is_mesh_address(address_of(public))
    with pytest.raises(KeyParseError) as caught:
        key_pair_from_private(private)
    assert caught.value.code is KeyErrorCode.INVALID


@pytest.mark.parametrize("entry", KEYS["base32"], ids=lambda entry: entry["text"] or "empty")
def test_base32(entry: dict[str, str]) -> None:
    """The key alphabet, least significant bit first."""
    assert base32.encode(bytes.fromhex(entry["bytes"])) == entry["text"]
    assert base32.decode(entry["text"].upper()).hex() == entry["bytes"]


@pytest.mark.parametrize("entry", KEYS["genconf_seed"], ids=lambda entry: entry["seed"][:8])
def test_seeded_configuration(entry: dict[str, object]) -> None:
    """A seed gives the passwords, port and key pair that the reference draws from it, in its order."""
    entropy = SeededEntropy(bytes.fromhex(str(entry["seed"])))
    assert [generate_password(entropy) for _ in range(4)] == entry["passwords"]
    assert generate_port(entropy) == entry["udp_port"]
    pair = generate_key_pair(entropy)
    assert pair.private.reveal().hex() == entry["private_key"]
    assert public_key_text(pair.public) == entry["public_key_text"]
    assert address_text(pair.address) == entry["ip6"]


def test_seeded_entropy_serves_large_requests_apart() -> None:
    """A request above the buffer size takes fresh key stream and leaves the buffered bytes alone."""
    seed = bytes(64)
    plain, interrupted = SeededEntropy(seed), SeededEntropy(seed)
    first = plain(100)
    assert interrupted(60) == first[:60]
    assert len(interrupted(200)) == 200
    assert interrupted(40) == first[60:]
    with pytest.raises(ValueError, match="64"):
        SeededEntropy(b"short")


def test_ports_above_1024_only() -> None:
    """A privileged port is drawn again."""
    draws = iter([b"\x00\x04", b"\x16\x00", b"\x01\x04"])
    assert generate_port(lambda _size: next(draws)) == 1025


def test_the_one_low_order_key_that_looks_like_a_node() -> None:
    """A point with which anybody shares a secret is refused although its address is of the mesh."""
    point = b"\xee" + b"\xff" * 30 + b"\x7f"
    assert is_mesh_address(address_of(point))
    assert not is_node_key(point)
    with pytest.raises(KeyParseError) as caught:
        parse_public_key(public_key_text(point))
    assert caught.value.code is KeyErrorCode.INVALID


def test_private_keys_are_not_shown() -> None:
    """No way of printing or storing a key pair shows the private key."""
    pair = key_pair_from_private(bytes.fromhex(PAIR["private_key"]))
    shown = f"{pair} {pair!r} {pair.private} {pair.private!r} {pair.private:>9} {pickle.dumps(pair)!r}"
    assert PAIR["private_key"] not in shown
    assert repr(pair.private.reveal())[2:-1] not in shown
    assert pair.private.reveal() not in pickle.dumps(pair)
    assert "***" in repr(pair)


def test_secrets_compare_by_value() -> None:
    """Two secrets are equal if their bytes are, and never equal to plain bytes."""
    assert Secret(b"a") == Secret(b"a")
    assert len({Secret(b"a"), Secret(b"a"), Secret(b"b")}) == 2
    assert Secret(b"a") != b"a"


def test_broken_entropy_is_reported() -> None:
    """A source that always gives the same useless key ends with an error, not with an endless loop."""
    with pytest.raises(RuntimeError, match="entropy"):
        generate_key_pair(lambda size: bytes(size - 1) + b"\x01")


def test_node_names() -> None:
    """The admin API's node address holds version, path and key, and reads back."""
    key = parse_public_key(PAIR["public_key_text"])
    text = format_node(21, 0x13, key)
    assert text == f"v21.0000.0000.0000.0013.{PAIR['public_key_text']}"
    assert parse_node(text) == NodeName(21, 0x13, key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        PAIR["public_key_text"],
        f"21.0000.0000.0000.0013.{PAIR['public_key_text']}",
        f"v.0000.0000.0000.0013.{PAIR['public_key_text']}",
        f"v21.0000.0000.0000.001x.{PAIR['public_key_text']}",
        f"v21.0000.0000.0000.0013{PAIR['public_key_text']}",
        f"v21.0000.0000.0000.0013.{PAIR['public_key_text']}x",
        "v21.0000.0000.0000.0013.",
    ],
)
def test_malformed_node_names(text: str) -> None:
    """Anything else than the complete form is refused."""
    with pytest.raises(KeyParseError):
        parse_node(text)


@pytest.mark.parametrize("text", ["", "fc00", "10.0.0.1", "fc00::1%lo", "fc00::1::2"])
def test_malformed_addresses(text: str) -> None:
    """Only IPv6 addresses without a zone are addresses."""
    with pytest.raises(KeyParseError) as caught:
        parse_address(text)
    assert caught.value.code is KeyErrorCode.MALFORMED


def test_wrong_sizes() -> None:
    """A private key of another size is refused before libsodium reads behind its end."""
    with pytest.raises(KeyParseError):
        key_pair_from_private(b"short")
    with pytest.raises(ValueError, match="32"):
        public_key_of(b"short")
