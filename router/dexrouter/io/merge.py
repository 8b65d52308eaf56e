"""Join TCP segments on their way to the host, so that they go through its network stack as one.

Rules:

* Segments are joined that the kernel's own receive offload would join: of one stream, following one another,
  with the same acknowledgement, window and options, no flags but ACK and PSH, all of one size but the last.
* Nothing is kept from batch to batch, so no packet waits for another. Within a stream nothing changes places.
* No checksum is declared right. The joined packet's checksum follows from those of its segments by arithmetic
  alone, and the kernel verifies it as it does any other: it is right if and only if they were.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Final

from dexrouter.core.outputs import Buffer
from dexrouter.wire.virtio import PLAIN, SuperPacket, VnetHeader

__all__ = ["merge"]

_IPV6: Final = 40
_TCP: Final = 6
_NEXT_HEADER_AT: Final = 6
_PORTS_END: Final = 44
_OPTIONS_AT: Final = 60
_LONGEST: Final = 65535
_MOST: Final = 512
"""Segments in one write: the kernel takes at most 1,024 parts."""
_MODULUS: Final = 0xFFFF

_HEADERS: Final = Struct(">IHH36sIIHHHH12s")
"""Version to flow label, length, protocol and hop limit, addresses and ports, number, acknowledgement, offset
and flags, window, checksum, urgent pointer, as many options as there mostly are."""

_ACK: Final = 0x0010
_PSH: Final = 0x0008
_PLAIN_FLAGS: Final = 0x0FF7
"""Of the word with offset and flags: what must be as in `_ACK`; PSH ends a train."""
_SHORT: Final = Struct(">H")


class _Train:
    """Segments of one stream that are joined so far."""

    __slots__ = ("checksum", "next_number", "number", "parts", "payload", "same", "size", "word")

    def __init__(self, packet: Buffer, number: int, size: int, checksum: int, word: int) -> None:
        self.parts: list[Buffer] = [PLAIN, packet]
        self.number = number
        self.next_number = number + size & 0xFFFF_FFFF
        self.size = size
        self.payload = size
        self.checksum = checksum + number + word
        """What the segments' checksums and the fields that differ between them add up to."""
        self.word = word
        self.same: tuple[object, ...] = ()
        """Fields that do not differ."""

    def close(self) -> list[Buffer]:
        """Give what to write."""
        count = len(self.parts) - 1
        if count == 1:
            return self.parts
        first = self.parts[1]
        header_length = _IPV6 + (self.word >> 12) * 4
        head = bytearray(first[:header_length])
        # Of each segment: checksum = -(K + TCP length + number + word + payload), and so of the whole.
        constant = _sum(head[8:_PORTS_END] + head[48:52] + head[54:56] + head[58:]) + _TCP
        checksum = self.checksum + (count - 1) * (constant + header_length - _IPV6) - self.number - self.word
        _SHORT.pack_into(head, 4, header_length - _IPV6 + self.payload)
        _SHORT.pack_into(head, 52, self.word)
        _SHORT.pack_into(head, 56, checksum % _MODULUS)
        vnet = VnetHeader(kind=SuperPacket.TCP6, header_length=header_length, segment_size=self.size)
        self.parts[0:2] = (vnet.encode(), head, first[header_length:])
        return self.parts


def merge(packets: Iterable[Buffer]) -> list[list[Buffer]]:
    """Give what to write to the device: for each write a virtio header and the parts of the packet.

    The parts are slices of the packets. A packet that cannot be joined to others passes as it is.
    """
    done: list[_Train | list[Buffer]] = []
    trains: dict[bytes, _Train] = {}
    unpack = _HEADERS.unpack_from
    for packet in packets:
        if len(packet) < _HEADERS.size or packet[_NEXT_HEADER_AT] != _TCP:
            # Too short to carry much; but nothing of its stream may overtake it.
            trains.pop(bytes(packet[8:_PORTS_END]), None)
            done.append([PLAIN, packet])
            continue
        version, length, hops, ports, number, ack, word, window, checksum, urgent, options = unpack(packet)
        header_length = _IPV6 + (word >> 12) * 4
        size = _IPV6 + length - header_length
        if (
            word & _PLAIN_FLAGS != _ACK
            or urgent
            or size <= 0
            or header_length < _OPTIONS_AT
            or _IPV6 + length != len(packet)
        ):
            trains.pop(ports, None)
            done.append([PLAIN, packet])
            continue
        if header_length != _HEADERS.size:
            options = bytes(packet[_OPTIONS_AT:header_length])
        same = (header_length, ack, window, options, version, hops)
        train = trains.get(ports)
        if (
            train is not None
            and number == train.next_number
            and size <= train.size
            and same == train.same
            and header_length + train.payload + size <= _LONGEST
            and len(train.parts) < _MOST
        ):
            train.parts.append(packet[header_length:])
            train.next_number = number + size & 0xFFFF_FFFF
            train.payload += size
            train.checksum += checksum + number + word
            train.word |= word
        else:
            trains[ports] = train = _Train(packet, number, size, checksum, word)
            train.same = same
            done.append(train)
        if size != train.size or word & _PSH or size & 1:
            # The end of a train: nothing can follow a short one, and the sums of odd ones do not line up.
            del trains[ports]
    return [train.close() if isinstance(train, _Train) else train for train in done]


def _sum(data: bytes | bytearray) -> int:
    """Sum 16-bit words modulo 65535; an even number of bytes."""
    return int.from_bytes(data, "big") % _MODULUS
