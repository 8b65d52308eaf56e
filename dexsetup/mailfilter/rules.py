"""The mail filter as a pure machine: a line of opensmtpd's filter protocol in, the lines of the answer out.

Three rules, and everything else passes (spec 10 §1.6, §3.2):

- A letter that comes from another machine names a sender at that machine's own address. The mesh vouches for
  addresses, so this ends forged senders. The empty sender is allowed: bounces have it. Connections from this
  machine itself (127.0.0.1, ::1, the local socket) may name any sender. A letter that somebody's aliases
  forward to a third machine carries a sender of the first, and is refused there: that is the price.
- alpine writes `user@"[IPv6:..]"`, with the domain in quotes, into the headers of a letter, and s-nail cannot
  answer that. The quotes are taken off, in the headers that hold addresses and nowhere else.
- GNU mail, which speaks SMTP to this machine, leaves the line From: to the server, and opensmtpd adds none. A
  letter from this machine whose header has no such line gets one, with the sender that was named.

The protocol is lines of fields with | between them. Versions 0.4 (opensmtpd 6.6) to 0.7 (7.x):

    report|VERSION|TIME|smtp-in|link-connect|SESSION|RDNS|FCRDNS|SOURCE|DESTINATION
    report|VERSION|TIME|smtp-in|link-disconnect|SESSION
    filter|VERSION|TIME|smtp-in|mail-from|SESSION|TOKEN|ADDRESS
    filter|VERSION|TIME|smtp-in|data-line|SESSION|TOKEN|TEXT      TEXT may hold |

    filter-result|SESSION|TOKEN|proceed      filter-result|SESSION|TOKEN|reject|550 5.7.1 words
    filter-dataline|SESSION|TOKEN|TEXT       before 0.5: TOKEN|SESSION

A letter begins with mail-from, which opensmtpd waits for. The report of its data does not: it may come after
the first lines of the letter, which would then pass for its body.

Total: any bytes at all give lines to answer or none, never an exception: opensmtpd ends when its filter does.
Standard library only: the program must start fast, and without the packages of the wizard.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

__all__ = ["REGISTRATION", "SESSIONS_MAX", "MailFilter", "Verdict", "mended", "peer_of", "sender_verdict"]

REGISTRATION = (
    b"register|report|smtp-in|link-connect",
    b"register|report|smtp-in|link-disconnect",
    b"register|filter|smtp-in|mail-from",
    b"register|filter|smtp-in|data-line",
    b"register|ready",
)
"""What is written once opensmtpd has said `config|ready`."""

SESSIONS_MAX = 4096
"""Sessions that are remembered; past it the oldest is forgotten, and is asked to try again. opensmtpd itself
takes no more connections than it has file descriptors, which is far fewer."""

_FIELDS = 7
"""Bars before the last field of a request, which may hold bars itself."""
_SWAPPED_BEFORE = (0, 5)
_VERSION_DIGITS_END = 5
_QUOTED_LITERAL = re.compile(rb'@"(\[IPv6:[0-9A-Fa-f:.]+\])"', re.IGNORECASE)
_ADDRESS_HEADER = re.compile(rb"(?:resent-)?(?:from|to|cc|bcc|sender|reply-to)[ \t]*:", re.IGNORECASE)
_FROM_HEADER = re.compile(rb"from[ \t]*:", re.IGNORECASE)
_HEADER = re.compile(rb"[!-9;-~]+[ \t]*:")
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{}~-]+@[A-Za-z0-9.:\[\]-]+")
_SENDER = re.compile(r"[^\s<>@]+@\[(?:ipv6:)?([0-9a-f:.]+)\]", re.IGNORECASE)
_TRY_AGAIN = "reject|451 4.7.1 This connection is not known any more: try again"

_Address = IPv4Address | IPv6Address


@dataclass(slots=True)
class _Session:
    """One SMTP connection."""

    peer: _Address | None
    """None: this machine itself."""
    is_in_header: bool = False
    is_address_header: bool = False
    """The header line before this one held addresses: a folded line belongs to it."""
    sender: bytes = b""
    """Of the letter, if this machine sends it and it can stand in a header as it is."""
    lacks_from: bool = False
    """The header so far has no From: and is to get one."""

    def begin(self, sender: bytes) -> None:
        """Expect the header of a letter from this sender."""
        self.sender, self.lacks_from = sender, bool(sender)
        self.is_in_header, self.is_address_header = True, False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is answered to a sender, in the protocol's words."""

    words: str

    @property
    def is_accepted(self) -> bool:
        """Whether the letter may go on."""
        return self.words == "proceed"


def peer_of(source: bytes) -> _Address | None:
    """Return the address of a connection's source, None for this machine itself.

    Raises ValueError for what is neither `[IPv6]:port`, `IPv4:port` nor a local socket.
    """
    text = source.decode("ascii", "replace")
    if text in {"local", "unix"} or text.startswith(("unix:", "local:")):
        return None
    host, _, port = text.rpartition(":")
    if not port.isdecimal():
        raise ValueError(f"{text!r} has no port")
    address = ip_address(host.removeprefix("[").removesuffix("]").removeprefix("IPv6:"))
    return None if address.is_loopback else address


