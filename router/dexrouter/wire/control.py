"""Control frames between routers and from switches (spec 03 §8).

A control frame stands behind a switch header and the word `ffffffff`: checksum (2), type (2), body. Nothing
in it is authentic; every switch on the way can read and forge it. Bytes behind a body are data to be
reflected, never an error.

`parse_control` gives one of the frozen values below or raises `WireError` with the reason; `encode()` gives
the frame with its checksum, without the word in front.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final, TypeAlias

from dexrouter.wire.checksum import internet_checksum
from dexrouter.wire.errors import WireError
from dexrouter.wire.switch_header import SIZE as HEADER_SIZE
from dexrouter.wire.switch_header import SwitchHeader

__all__ = [
    "CONTROL_WORD",
    "MAX_CAUSE",
    "MAX_KEY_PING_DATA",
    "MIN_CONTROL",
    "MIN_USEFUL_ERROR",
    "NO_UDP_ADDRESS",
    "AuthenticationCause",
    "Control",
    "ErrorCode",
    "GetSnodeQuery",
    "GetSnodeReply",
    "KeyPing",
    "KeyPong",
    "LlAddrQuery",
    "LlAddrReply",
    "Ping",
    "Pong",
    "RPathQuery",
    "RPathReply",
    "SwitchError",
    "UdpAddress",
    "parse_control",
]

CONTROL_WORD: Final = 0xFFFF_FFFF
"""The word between switch header and control frame."""

MIN_CONTROL: Final = 8
"""Shorter control frames, from the checksum on, are dropped."""

MAX_CAUSE: Final = 256
"""Bytes of the failed frame that an error quotes."""

MIN_USEFUL_ERROR: Final = 40
"""Routers ignore error frames whose control frame is shorter, and look at no more of longer ones."""

MAX_KEY_PING_DATA: Final = 64

_KEY_SIZE: Final = 32
_LLADDR_SIZE: Final = 32
NO_UDP_ADDRESS: Final = bytes((0, 2)).ljust(_LLADDR_SIZE, b"\0")
"""The union in a query."""

_START: Final = Struct(">HH")
_CODE: Final = Struct(">I")
_MAGIC_VERSION: Final = Struct(">II")
_GETSNODE: Final = Struct(">IIII32sQ")
_RPATH: Final = Struct(">IIQ")
_AUTHENTICATION: Final = Struct(">16sII")


class _Type(IntEnum):
    ERROR = 2
    PING = 3
    PONG = 4
    KEYPING = 5
    KEYPONG = 6
    GETSNODE_QUERY = 7
    GETSNODE_REPLY = 8
    RPATH_QUERY = 9
    RPATH_REPLY = 10
    LLADDR_QUERY = 11
    LLADDR_REPLY = 12


class _Magic(IntEnum):
    PING = 0x09F91102
    PONG = 0x9D74E35B
    KEYPING = 0x01234567
    KEYPONG = 0x89ABCDEF
    # RPATH has the magics of GETSNODE: that is what is on the wire.
    GETSNODE_QUERY = 0x736E6F71
    GETSNODE_REPLY = 0x736E6F72
    LLADDR_QUERY = 0x6C6C6171
    LLADDR_REPLY = 0x6C6C6172


class ErrorCode(IntEnum):
    """Codes of error frames (spec 03 §6.3)."""

    NONE = 0
    MALFORMED_ADDRESS = 1
    FLOOD = 2
    LINK_LIMIT_EXCEEDED = 3
    OVERSIZE_MESSAGE = 4
    UNDERSIZE_MESSAGE = 5
    AUTHENTICATION = 6
    INVALID = 7
    UNDELIVERABLE = 8
    LOOP_ROUTE = 9
    RETURN_PATH_INVALID = 10


@dataclass(frozen=True, slots=True)
class SwitchError:
    """A switch or router could not handle a frame (type 2, spec 03 §6.3)."""

    code: int
    """Mostly an `ErrorCode`; others are passed on as they are."""

    cause: bytes
    """The failed frame, at most 256 bytes of it; for AUTHENTICATION an `AuthenticationCause`."""

    @classmethod
    def about(cls, code: int, frame: bytes | bytearray | memoryview) -> SwitchError:
        """Quote as much of a frame as an error may hold."""
        return cls(code, bytes(frame[:MAX_CAUSE]))

    def encode(self) -> bytes:
        """Write the control frame."""
        return _frame(_Type.ERROR, _CODE.pack(self.code) + self.cause)


@dataclass(frozen=True, slots=True)
class AuthenticationCause:
    """The cause inside an AUTHENTICATION error: what did not decrypt, and why (spec 03 §8.3)."""

    header: SwitchHeader
    """Of the failed packet, label as it came out of the router's own switch."""

    start: bytes
    """The 16 bytes behind it: handle or handshake word, and so on."""

    error: int
    """The CryptoAuth error (spec 01 §8.2)."""

    state: int
    """The CryptoAuth state after the failure."""

    @classmethod
    def parse(cls, cause: bytes | bytearray | memoryview) -> AuthenticationCause:
        """Read the cause of an AUTHENTICATION error. Raises `WireError`."""
        if len(cause) < HEADER_SIZE + _AUTHENTICATION.size:
            raise WireError("an authentication error quotes 36 bytes", len(cause))
        start, error, state = _AUTHENTICATION.unpack_from(cause, HEADER_SIZE)
        return cls(SwitchHeader.parse(cause), start, error, state)

    def encode(self) -> bytes:
        """Write the cause; a `start` that is too short is filled with zeros."""
        return self.header.encode() + _AUTHENTICATION.pack(self.start, self.error, self.state)


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there, and what version do you speak (type 3)."""

    version: int
    data: bytes = b""

    def encode(self) -> bytes:
        """Write the control frame."""
        return _frame(_Type.PING, _MAGIC_VERSION.pack(_Magic.PING, self.version) + self.data)


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a ping (type 4)."""

    version: int
    data: bytes = b""

    def encode(self) -> bytes:
        """Write the control frame."""
        return _frame(_Type.PONG, _MAGIC_VERSION.pack(_Magic.PONG, self.version) + self.data)


