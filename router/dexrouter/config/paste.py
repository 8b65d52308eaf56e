"""Peers as people paste them: from lists on the web, from letters, out of somebody's configuration.

Rules:

- Only what looks like an entry counts: a text in quotation marks, then a dictionary with a key or with an
  address in front. Everything around it, other dictionaries included, is passed over or looked into.
- Form is forgiven: missing and surplus commas, no outer braces, comments, typographic quotation marks,
  hard spaces, HTML entities, the escapes of JSON and of `cjdroute.conf`.
- Content is not: each entry has a numeric address with port, a key of this network, and a password.
  An entry that fails says why; the others are kept.
- Fields that mean nothing to a router (contact, location, …) are dropped: long entries have made the
  reference abort at its start.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from dexrouter.config._section import key_problem
from dexrouter.config.address import AddressError, parse_peer_address
from dexrouter.config.model import ConnectTo

__all__ = ["PastedPeers", "PeerProblem", "parse_peers"]

_QUOTES: Final = '"\u201c\u201d\u201e\u201f\uff02\u2033'
"""The straight quotation mark and the ones that word processors and web pages put in its place."""

_BLANKS: Final = re.compile(r"(?:[\s\u200b-\u200d\u2060\ufeff]|&nbsp;|&#160;|&#xa0;)+", re.IGNORECASE)
_COMMENT: Final = re.compile(r"(?<!:)//[^\n]*|/\*.*?\*/", re.DOTALL)
_INTERESTING: Final = re.compile(rf"[{_QUOTES}{{}}]|(?<!:)//|/\*")
_WORD: Final = re.compile(rf"[^\s{_QUOTES}{{}}:]+")
_ENTITIES: Final = (("&quot;", '"'), ("&#34;", '"'), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))")
_PLAIN_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_ADDRESS_LIKE: Final = re.compile(r"\[[^\]\s]*\]:\d+|[\w.-]+:\d+")
_MAX_DEPTH: Final = 32


@dataclass(frozen=True, slots=True)
class PeerProblem:
    """An entry that cannot be used."""

    index: int
    """Its number among the entries of the text, from 1."""
    address: str
    """The text in front of the entry, as written."""
    why: str
    """What is wrong and what to do, in a sentence or two."""


@dataclass(frozen=True, slots=True)
class PastedPeers:
    """What a text yields."""

    peers: tuple[ConnectTo, ...] = ()
    problems: tuple[PeerProblem, ...] = ()


def parse_peers(text: str) -> PastedPeers:
    """Find the peers in a text. Never raises: a text without peers gives none, and says nothing."""
    peers: dict[str, ConnectTo] = {}
    problems: list[PeerProblem] = []
    for index, (address, fields) in enumerate(_entries(text), 1):
        peer = _checked(address, fields)
        if isinstance(peer, str):
            problems.append(PeerProblem(index, address, peer))
        elif peers.setdefault(address, peer) != peer:
            why = "The same address stands here twice with different credentials. The first one is used."
            problems.append(PeerProblem(index, address, why))
    return PastedPeers(tuple(peers.values()), tuple(problems))


@dataclass(slots=True)
class _Entry:
    """A dictionary while it is read."""

    key: str
    """The text in front of it; empty if there is none, as in a list."""
    fields: dict[str, str | None]
    """Texts; None for anything else."""
    in_braces: bool = True

    @property
    def is_peer(self) -> bool:
        """Whether it names a key, or the text in front of it looks like an address."""
        return bool(self.key) and (
            "publicKey" in self.fields or _ADDRESS_LIKE.fullmatch(self.key) is not None
        )


def _entries(text: str) -> list[tuple[str, dict[str, str | None] | None]]:
    """Return the entries of a text: the address, and the fields or None if the text ends within.

    One pass with a stack of open dictionaries; braces that do not match are forgiven.
    """
    if '"' not in text:
        for entity, character in _ENTITIES:
            text = text.replace(entity, character)
    scanner = _Scanner(text)
    found: list[tuple[str, dict[str, str | None] | None]] = []
    opened: list[_Entry] = []

    def close() -> None:
        entry = opened.pop()
        if entry.is_peer:
            found.append((entry.key, entry.fields))

    while (sign := scanner.advance()) is not None:
        if sign == "}":
            scanner.position += 1
            if opened:
                close()
            continue
        key, behind = (scanner.key() if sign != "{" else None) or ("", "")
        looks_like_address = _ADDRESS_LIKE.fullmatch(key) is not None
        if opened and not opened[-1].in_braces and (not key or looks_like_address):
            close()
        if behind == ":" and looks_like_address:
            opened.append(_Entry(key, {}, in_braces=False))
        elif behind == ":" and opened:
            opened[-1].fields.setdefault(key, scanner.value())
        elif behind != ":":
            scanner.position += not behind
            if (sign == "{" or behind) and len(opened) < _MAX_DEPTH:
                opened.append(_Entry(key, {}))
    while opened:
        entry = opened[-1]
        if entry.in_braces:
            opened.pop()
            if _ADDRESS_LIKE.fullmatch(entry.key):
                found.append((entry.key, None))
        else:
            close()
    return found


def _checked(address: str, fields: dict[str, str | None] | None) -> ConnectTo | str:
    """Return the peer, or what is wrong with the entry."""
    if fields is None:
        return "The entry ends before its closing brace. Paste it as a whole."
    try:
        parse_peer_address(address)
    except AddressError as error:
        return f"{error}."
    key = fields.get("publicKey")
    if key is None:
        return "There is no publicKey in quotation marks. Ask for the whole entry."
    if problem := key_problem(key):
        return f'The key "{key}" {problem}. Ask for it again.'
    password = fields.get("password")
    if not password:
        return "There is no password in quotation marks. Ask the owner of the node for one."
    return ConnectTo(address, key[:54], password, fields.get("login") or None, fields.get("peerName") or None)


class _Scanner:
    """Finds quotation marks and braces; knows nothing of what they mean."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.position = 0

    def advance(self) -> str | None:
        """Go to the next quotation mark or brace outside comments and return it."""
        while match := _INTERESTING.search(self._text, self.position):
            self.position = match.start()
            if not match.group().startswith("/"):
                return match.group()
            comment = _COMMENT.match(self._text, self.position)
            self.position = comment.end() if comment else match.end()
        return None

    def key(self) -> tuple[str, str] | None:
        """Read `"key":` or `"key" {` and return the key and the sign behind it; None if it is no key.

        `position` is then behind the colon or brace; for what is no key it does not move, so that a stray
        quotation mark in a sentence does not turn the text inside out.
        """
        start = self.position
        key = self._quoted()
        if key is not None:
            self._skip_blank()
            colon = self._accept(":")
            self._skip_blank()
            if self._accept("{"):
                return key.strip(), "{"
            if colon:
                return key.strip(), ":"
        self.position = start
        return None

    def value(self) -> str | None:
        """Read the text behind a colon; None, with nothing or a bare word read, if there is none."""
        quoted = self._quoted()
        if quoted is None and (word := _WORD.match(self._text, self.position)):
            self.position = word.end()
        return quoted

    def _accept(self, sign: str) -> bool:
        if self._text.startswith(sign, self.position):
            self.position += 1
            return True
        return False

    def _skip_blank(self) -> None:
        while match := _BLANKS.match(self._text, self.position) or _COMMENT.match(self._text, self.position):
            self.position = match.end()

    def _quoted(self) -> str | None:
        """Read a text in quotation marks that ends on its line; a straight one closes a straight one only."""
        text, start = self._text, self.position
        if text[start : start + 1] not in tuple(_QUOTES):
            return None
        closing = '"' if text[start] == '"' else _QUOTES
        end = start + 1
        while end < len(text) and text[end] not in closing and text[end] != "\n":
            end += 2 if text[end] == "\\" else 1
        if end >= len(text) or text[end] == "\n":
            return None
        self.position = end + 1
        return _ESCAPE.sub(_unescaped, text[start + 1 : end])


def _unescaped(match: re.Match[str]) -> str:
    byte, code, letter = match.groups()
    if letter is not None:
        return _PLAIN_ESCAPES.get(letter, letter)
    return chr(int(byte or code, 16))
