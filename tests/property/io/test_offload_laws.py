"""Laws of cutting and joining: the same stream, the same packets, nothing laundered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexrouter.core.outputs import Buffer
from dexrouter.io.cut import cut, cut_room
from dexrouter.io.merge import merge
from dexrouter.wire.checksum import internet_checksum, pseudo_header_sum
from dexrouter.wire.errors import WireError
from dexrouter.wire.ipv6 import rebuild
from dexrouter.wire.virtio import NEEDS_CHECKSUM, PLAIN, SuperPacket, VnetHeader

HERE = bytes.fromhex("fc" + "11" * 15)
THERE = bytes.fromhex("fc" + "22" * 15)
GAP = 20
TCP, UDP = 6, 17

SIZES = st.integers(1, 700).map(lambda half: 2 * half)
OPTIONS = st.sampled_from([0, 12, 20]).flatmap(lambda size: st.binary(min_size=size, max_size=size))


def checksum_of(packet: bytes) -> int:
    """0 if the transport checksum of a packet is right."""
    pseudo = pseudo_header_sum(packet[8:24], packet[24:40], len(packet) - 40, packet[6])
    return internet_checksum(packet[40:], pseudo)


def segment(
    payload: bytes,
    *,
    number: int = 1,
    flags: int = 0x10,
    options: bytes = b"",
    port: int = 1000,
    ack: int = 5,
    window: int = 512,
) -> bytes:
    """Make a TCP packet whose checksum is right."""
    head = port.to_bytes(2, "big") + b"\0\x50" + (number & 0xFFFF_FFFF).to_bytes(4, "big")
    head += ack.to_bytes(4, "big")
    head += (5 + len(options) // 4 << 12 | flags).to_bytes(2, "big") + window.to_bytes(2, "big")
    packet = rebuild(HERE, THERE, TCP, head + bytes(4) + options + payload)
    return packet[:56] + checksum_of(packet).to_bytes(2, "big") + packet[58:]


def super_packet(packet: bytes, size: int, kind: int = SuperPacket.TCP6) -> bytes:
    """Put the header in front with which a kernel hands out a super-packet."""
    return VnetHeader(NEEDS_CHECKSUM, kind, 60, size, 40, 16).encode() + packet


def cut_up(data: bytes) -> list[bytes]:
    room = bytearray(cut_room(len(data), VnetHeader.parse(data).segment_size, GAP))
    return [bytes(room[start:end]) for start, end in cut(data[:10], data[10:], room, 0, GAP)]


def written(packets: list[bytes]) -> list[tuple[VnetHeader, bytes]]:
    """Give what `merge` writes, each as header and whole packet."""
    views: list[Buffer] = [memoryview(packet) for packet in packets]
    return [(VnetHeader.parse(bytes(write[0])), b"".join(write[1:])) for write in merge(views)]


@given(
    payload=st.binary(min_size=1, max_size=9000),
    size=SIZES,
    number=st.integers(0, 0xFFFF_FFFF),
    flags=st.sampled_from([0x10, 0x18]),
    options=OPTIONS,
)
def test_cut_then_merge_is_the_identity(
    payload: bytes, size: int, number: int, flags: int, options: bytes
) -> None:
    """What one host sends is what the other receives, as one piece again."""
    packet = segment(payload, number=number, flags=flags, options=options)
    pieces = cut_up(super_packet(packet, size))
    joined = written(pieces)
    assert b"".join(whole[60 + len(options) :] for _, whole in joined) == payload
    assert all(checksum_of(whole) == 0 for _, whole in joined)
    if size + len(options) >= 12 and len(payload) % size + len(options) >= 12 and len(pieces) <= 500:
        (only,) = joined
        assert only[1] == packet
        assert only[0].segment_size == (size if len(pieces) > 1 else 0)


@given(
    payload=st.binary(min_size=1, max_size=5000),
    size=st.integers(1, 1400),
    number=st.integers(0, 0xFFFF_FFFF),
    flags=st.sampled_from([0x10, 0x18, 0x11, 0x19, 0x90, 0x98]),
    options=OPTIONS,
)
def test_pieces_are_the_packets_of_a_kernel_without_offloads(
    payload: bytes, size: int, number: int, flags: int, options: bytes
) -> None:
    """Numbers follow one another, FIN and PSH are on the last, CWR on the first, every checksum is right."""
    packet = segment(payload, number=number, flags=flags, options=options)
    expected = []
    for first in range(0, len(payload), size):
        here = flags
        if first + size < len(payload):
            here &= ~0x09
        if first:
            here &= ~0x80
        part = payload[first : first + size]
        expected.append(segment(part, number=number + first, flags=here, options=options))
    assert cut_up(super_packet(packet, size)) == expected


@given(payload=st.binary(min_size=1, max_size=4000), size=st.integers(1, 1400))
def test_datagrams_are_cut_into_equal_datagrams(payload: bytes, size: int) -> None:
    """UDP super-packets: ports stay, lengths and checksums are those of the pieces."""
    packet = rebuild(HERE, THERE, UDP, b"\1\2\3\4" + bytes(4) + payload)
    pieces = cut_up(super_packet(packet, size, SuperPacket.UDP))
    assert [piece[48:] for piece in pieces] == [
        payload[first : first + size] for first in range(0, len(payload), size)
    ]
    for piece in pieces:
        assert checksum_of(piece) == 0
        assert piece[40:44] == b"\1\2\3\4"
        assert int.from_bytes(piece[44:46], "big") == int.from_bytes(piece[4:6], "big") == len(piece) - 40


@given(
    payload=st.binary(min_size=1, max_size=3000),
    size=st.integers(30, 1400),
    options=st.sampled_from([0, 4, 40]),
    number=st.integers(0, 0xFFFF),
)
def test_ipv4_datagrams_are_numbered_and_summed_anew(
    payload: bytes, size: int, options: int, number: int
) -> None:
    """Of the IP tunnel: length, identification and both checksums are those of the pieces."""
    head = 20 + options
    header = (
        bytes((0x40 | head // 4, 0)) + bytes(2) + number.to_bytes(2, "big") + b"\x40\0\x40\x11" + bytes(2)
    )
    header += bytes((10, 1, 2, 3, 10, 9, 8, 7)) + bytes(options)
    pieces = cut_up(super_packet(header + b"\1\2\3\4" + bytes(4) + payload, size, SuperPacket.UDP))
    assert b"".join(piece[head + 8 :] for piece in pieces) == payload
    for place, piece in enumerate(pieces):
        assert internet_checksum(piece[:head]) == 0
        pseudo = pseudo_header_sum(piece[12:16], piece[16:20], len(piece) - head, UDP)
        assert internet_checksum(piece[head:], pseudo) == 0
        assert int.from_bytes(piece[2:4], "big") == len(piece)
        assert int.from_bytes(piece[4:6], "big") == (number + place) & 0xFFFF
        assert piece[6:10] == header[6:10]


def test_more_pieces_than_there_is_room_for_are_refused() -> None:
    """No socket makes such a packet; whoever does cannot write beyond the buffer."""
    room = bytearray(70000)
    data = super_packet(segment(bytes(60000)), 1)
    with pytest.raises(WireError):
        cut(data[:10], data[10:], room, 0, GAP)
    assert room == bytes(70000)


@given(
    lengths=st.lists(st.integers(1, 40).map(lambda half: 2 * half), min_size=2, max_size=12),
    bad=st.data(),
)
def test_a_wrong_checksum_stays_wrong(lengths: list[int], bad: st.DataObject) -> None:
    """A packet is right to the kernel if and only if it was; what was right and stands alone stays so."""
    number, packets = 7, []
    for length in lengths:
        packets.append(segment(bytes(range(length)), number=number, options=bytes(12)))
        number += length
    victim = bad.draw(st.integers(0, len(packets) - 1))
    position = bad.draw(st.integers(56, len(packets[victim]) - 1))
    value = packets[victim][position] ^ bad.draw(st.integers(1, 255))
    packets[victim] = packets[victim][:position] + bytes((value,)) + packets[victim][position + 1 :]
    joined = written(packets)
    wrong = [whole for _, whole in joined if checksum_of(whole)]
    assert len(wrong) == 1
    assert all(header.flags == 0 for header, _ in joined)


@given(
    count=st.integers(1, 70),
    half=st.integers(6, 20),
    number=st.integers(0, 0xFFFF_FFFF),
    bad=st.none() | st.tuples(st.integers(0, 69), st.integers(56, 90), st.integers(1, 255)),
    swapped=st.none() | st.integers(0, 68),
)
def test_a_long_train_is_joined_as_a_short_one(
    count: int, half: int, number: int, bad: tuple[int, int, int] | None, swapped: int | None
) -> None:
    """Each byte of the stream is there once, in order; a corrupt segment makes one packet wrong, no other."""
    size = 2 * half
    packets = [
        segment(bytes([place]) * size, number=number + place * size, options=bytes(12))
        for place in range(count)
    ]
    if swapped is not None and swapped + 1 < count:
        packets[swapped], packets[swapped + 1] = packets[swapped + 1], packets[swapped]
    if bad is not None:
        place, at, value = bad[0] % count, min(bad[1], 71 + size), bad[2]
        packet = packets[place]
        packets[place] = packet[:at] + bytes((packet[at] ^ value,)) + packet[at + 1 :]
    joined = [whole for _, whole in written(packets)]
    assert stream(joined, 1000) == stream(packets, 1000)
    assert sum(checksum_of(whole) != 0 for whole in joined) == (bad is not None)
    if bad is None and swapped is None:
        assert len(joined) == 1


SMALL = st.builds(
    segment,
    st.integers(0, 6).map(lambda half: bytes(2 * half)),
    number=st.integers(0, 20),
    flags=st.sampled_from([0x10, 0x10, 0x10, 0x18, 0x11, 0x02]),
    options=st.sampled_from([bytes(12), b"\1" * 12]),
    port=st.sampled_from([1000, 1001]),
    ack=st.sampled_from([5, 5, 6]),
)


def stream(packets: list[bytes], port: int) -> list[tuple[int, int, int, bytes]]:
    """Give a stream byte by byte, with what belongs to each: number, acknowledgement, flags but PSH."""
    out = []
    for packet in packets:
        if int.from_bytes(packet[40:42], "big") == port:
            number, ack = int.from_bytes(packet[44:48], "big"), int.from_bytes(packet[48:52], "big")
            payload = packet[72:]
            flags = packet[53] & ~0x08
            out += [((number + at) % 2**32, ack, flags, packet[60:72]) for at in range(len(payload))]
            if not payload or flags != 0x10:
                out.append((number, ack, packet[53], b""))
    return out


@given(packets=st.lists(SMALL, max_size=20))
def test_any_packets_give_the_same_streams(packets: list[bytes]) -> None:
    """Within a stream nothing is lost, doubled or moved, whatever comes; and nothing is kept back."""
    joined = [whole for _, whole in written(packets)]
    for port in (1000, 1001):
        assert stream(joined, port) == stream(packets, port)
    assert all(checksum_of(whole) == 0 for whole in joined)


@given(packet=st.binary(max_size=100))
def test_a_lone_packet_passes_as_it_is(packet: bytes) -> None:
    """At once, whatever it is."""
    assert merge([packet]) == [[PLAIN, packet]]


@given(data=st.binary(max_size=200))
def test_any_bytes_are_cut_or_refused(data: bytes) -> None:
    """What a kernel never gives is an error of one kind."""
    room = bytearray(70000)
    try:
        spans = cut(data[:10], data[10:], room, 0, GAP)
    except WireError:
        return
    assert all(GAP <= start <= end for start, end in spans)


@given(payload=st.binary(max_size=300), protocol=st.sampled_from([TCP, UDP]))
def test_an_unfinished_checksum_is_finished(payload: bytes, protocol: int) -> None:
    """A packet that is no super-packet, with only the pseudo header's sum in the checksum field."""
    offset = 16 if protocol == TCP else 6
    content = bytes(20) + payload
    packet = bytearray(rebuild(HERE, THERE, protocol, content))
    pseudo = pseudo_header_sum(HERE, THERE, len(content), protocol)
    partial = 0xFFFF - internet_checksum(b"", pseudo)
    packet[40 + offset : 42 + offset] = partial.to_bytes(2, "big")
    header = VnetHeader(NEEDS_CHECKSUM, SuperPacket.NONE, 0, 0, 40, offset)
    (piece,) = cut_up(header.encode() + bytes(packet))
    assert checksum_of(piece) == 0
    assert piece[40 + offset : 42 + offset] != b"\0\0"


@pytest.mark.parametrize("kind", [SuperPacket.TCP4, SuperPacket.UDP4_FRAGMENTS, 77])
def test_kinds_that_were_not_asked_for_are_refused(kind: int) -> None:
    """The kernel keeps to what the device has declared."""
    with pytest.raises(WireError):
        cut_up(super_packet(segment(bytes(3000)), 1000, kind))
