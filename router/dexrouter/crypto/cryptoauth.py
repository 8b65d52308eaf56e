"""CryptoAuth: one session with one other key (spec 01 §2 to §9).

`seal` makes one packet of one payload, `open` gives the payload of one packet or the reason against it. The
same machine serves links (with credentials) and end-to-end sessions (without).

Rules:

* Pure: the time is an argument (monotonic seconds), entropy a callable, errors of the other end are return
  values. Misuse by our own code raises `ValueError`.
* A packet that is refused changes nothing, with one exception that the protocol asks for: a data packet
  that arrives before the session is established moves the replay window (spec 01 §8 B4).
* `seal_run` and `open_run` are the per-packet path: they do the same to many data packets that lie in one
  buffer (crypto/runs.py). What is not plain data of an established session they leave to `seal` and `open`.

How a session comes to be established is in handshake.py; here its key is used.
"""

from __future__ import annotations

from typing import Final

from dexrouter.crypto.handshake import COUNTER_LIMIT, HANDSHAKE_TIMEOUT, MOVING_HANDSHAKE, Handshake
from dexrouter.crypto.keys import PublicKey
from dexrouter.crypto.primitives import TAG_SIZE, open_at, open_behind, seal_at, seal_behind
from dexrouter.crypto.replay import WINDOW
from dexrouter.crypto.runs import (
    Buffers,
    close_again,
    data_counters,
    open_boxes,
    open_one,
    seal_boxes,
    seal_one,
)
from dexrouter.crypto.spans import Spans
from dexrouter.crypto.transitions import CryptoError, State
from dexrouter.wire.crypto_header import FIRST_DATA_COUNTER, MIN_PACKET, NONCE_SIZE

__all__ = ["CryptoError", "Session", "State"]

_FEW: Final = 5
"""So many packets are sealed and opened faster one by one than in columns."""

_MOST_AT_ONCE: Final = 64
"""Packets that are opened before any of them is judged; after a refused one it is one, then two, four ..."""