def sender_verdict(peer: _Address | None, parameter: bytes) -> Verdict:
    """Judge the sender of a letter. `parameter` is what stood behind MAIL FROM:, with or without brackets."""
    text = _address_in(parameter)
    if text is None:
        return Verdict("reject|501 5.1.7 This is not an address")
    if peer is None or not text:
        return Verdict("proceed")
    match = _SENDER.fullmatch(text)
    if match is not None:
        try:
            if ip_address(match[1]) == peer:
                return Verdict("proceed")
        except ValueError:
            pass  # not an address, so not the peer's
    literal = f"[IPv6:{peer}]" if peer.version == 6 else f"[{peer}]"
    return Verdict(
        f"reject|550 5.7.1 You are {literal}: letters from there must name a sender at that address"
    )


def _address_in(parameter: bytes) -> str | None:
    """Return the address behind MAIL FROM: without brackets; None for half a pair of them."""
    text = parameter.decode("utf-8", "replace").strip(" \t")
    if not text.startswith("<"):
        return text
    text, bracket, rest = text[1:].partition(">")
    return None if not bracket or (rest and not rest.startswith(" ")) else text


def mended(line: bytes) -> bytes:
    """Return a line of an address header with the quotes around mesh addresses taken off."""
    return _QUOTED_LITERAL.sub(rb"@\1", line)


class MailFilter:
    """Remembers for each connection who it is, and where in a letter it stands."""

    __slots__ = ("_sessions",)

    def __init__(self) -> None:
        self._sessions: dict[bytes, _Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def receive(self, line: bytes) -> bytes | None:
        """Take one line without its end; return the answer, its last end left out, or None. Never raises."""
        kind = line[:7]
        if kind == b"report|":
            self._report(line.split(b"|"))
            return None
        if kind == b"filter|":
            return self._request(line.split(b"|", _FIELDS))
        return None

    def _report(self, fields: list[bytes]) -> None:
        if len(fields) < 6 or fields[3] != b"smtp-in":
            return
        match fields[4]:
            case b"link-connect":
                self._connected(fields)
            case b"link-disconnect":
                self._sessions.pop(fields[5], None)
            case _:
                pass

    def _connected(self, fields: list[bytes]) -> None:
        """Remember who it is. The source is counted from the end: a name in front of it may hold anything."""
        if len(fields) < 10:
            return
        try:
            peer = peer_of(fields[-2])
        except ValueError:
            return
        self._sessions.pop(fields[5], None)
        if len(self._sessions) >= SESSIONS_MAX:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[fields[5]] = _Session(peer)

    def _request(self, fields: list[bytes]) -> bytes | None:
        if len(fields) <= _FIELDS or fields[3] != b"smtp-in":
            return None
        session = self._sessions.get(fields[5])
        ids = (fields[6], fields[5]) if _version(fields[1]) < _SWAPPED_BEFORE else (fields[5], fields[6])
        match fields[4]:
            case b"data-line":
                lines = (fields[7],) if session is None else _data_lines(session, fields[7])
                return b"\n".join(b"|".join((b"filter-dataline", *ids, line)) for line in lines)
            case b"mail-from":
                words = _TRY_AGAIN
                if session is not None:
                    words = sender_verdict(session.peer, fields[7]).words
                    session.begin(_own_sender(session.peer, fields[7]))
                return b"|".join((b"filter-result", *ids, words.encode()))
            case _:
                return b"|".join((b"filter-result", *ids, b"proceed"))


def _own_sender(peer: _Address | None, parameter: bytes) -> bytes:
    """Return the sender of a letter from this machine; nothing for one that does not look like an address."""
    text = _address_in(parameter) if peer is None else None
    return text.encode() if text is not None and _PLAIN_ADDRESS.fullmatch(text) else b""


def _data_lines(session: _Session, text: bytes) -> tuple[bytes, ...]:
    """Follow the header of a letter line by line; the body passes as it is."""
    if not session.is_in_header:
        return (text,)
    if text in {b"", b"\r", b"."}:
        session.is_in_header = False
        return (b"From: " + session.sender, text) if session.lacks_from else (text,)
    if not text.startswith((b" ", b"\t")):
        session.is_address_header = _ADDRESS_HEADER.match(text) is not None
        session.lacks_from = (
            session.lacks_from and _HEADER.match(text) is not None and _FROM_HEADER.match(text) is None
        )
    return (mended(text),) if session.is_address_header else (text,)


def _version(text: bytes) -> tuple[int, ...]:
    """Return the protocol's version; one that cannot be read counts as the newest."""
    parts = text.split(b".")
    is_readable = all(part.isdigit() and len(part) < _VERSION_DIGITS_END for part in parts)
    return tuple(int(part) for part in parts) if is_readable else (1,)
