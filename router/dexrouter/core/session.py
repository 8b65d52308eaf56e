"""One end-to-end session, and what sessions tell their node (spec 04 §5.1).

The rules by which sessions come, speak and go are in sessions.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from dexrouter.core.paths import Paths
from dexrouter.core.renewal import Renewal
from dexrouter.crypto.cryptoauth import CryptoError, State
from dexrouter.crypto.cryptoauth import Session as CryptoSession
from dexrouter.crypto.keys import Address, PublicKey, address_of

__all__ = [
    "AuthenticationFailed",
    "Discovered",
    "Probe",
    "SearchWanted",
    "Session",
    "SessionEvent",
    "UnknownHandle",
]


@dataclass(frozen=True, slots=True)
class SearchWanted:
    """No path to this address is known, or the known ones fail."""

    address: Address


@dataclass(frozen=True, slots=True)
class Probe:
    """Send a query over this path of the session: to set it up, or to see whether the path works."""

    session: Session
    path: int


@dataclass(frozen=True, slots=True)
class Discovered:
    """A packet of this session came over a path that was not known."""

    session: Session
    path: int


@dataclass(frozen=True, slots=True)
class AuthenticationFailed:
    """Tell the sender at `path` that its packet did not decrypt (spec 03 §8.3)."""

    path: int
    body: bytes
    """What came behind the switch header."""
    error: CryptoError
    state: State


@dataclass(frozen=True, slots=True)
class UnknownHandle:
    """A packet for no session of ours came over `path`: its sender does not know that we began anew."""

    path: int


class Session:
    """One session. Times are monotonic seconds."""

    __slots__ = (
        "address",
        "bytes_in",
        "bytes_out",
        "crypto",
        "handle",
        "key",
        "last_heard",
        "last_search",
        "last_setup",
        "last_used",
        "paths",
        "renewal",
        "send_handle",
        "unanswered_since",
        "version",
    )

    def __init__(self, *, key: PublicKey, crypto: CryptoSession, handle: int, now: float) -> None:
        self.key = key
        self.address: Address = address_of(key)
        self.crypto = crypto
        self.handle = handle
        """Ours: run packets for us carry it."""
        self.renewal: Renewal | None = None
        """The CryptoAuth session that takes over when it is proven fresh."""
        self.send_handle = 0
        """Theirs, told in their handshake packets."""
        self.version = 0
        self.paths = Paths()
        self.last_used = 0.0
        """Last user traffic out; 0: none lately."""
        self.last_search = 0.0
        self.last_setup = 0.0
        self.last_heard = now
        """Last authentic packet."""
        self.unanswered_since = 0.0
        """When we first sent something that nothing has come back after; 0: all answered."""
        self.bytes_in = 0
        self.bytes_out = 0

    @property
    def can_carry_user_data(self) -> bool:
        """Whether keys are fresh on both sides: data for the host may go out."""
        return self.crypto.state >= State.RECEIVED_KEY

    def __repr__(self) -> str:
        return f"<Session {self.address.hex()} {self.crypto.state.name}>"


SessionEvent = UnknownHandle | SearchWanted | Probe | Discovered | AuthenticationFailed