class Session(Handshake):
    """One CryptoAuth session. Its user list is shared by all sessions of a node.

    `require_auth` is true for incoming links only; `credentials` go into every handshake packet that we send.
    """

    __slots__ = ("_at_once",)

    def reset(self) -> None:
        """Start over. Credentials, the requirement of them, and the timeout's clock stay (spec 01 §6)."""
        super().reset()
        self._at_once = _MOST_AT_ONCE

    def successor(self, now: float) -> Session:
        """Make another session with the same node on the same terms, in its first state."""
        return Session(
            own=self._own,
            her_key=PublicKey(self._her_key),
            users=self._users,
            require_auth=self._require_auth,
            credentials=self._credentials,
            entropy=self._entropy,
            now=now,
        )

    # -- one packet

    def seal(self, payload: bytes | memoryview, now: float) -> bytes:
        """Make the packet that carries a payload: hello, key or data, as the state asks for.

        The payload of a data packet must not be empty (`ValueError`); that of a handshake packet may.
        """
        if now - self._last_time >= HANDSHAKE_TIMEOUT:
            self.reset_if_timeout(now)
        counter = self._next
        if counter < FIRST_DATA_COUNTER or counter >= COUNTER_LIMIT:
            return self._seal_handshake(payload)
        key = self._key
        if key is None:
            key = self._key = self._data_key()
        if not payload:
            raise ValueError("a data packet cannot be empty")
        self._next = counter + 1
        nonce = (counter << self._send_shift).to_bytes(NONCE_SIZE, "little")
        return seal_behind(counter.to_bytes(4, "big"), payload, nonce, key)

    def open(self, packet: bytes | memoryview, now: float, *, apply_timeout: bool) -> bytes | CryptoError:
        """Give the payload of a packet, or why it is refused. Never raises, whatever the packet is.

        `apply_timeout`: links apply the timeout rule before every packet, end-to-end sessions before
        handshake packets only (spec 01 §9).
        """
        if apply_timeout and now - self._last_time >= HANDSHAKE_TIMEOUT:
            self.reset_if_timeout(now)
        if len(packet) < MIN_PACKET:
            return CryptoError.RUNT
        counter = int.from_bytes(packet[:4], "big")
        if counter < FIRST_DATA_COUNTER:
            before = self._next
            opened = self._open_handshake(packet)
            if self._next != before:
                self._last_time = max(self._last_time, int(now) - HANDSHAKE_TIMEOUT + MOVING_HANDSHAKE)
            return opened
        if not self.is_established:
            return self._open_first_data(packet, counter, now)
        nonce = (counter << self._receive_shift).to_bytes(NONCE_SIZE, "little")
        payload = open_behind(packet, 4, nonce, self._key)
        if payload is None:
            return CryptoError.DECRYPT
        if not self.replay.check(counter):
            return CryptoError.REPLAY
        self._last_time = int(now)
        return payload

    # -- many packets, each where it is in one buffer

    def seal_run(
        self, packets: Buffers, spans: Spans, offset: int, before: bytes, head: bytes, now: float
    ) -> bool:
        """Seal payloads in place, for a session that has its keys; False: `seal` has to do it.

        At `offset` from the start of each span comes `before`, the counter, the tag, then the payload, whose
        first bytes become `head`.
        """
        if now - self._last_time >= HANDSHAKE_TIMEOUT:
            self.reset_if_timeout(now)
        counter = self._next
        following = counter + len(spans.sizes)
        if counter < FIRST_DATA_COUNTER or following >= COUNTER_LIMIT:
            return False
        key = self._key
        if key is None:
            key = self._key = self._data_key()
        self._next = following
        if following - counter <= _FEW:
            for number in range(following - counter):
                seal_one(
                    packets, spans, number, offset, before, head, counter + number, self._send_shift, key
                )
            return True
        seal_boxes(packets, spans, offset, before, head, range(counter, following), self._send_shift, key)
        return True

    def open_run(
        self, packets: Buffers, spans: Spans, first: int, offset: int, now: float
    ) -> tuple[int, CryptoError | None]:
        """Open data packets in place until one is refused: its number, and why. They begin at an offset.

        The payload begins 20 bytes behind that. What is refused for anything but REPLAY is untouched and not
        judged: `open` must look at it, for it may be a handshake. The timeout is the caller's business.
        """
        if not self.is_established:
            return first, CryptoError.NO_SESSION
        number, count = first, len(spans.sizes)
        refused: CryptoError | None = None
        while refused is None and number < count:
            some = spans.part(number, number + self._at_once)
            accepted, refused = self._open_some(packets, some, offset)
            number += accepted
            # Who mixes forged packets in must not make us open the others again and again.
            self._at_once = min(self._at_once * 2, _MOST_AT_ONCE) if refused is None else 1
        if number > first:
            self._last_time = int(now)
        return number, refused

    def open_lone(self, packets: Buffers, start: int, size: int, now: float) -> bool:
        """Open one packet in place, if it is as plain as packets mostly are; False: it is untouched.

        That is data of an established session which the replay window need not move for.
        """
        if not self.is_established or now - self._last_time >= HANDSHAKE_TIMEOUT or size < MIN_PACKET:
            return False
        counter = int.from_bytes(packets.buffer[start : start + 4], "big")
        replay = self.replay
        offset = counter - replay.base
        if counter < FIRST_DATA_COUNTER or not 0 <= offset < WINDOW or replay.bits >> offset & 1:
            return False
        nonce = (counter << self._receive_shift).to_bytes(NONCE_SIZE, "little")
        box = packets.at + (start + 4)
        if open_at(box + TAG_SIZE, box, size - 4, nonce, self._key):
            return False
        replay.bits |= 1 << offset
        self._last_time = int(now)
        return True

    def seal_lone(
        self, packets: Buffers, start: int, size: int, before: bytes, head: bytes, now: float
    ) -> bool:
        """Do what `seal_run` does for one packet, if the session is established and heard from.

        False: nothing has changed. `start` is where `before` goes, and the payload ends `size` behind it.
        """
        counter = self._next
        if (
            not self.is_established
            or now - self._last_time >= HANDSHAKE_TIMEOUT
            or counter + 1 >= COUNTER_LIMIT
        ):
            return False
        self._next = counter + 1
        box_at = start + len(before) + 4
        payload_at = box_at + TAG_SIZE
        packets.buffer[start:box_at] = before + counter.to_bytes(4, "big")
        packets.buffer[payload_at : payload_at + len(head)] = head
        nonce = (counter << self._send_shift).to_bytes(NONCE_SIZE, "little")
        box = packets.at + box_at
        seal_at(box, box + TAG_SIZE, start + size - payload_at, nonce, self._key)
        return True

    def _open_some(self, packets: Buffers, spans: Spans, offset: int) -> tuple[int, CryptoError | None]:
        """Open packets until one is refused; what is behind that one is as it came."""
        shift, key = self._receive_shift, self._key
        if len(spans.sizes) <= _FEW:
            for number in range(len(spans.sizes)):
                counter = open_one(packets, spans, number, offset, shift, key)
                if counter is None:
                    return number, CryptoError.DECRYPT
                if not self.replay.check(counter):
                    return number, CryptoError.REPLAY
            return len(spans.sizes), None
        counters = data_counters(packets, spans, offset)
        authentic = open_boxes(packets, spans, offset, counters, shift, key)
        fresh = self.replay.check_run(counters[:authentic])
        if fresh < authentic:
            behind = spans.part(fresh + 1, authentic)
            close_again(packets, behind, offset, counters[fresh + 1 : authentic], shift, key)
            return fresh, CryptoError.REPLAY
        return fresh, None if fresh == len(spans) else CryptoError.DECRYPT
