"""Router messages against messages captured between real routers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dexrouter.crypto.keys import address_of, address_text, public_key_text
from dexrouter.wire import bencode
from dexrouter.wire.dht import DhtMessage, NodeEntry, decode_versions, encode_versions
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.errors import WireError
from dexrouter.wire.labels import format_label, parse_label, splice

DHT = json.loads((Path(__file__).parents[2] / "vectors" / "dht.json").read_text())

FIELDS = {
    "es_hex": lambda message: message.scheme.serialize(),
    "txid_hex": lambda message: message.txid,
    "tar_hex": lambda message: message.target,
    "src_hex": lambda message: message.source,
    "ann_hex": lambda message: message.announcement,
    "stateHash_hex": lambda message: message.state_hash,
    "q": lambda message: message.query.decode(),
    "sq": lambda message: message.snode_query.decode(),
    "error": lambda message: message.error.decode(),
    "p": lambda message: message.version,
    "ei": lambda message: message.inverse_form,
    "recvTime": lambda message: message.receive_time,
}


@pytest.mark.parametrize("entry", DHT["messages"], ids=lambda entry: entry["id"])
def test_captured_messages(entry: dict[str, Any]) -> None:
    """Every field is read, and what is written says the same as what was read, in canonical form."""
    content = bytes.fromhex(entry["content_hex"])
    message = DhtMessage.parse(content)
    for name, value in entry["fields"].items():
        if name in FIELDS:
            found = FIELDS[name](message)
            assert (found.hex() if name.endswith("_hex") else found) == value, name
    assert message.is_query == (entry["kind"] == "query")
    assert message.is_complete or entry["id"].startswith("sq-ann") or entry["kind"] == "reply"
    encoded = message.encode()
    assert bencode.decode(encoded) == bencode.decode(content)
    assert DhtMessage.parse(encoded) == message
    assert encoded == bencode.encode(bencode.decode(encoded))


@pytest.mark.parametrize("entry", DHT["messages"], ids=lambda entry: entry["id"])
def test_captured_nodes(entry: dict[str, Any]) -> None:
    """Keys, labels and versions of node lists; a label spliced on the asker's path is the recorded path."""
    message = DhtMessage.parse(bytes.fromhex(entry["content_hex"]))
    expected = entry["fields"].get("nodes", [])
    assert len(message.nodes) == len(expected)
    for node, recorded in zip(message.nodes, expected, strict=True):
        assert public_key_text(node.key) == recorded["public_key"]
        assert address_text(address_of(node.key)) == recorded["ipv6"]
        assert format_label(node.label) == recorded["label"]
        assert node.version == recorded["version"]
        if "label_from_asker" in recorded:
            path = parse_label(entry["label_receiver_to_sender"])
            assert format_label(splice(node.label, path)) == recorded["label_from_asker"]


def test_version_lists() -> None:
    """The width of `np` grows one value before it must."""
    for entry in DHT["functions"]["version_list"]:
        assert encode_versions(entry["versions"]).hex() == entry["np_hex"]
        assert decode_versions(bytes.fromhex(entry["np_hex"])) == tuple(entry["versions"])


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\x15", b"\x05" + bytes(5), b"\x02\0\x15\0"])
def test_malformed_version_lists(data: bytes) -> None:
    """A width of 0 or above 4, or a list that is not whole, is no version list."""
    assert decode_versions(data) is None


@pytest.mark.parametrize(
    ("n", "np"),
    [
        (bytes(40), None),
        (bytes(39), b"\x01\x15"),
        (bytes(80), b"\x01\x15"),
        (bytes(40), b"\x01\x15\x15"),
        (bytes(40), b"\0"),
        (b"", b"\x01"),
    ],
)
def test_node_lists_that_do_not_fit_are_ignored_as_a_whole(n: bytes, np: bytes | None) -> None:
    """A list whose versions are missing or counted differently names nobody; the message still counts."""
    entries: dict[bytes, bencode.Bencoded] = {b"txid": b"1", b"n": n}
    if np is not None:
        entries[b"np"] = np
    message = DhtMessage.parse(bencode.encode(entries))
    assert message.nodes == ()
    assert message.txid == b"1"


@pytest.mark.parametrize(
    "content", [b"", b"le", b"de", b"d4:txid0:e", b"d4:txidi1ee", b"d2:es1:\xe14:txid1:1e"]
)
def test_messages_that_are_none(content: bytes) -> None:
    """Without a dictionary, a transaction id, or with an insane scheme there is no message."""
    with pytest.raises(WireError):
        DhtMessage.parse(content)


def test_known_keys_of_another_type_are_absent() -> None:
    """A number where bytes belong, and the reverse, is as if the key were not there."""
    message = DhtMessage.parse(b"d2:ei1:x1:p1:x1:qi1e3:tari1e4:txid1:1e")
    assert message == DhtMessage(txid=b"1")
    assert not message.is_query
    assert not message.is_complete


def test_completeness() -> None:
    """A message needs a version, and a form that its scheme has; v3x5x8 is assumed without a scheme."""
    assert DhtMessage(txid=b"1", version=21, inverse_form=2).is_complete
    assert DhtMessage(txid=b"1", version=21, inverse_form=2, scheme=V358).is_complete
    assert not DhtMessage(txid=b"1", version=21, inverse_form=3).is_complete
    assert not DhtMessage(txid=b"1", inverse_form=0).is_complete


def test_impossible_numbers() -> None:
    """Versions that no node list could hold, and negative numbers, count as absent."""
    message = DhtMessage.parse(b"d3:dndi1e2:eii-1e1:pi4294967296e4:txid1:1e")
    assert message == DhtMessage(txid=b"1", dnd=True)
    largest = DhtMessage(txid=b"1", version=2**32 - 1, nodes=(NodeEntry(bytes(32), 1, 2**32 - 1),))
    assert DhtMessage.parse(largest.encode()) == largest
