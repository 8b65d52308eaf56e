"""Switch headers and checksums against captured ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dexrouter.wire.checksum import internet_checksum, pseudo_header_sum
from dexrouter.wire.errors import WireError
from dexrouter.wire.switch_header import SIZE, SwitchHeader

VECTORS = Path(__file__).parents[2] / "vectors"
HEADERS = json.loads((VECTORS / "switchheader.json").read_text())
CONTROL = json.loads((VECTORS / "control.json").read_text())


def test_every_header() -> None:
    """All fields of 547 headers are read as the reference reads them, and written back to the same bytes."""
    for entry in HEADERS["headers"]:
        data = bytes.fromhex(entry["hex"])
        header = SwitchHeader.parse(data)
        assert f"{header.label:016x}" == entry["label"]
        assert header.congestion == entry["congestion"]
        assert header.suppress_errors == bool(entry["suppressErrors"])
        assert header.version == entry["version"]
        assert header.label_shift == entry["labelShift"]
        assert header.traffic_class == entry["trafficClass"]
        assert header.encode() == data


def test_forwarded_frames_begin_with_headers() -> None:
    """Each header of the forwarding vectors and of the real hops survives a round trip."""
    frames = [entry[side] for entry in HEADERS["forward"] for side in ("in", "out") if entry[side]]
    frames += [value for hop in HEADERS["realHops"] for key, value in hop.items() if key.startswith("onLink")]
    for frame in frames:
        data = bytes.fromhex(frame)
        if len(data) >= SIZE:
            assert SwitchHeader.parse(data).encode() == data[:SIZE]


def test_short_header() -> None:
    """Eleven bytes are no header."""
    with pytest.raises(WireError) as caught:
        SwitchHeader.parse(bytes(11))
    assert caught.value.offset == 11


def test_checksums() -> None:
    """The checksum of known data, odd lengths and nothing at all included."""
    for entry in CONTROL["checksum"]:
        data = bytes.fromhex(entry["data"])
        assert internet_checksum(data).to_bytes(2, "big").hex() == entry["checksumBytes"]


def test_pseudo_header() -> None:
    """The checksum of an ICMPv6 echo covers its pseudo header; a right packet sums to zero."""
    trace = json.loads((VECTORS / "trace-abc.json").read_text())
    packet = bytes.fromhex(trace["tun"][0]["fromTun"])
    initial = pseudo_header_sum(packet[8:24], packet[24:40], len(packet) - 40, packet[6])
    assert internet_checksum(packet[40:], initial) == 0
    damaged = packet[40:50] + b"\xff" + packet[51:]
    assert internet_checksum(damaged, initial) != 0
