"""The client side of the admin API (spec 07): synchronous, for command lines and the set-up program.

    with AdminClient(access) as client:
        info = client.call("Core_nodeInfo")
        for peer in client.pages("InterfaceController_peerStats", "peers"): ...

It talks to any cjdns. Requests are signed (with the word `NONE` where no password is set); `signed=False` is
for the few functions that everybody may call. Nothing of the router's core is needed.
"""

from __future__ import annotations

import re
import secrets
import socket
import time
from collections import deque
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Final, Self

from dexrouter.admin.access import Access
from dexrouter.admin.auth import sign
from dexrouter.admin.message import TOO_BIG, Value, decode_reply, encode
from dexrouter.wire.errors import WireError

__all__ = [
    "AdminClient",
    "AdminError",
    "AuthenticationError",
    "CallFailedError",
    "NoAnswerError",
    "ServerReply",
]

ServerReply = dict[str, Value]
"""Keys and strings are text."""

BUFFER: Final = 69632
COOKIE_AGE: Final = 8.0
"""Seconds for which a cookie is used again; it is good for 20."""

MAX_PAGES: Final = 10_000
MAX_KEPT: Final = 1024
"""Messages of other requests that are kept until somebody asks for them; the oldest gives way."""

_COOKIE: Final = re.compile("[0-9]{1,10}")
_NOT_AUTHENTIC: Final = "Auth failed."


class AdminError(Exception):
    """A call has not given what it was for; the text is a sentence for people."""


class NoAnswerError(AdminError):
    """Nobody answers at the address."""


class AuthenticationError(AdminError):
    """The password is wrong."""


class CallFailedError(AdminError):
    """The router replied with an error."""

    def __init__(self, function: str, text: str, reply: ServerReply) -> None:
        super().__init__(f"{function}: {text}")
        self.text = text
        """`error` of the reply."""
        self.reply = reply


class AdminClient:
    """One connection to one router. `timeout` is in seconds and for each datagram waited for."""

    def __init__(self, access: Access, timeout: float = 5.0) -> None:
        self.access = access
        self._password = access.password.encode("utf-8", "surrogateescape")
        self._timeout = timeout
        self._cookie: tuple[int, float] | None = None
        self._kept: deque[tuple[str, ServerReply]] = deque(maxlen=MAX_KEPT)
        """Transaction id and message of what came while another one was waited for."""
        family = socket.AF_INET6 if ":" in access.host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.connect((access.host, access.port))
        except OSError as error:
            self._socket.close()
            raise NoAnswerError(f"Cannot reach {access.where}: {error.strerror}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def call(
        self,
        function: str,
        arguments: Mapping[str, Value] | None = None,
        *,
        signed: bool = True,
        timeout: float | None = None,
    ) -> ServerReply:
        """Call a function and wait for its reply. Raises AdminError, also for a reply that is an error."""
        reply = self.ask(function, arguments, signed=signed, timeout=timeout)
        error = reply.get("error", "none")
        if error not in ("none", ""):
            raise CallFailedError(function, str(error), reply)
        return reply

    def ask(
        self,
        function: str,
        arguments: Mapping[str, Value] | None = None,
        *,
        signed: bool = True,
        timeout: float | None = None,
    ) -> ServerReply:
        """Call a function; a reply with an error is given like any other.

        Raises NoAnswerError and AuthenticationError.
        """
        txid = self.send(function, arguments, signed=signed)
        reply = self.receive(txid, timeout=timeout)
        if signed and reply.get("error") == _NOT_AUTHENTIC:
            raise AuthenticationError(
                f"{self.access.where} refuses the password (from {self.access.origin})."
            )
        return reply

    def pages(
        self,
        function: str,
        key: str,
        arguments: Mapping[str, Value] | None = None,
        *,
        signed: bool = True,
    ) -> Iterator[Value]:
        """Give the entries under `key` of all pages. Raises AdminError."""
        found = 0
        for page in range(MAX_PAGES):
            reply = self.call(function, {**(arguments or {}), "page": page}, signed=signed)
            entries = reply.get(key)
            if isinstance(entries, Mapping):
                entries = list(entries.items())
            if not isinstance(entries, list) or not entries:
                return
            yield from entries
            found += len(entries)
            total = reply.get("total")
            if "more" not in reply and (not isinstance(total, int) or found >= total):
                return

    def send(
        self, function: str, arguments: Mapping[str, Value] | None = None, *, signed: bool = True
    ) -> str:
        """Send a request and give its transaction id, for functions that answer more than once."""
        txid = secrets.token_hex(4)
        if signed:
            datagram = sign(
                function, arguments or {}, password=self._password, cookie=self._fresh_cookie(), txid=txid
            )
        else:
            datagram = encode({"q": function, "args": arguments or {}, "txid": txid})
        self._send(datagram)
        return txid

    def receive(self, txid: str, *, timeout: float | None = None) -> ServerReply:
        """Wait for the next message with this transaction id. Raises NoAnswerError."""
        for place, (kept, reply) in enumerate(self._kept):
            if kept == txid:
                del self._kept[place]
                return reply
        limit = self._timeout if timeout is None else timeout
        deadline = time.monotonic() + limit
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise NoAnswerError(f"No answer from {self.access.where} within {limit:g} s.")
            datagram = self._receive(left)
            if datagram is None:
                continue
            if (
                datagram.startswith(TOO_BIG[:1])
                and b"Request too big." in datagram
                and b"txid" not in datagram
            ):
                raise CallFailedError("request", "Request too big.", {"error": "Request too big."})
            try:
                reply = decode_reply(datagram)
            except WireError:
                continue
            found = reply.pop("txid", None)
            if found == txid:
                return reply
            if isinstance(found, str):
                self._kept.append((found, reply))

    def _fresh_cookie(self) -> int:
        now = time.monotonic()
        if self._cookie is None or now - self._cookie[1] > COOKIE_AGE:
            reply = self.ask("cookie", signed=False)
            cookie = reply.get("cookie")
            if not isinstance(cookie, str) or not _COOKIE.fullmatch(cookie):
                raise NoAnswerError(f"What answers at {self.access.where} is no cjdns router.")
            self._cookie = (int(cookie), now)
        return self._cookie[0]

    def _send(self, datagram: bytes) -> None:
        try:
            self._socket.send(datagram)
        except OSError as error:
            raise self._unreachable(error) from error

    def _receive(self, seconds: float) -> bytes | None:
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(BUFFER)
        except TimeoutError:
            return None
        except OSError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: OSError) -> NoAnswerError:
        if isinstance(error, ConnectionRefusedError):
            return NoAnswerError(f"No router listens at {self.access.where}.")
        return NoAnswerError(f"Cannot reach {self.access.where}: {error.strerror}.")
