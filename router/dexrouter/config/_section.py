"""Typed look-ups in one dictionary of a configuration; what is wrong is collected, never raised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dexrouter.config.jsonc import Array, Integer, Object, String, text_of
from dexrouter.crypto.keys import KeyErrorCode, KeyParseError, parse_public_key

if TYPE_CHECKING:
    from dexrouter.config.errors import ConfigError
    from dexrouter.config.jsonc import Document, Value

__all__ = ["Reader", "Section", "key_problem"]

_KEY_PROBLEMS = {
    KeyErrorCode.TOO_SHORT: "is too short for a public key",
    KeyErrorCode.MALFORMED: "does not end with .k behind 52 characters",
    KeyErrorCode.DECODE_FAILED: "holds characters that public keys do not have",
    KeyErrorCode.INVALID: "is not a key of this network: its address does not begin with fc",
}


def key_problem(text: str) -> str:
    """Say what is wrong with the text of a public key, or nothing."""
    try:
        parse_public_key(text)
    except KeyParseError as error:
        return _KEY_PROBLEMS[error.code]
    return ""


class Reader:
    """Collects errors and warnings while a document is read."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.errors: list[ConfigError] = []
        self.warnings: list[ConfigError] = []


class Section:
    """One dictionary and the path to it. A dictionary that is absent reads as an empty one."""

    def __init__(self, reader: Reader, node: Object, path: str) -> None:
        self.reader = reader
        self.node = node
        self.path = path

    def path_of(self, key: str) -> str:
        """Return the path of one of its keys."""
        return f"{self.path}.{key}" if self.path else key

    def error(self, key: str, what: str, hint: str, at: int | None = None) -> None:
        """Note an error at the value of `key`, or where the dictionary begins if it is absent."""
        self.reader.errors.append(self._problem(key, what, hint, at))

    def warn(self, key: str, what: str, hint: str, at: int | None = None) -> None:
        """Note something that has no effect."""
        self.reader.warnings.append(self._problem(key, what, hint, at))

    def _problem(self, key: str, what: str, hint: str, at: int | None) -> ConfigError:
        value = self.node.get(key)
        place = at if at is not None else value.start if value is not None else self.node.start
        return self.reader.document.error(what, place, hint, path=self.path_of(key))

    def section(self, key: str) -> Section:
        """Return the dictionary under a key."""
        value = self.node.get(key)
        if isinstance(value, Object):
            return Section(self.reader, value, self.path_of(key))
        if value is not None:
            self.warn(key, "is not a dictionary and is ignored", 'Write "key": { … }')
        return Section(self.reader, Object(self.node.start, self.node.start, ()), self.path_of(key))

    def sections(self, key: str) -> tuple[Section, ...]:
        """Return the dictionaries of a list, or the one dictionary that stands in its place."""
        value = self.node.get(key)
        if isinstance(value, Object):
            return (Section(self.reader, value, self.path_of(key)),)
        found: list[Section] = []
        for path, item in self.items(key):
            if isinstance(item, Object):
                found.append(Section(self.reader, item, path))
            else:
                self.reader.errors.append(
                    self.reader.document.error(
                        "expected a dictionary in braces", item.start, "Write { … }", path=path
                    )
                )
        return tuple(found)

    def items(self, key: str) -> tuple[tuple[str, Value], ...]:
        """Return what a list holds, each with its path."""
        value = self.node.get(key)
        if isinstance(value, Array):
            path = self.path_of(key)
            return tuple((f"{path}[{index}]", item) for index, item in enumerate(value.items))
        if value is not None:
            self.warn(key, "is not a list and is ignored", "Write [ … ]")
        return ()

    def text(self, key: str) -> str | None:
        """Return a text that may be absent."""
        value = self.node.get(key)
        if isinstance(value, String):
            return text_of(value.value)
        if value is not None:
            self.warn(key, "is not a text in quotation marks and is ignored", 'Write "…"')
        return None

    def required_text(self, key: str, hint: str) -> str | None:
        """Return a text that must be there; None after noting the error."""
        value = self.node.get(key)
        if isinstance(value, String):
            return text_of(value.value)
        self.error(key, "is missing" if value is None else "is not a text in quotation marks", hint)
        return None

    def integer(self, key: str, default: int, allowed: range | None = None) -> int:
        """Return a number that may be absent; one outside `allowed` is an error."""
        value = self.node.get(key)
        if value is None:
            return default
        if not isinstance(value, Integer):
            self.warn(key, "is not a number and is ignored", "Write it without quotation marks")
            return default
        if allowed is not None and value.value not in allowed:
            self.error(key, f"{value.value} is out of range", f"Write {allowed[0]} to {allowed[-1]}")
            return default
        return value.value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; anything else in it is an error."""
        found: list[str] = []
        for path, item in self.items(key):
            if isinstance(item, String):
                found.append(text_of(item.value))
            else:
                self.reader.errors.append(
                    self.reader.document.error(
                        "is not a text in quotation marks", item.start, 'Write "…"', path=path
                    )
                )
        return tuple(found)

    def public_key(self, key: str) -> str | None:
        """Return a public key that must be there."""
        text = self.required_text(key, "Every entry needs the public key of the other node")
        if text is not None and (problem := key_problem(text)):
            self.error(key, f'"{text}" {problem}', "Ask for the key again; it has 52 characters and .k")
        return text

    def public_keys(self, key: str) -> tuple[str, ...]:
        """Return a list of public keys."""
        for path, item in self.items(key):
            if isinstance(item, String) and (problem := key_problem(text := text_of(item.value))):
                hint = "Ask for the key again; it has 52 characters and .k"
                self.reader.errors.append(
                    self.reader.document.error(f'"{text}" {problem}', item.start, hint, path=path)
                )
        return self.texts(key)
