r"""The one tokeniser of `cjdroute.conf`: bytes in, tokens with their offsets out.

Rules (protocol notes 08 §1):

- White space is space, tab, carriage return and line feed. Comments are `// …` and `/* … */`; neither
  becomes a token, but what is between two tokens can be stepped over with `skip_blank`.
- STRICT: strings know `\xNN` and nothing else and end on their line; integers may have a minus.
- TOLERANT: strings may run over lines, whatever letter stands behind a backslash counts as x, a minus is
  noise, and `**/` does not end a comment.
- Both refuse integers beyond 64 bits. Whatever else is found is NOISE, one byte at a time: the parsers
  decide whether that matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from dexrouter.config.errors import ConfigError, place_of

__all__ = ["Dialect", "Kind", "Lexer", "Token"]

_MAX_INTEGER: Final = (1 << 63) - 1
"""The reference keeps integers in 64 bits with sign."""

_WHITE: Final = b" \t\r\n"
_DIGITS: Final = b"0123456789"
_HEX: Final = b"0123456789abcdefABCDEF"


class Dialect(Enum):
    """Which of the two grammars."""

    STRICT = auto()
    TOLERANT = auto()


class Kind(Enum):
    """What a token is."""

    PUNCTUATION = auto()
    STRING = auto()
    INTEGER = auto()
    NOISE = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One token; comments and white space never become one. NOISE is one byte that means nothing."""

    kind: Kind
    start: int
    end: int
    text: bytes = b""
    """The content of a string, otherwise the one byte of punctuation or noise."""
    number: int = 0
    """The value of an INTEGER."""


class Lexer:
    """Cuts the bytes of a file into tokens, in one of the two dialects."""

    def __init__(self, data: bytes, dialect: Dialect, source: str) -> None:
        self._data = data
        self._strict = dialect is Dialect.STRICT
        self._source = source

    def error(self, what: str, offset: int, hint: str = "") -> ConfigError:
        """Make an error at a byte offset."""
        line, column = place_of(self._data, offset)
        return ConfigError(what, line, column, hint, source=self._source)

    def next(self, position: int) -> Token:
        """Return the first token at or after `position`."""
        data = self._data
        start = self.skip_blank(position)
        if start >= len(data):
            return Token(Kind.END, start, start)
        first = data[start]
        if first in b"{}[]:,":
            return Token(Kind.PUNCTUATION, start, start + 1, data[start : start + 1])
        if first == ord('"'):
            return self._string(start)
        if first in _DIGITS or (self._strict and first == ord("-")):
            return self._integer(start)
        return Token(Kind.NOISE, start, start + 1, data[start : start + 1])

    def skip_blank(self, position: int) -> int:
        """Return the first offset at or after `position` that is neither white space nor comment."""
        data = self._data
        while position < len(data):
            if data[position] in _WHITE:
                position += 1
            elif data.startswith(b"//", position):
                line_end = data.find(b"\n", position)
                position = len(data) if line_end < 0 else line_end + 1
            elif data.startswith(b"/*", position):
                position = self._comment_end(position)
            else:
                break
        return position

    def _comment_end(self, start: int) -> int:
        """Return where a block comment ends. The tolerant reader takes stars in pairs and so misses `**/`."""
        data = self._data
        position = start + 2
        while (star := data.find(b"*", position)) >= 0:
            if data[star + 1 : star + 2] == b"/":
                return star + 2
            position = star + (1 if self._strict else 2)
        raise self.error("the comment that begins here never ends", start, "Close it with */")

    def _string(self, start: int) -> Token:
        data = self._data
        content = bytearray()
        position = start + 1
        while position < len(data):
            byte = data[position]
            if byte == ord('"'):
                return Token(Kind.STRING, start, position + 1, bytes(content))
            if byte == ord("\n") and self._strict:
                raise self.error(
                    "the text in quotation marks runs over the end of the line",
                    start,
                    "Close it on the line where it begins",
                )
            if byte == ord("\\"):
                content.append(self._escape(position))
                position += 4
                continue
            content.append(byte)
            position += 1
        raise self.error(
            "the text in quotation marks that begins here never ends",
            start,
            "Put the closing quotation mark",
        )

    def _escape(self, start: int) -> int:
        """Return the byte an escape stands for. The tolerant reader does not look at the letter in it."""
        digits = self._data[start + 2 : start + 4]
        letter = self._data[start + 1 : start + 2]
        if len(digits) < 2 or any(digit not in _HEX for digit in digits) or (self._strict and letter != b"x"):
            raise self.error(
                r"a backslash stands only before x and two hex digits",
                start,
                r"Write \x22 for a quotation mark, \x5C for a backslash, and other characters as they are",
            )
        return int(digits, 16)

    def _integer(self, start: int) -> Token:
        data = self._data
        position = start + (data[start] == ord("-"))
        digits_from = position
        while position < len(data) and data[position] in _DIGITS:
            position += 1
        digits = data[digits_from:position].lstrip(b"0")
        if position == digits_from:
            raise self.error('a "-" without a number', start, "Write digits behind it")
        number = int(digits or b"0") if len(digits) < 20 else _MAX_INTEGER + 1
        if number > _MAX_INTEGER:
            raise self.error("the number does not fit in 64 bits", start, f"The largest is {_MAX_INTEGER}")
        if digits_from > start:
            number = -number
        return Token(Kind.INTEGER, start, position, number=number)
