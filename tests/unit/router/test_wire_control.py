"""Control frames against those of real nodes, and against what real nodes answered or ignored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dexrouter.wire.control import (
    CONTROL_WORD,
    AuthenticationCause,
    ErrorCode,
    GetSnodeReply,
    KeyPing,
    LlAddrQuery,
    LlAddrReply,
    Ping,
    RPathQuery,
    SwitchError,
    UdpAddress,
    parse_control,
)
from dexrouter.wire.errors import WireError
from dexrouter.wire.switch_header import SwitchHeader

VECTORS = Path(__file__).parents[2] / "vectors"
CONTROL = json.loads((VECTORS / "control.json").read_text())
DHT = json.loads((VECTORS / "dht.json").read_text())

REFUSED = {
    "ping-bad-checksum": "checksum",
    "ping-byte-swapped-checksum": "checksum",
    "ping-bad-magic": "magic",
    "ping-runt": "shorter than 8",
    "keyping-65-bytes": "longer than 104",
    "keyping-runt": "shorter than 40",
    "rpath-ascii-rpaq-magic": "magic",
    "getsnode-runt": "shorter than 56",
    "unknown-type": "unknown",
    "ctrl-too-short": "at least 8",
}
"""Exchanges whose question no node understands, and the word of our reason."""

CLASSES = {
    "GETSNODE_QUERY": "GetSnodeQuery",
    "GETSNODE_REPLY": "GetSnodeReply",
    "RPATH_QUERY": "RPathQuery",
    "RPATH_REPLY": "RPathReply",
    "LLADDR_QUERY": "LlAddrQuery",
    "KEYPING": "KeyPing",
    "KEYPONG": "KeyPong",
    "PING": "Ping",
    "PONG": "Pong",
    "ERROR": "SwitchError",
}


def control_part(frame: str) -> bytes | None:
    """Give what stands behind switch header and ffffffff, or None for session packets."""
    data = bytes.fromhex(frame)
    return data[16:] if data[12:16] == CONTROL_WORD.to_bytes(4, "big") else None


def captured_frames() -> list[dict[str, Any]]:
    """Every frame made by a real node: captured on a link, or answered to the test peer."""
    frames = [*CONTROL["captured"], *CONTROL["getsnodeWithSupernode"]]
    for exchange in CONTROL["exchanges"]:
        frames += exchange["answers"]
    return frames


def test_every_frame_of_real_nodes() -> None:
    """All captured frames and answers parse to their decoded fields and encode back to the same bytes."""
    for entry in captured_frames():
        decoded = entry["control"]
        raw = control_part(entry["frame"])
        assert raw is not None
        frame: Any = parse_control(raw)
        assert type(frame).__name__ == CLASSES[decoded["typeName"]]
        encoded = frame.encode()
        if decoded["checksumOk"]:
            assert encoded == raw
        else:  # v20 writes the checksum of its authentication errors byte-swapped
            assert frame.code == ErrorCode.AUTHENTICATION
            assert encoded[1::-1] + encoded[2:] == raw
        for key, name in (("version", "version"), ("snodeVersion", "snode_version"), ("errorType", "code")):
            if key in decoded:
                assert getattr(frame, name) == decoded[key]
        for key, name in (("data", "data"), ("key", "key"), ("snodeKey", "snode_key")):
            if key in decoded:
                assert getattr(frame, name).hex() == decoded[key]
        for key, name in (("rpath", "rpath"), ("pathToSnode", "path_to_snode"), ("kbps", "kbps")):
            if key in decoded:
                assert getattr(frame, name) == int(decoded[key], 16)


def test_questions_are_understood_or_refused() -> None:
    """Of the questions put to real nodes, exactly the malformed ones are refused, each for its reason."""
    for exchange in CONTROL["exchanges"]:
        raw = control_part(exchange["sent"])
        if raw is None or exchange["name"].startswith("error-"):
            continue
        if exchange["name"] in REFUSED:
            with pytest.raises(WireError, match=REFUSED[exchange["name"]]):
                parse_control(raw)
        else:
            assert parse_control(raw).encode() == raw


def test_frames_seen_by_the_dht_test_network() -> None:
    """The eight control frames that came with the router messages, in both directions."""
    for entry in DHT["ctrl"]:
        raw = bytes.fromhex(entry["ctrl_hex"])
        frame = parse_control(raw)
        assert type(frame).__name__ == CLASSES[entry["name"]]
        assert frame.encode() == raw


def test_snode_reply_names_the_snode() -> None:
    """A reply of a node with a supernode holds its key, path and version."""
    raw = control_part(CONTROL["getsnodeWithSupernode"][0]["frame"])
    assert raw is not None
    frame = parse_control(raw)
    assert isinstance(frame, GetSnodeReply)
    assert (frame.snode_version, frame.kbps, frame.path_to_snode) == (21, 0xFFFFFFFF, 0x17)
    assert frame.data == b"via-own-link"


def test_authentication_errors() -> None:
    """An AUTHENTICATION error quotes the failed packet's header and start, the error and the state."""
    seen = 0
    for entry in captured_frames():
        raw = control_part(entry["frame"])
        frame = parse_control(raw) if raw is not None else None
        if not isinstance(frame, SwitchError) or frame.code != ErrorCode.AUTHENTICATION:
            continue
        cause = AuthenticationCause.parse(frame.cause)
        assert cause.encode() == frame.cause
        quoted = entry["control"]
        assert f"{cause.header.label:016x}" == quoted["cause"]["label"]
        assert cause.start.hex() == quoted["causeHandle"] + quoted["causeRest"][:24]
        assert cause.error.to_bytes(4, "big").hex() == quoted["causeRest"][24:32]
        seen += 1
    assert seen >= 6


