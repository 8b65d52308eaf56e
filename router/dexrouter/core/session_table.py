"""Which end-to-end sessions there are: by address and by handle, bounded (spec 04 §5.1).

* Handles are ours to give: session number n has handle first + n, the first drawn by chance; behind the last
  possible one comes the first that is free.
* 4,096 sessions; those without user traffic give way first, of them those that never finished their
  handshake, the oldest of all first.
"""

from __future__ import annotations

from collections import Counter
from heapq import nsmallest
from typing import Final

from dexrouter.core.session import Session
from dexrouter.crypto.cryptoauth import Session as CryptoSession
from dexrouter.crypto.entropy import Entropy
from dexrouter.crypto.keys import Address, KeyPair, PublicKey
from dexrouter.crypto.users import AuthorizedUsers
from dexrouter.wire.session_frame import FIRST_HANDLE, LAST_HANDLE

__all__ = ["SessionTable"]

MAX_SESSIONS: Final = 4096
_FIRST_HANDLES: Final = 99_996
_EVICTED_PART: Final = 64
"""One in so many gives way when there are too many: to rank all for each newcomer would cost too much."""


class SessionTable:
    """The sessions. Both dictionaries are the same sessions; others only read them."""

    __slots__ = ("_drops", "_entropy", "_own", "_users", "by_address", "by_handle", "next_handle")

    def __init__(self, own: KeyPair, entropy: Entropy, drops: Counter[str]) -> None:
        self._own = own
        self._entropy = entropy
        self._drops = drops
        self._users = AuthorizedUsers()
        """Empty: end-to-end sessions know no passwords."""
        self.by_address: dict[Address, Session] = {}
        self.by_handle: dict[int, Session] = {}
        self.next_handle = FIRST_HANDLE + int.from_bytes(entropy(4), "big") % _FIRST_HANDLES
        """Handle of the next session that is kept."""

    def make(self, key: PublicKey, now: float) -> Session:
        """Make a session with a node; it is not kept yet."""
        crypto = CryptoSession(
            own=self._own,
            her_key=key,
            users=self._users,
            require_auth=False,
            credentials=None,
            entropy=self._entropy,
            now=now,
        )
        return Session(key=key, crypto=crypto, handle=self.next_handle, now=now)

    def keep(self, session: Session) -> Session:
        """Put the session that was made last to the others, of which some may give way."""
        if len(self.by_address) >= MAX_SESSIONS:
            count = max(MAX_SESSIONS // _EVICTED_PART, 1)
            for idle in nsmallest(count, self.by_address.values(), key=_worth):
                self._drops["session.evicted"] += 1
                self.end(idle)
        self.by_address[session.address] = session
        self.by_handle[session.handle] = session
        while self.next_handle in self.by_handle:
            self.next_handle = self.next_handle + 1 if self.next_handle < LAST_HANDLE else FIRST_HANDLE
        return session

    def end(self, session: Session) -> None:
        """Forget a session."""
        del self.by_address[session.address]
        del self.by_handle[session.handle]


def _worth(session: Session) -> tuple[bool, bool, float]:
    """Rank a session by what is lost with it: user traffic, a finished handshake, recent use."""
    return session.last_used > 0, session.crypto.is_established, max(session.last_used, session.last_heard)
