"""The other end of one end-to-end session, driven by hand: for tests of Sessions alone."""

from __future__ import annotations

import random

from dexrouter.core.sessions import Sessions
from dexrouter.crypto.cryptoauth import CryptoError, Session
from dexrouter.crypto.keys import KeyPair
from dexrouter.crypto.users import AuthorizedUsers
from dexrouter.wire.session_frame import data_header
from remote import key_pair_of

__all__ = ["PATH", "FarNode", "make_sessions"]

PATH = 0x133
_HEADER = 12


def make_sessions(seed: int = 1, now: float = 1000.0) -> Sessions:
    """Make the sessions of a node, reproducible from the seed."""
    entropy = random.Random(seed).randbytes
    return Sessions(own=key_pair_of(seed), entropy=entropy, now=now)


class FarNode:
    """One far node with one session."""

    def __init__(
        self, sessions: Sessions, seed: int, *, now: float = 1000.0, key: KeyPair | None = None
    ) -> None:
        self.sessions = sessions
        self.entropy = random.Random(seed).randbytes
        self.key = key or key_pair_of(seed)
        self.handle = 1000 + seed
        self.their_handle = 0
        self.crypto = Session(
            own=self.key,
            her_key=sessions._own.public,
            users=AuthorizedUsers(),
            require_auth=False,
            credentials=None,
            entropy=self.entropy,
            now=now,
        )

    def pack(self, content: bytes, now: float, content_type: int = 256) -> bytes:
        """Make what comes behind the switch header."""
        plain = data_header(content_type) + content
        if self.crypto.state >= 4:
            return self.their_handle.to_bytes(4, "big") + self.crypto.seal(plain, now)
        return self.crypto.seal(self.handle.to_bytes(4, "big") + plain, now)

    def send(
        self, content: bytes, now: float, content_type: int = 256, path: int = PATH
    ) -> tuple[int, bytes] | None:
        """Send content; gives what was delivered: content type and content."""
        delivered = self.sessions.receive(path, self.pack(content, now, content_type), now)
        return None if delivered is None else delivered[1:]

    def open(self, frame: bytes, now: float) -> tuple[int, bytes] | CryptoError:
        """Take a frame, switch header included: content type and content, or why it is refused."""
        body = frame[_HEADER:]
        is_run = int.from_bytes(body[:4], "big") > 3
        if is_run:
            assert body[:4] == self.handle.to_bytes(4, "big")
        plain = self.crypto.open(body[4:] if is_run else body, now, apply_timeout=not is_run)
        if isinstance(plain, CryptoError):
            return plain
        if not is_run:
            self.their_handle = int.from_bytes(plain[:4], "big")
            plain = plain[4:]
        return int.from_bytes(plain[2:4], "big"), plain[4:]

    def answer(self, content: bytes, now: float, path: int = PATH) -> tuple[int, bytes] | CryptoError:
        """Let our node send a router message over the path, and open it."""
        frame = self.sessions.send_message(self.key.public, 21, path, content, now)
        assert frame is not None
        assert int.from_bytes(frame[:8], "big") == path
        return self.open(frame, now)

    def establish(self, now: float) -> None:
        """Say hello, take the key, send data both ways."""
        assert self.send(b"query", now) == (256, b"query")
        assert self.answer(b"reply", now) == (256, b"reply")
        assert self.send(b"data", now) == (256, b"data")
        assert self.answer(b"more", now) == (256, b"more")
        assert self.crypto.is_established