def test_short_authentication_cause() -> None:
    """A cause with fewer than 36 bytes has no decrypt error in it."""
    whole = AuthenticationCause(SwitchHeader(0x13), bytes(16), 14, 100).encode()
    with pytest.raises(WireError):
        AuthenticationCause.parse(whole[:-1])


def test_errors_quote_at_most_256_bytes() -> None:
    """The cause of an error is cut, so that the frame is no longer than 280 bytes with its headers."""
    frame = SwitchError.about(ErrorCode.MALFORMED_ADDRESS, memoryview(bytes(range(256)) * 2))
    assert frame.cause == bytes(range(256))
    assert len(frame.encode()) + 16 == 280
    assert parse_control(frame.encode()) == frame


def test_udp_addresses_of_lladdr_frames() -> None:
    """IPv4 and IPv6 addresses with ports; the kinds without meaning give nothing."""
    for address in (UdpAddress(bytes((192, 0, 2, 1)), 4001), UdpAddress(bytes(range(16)), 65535)):
        assert UdpAddress.parse(address.encode()) == address
        for kind in (LlAddrQuery, LlAddrReply):
            frame = kind(22, address.encode(), b"cookie")
            assert parse_control(frame.encode()) == frame
    assert UdpAddress(bytes((192, 0, 2, 1)), 4001).encode().hex().startswith("01080fa1c0000201")
    assert UdpAddress.parse(bytes(32)) is None
    assert UdpAddress.parse(b"\x03\x20" + bytes(30)) is None
    assert UdpAddress.parse(b"\x01\x09" + bytes(30)) is None


def test_keys_need_their_length() -> None:
    """A key ping holds a whole key even when its data is empty; RPATH shares the magic of GETSNODE."""
    frame = KeyPing(21, bytes(range(32)))
    assert parse_control(frame.encode()) == frame
    with pytest.raises(WireError):
        parse_control(KeyPing(21, bytes(31)).encode())
    assert RPathQuery(21, 0x13).encode()[4:8] == b"snoq"
    assert Ping(21).encode()[4:8].hex() == "09f91102"
