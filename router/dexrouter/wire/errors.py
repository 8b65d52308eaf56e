"""The one exception of the wire layer.

Every parser of this package gives a value or raises `WireError`; never `IndexError`, `struct.error` or
`UnicodeDecodeError`. Bytes from the network are hostile: who parses them catches this one name.
"""

from __future__ import annotations

__all__ = ["WireError"]


class WireError(ValueError):
    """Bytes (or a text form) that the protocol does not allow."""

    what: str
    """The reason, in words that can be counted and logged."""

    offset: int
    """Where in the given data the reason was found, in bytes (characters for text forms)."""

    def __init__(self, what: str, offset: int = 0) -> None:
        super().__init__(f"{what} (at {offset})")
        self.what = what
        self.offset = offset
