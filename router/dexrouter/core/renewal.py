"""A second CryptoAuth session with the same node, beside an established one.

A hello is authentic, but it need not be fresh: whoever has recorded one can send it again, and by the letter
of the protocol it ends the session that is there (spec 01 §8). So a hello that meets an established session
begins a second one, which takes the place of the first when data comes through it: nobody can make that from
old packets. The other end sees no difference; its hello is answered with a key, its data is understood.

Bounds: one renewal for each session, for 8 s. It answers each hello at once, with one packet.
"""

from __future__ import annotations

from typing import Final

from dexrouter.crypto.cryptoauth import CryptoError, Session
from dexrouter.wire.crypto_header import HANDSHAKE_SIZE

__all__ = ["Renewal", "is_hello", "take_hello"]

_LIFETIME: Final = 8.0
"""Less than the time after which a handshake starts over by itself (spec 01 §9)."""

_WORD_START: Final = bytes(3)
_LAST_OF_HELLO: Final = (b"\0", b"\1")


class Renewal:
    """A session that is not proven fresh yet. Times are monotonic seconds."""

    __slots__ = ("_heard", "_room", "_until", "path", "send_handle", "session")

    def __init__(self, session: Session, now: float) -> None:
        self.session = session
        self.path = 0
        """End-to-end sessions: the way back that the last hello came over."""
        self.send_handle = 0
        """End-to-end sessions: the handle that the last hello told."""
        self._until = now + _LIFETIME
        self._heard = now
        self._room = 0

    def is_alive(self, now: float) -> bool:
        """Whether it may still become the session."""
        return now < self._until

    def heard(self, room: int, now: float) -> None:
        """Note a hello whose answer may have this many bytes."""
        self._heard = now
        self._room = room

    def may_answer(self, size: int, now: float) -> bool:
        """Whether a payload sent now is the answer to the hello; the room that the hello gave is used up."""
        if now != self._heard or size + HANDSHAKE_SIZE > self._room:
            return False
        self._room = 0
        return True

    def open_data(self, packet: bytes | memoryview, now: float) -> bytes | None:
        """Give the payload of a data packet if it belongs here: then this is the session from now on."""
        if not self.is_alive(now):
            return None
        payload = self.session.open(packet, now, apply_timeout=False)
        return None if isinstance(payload, CryptoError) else payload


def is_hello(packet: bytes | memoryview) -> bool:
    """Whether the first word says hello or repeated hello."""
    return packet[:3] == _WORD_START and packet[3:4] in _LAST_OF_HELLO


def take_hello(
    current: Session, renewal: Renewal | None, packet: bytes, now: float, *, room: int
) -> tuple[Renewal, bytes] | CryptoError:
    """Open a hello that meets an established session: the renewal and the payload, or why it is refused.

    Neither the session nor the present renewal is touched by a hello that is refused. `room` counts the
    bytes of the answer.
    """
    fresh = current.successor(now)
    payload = fresh.open(packet, now, apply_timeout=False)
    if isinstance(payload, CryptoError):
        return payload
    if fresh.has_hello_of(current):
        return CryptoError.INVALID_PACKET
    if renewal is None or not renewal.is_alive(now) or not fresh.has_hello_of(renewal.session):
        renewal = Renewal(fresh, now)
    else:
        payload = renewal.session.open(packet, now, apply_timeout=False)
        if isinstance(payload, CryptoError):
            return payload
    renewal.heard(room, now)
    return renewal, payload
