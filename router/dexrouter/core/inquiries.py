"""Router queries that a person asks for, by way of the admin API: `pn`, `gp`, `fn`, `nh` (spec 05 §2).

They go out and come back as the pathfinder's own do, but the pathfinder knows nothing of them: what a person
asks about must not change what the node believes. An answer counts if its transaction id is ours and the
session's key is that of the node asked. At most 64 are under way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dexrouter import PROTOCOL_VERSION
from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.keys import PublicKey
from dexrouter.wire.dht import DhtMessage
from dexrouter.wire.encoding_scheme import V358
from dexrouter.wire.errors import WireError

__all__ = ["Inquiries", "Inquiry", "InquiryAnswered", "InquiryTimeout"]

MAX_OUTSTANDING: Final = 64

_TXID_PREFIX: Final = b"00"
"""Marks the transaction ids of a DHT pathfinder (spec 05 §2.5)."""

_TXID_RANDOM: Final = 12


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One question to one node."""

    key: PublicKey
    version: int
    path: int
    query: bytes
    """pn, gp, fn or nh."""
    target: bytes | None
    ticket: int
    """Given back with the answer."""


@dataclass(frozen=True, slots=True)
class InquiryAnswered:
    """The node has answered."""

    ticket: int
    asked: Inquiry
    path: int
    """The way back that the answer came over."""
    rtt: float
    """Seconds."""
    answer: DhtMessage


@dataclass(frozen=True, slots=True)
class InquiryTimeout:
    """The node has not answered in time."""

    ticket: int
    asked: Inquiry
    waited: float
    """Seconds."""


@dataclass(slots=True)
class _Outstanding:
    inquiry: Inquiry
    sent: float
    deadline: float


class Inquiries:
    """All questions under way. Their outcomes are in `answers`."""

    def __init__(self, *, entropy: Entropy) -> None:
        self._entropy = entropy
        self._outstanding: dict[bytes, _Outstanding] = {}
        self.answers: list[InquiryAnswered | InquiryTimeout] = []

    def ask(self, inquiry: Inquiry, now: float, *, timeout: float) -> bytes | None:
        """Make the message; None if too many are under way, or the path can be no way to anybody."""
        form = V358.form_number(inquiry.path)
        if len(self._outstanding) >= MAX_OUTSTANDING or form < 0:
            return None
        txid = _TXID_PREFIX + self._entropy(_TXID_RANDOM)
        self._outstanding[txid] = _Outstanding(inquiry, now, now + timeout)
        return DhtMessage(
            txid=txid,
            query=inquiry.query,
            version=PROTOCOL_VERSION,
            scheme=V358,
            inverse_form=form,
            target=inquiry.target,
        ).encode()

    def receive(self, sender: PublicKey, path: int, content: bytes, now: float) -> bool:
        """Take a router message if it answers one of these questions."""
        if not self._outstanding:
            return False
        try:
            message = DhtMessage.parse(content)
        except WireError:
            return False
        asked = None if message.is_query else self._outstanding.get(message.txid)
        if asked is None or asked.inquiry.key != sender:
            return False
        del self._outstanding[message.txid]
        inquiry = asked.inquiry
        self.answers.append(InquiryAnswered(inquiry.ticket, inquiry, path, now - asked.sent, message))
        return True

    def poll(self, now: float) -> None:
        """Give up what was not answered in time."""
        for txid, asked in tuple(self._outstanding.items()):
            if now >= asked.deadline:
                del self._outstanding[txid]
                inquiry = asked.inquiry
                self.answers.append(InquiryTimeout(inquiry.ticket, inquiry, now - asked.sent))

    def next_deadline(self) -> float | None:
        """When the first question is given up."""
        return min((asked.deadline for asked in self._outstanding.values()), default=None)
