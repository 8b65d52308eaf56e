"""Announcements to a route server against messages captured between real routers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexrouter.crypto.keys import address_of, address_text
from dexrouter.crypto.signing import is_signed_by, node_key_of
from dexrouter.wire.announce import (
    HEADER_SIZE,
    Announcement,
    LinkState,
    Pad,
    PeerLink,
    ProtocolVersion,
    Sample,
    Scheme,
    Unknown,
)
from dexrouter.wire.dht import DhtMessage
from dexrouter.wire.encoding_scheme import F8, V358
from dexrouter.wire.errors import WireError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "announce.json").read_text())
CAPTURED = VECTORS["announcements"]
SIGNERS = {signer["id"]: signer for signer in VECTORS["signers"]}
HEADER = bytes(HEADER_SIZE)


@pytest.mark.parametrize("entry", CAPTURED, ids=lambda entry: entry["id"])
def test_captured_announcements(entry: dict[str, Any]) -> None:
    """The header and every entity are read, and what is written are the same bytes."""
    data = bytes.fromhex(entry["announcement_hex"])
    announcement, expected = Announcement.parse(data), entry["decoded"]
    assert announcement.signature.hex() == expected["signature_hex"]
    assert announcement.signing_key.hex() == expected["signing_key_hex"]
    assert address_text(announcement.route_server) == expected["snode_ipv6"]
    assert announcement.timestamp == expected["timestamp_ms"]
    assert announcement.is_reset == expected["reset"]
    assert announcement.format_version == expected["version"]
    entities = [entity for entity in announcement.entities if not isinstance(entity, Pad)]
    recorded = [entity for entity in expected["entities"] if entity["length"] > 1]
    assert [_plain(entity) for entity in entities] == [_recorded(entity) for entity in recorded]
    assert announcement.encode() == data
    assert DhtMessage.parse(bytes.fromhex(entry["query_content_hex"])).announcement == data


@pytest.mark.parametrize("entry", CAPTURED, ids=lambda entry: entry["id"])
def test_captured_signatures(entry: dict[str, Any]) -> None:
    """The signature is over all that follows it, and its key is that of the sender's address."""
    data = bytes.fromhex(entry["announcement_hex"])
    announcement = Announcement.parse(data)
    assert is_signed_by(announcement.signing_key, data[64:], announcement.signature)
    assert not is_signed_by(announcement.signing_key, data[64:] + b"\x01", announcement.signature)
    key = node_key_of(announcement.signing_key)
    assert key is not None
    assert address_text(address_of(key)) == SIGNERS[entry["from"]]["ipv6"]


def _plain(entity: object) -> tuple[object, ...]:
    match entity:
        case LinkState():
            samples = [(sample.lag, sample.drop, sample.kilobytes) for sample in entity.samples]
            return "LINK_STATE", entity.padding, entity.number, entity.first_slot, samples
        case PeerLink():
            return (
                "PEER", entity.form, entity.flags, entity.mtu8, entity.number, address_text(entity.address),
                entity.label,
            )  # fmt: skip
        case Scheme(scheme=scheme):
            return "ENCODING_SCHEME", scheme.serialize().hex()
        case ProtocolVersion(version=version):
            return "VERSION", version
    raise AssertionError(entity)


def _recorded(entity: dict[str, Any]) -> tuple[object, ...]:
    match entity["name"]:
        case "LINK_STATE":
            samples = [(sample["lag_ms"], sample["drop"], sample["kb"]) for sample in entity["samples"]]
            return "LINK_STATE", entity["pad"], entity["node_id"], entity["start_slot"], samples
        case "PEER":
            label = int(entity["label_peer_to_us"], 16)
            return (
                "PEER", entity["form"], entity["flags"], entity["mtu8"], entity["peer_num"],
                entity["peer_ipv6"], label,
            )  # fmt: skip
        case "ENCODING_SCHEME":
            return "ENCODING_SCHEME", entity["scheme_hex"]
    return entity["name"], entity["protocol"]


@pytest.mark.parametrize(
    "tail",
    [
        "00",
        "05",
        "0502",
        "030200",
        "0502000000",
        "1f01" + "00" * 29,
        "0700611445",
        "0202",
        "0203",
        "030305",
        "04030015",
        "0503001512",
        "060300010005",
        "06030001fd00",
    ],
)
def test_malformed_entities(tail: str) -> None:
    """No length, an end past the end, a wrong size, half a number, half a sample, a slot that is none."""
    with pytest.raises(WireError):
        Announcement.parse(HEADER + bytes.fromhex(tail))


def test_short_header() -> None:
    """Less than a header is no announcement."""
    with pytest.raises(WireError):
        Announcement.parse(HEADER[:-1])


def test_pads_and_unknown_types_mean_nothing() -> None:
    """They are read, kept and written; what stands between them is read as ever."""
    data = HEADER + bytes.fromhex("01 0309ff 04020015 01")
    announcement = Announcement.parse(data)
    assert announcement.entities == (Pad(), Unknown(9, b"\xff"), ProtocolVersion(21), Pad())
    assert announcement.encode() == data


def test_entity_too_long_to_write() -> None:
    """An entity that does not fit its length byte is a fault of ours."""
    announcement = Announcement.parse(HEADER)
    too_long = Announcement(
        signing_key=announcement.signing_key,
        route_server=announcement.route_server,
        timestamp=0,
        is_reset=False,
        entities=(Unknown(9, bytes(254)),),
    )
    with pytest.raises(ValueError, match="253"):
        too_long.encode()


_WORDS = st.integers(0, 0xFFFF)
_SAMPLES = st.builds(Sample, st.integers(0, 2**16), st.integers(0, 0xFFFE), st.integers(0, 2**33))
_ENTITIES = st.one_of(
    st.just(Pad()),
    st.sampled_from([Scheme(V358), Scheme(F8)]),
    st.builds(ProtocolVersion, _WORDS),
    st.builds(
        PeerLink,
        st.integers(0, 255),
        _WORDS,
        st.binary(min_size=16, max_size=16),
        st.integers(0, 2**32 - 1),
        st.integers(0, 255),
        _WORDS,
    ),
    st.builds(
        LinkState, _WORDS, st.integers(0, 17), st.lists(_SAMPLES, max_size=10).map(tuple), st.integers(0, 9)
    ),
    st.builds(Unknown, st.integers(4, 255), st.binary(max_size=40)),
)
_ANNOUNCEMENTS = st.builds(
    Announcement,
    signature=st.binary(min_size=64, max_size=64),
    signing_key=st.binary(min_size=32, max_size=32),
    route_server=st.binary(min_size=16, max_size=16),
    timestamp=st.integers(0, 2**60 - 1),
    is_reset=st.booleans(),
    entities=st.lists(_ENTITIES, max_size=6).map(tuple),
    format_version=st.integers(0, 7),
)


@given(_ANNOUNCEMENTS)
def test_written_is_read(announcement: Announcement) -> None:
    """What is written is read as the same announcement."""
    assert Announcement.parse(announcement.encode()) == announcement


@given(st.sampled_from(CAPTURED), st.integers(0, 400), st.binary(max_size=20))
def test_hostile_bytes(entry: dict[str, Any], cut: int, tail: bytes) -> None:
    """Any bytes give an announcement that can be written again, or the one error of this layer."""
    data = bytes.fromhex(entry["announcement_hex"])[:cut] + tail
    try:
        announcement = Announcement.parse(data)
    except WireError:
        return
    assert Announcement.parse(announcement.encode()) == announcement