@dataclass(frozen=True, slots=True)
class KeyPing:
    """A ping with the key of the asker (type 5)."""

    version: int
    key: bytes
    data: bytes = b""

    def encode(self) -> bytes:
        """Write the control frame."""
        return _frame(_Type.KEYPING, _MAGIC_VERSION.pack(_Magic.KEYPING, self.version) + self.key + self.data)


@dataclass(frozen=True, slots=True)
class KeyPong:
    """The answer to a key ping, with the key of the responder (type 6)."""

    version: int
    key: bytes
    data: bytes = b""

    def encode(self) -> bytes:
        """Write the control frame."""
        return _frame(_Type.KEYPONG, _MAGIC_VERSION.pack(_Magic.KEYPONG, self.version) + self.key + self.data)


@dataclass(frozen=True, slots=True)
class GetSnodeQuery:
    """Which route server do you use (type 7); the asker tells its own, if it has one."""

    version: int
    snode_version: int
    kbps: int
    snode_key: bytes
    """32 bytes, zero for none."""

    path_to_snode: int
    data: bytes = b""

    def encode(self) -> bytes:
        """Write the control frame."""
        return _frame(_Type.GETSNODE_QUERY, _snode_body(_Magic.GETSNODE_QUERY, self))


@dataclass(frozen=True, slots=True)
class GetSnodeReply:
    """The answer to GETSNODE_QUERY (type 8)."""

    version: int
    snode_version: int
    kbps: int
    snode_key: bytes
    """32 bytes, zero for none."""

    path_to_snode: int
    """From the responder, fitted for the asker, who splices it on."""

    data: bytes = b""

    def encode(self) -> bytes:
        """Write the control frame."""
        return _frame(_Type.GETSNODE_REPLY, _snode_body(_Magic.GETSNODE_REPLY, self))


@dataclass(frozen=True, slots=True)
class RPathQuery:
    """What is your path to me (type 9)."""

    version: int
    rpath: int
    """The asker's path to the responder; ignored."""

    data: bytes = b""

    def encode(self) -> bytes:
        """Write the control frame."""
        body = _RPATH.pack(_Magic.GETSNODE_QUERY, self.version, self.rpath)
        return _frame(_Type.RPATH_QUERY, body + self.data)


