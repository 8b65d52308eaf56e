"""Cut the super-packets that the host sends.

With IFF_VNET_HDR the kernel hands over up to 64 KiB of one TCP stream (or of one run of equal datagrams) as
one packet: one system call and one way through its network stack in place of fifty. Here they become the very
packets that the kernel would have sent without offloads. merge.py is the way back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from struct import Struct
from typing import Final

from dexrouter.core.packets import Spans
from dexrouter.wire.checksum import internet_checksum
from dexrouter.wire.errors import WireError
from dexrouter.wire.virtio import NEEDS_CHECKSUM, SuperPacket, VnetHeader

__all__ = ["cut", "cut_room"]

_IPV4: Final = 20
_IPV6: Final = 40
_TCP: Final = 6
_UDP: Final = 17
_TCP_HEADER: Final = 20
_UDP_HEADER: Final = 8
_MODULUS: Final = 0xFFFF

_FIN: Final = 0x01
_PSH: Final = 0x08
_CWR: Final = 0x80
_ONLY_LAST: Final = _FIN | _PSH
_FLAGS: Final = 0x01FF

_SHORT: Final = Struct(">H")


def cut(vnet: bytes, packet: bytes, into: bytearray, at: int, gap: int) -> Spans:
    """Write the packets that a packet with this virtio header stands for from `at`, with gaps in front.

    There must be room for all of them, and for the gaps. Raises WireError for what no kernel gives and for
    kinds of super-packets that were not asked for.
    """
    header = VnetHeader.parse(vnet)
    kind = header.kind & ~_CWR
    if kind == SuperPacket.NONE:
        return _plain(packet, header, into, at + gap)
    size = header.segment_size
    if not size or at + cut_room(len(packet), size, gap) > len(into):
        raise WireError("a super-packet of more pieces than there are", 4)
    is_ipv6 = len(packet) > _IPV6 and packet[0] >> 4 == 6
    if kind == SuperPacket.TCP6 and is_ipv6 and packet[6] == _TCP and len(packet) >= _IPV6 + _TCP_HEADER:
        return _cut_tcp(packet, size, into, at, gap)
    if kind == SuperPacket.UDP and is_ipv6 and packet[6] == _UDP:
        return _cut_udp(packet, _IPV6, size, into, at, gap)
    if kind == SuperPacket.UDP and len(packet) > _IPV4 and packet[0] >> 4 == 4 and packet[9] == _UDP:
        return _cut_udp(packet, (packet[0] & 0x0F) * 4, size, into, at, gap)
    raise WireError(f"a super-packet of kind {kind}, which was not asked for", 1)


def cut_room(length: int, segment_size: int, gap: int) -> int:
    """Bytes that `cut` may need for a super-packet of this length."""
    pieces = length // (segment_size or length or 1) + 1
    return length + pieces * (gap + _IPV6 + 60)


def _plain(packet: bytes, header: VnetHeader, into: bytearray, start: int) -> Spans:
    end = start + len(packet)
    into[start:end] = packet
    if header.flags & NEEDS_CHECKSUM:
        at = start + header.checksum_start
        field = at + header.checksum_offset
        if field + 2 > end:
            raise WireError("the checksum lies behind the end of the packet", field - start)
        # The field holds the sum of the pseudo header. 0 would mean that there is none.
        _SHORT.pack_into(into, field, internet_checksum(into[at:end]) or _MODULUS)
    return Spans([start], [len(packet)])


def _cut_tcp(packet: bytes, size: int, into: bytearray, at: int, gap: int) -> Spans:
    payload_at = _IPV6 + (packet[52] >> 4) * 4
    if not _IPV6 + _TCP_HEADER <= payload_at <= len(packet):
        raise WireError("the TCP header is longer than the packet", 52)
    flags = (packet[52] << 8 | packet[53]) & _FLAGS
    last = payload_at + (max(len(packet) - payload_at, 1) - 1) // size * size
    """Where the payload of the last piece begins."""
    places = Spans.train(
        at + gap,
        payload_at + size + gap,
        payload_at + size,
        payload_at + len(packet) - last,
        (last - payload_at) // size + 1,
    )
    first, starts = payload_at, iter(places.starts)
    inside = flags & ~_ONLY_LAST & ~_CWR
    if flags & _CWR and first < last:
        # It says how the whole was marked, once.
        _write_pieces(packet, inside | _CWR, payload_at, range(first, first + size, size), into, starts)
        first += size
        flags &= ~_CWR
    if first < last:
        _write_pieces(packet, inside, payload_at, range(first, last, size), into, starts)
    _write_pieces(packet, flags, payload_at, range(last, last + size, size), into, starts)
    return places


def _write_pieces(
    packet: bytes, flags: int, payload_at: int, firsts: range, into: bytearray, starts: Iterator[int]
) -> None:
    """Write pieces of one length with the same flags; `firsts` are the places of their payloads.

    Each is one call: what comes before the sequence number, the number, what follows up to the checksum ...
    """
    size = min(firsts.step, len(packet) - firsts.start)
    half = size // 4 * 2
    is_odd = size & 1
    write = _tcp_layout(payload_at, half, size - half)
    length = payload_at - _IPV6 + size
    before = b"".join((packet[:4], length.to_bytes(2, "big"), packet[6:44]))
    between = packet[48:52] + ((packet[52] << 8 & ~_FLAGS) | flags).to_bytes(2, "big") + packet[54:56]
    behind = packet[58:payload_at]
    constant = _sum(packet[8:44] + between + behind) + length + _TCP
    sequence = int.from_bytes(packet[44:48], "big") - payload_at
    number_of = int.from_bytes
    for first, start in zip(firsts, starts, strict=False):
        middle = first + half
        one, other = packet[first:middle], packet[middle : first + size]
        number = sequence + first & 0xFFFF_FFFF
        total = number_of(one) + (number_of(other) << 8 if is_odd else number_of(other))
        total = (total >> 2640) + (total & _FOLD_2640)
        total = (total >> 1440) + (total & _FOLD_1440)
        total = (total >> 720) + (total & _FOLD_720)
        # Addresses are not zero, so the sum is not either: 0 is the checksum of ffff.
        checksum = -(total + number + constant) % _MODULUS
        write(into, start, before, number, between, checksum, behind, one, other)


@lru_cache(maxsize=64)
def _tcp_layout(payload_at: int, half: int, rest: int) -> Callable[..., None]:
    """Give what writes a piece: headers up to the number, the number ..., both halves of the payload."""
    return Struct(f">44sI8sH{payload_at - 58}s{half}s{rest}s").pack_into


def _cut_udp(packet: bytes, head: int, size: int, into: bytearray, at: int, gap: int) -> Spans:
    """`head` is the length of the IP header; every piece of an IPv4 datagram has a number of its own."""
    if len(packet) <= head + _UDP_HEADER or head < _IPV4:
        raise WireError("the headers are longer than the packet", 0)
    is_ipv6 = head == _IPV6 and packet[0] >> 4 == 6
    constant = _sum(packet[8:_IPV6] if is_ipv6 else packet[12:_IPV4]) + _sum(packet[head : head + 4]) + _UDP
    payload_at = head + _UDP_HEADER
    firsts = range(payload_at, len(packet), size)
    places = Spans.train(
        at + gap,
        payload_at + size + gap,
        payload_at + size,
        payload_at + len(packet) - firsts[-1],
        len(firsts),
    )
    for number, (first, start) in enumerate(zip(firsts, places.starts, strict=True)):
        payload = packet[first : first + size]
        length = _UDP_HEADER + len(payload)
        # The length counts twice: in the pseudo header and in the header.
        total = constant + 2 * length + _sum(payload)
        length_bytes = length.to_bytes(2, "big")
        checksum = _MODULUS - total % _MODULUS
        if is_ipv6:
            before = packet[:4] + length_bytes + packet[6:_IPV6]
        else:
            before = _ipv4_header(packet[:head], head + length, number)
        into[start : start + head + length] = b"".join(
            (before, packet[head : head + 4], length_bytes, checksum.to_bytes(2, "big"), payload)
        )
    return places


def _ipv4_header(header: bytes, length: int, number: int) -> bytes:
    """Give the header of piece `number` of a packet."""
    identification = int.from_bytes(header[4:6], "big") + number & 0xFFFF
    made = bytearray(header)
    _SHORT.pack_into(made, 2, length)
    _SHORT.pack_into(made, 4, identification)
    _SHORT.pack_into(made, 10, 0)
    _SHORT.pack_into(made, 10, internet_checksum(made))
    return bytes(made)


_FOLD_5280: Final = (1 << 5280) - 1
_FOLD_2640: Final = (1 << 2640) - 1
_FOLD_1440: Final = (1 << 1440) - 1
_FOLD_720: Final = (1 << 720) - 1


def _sum(data: bytes) -> int:
    """Sum 16-bit words modulo 65535, as wire/checksum.py explains, without its loop."""
    total = int.from_bytes(data, "big")
    if len(data) & 1:
        total <<= 8
    total = (total >> 5280) + (total & _FOLD_5280)
    total = (total >> 2640) + (total & _FOLD_2640)
    total = (total >> 1440) + (total & _FOLD_1440)
    total = (total >> 720) + (total & _FOLD_720)
    return total % _MODULUS
