"""The grammar of `cjdroute.conf`: values that know their place in the file.

Rules (protocol notes 08 §1 and §2):

- Two dialects. STRICT is what files with `"version": 2` must follow; TOLERANT is what older
  files get: commas are noise, text before the first brace is skipped, and some misreadings are part of it.
- `parse` decides between the two as the reference program does, so a file means the same to both.
- Values keep their byte offsets: `data[value.start : value.end]` is the text of the value, brackets and
  quotation marks included. The editors live on that.
- Duplicate keys are kept; a look-up finds the first.
- Strings are bytes here. Making text of them is the caller's decision (see `text_of`).
- Any bytes at all give a value or a `ConfigError`, nothing else: nesting and integers have bounds.

It differs from the reference at one point: comments before the first brace are skipped as comments in
the tolerant dialect too, because a brace inside such a comment is never meant as the beginning.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final, TypeAlias

from dexrouter.config.errors import DEFAULT_SOURCE, ConfigError, place_of
from dexrouter.config.lexer import Dialect, Kind, Lexer, Token

__all__ = [
    "Array",
    "Document",
    "Integer",
    "Member",
    "Object",
    "String",
    "Value",
    "bytes_of",
    "content_of",
    "parse",
    "parse_strict",
    "parse_tolerant",
    "text_of",
]

_MAX_DEPTH: Final = 64
"""Nesting beyond this is refused; real files have at most eight levels."""


@dataclass(frozen=True, slots=True)
class String:
    """A string: `value` is its content with the escapes undone."""

    start: int
    end: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer of at most 64 bits."""

    start: int
    end: int
    value: int


@dataclass(frozen=True, slots=True)
class Array:
    """A list."""

    start: int
    end: int
    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of a dictionary, from its key to its value."""

    key: String
    value: Value

    @property
    def start(self) -> int:
        """Where the key begins."""
        return self.key.start

    @property
    def end(self) -> int:
        """Where the value ends."""
        return self.value.end


@dataclass(frozen=True, slots=True)
class Object:
    """A dictionary: entries in the order of the file, duplicates included."""

    start: int
    end: int
    members: tuple[Member, ...]

    def member(self, key: str) -> Member | None:
        """Return the first entry of that key."""
        wanted = bytes_of(key)
        return next((member for member in self.members if member.key.value == wanted), None)

    def get(self, key: str) -> Value | None:
        """Return the first value of that key."""
        member = self.member(key)
        return member.value if member is not None else None


Value: TypeAlias = String | Integer | Array | Object


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was understood: its bytes, its outermost dictionary, and how it was read."""

    data: bytes
    root: Object
    dialect: Dialect
    source: str

    @property
    def version(self) -> int | None:
        """The number under `version`; one that is no number counts as absent."""
        return _version_of(self.root)

    def error(self, what: str, offset: int | None, hint: str = "", *, path: str = "") -> ConfigError:
        """Make an error that points to a byte of this file (or to none)."""
        line, column = place_of(self.data, offset) if offset is not None else (0, 0)
        return ConfigError(what, line, column, hint, path=path, source=self.source)


