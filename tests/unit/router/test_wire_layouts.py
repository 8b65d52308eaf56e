"""Beacons, Ethernet headers, IPv6 headers, data headers and CryptoAuth headers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dexrouter.wire.beacon import Beacon, UdpBeacon
from dexrouter.wire.crypto_header import CryptoHeader
from dexrouter.wire.errors import WireError
from dexrouter.wire.ethernet import BROADCAST, ETHERTYPE, both_headers, unwrap
from dexrouter.wire.ipv6 import DESTINATION, SOURCE, rebuild, strip
from dexrouter.wire.session_frame import ContentType, data_header, parse_content_type

VECTORS = Path(__file__).parents[2] / "vectors"
BEACONS = json.loads((VECTORS / "beacons.json").read_text())
TRACE = json.loads((VECTORS / "trace-abc.json").read_text())

BEACON_ENTRIES = [beacon for capture in BEACONS["captures"] for beacon in capture["beacons"]]
BEACON_ENTRIES += BEACONS["single_frames"]
ETHERNET_HEADER = 14


def beacon_content(entry: dict[str, Any]) -> bytes:
    """Take off what UDP or Ethernet puts in front, and check it on the way."""
    if "datagram" in entry:
        datagram = bytes.fromhex(entry["datagram"])
        udp = UdpBeacon.parse(datagram)
        assert udp.data_port == entry["decoded"]["data_port"]
        assert udp.encode() == datagram
        return udp.content
    frame = bytes.fromhex(entry["frame"])
    assert frame[:6] == BROADCAST
    assert frame[12:14] == ETHERTYPE.to_bytes(2, "big")
    content = unwrap(memoryview(frame)[ETHERNET_HEADER:])
    assert both_headers(frame[:6], frame[6:12], len(content)) + content == frame
    return bytes(content)


@pytest.mark.parametrize("entry", BEACON_ENTRIES, ids=lambda entry: str(entry.get("t", "v20")))
def test_captured_beacons(entry: dict[str, Any]) -> None:
    """Every beacon of real nodes, over UDP and Ethernet, is read and written back."""
    content = beacon_content(entry)
    beacon = Beacon.parse(content)
    assert beacon.version == entry["decoded"]["version"]
    assert beacon.password.hex() == entry["decoded"]["password"]
    assert beacon.public_key.hex() == entry["decoded"]["public_key"]
    assert beacon.encode() == content
    assert entry["decoded"]["password"] not in repr(beacon)


def test_ethernet_headers_of_handshakes() -> None:
    """The header in front of captured Ethernet packets gives their length, so that padding is cut off."""
    packets = [p for capture in BEACONS["captures"] for p in capture["packets"] if "frame_header" in p]
    assert packets
    for packet in packets:
        frame = bytes.fromhex(packet["frame_header"] + packet["hex"])[ETHERNET_HEADER:]
        assert unwrap(frame + bytes(10)) == bytes.fromhex(packet["hex"])


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (b"\x00\x00\x00\x06\xfc", "6 bytes"),
        (b"\x01\x00\x00\x06\xfc\x00", "version"),
        (b"\x00\x00\x00\x06\xfc\x01", "magic"),
        (b"\x00\x00\x00\x07\xfc\x00", "length"),
        (b"\x00\x00\x00\x05\xfc\x00", "length"),
    ],
)
def test_damaged_ethernet_headers(damaged: bytes, reason: str) -> None:
    """Each broken field is refused by name; the second byte may be anything."""
    with pytest.raises(WireError, match=reason):
        unwrap(damaged)
    assert unwrap(b"\x00\xff\x00\x06\xfc\x00") == b""


@pytest.mark.parametrize(
    ("at", "value", "reason"), [(0, 0, "magic"), (4, 1, "version"), (5, 1, "version"), (63, None, "64 bytes")]
)
def test_damaged_udp_beacons(at: int, value: int | None, reason: str) -> None:
    """A UDP beacon needs its magic, two zero bytes and all of its length."""
    datagram = bytearray(UdpBeacon(4001, bytes(56)).encode())
    if value is None:
        del datagram[at:]
    else:
        datagram[at] = value
    with pytest.raises(WireError, match=reason):
        UdpBeacon.parse(bytes(datagram))


def test_beacons_may_be_longer() -> None:
    """Bytes behind a beacon are ignored, missing ones are not."""
    content = Beacon(21, bytes(20), bytes(32)).encode()
    assert UdpBeacon.parse(UdpBeacon(1, content).encode() + b"more").content == content
    assert Beacon.parse(content + b"more") == Beacon(21, bytes(20), bytes(32))
    with pytest.raises(WireError, match="56"):
        Beacon.parse(content[:-1])


@pytest.mark.parametrize("entry", TRACE["tun"], ids=lambda entry: entry["note"])
def test_packets_of_the_tun_device(entry: dict[str, str]) -> None:
    """Each packet that a host sent becomes the recorded plaintext, and that what the other host received."""
    packet = bytes.fromhex(entry["fromTun"])
    next_header, content = strip(packet)
    assert (data_header(next_header) + bytes(content)).hex() == entry["sessionPlaintext"]
    plaintext = memoryview(bytes.fromhex(entry["sessionPlaintext"]))
    content_type = parse_content_type(plaintext)
    received = rebuild(packet[SOURCE], packet[DESTINATION], content_type, plaintext[4:])
    assert received.hex() == entry["toTun"]


def test_what_is_no_ipv6() -> None:
    """Short packets and IPv4 have no IPv6 header; content beyond 65535 bytes cannot get one."""
    for packet in (bytes(39), b"\x45" + bytes(39)):
        with pytest.raises(WireError):
            strip(packet)
    with pytest.raises(WireError):
        rebuild(bytes(16), bytes(16), 17, bytes(65536))
    assert len(rebuild(bytes(16), bytes(16), 59, b"")) == 40


def test_data_headers() -> None:
    """Version 1 and the content type; a plaintext shorter than the header has none."""
    assert data_header(ContentType.CJDHT).hex() == "10000100"
    assert data_header(ContentType.IPTUN).hex() == "10000101"
    assert parse_content_type(bytes.fromhex("ffff003a")) == 58
    with pytest.raises(WireError):
        parse_content_type(b"\x10\0\0")


def test_crypto_headers() -> None:
    """A handshake header shows its fields; a data packet or a runt is none."""
    head = CryptoHeader(1, b"\x02" + bytes(range(11)), bytes(24), bytes(32))
    packet = head.encode() + bytes(48)
    assert CryptoHeader.parse(memoryview(packet)) == head
    assert (head.auth_type, head.lookup) == (2, b"\x02" + bytes(range(7)))
    for other in (packet[:-1], b"\0\0\0\4" + packet[4:]):
        with pytest.raises(WireError):
            CryptoHeader.parse(other)
