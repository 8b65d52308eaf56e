"""Announcements: what a node tells its route server about its links (spec 05 §10.1).

A header of 120 bytes, then entities back to back: length, type, content. All numbers are big-endian. An
entity of length 1 is one pad byte; entities of unknown types are kept and mean nothing.

Reading refuses what would be ambiguous (no length, an entity past the end, a known type of a wrong length).
Writing what was read gives the same bytes for everything that stock nodes send; the signature and the hash
are over the bytes as they came, never over bytes written anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from dexrouter.wire.encoding_scheme import EncodingScheme
from dexrouter.wire.errors import WireError

__all__ = [
    "FORMAT_VERSION",
    "HEADER_SIZE",
    "MAX_TIMESTAMP",
    "SIGNATURE_SIZE",
    "SLOTS",
    "Announcement",
    "Entity",
    "LinkState",
    "Pad",
    "PeerLink",
    "ProtocolVersion",
    "Sample",
    "Scheme",
    "Unknown",
    "encode_entities",
]

FORMAT_VERSION: Final = 1
SIGNATURE_SIZE: Final = 64
SLOTS: Final = 18
"""Slots of 10 s in the ring of a link's statistics."""

MAX_TIMESTAMP: Final = (1 << 60) - 1
"""Milliseconds; the field has 60 bits."""

_HEADER: Final = Struct(">64s32s16sQ")
HEADER_SIZE: Final = _HEADER.size

_RESET: Final = 0x8
_FORMAT_MASK: Final = 0x7

_SCHEME: Final = 0
_PEER: Final = 1
_VERSION: Final = 2
_LINK_STATE: Final = 3

_PEER_CONTENT: Final = Struct(">BBHHI16sI")
_UNUSED: Final = 0xFFFF_FFFF
_MAX_CONTENT: Final = 253
_PREFIX: Final = 2
"""Length and type byte."""


@dataclass(frozen=True, slots=True)
class Pad:
    """One byte that means nothing."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """How the sender's switch writes interface numbers."""

    scheme: EncodingScheme


@dataclass(frozen=True, slots=True)
class ProtocolVersion:
    """Protocol version of the sender."""

    version: int


@dataclass(frozen=True, slots=True)
class PeerLink:
    """The sender is reachable from this peer."""

    form: int
    """Form number, in the sender's scheme, of the sender's label to the peer."""

    number: int
    """The sender's label to the peer, its low 16 bits (version 20: the interface number)."""

    address: bytes
    """16 bytes: the peer."""

    label: int
    """From the peer to the sender; 0: no longer reachable from there."""

    flags: int = 0
    mtu8: int = 0
    """Largest packet in units of 8 bytes, 0 if unknown."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What came in from a peer within 10 s."""

    lag: int
    """Mean round trip in milliseconds, 0 if it was not measured."""

    drop: int
    """Lost packets, in parts of 2^18."""

    kilobytes: int


@dataclass(frozen=True, slots=True)
class LinkState:
    """Statistics of one link, oldest sample first."""

    number: int
    """As in `PeerLink`."""

    first_slot: int
    """Slot of the oldest sample; the next ones follow modulo 18."""

    samples: tuple[Sample, ...]
    padding: int = 0
    """Zero bytes before the numbers."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """An entity of a type that this version does not know."""

    kind: int
    content: bytes


Entity = Pad | Scheme | ProtocolVersion | PeerLink | LinkState | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One announcement: header (signature, key, address, time and flags in 8 bytes) and entities."""

    signature: bytes = bytes(SIGNATURE_SIZE)
    """64 bytes, over everything behind it."""

    signing_key: bytes
    """32 bytes: Ed25519 key of the sender."""

    route_server: bytes
    """16 bytes: address of the route server it is meant for."""

    timestamp: int
    """Milliseconds since 1970 by the route server's clock."""

    is_reset: bool
    """Forget everything that was said before."""

    entities: tuple[Entity, ...] = ()
    format_version: int = FORMAT_VERSION

    @classmethod
    def parse(cls, data: bytes) -> Announcement:
        """Read an announcement; the signature is not verified. Raises `WireError`."""
        if len(data) < HEADER_SIZE:
            raise WireError("an announcement has a header of 120 bytes")
        signature, signing_key, route_server, stamp = _HEADER.unpack_from(data)
        return cls(
            signature=signature,
            signing_key=signing_key,
            route_server=route_server,
            timestamp=stamp >> 4,
            is_reset=bool(stamp & _RESET),
            entities=_parse_entities(data),
            format_version=stamp & _FORMAT_MASK,
        )

    def encode(self) -> bytes:
        """Write the announcement with the signature that it has."""
        stamp = self.timestamp << 4 | (_RESET if self.is_reset else 0) | self.format_version
        header = _HEADER.pack(self.signature, self.signing_key, self.route_server, stamp)
        return header + encode_entities(self.entities)