def text_of(value: bytes) -> str:
    """Make text of a string's bytes: UTF-8, and bytes that are not UTF-8 survive as lone surrogates."""
    return value.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Undo `text_of` exactly; passwords are hashed as these bytes."""
    return text.encode("utf-8", "surrogateescape")


def content_of(value: Value) -> object:
    """Return the plain content: dictionaries (first key wins), lists, integers, and bytes as Latin-1 text."""
    if isinstance(value, String):
        return value.value.decode("latin-1")
    if isinstance(value, Integer):
        return value.value
    if isinstance(value, Array):
        return [content_of(item) for item in value.items]
    content: dict[str, object] = {}
    for member in value.members:
        content.setdefault(member.key.value.decode("latin-1"), content_of(member.value))
    return content


def parse_strict(data: bytes, source: str = DEFAULT_SOURCE) -> Object:
    """Read with the strict grammar; raise ConfigError where it is broken."""
    return _StrictParser(data, source).parse()


def parse_tolerant(data: bytes, source: str = DEFAULT_SOURCE) -> Object:
    """Read with the tolerant grammar; raise ConfigError where even that cannot go on."""
    return _TolerantParser(data, source).parse()


def parse(data: bytes, source: str = DEFAULT_SOURCE) -> Document:
    """Read a file by the rules of its version; raise ConfigError (protocol notes 08 §2).

    The strict reading is used when it succeeds, but a file without `"version": 2` must survive the
    tolerant one too. When the strict reading fails, the tolerant one is used unless it finds version 2.
    """
    try:
        root = parse_strict(data, source)
    except ConfigError as strict_error:
        return _parse_older(data, source, strict_error)
    if (_version_of(root) or 0) < 2:
        try:
            parse_tolerant(data, source)
        except ConfigError as error:
            error.hint = f'{error.hint}. Or add "version": 2, which allows it'.removeprefix(". ")
            raise
    return Document(data, root, Dialect.STRICT, source)


def _parse_older(data: bytes, source: str, strict_error: ConfigError) -> Document:
    try:
        root = parse_tolerant(data, source)
    except ConfigError as tolerant_error:
        # What only the strict grammar minds is not why the file cannot be read.
        if isinstance(strict_error, _CommaError):
            raise tolerant_error from strict_error
        raise strict_error from tolerant_error
    if (_version_of(root) or 0) >= 2:
        raise strict_error
    return Document(data, root, Dialect.TOLERANT, source)


def _version_of(root: Object) -> int | None:
    version = root.get("version")
    return version.value if isinstance(version, Integer) else None


class _CommaError(ConfigError):
    """A missing or surplus comma, or text before the first brace: nothing to the tolerant grammar."""


class _Parser(ABC):
    """What both parsers share: the lexer, and values by the kind of their first token."""

    def __init__(self, data: bytes, dialect: Dialect, source: str) -> None:
        self._data = data
        self._source = source
        self._lexer = Lexer(data, dialect, source)

    def value(self, token: Token, depth: int) -> Value:
        """Return the value that begins with `token`."""
        if token.kind is Kind.INTEGER:
            return Integer(token.start, token.end, token.number)
        if token.kind is Kind.STRING:
            return String(token.start, token.end, token.text)
        if token.text in (b"{", b"["):
            if depth >= _MAX_DEPTH:
                raise self._lexer.error(
                    f"brackets nested deeper than {_MAX_DEPTH} levels", token.start, "Close some before it"
                )
            return self.object(token, depth + 1) if token.text == b"{" else self.array(token, depth + 1)
        raise self._lexer.error(
            f"expected a value but found {_shown(token)}", token.start, _value_hint(self._data, token)
        )

    @abstractmethod
    def object(self, opening: Token, depth: int) -> Object:
        """Return the dictionary that `opening` begins."""

    @abstractmethod
    def array(self, opening: Token, depth: int) -> Array:
        """Return the list that `opening` begins."""

    def unclosed(self, opening: Token, closing: str) -> ConfigError:
        """Make the error of a bracket that is never closed."""
        return self._lexer.error(
            f'the "{opening.text.decode()}" that stands here is never closed',
            opening.start,
            f'Put the "{closing}" where it ends',
        )


class _StrictParser(_Parser):
    def __init__(self, data: bytes, source: str) -> None:
        super().__init__(data, Dialect.STRICT, source)

    def parse(self) -> Object:
        first = self._lexer.next(0)
        if first.text != b"{" or first.kind is not Kind.PUNCTUATION:
            bom = self._data.startswith(b"\xef\xbb\xbf")
            hint = (
                "The file begins with a byte order mark: save it as UTF-8 without one"
                if bom
                else "The configuration is one dictionary in braces, with only comments before it"
            )
            raise self._expected('"{"', first, hint, comma=True)
        return self.object(first, 1)

    def object(self, opening: Token, depth: int) -> Object:
        members: list[Member] = []
        token = self._lexer.next(opening.end)
        if not _is(token, b"}"):
            while True:
                if token.kind is Kind.END:
                    raise self.unclosed(opening, "}")
                members.append(self._member(token, depth, is_first=not members))
                token = self._lexer.next(members[-1].end)
                if _is(token, b"}"):
                    break
                token = self._after_comma(token, opening, "}")
        return Object(opening.start, token.end, tuple(members))

    def _member(self, token: Token, depth: int, *, is_first: bool) -> Member:
        if token.kind is not Kind.STRING:
            surplus = _is(token, b"}", b",") and not is_first
            hint = "Take away the comma before it" if surplus else _value_hint(self._data, token)
            raise self._expected("a key in quotation marks", token, hint, comma=surplus)
        colon = self._lexer.next(token.end)
        if not _is(colon, b":"):
            raise self._expected('":"', colon, "A key, a colon, then the value", comma=True)
        value = self.value(self._lexer.next(colon.end), depth)
        return Member(String(token.start, token.end, token.text), value)

    def array(self, opening: Token, depth: int) -> Array:
        items: list[Value] = []
        token = self._lexer.next(opening.end)
        if not _is(token, b"]"):
            while True:
                if token.kind is Kind.END:
                    raise self.unclosed(opening, "]")
                if items and _is(token, b"]", b","):
                    hint = "Take away the comma before it"
                    raise self._expected("a value", token, hint, comma=True)
                items.append(self.value(token, depth))
                token = self._lexer.next(items[-1].end)
                if _is(token, b"]"):
                    break
                token = self._after_comma(token, opening, "]")
        return Array(opening.start, token.end, tuple(items))

    def _after_comma(self, token: Token, opening: Token, closing: str) -> Token:
        """Check that `token` is the comma between two entries and return the token after it."""
        if token.kind is Kind.END:
            raise self.unclosed(opening, closing)
        if not _is(token, b","):
            begins_value = token.kind in (Kind.STRING, Kind.INTEGER) or _is(token, b"{", b"[")
            hint = (
                "Put a comma behind the entry before it" if begins_value else _value_hint(self._data, token)
            )
            raise self._expected('","', token, hint, comma=begins_value)
        return self._lexer.next(token.end)

    def _expected(self, what: str, token: Token, hint: str, *, comma: bool) -> ConfigError:
        error = self._lexer.error(f"expected {what} but found {_shown(token)}", token.start, hint)
        if comma:
            return _CommaError(error.what, error.line, error.column, error.hint, source=error.source)
        return error


class _TolerantParser(_Parser):
    def __init__(self, data: bytes, source: str) -> None:
        super().__init__(data, Dialect.TOLERANT, source)

    def parse(self) -> Object:
        position = self._lexer.skip_blank(0)
        while position < len(self._data) and self._data[position] != ord("{"):
            position = self._lexer.skip_blank(position + 1)
        if position >= len(self._data):
            raise self._lexer.error(
                'there is no "{" in the file', 0, "The configuration is one dictionary in braces"
            )
        return self.object(self._lexer.next(position), 1)

    def object(self, opening: Token, depth: int) -> Object:
        members: list[Member] = []
        token = self._lexer.next(opening.end)
        while not _is(token, b"}"):
            if token.kind is Kind.END:
                raise self.unclosed(opening, "}")
            if token.kind is not Kind.STRING:
                token = self._lexer.next(token.end)
                continue
            key = String(token.start, token.end, token.text)
            value = self.value(self._lexer.next(self._behind_colon(key)), depth)
            members.append(Member(key, value))
            token = self._lexer.next(value.end)
        return Object(opening.start, token.end, tuple(members))

    def array(self, opening: Token, depth: int) -> Array:
        items: list[Value] = []
        token = self._lexer.next(opening.end)
        while not _is(token, b"]"):
            if token.kind is Kind.END:
                raise self.unclosed(opening, "]")
            if token.kind in (Kind.STRING, Kind.INTEGER) or _is(token, b"{", b"["):
                items.append(self.value(token, depth))
                token = self._lexer.next(items[-1].end)
            else:
                token = self._lexer.next(token.end)
        return Array(opening.start, token.end, tuple(items))

    def _behind_colon(self, key: String) -> int:
        """Return the offset behind the next colon, wherever that is: strings in between are not looked at."""
        position = self._lexer.skip_blank(key.end)
        while position < len(self._data):
            if self._data[position] == ord(":"):
                return position + 1
            position = self._lexer.skip_blank(position + 1)
        raise self._lexer.error(
            "there is no colon behind this key", key.start, "A key, a colon, then the value"
        )


def _is(token: Token, *signs: bytes) -> bool:
    return token.kind is Kind.PUNCTUATION and token.text in signs


def _shown(token: Token) -> str:
    """Describe a token for a message, without repeating what a string holds: it may be a password."""
    if token.kind is Kind.END:
        return "the end of the file"
    if token.kind is Kind.STRING:
        return "a text in quotation marks"
    if token.kind is Kind.INTEGER:
        return f"the number {token.number}"
    if token.text.isascii() and token.text.decode().isprintable():
        return f'"{token.text.decode()}"'
    return f"the byte 0x{token.text[0]:02x}"


def _value_hint(data: bytes, token: Token) -> str:
    if any(data.startswith(word, token.start) for word in (b"true", b"false", b"null")):
        return "Write 1 for true and 0 for false; leave out what is null"
    if token.text == b"#":
        return "Comments begin with //"
    if token.text == b".":
        return "Numbers have no fractions here"
    return 'Values are "texts", whole numbers, {dictionaries} and [lists]'
