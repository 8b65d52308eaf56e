"""SIP as far as the doctor speaks it: one OPTIONS request, and what came back (RFC 3261 §11, §7.2, §18.1.2).

Pure. A phone that answers anything at all, even that it knows nobody of that name, can be called.
"""

from __future__ import annotations

import re

__all__ = ["PORT", "SipError", "answer_of", "options_request"]

PORT = 5060
_STATUS = re.compile(rb"SIP/2\.0 ([1-6]\d\d)([^\r\n]*)\r?\n")
_PROGRAM = re.compile(rb"^(?:Server|User-Agent)[ \t]*:[ \t]*([^\r\n]{1,80})", re.MULTILINE | re.IGNORECASE)


class SipError(ValueError):
    """What came back is no answer to the request."""


def options_request(target: str, source: str, source_port: int, token: str) -> bytes:
    """Return the datagram that asks the phone at an IPv6 address what it can do; `token` marks the answer."""
    sender = f"[{source}]:{source_port}"
    lines = (
        f"OPTIONS sip:[{target}] SIP/2.0",
        f"Via: SIP/2.0/UDP {sender};branch=z9hG4bK{token};rport",
        "Max-Forwards: 1",
        f"From: <sip:dexsetup@[{source}]>;tag={token}",
        f"To: <sip:[{target}]>",
        f"Call-ID: {token}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:dexsetup@{sender}>",
        "Content-Length: 0",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer_of(datagram: bytes, token: str) -> str:
    """Return the final answer in words: status, and the program if it names itself; empty: still to come.

    Raises SipError for a datagram that is no answer to the request with this token.
    """
    match = _STATUS.match(datagram)
    if match is None or f"z9hG4bK{token}".encode() not in datagram:
        raise SipError("no answer to the request")
    if match[1].startswith(b"1"):
        return ""
    words = f"{match[1].decode()}{match[2].decode('utf-8', 'replace')}".strip()
    program = _PROGRAM.search(datagram)
    return f"{words} ({program[1].decode('utf-8', 'replace').strip()})" if program is not None else words