def encode_entities(entities: tuple[Entity, ...]) -> bytes:
    """Write entities back to back."""
    return b"".join(map(_encode_entity, entities))


def _parse_entities(data: bytes) -> tuple[Entity, ...]:
    entities: list[Entity] = []
    at = HEADER_SIZE
    while at < len(data):
        length = data[at]
        if length == 0 or at + length > len(data):
            raise WireError("an entity has a length and ends within the announcement", at)
        if length == 1:
            entities.append(Pad())
        else:
            entities.append(_parse_entity(data[at + 1], data[at + _PREFIX : at + length], at))
        at += length
    return tuple(entities)


def _parse_entity(kind: int, content: bytes, at: int) -> Entity:
    if kind == _SCHEME:
        return Scheme(EncodingScheme.parse(content))
    if kind == _PEER:
        if len(content) != _PEER_CONTENT.size:
            raise WireError("a peer entity has 32 bytes", at)
        form, flags, mtu8, number, _, address, label = _PEER_CONTENT.unpack(content)
        return PeerLink(form, number, address, label, flags, mtu8)
    if kind == _VERSION:
        if len(content) != 2:
            raise WireError("a version entity has 4 bytes", at)
        return ProtocolVersion(int.from_bytes(content, "big"))
    if kind == _LINK_STATE:
        return _parse_link_state(content, at)
    return Unknown(kind, content)


def _parse_link_state(content: bytes, at: int) -> LinkState:
    padding = content[0] if content else 0
    offset = 1 + padding
    numbers: list[int] = []
    while offset < len(content):
        number, offset = _varint(content, offset, at)
        numbers.append(number)
    if len(numbers) < 2 or (len(numbers) - 2) % 3 or len(numbers) > 2 + 3 * SLOTS:
        raise WireError("a link state has a peer, a slot and up to 18 samples of three numbers", at)
    number, first_slot, *rest = numbers
    if first_slot >= SLOTS:
        raise WireError("a link state has 18 slots", at)
    samples = tuple(Sample(*rest[i : i + 3]) for i in range(0, len(rest), 3))
    return LinkState(number, first_slot, samples, padding)


def _varint(data: bytes, offset: int, at: int) -> tuple[int, int]:
    """Read a number of one byte, or of 2, 4 or 8 behind fd, fe or ff: it and where it ends."""
    first = data[offset]
    if first < 0xFD:
        return first, offset + 1
    end = offset + 1 + (2 << first - 0xFD)
    if end > len(data):
        raise WireError("a number ends within its entity", at)
    return int.from_bytes(data[offset + 1 : end], "big"), end


def _encode_varint(number: int) -> bytes:
    if number < 0xFD:
        return bytes((number,))
    if number <= 0xFFFF:
        return b"\xfd" + number.to_bytes(2, "big")
    if number <= 0xFFFF_FFFF:
        return b"\xfe" + number.to_bytes(4, "big")
    return b"\xff" + number.to_bytes(8, "big")


def _encode_entity(entity: Entity) -> bytes:
    match entity:
        case Pad():
            return b"\x01"
        case Scheme(scheme=scheme):
            return _framed(_SCHEME, scheme.serialize())
        case ProtocolVersion(version=version):
            return _framed(_VERSION, version.to_bytes(2, "big"))
        case PeerLink():
            content = _PEER_CONTENT.pack(
                entity.form, entity.flags, entity.mtu8, entity.number, _UNUSED, entity.address, entity.label
            )
            return _framed(_PEER, content)
        case LinkState():
            numbers = [entity.number, entity.first_slot]
            for sample in entity.samples:
                numbers += (sample.lag, sample.drop, sample.kilobytes)
            varints = b"".join(map(_encode_varint, numbers))
            return _framed(_LINK_STATE, bytes((entity.padding,)) + bytes(entity.padding) + varints)
        case Unknown(kind=kind, content=content):
            return _framed(kind, content)


def _framed(kind: int, content: bytes) -> bytes:
    if len(content) > _MAX_CONTENT:
        raise ValueError(f"an entity has at most {_MAX_CONTENT} bytes of content")
    return bytes((len(content) + _PREFIX, kind)) + content