@dataclass(frozen=True, slots=True)
class RPathReply:
    """The answer to RPATH_QUERY (type 10)."""

    version: int
    rpath: int
    """The responder's path to the asker, in the responder's encoding."""

    data: bytes = b""

    def encode(self) -> bytes:
        """Write the control frame."""
        body = _RPATH.pack(_Magic.GETSNODE_REPLY, self.version, self.rpath)
        return _frame(_Type.RPATH_REPLY, body + self.data)


@dataclass(frozen=True, slots=True)
class UdpAddress:
    """The address union of LLADDR frames, as far as it has a meaning (spec 03 §8.2)."""

    ip: bytes
    """4 or 16 bytes."""

    port: int

    @classmethod
    def parse(cls, address: bytes) -> UdpAddress | None:
        """Read the 32 byte union; None for the kinds that tell nothing."""
        port = int.from_bytes(address[2:4], "big")
        match tuple(address[:2]):
            case (1, 8):
                return cls(address[4:8], port)
            case (2, 20):
                return cls(address[4:20], port)
        return None

    def encode(self) -> bytes:
        """Write the 32 byte union."""
        kind = 1 if len(self.ip) == 4 else 2
        start = bytes((kind, 4 + len(self.ip))) + self.port.to_bytes(2, "big") + self.ip
        return start.ljust(_LLADDR_SIZE, b"\0")


@dataclass(frozen=True, slots=True)
class LlAddrQuery:
    """Which UDP address do you see me at (type 11, v22.1 and later)."""

    version: int
    address: bytes
    """32 bytes, see `UdpAddress`."""

    data: bytes = b""

    def encode(self) -> bytes:
        """Write the control frame."""
        body = _MAGIC_VERSION.pack(_Magic.LLADDR_QUERY, self.version) + self.address
        return _frame(_Type.LLADDR_QUERY, body + self.data)


@dataclass(frozen=True, slots=True)
class LlAddrReply:
    """The answer to LLADDR_QUERY (type 12)."""

    version: int
    address: bytes
    """32 bytes, see `UdpAddress`."""

    data: bytes = b""

    def encode(self) -> bytes:
        """Write the control frame."""
        body = _MAGIC_VERSION.pack(_Magic.LLADDR_REPLY, self.version) + self.address
        return _frame(_Type.LLADDR_REPLY, body + self.data)


Control: TypeAlias = (
    SwitchError
    | Ping
    | Pong
    | KeyPing
    | KeyPong
    | GetSnodeQuery
    | GetSnodeReply
    | RPathQuery
    | RPathReply
    | LlAddrQuery
    | LlAddrReply
)


_ERROR_TYPE_AND_CODE: Final = bytes((0, _Type.ERROR, 0, 0, 0, ErrorCode.AUTHENTICATION))


def parse_control(view: bytes | bytearray | memoryview) -> Control:
    """Read a control frame, from its checksum on. Raises `WireError` with the reason to drop it."""
    frame = bytes(view)
    if len(frame) < MIN_CONTROL:
        raise WireError("a control frame has at least 8 bytes", len(frame))
    kind = int.from_bytes(frame[2:4], "big")
    if internet_checksum(frame) and not _is_swapped_authentication_error(frame):
        raise WireError("the checksum of the control frame is wrong", 0)
    parser = _PARSERS.get(kind)
    if parser is None:
        raise WireError(f"control frames of type {kind} are unknown", 2)
    return parser(frame[_START.size :])


def _is_swapped_authentication_error(frame: bytes) -> bool:
    """Whether the checksum is right but for its byte order, as v20 and v21.0 write it (spec 03 §8.1)."""
    is_one = frame[2:8] == _ERROR_TYPE_AND_CODE
    return is_one and internet_checksum(frame[1::-1] + frame[2:]) == 0


def _parse_error(body: bytes) -> SwitchError:
    return SwitchError(_CODE.unpack_from(body)[0], body[_CODE.size :])


def _parse_ping(body: bytes) -> Ping:
    return Ping(*_after_magic(body, _Magic.PING, 8))


def _parse_pong(body: bytes) -> Pong:
    return Pong(*_after_magic(body, _Magic.PONG, 8))


