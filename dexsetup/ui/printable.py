"""Text made fit to be shown: names of people and output of programs reach screen and lines through `clean`.

Control characters, escape sequences and marks that turn the writing direction would move things that are not
theirs. Nothing of the toolkit is needed for it.
"""

from __future__ import annotations

__all__ = ["clean"]


def clean(text: str) -> str:
    """Return the text with every character that is not printable in sight, as an escape."""
    if text.isprintable():
        return text
    return "".join(ch if ch.isprintable() else _escape(ch) for ch in text)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
