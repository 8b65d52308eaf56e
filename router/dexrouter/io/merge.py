"""Join TCP segments on their way to the host, so that they go through its network stack as one.

Rules:

* Segments are joined that the kernel's own receive offload would join: of one stream, following one another,
  with the same acknowledgement, window and options, no flags but ACK and PSH, all of one size but the last.
* Nothing is kept from batch to batch, so no packet waits for another. Within a stream nothing changes places.
* No checksum is declared right. The joined packet's checksum follows from those of its segments by arithmetic
  alone, and the kernel verifies it as it does any other: it is right if and only if they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from struct import Struct
from typing import Any, Final

from dexrouter.core.outputs import Buffer
from dexrouter.wire.virtio import PLAIN, SuperPacket, VnetHeader

__all__ = ["merge"]

_IPV6: Final = 40
_TCP: Final = 6
_TCP_BYTE: Final = bytes((_TCP,))
_NEXT_HEADER_AT: Final = 6
_PORTS_END: Final = 44
_OPTIONS_AT: Final = 60
_LONGEST: Final = 65535
_MOST: Final = 512
"""Segments in one write: the kernel takes at most 1,024 parts."""
_MODULUS: Final = 0xFFFF

_HEADERS: Final = Struct(">44sI4sH2sH14s")
"""All up to the ports, number, acknowledgement, offset and flags, window, checksum, urgent pointer, and the
options of most segments."""

_ACK: Final = 0x0010
_PSH: Final = 0x0008
_PLAIN_FLAGS: Final = 0x0FF7
"""Of the word with offset and flags: what must be as in `_ACK`; PSH ends a train."""
_PLAIN_WORD: Final = (_HEADERS.size - _IPV6) // 4 << 12 | _ACK
_NOT_URGENT: Final = bytes(2)
_SHORT: Final = Struct(">H")
_FEW: Final = 3
"""As many segments are as well joined one by one."""

_Fields = tuple[Any, ...]
"""What `_HEADERS` reads."""
_NO_FIELDS: Final = (None,)


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


class _Joiner:
    """Goes through one batch."""

    def __init__(self) -> None:
        self._done: list[_Train | list[Buffer]] = []
        self._trains: dict[bytes, _Train] = {}
        """By addresses and ports: to which a segment may still be joined."""

    def written(self) -> list[list[Buffer]]:
        """Give what to write."""
        return [train.close() if isinstance(train, _Train) else train for train in self._done]

    def pass_by(self, packet: Buffer) -> None:
        """Take a packet that cannot be joined; nothing of its stream may overtake it."""
        if self._trains:
            self._trains.pop(bytes(packet[8:_PORTS_END]), None)
        self._done.append([PLAIN, packet])

    def take(self, packet: Buffer, fields: _Fields) -> None:
        """Take one packet that is as long as all the headers."""
        head, number, ack, word, window, checksum, behind = fields
        header_length = _IPV6 + (word >> 12) * 4
        size = len(packet) - header_length
        if (
            word & _PLAIN_FLAGS != _ACK
            or behind[:2] != _NOT_URGENT
            or size <= 0
            or header_length < _OPTIONS_AT
            or head[4:6] != _SHORT.pack(len(packet) - _IPV6)
        ):
            self.pass_by(packet)
            return
        if header_length != _HEADERS.size:
            behind = bytes(packet[58:header_length])
        ports, same = head[8:], (header_length, ack, window, behind, head[:4], head[6:8])
        train = self._trains.get(ports)
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
            self._trains[ports] = train = _Train(packet, number, size, checksum, word)
            train.same = same
            self._done.append(train)
        if size != train.size or word & _PSH or size & 1:
            # The end of a train: nothing can follow a short one, and the sums of odd ones do not line up.
            del self._trains[ports]

    def take_alike(self, packets: Sequence[Buffer], rows: Sequence[_Fields]) -> None:
        """Take packets whose headers up to the ports are the same, lengths included."""
        most = min(_MOST, _LONGEST // len(packets[0]))
        for first in range(0, len(packets), most):
            some, fields = packets[first : first + most], rows[first : first + most]
            self.take(some[0], fields[0])
            if not self._take_middle(some, fields):
                for packet, row in zip(some[1:-1], fields[1:-1], strict=True):
                    self.take(packet, row)
            if len(some) > 1:
                self.take(some[-1], fields[-1])

    def _take_middle(self, packets: Sequence[Buffer], rows: Sequence[_Fields]) -> bool:
        """Join all but the first, which was taken, and the last; False: they must be looked at one by one."""
        train = self._trains.get(rows[0][0][8:])
        count = len(packets) - 2
        if train is None or count < _FEW:
            return False
        _, numbers, acks, words, windows, checksums, behinds = zip(*rows[:-1], strict=True)
        size = len(packets[0]) - _HEADERS.size
        following = train.next_number
        if (
            words[0] != _PLAIN_WORD
            or size != train.size
            or len(train.parts) + count > _MOST
            or _HEADERS.size + train.payload + count * size > _LONGEST
            or numbers[1:] != tuple(range(following, following + count * size, size))
            or any(column.count(column[0]) <= count for column in (words, acks, windows, behinds))
        ):
            return False
        train.parts += [packet[_HEADERS.size :] for packet in packets[1:-1]]
        train.next_number = following + count * size & 0xFFFF_FFFF
        train.payload += count * size
        train.checksum += sum(checksums[1:]) + sum(numbers[1:]) + count * _PLAIN_WORD
        return True


def merge(packets: Sequence[Buffer]) -> list[list[Buffer]]:
    """Give what to write to the device: for each write a virtio header and the parts of the packet.

    The parts are slices of the packets. A packet that cannot be joined to others passes as it is.
    """
    joiner = _Joiner()
    unpack = _HEADERS.unpack_from
    if len(packets) <= _FEW or packets[0][_NEXT_HEADER_AT : _NEXT_HEADER_AT + 1] != _TCP_BYTE:
        for packet in packets:
            if len(packet) >= _HEADERS.size and packet[_NEXT_HEADER_AT] == _TCP:
                joiner.take(packet, unpack(packet))
            else:
                joiner.pass_by(packet)
        return joiner.written()
    if min(map(len, packets), default=0) >= _HEADERS.size:
        rows = list(map(unpack, packets))
    else:
        rows = [unpack(packet) if len(packet) >= _HEADERS.size else _NO_FIELDS for packet in packets]
    first = 0
    for head, group in groupby(rows, itemgetter(0)):
        fields = list(group)
        last = first + len(fields)
        if head is not None and head[_NEXT_HEADER_AT] == _TCP:
            joiner.take_alike(packets[first:last], fields)
        else:
            for packet in packets[first:last]:
                joiner.pass_by(packet)
        first = last
    return joiner.written()


def _sum(data: bytes | bytearray) -> int:
    """Sum 16-bit words modulo 65535; an even number of bytes."""
    return int.from_bytes(data, "big") % _MODULUS