def _parse_key_ping(body: bytes) -> KeyPing:
    version, rest = _after_magic(body, _Magic.KEYPING, 8 + _KEY_SIZE, 8 + _KEY_SIZE + MAX_KEY_PING_DATA)
    return KeyPing(version, rest[:_KEY_SIZE], rest[_KEY_SIZE:])


def _parse_key_pong(body: bytes) -> KeyPong:
    version, rest = _after_magic(body, _Magic.KEYPONG, 8 + _KEY_SIZE, 8 + _KEY_SIZE + MAX_KEY_PING_DATA)
    return KeyPong(version, rest[:_KEY_SIZE], rest[_KEY_SIZE:])


def _parse_snode_query(body: bytes) -> GetSnodeQuery:
    return GetSnodeQuery(*_snode_fields(body, _Magic.GETSNODE_QUERY))


def _parse_snode_reply(body: bytes) -> GetSnodeReply:
    return GetSnodeReply(*_snode_fields(body, _Magic.GETSNODE_REPLY))


def _parse_rpath_query(body: bytes) -> RPathQuery:
    return RPathQuery(*_rpath_fields(body, _Magic.GETSNODE_QUERY))


def _parse_rpath_reply(body: bytes) -> RPathReply:
    return RPathReply(*_rpath_fields(body, _Magic.GETSNODE_REPLY))


def _parse_lladdr_query(body: bytes) -> LlAddrQuery:
    version, rest = _after_magic(body, _Magic.LLADDR_QUERY, 8 + _LLADDR_SIZE)
    return LlAddrQuery(version, rest[:_LLADDR_SIZE], rest[_LLADDR_SIZE:])


def _parse_lladdr_reply(body: bytes) -> LlAddrReply:
    version, rest = _after_magic(body, _Magic.LLADDR_REPLY, 8 + _LLADDR_SIZE)
    return LlAddrReply(version, rest[:_LLADDR_SIZE], rest[_LLADDR_SIZE:])


_PARSERS: Final[dict[int, Callable[[bytes], Control]]] = {
    _Type.ERROR: _parse_error,
    _Type.PING: _parse_ping,
    _Type.PONG: _parse_pong,
    _Type.KEYPING: _parse_key_ping,
    _Type.KEYPONG: _parse_key_pong,
    _Type.GETSNODE_QUERY: _parse_snode_query,
    _Type.GETSNODE_REPLY: _parse_snode_reply,
    _Type.RPATH_QUERY: _parse_rpath_query,
    _Type.RPATH_REPLY: _parse_rpath_reply,
    _Type.LLADDR_QUERY: _parse_lladdr_query,
    _Type.LLADDR_REPLY: _parse_lladdr_reply,
}


def _after_magic(body: bytes, magic: _Magic, least: int, most: int | None = None) -> tuple[int, bytes]:
    """Check a body's length and magic; give its version and what stands behind."""
    if len(body) < least:
        raise WireError(f"the control frame's body is shorter than {least} bytes", _START.size + len(body))
    if most is not None and len(body) > most:
        raise WireError(f"the control frame's body is longer than {most} bytes", _START.size + most)
    found, version = _MAGIC_VERSION.unpack_from(body)
    if found != magic:
        raise WireError("the control frame's magic is wrong", _START.size)
    return version, body[_MAGIC_VERSION.size :]


def _snode_fields(body: bytes, magic: _Magic) -> tuple[int, int, int, bytes, int, bytes]:
    _after_magic(body, magic, _GETSNODE.size)
    _, version, snode_version, kbps, key, path = _GETSNODE.unpack_from(body)
    return version, snode_version, kbps, key, path, body[_GETSNODE.size :]


def _rpath_fields(body: bytes, magic: _Magic) -> tuple[int, int, bytes]:
    _after_magic(body, magic, _RPATH.size)
    _, version, rpath = _RPATH.unpack_from(body)
    return version, rpath, body[_RPATH.size :]


def _snode_body(magic: _Magic, frame: GetSnodeQuery | GetSnodeReply) -> bytes:
    fixed = _GETSNODE.pack(
        magic, frame.version, frame.snode_version, frame.kbps, frame.snode_key, frame.path_to_snode
    )
    return fixed + frame.data


def _frame(kind: _Type, body: bytes) -> bytes:
    blank = _START.pack(0, kind) + body
    return internet_checksum(blank).to_bytes(2, "big") + blank[2:]
