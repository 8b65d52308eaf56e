"""What this terminal can show: Unicode or ASCII, so many cells; and text made fit for it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

__all__ = ["AsciiFilter", "ascii_text", "is_ascii_terminal", "shortened"]

_ASCII = {
    "\u2502": "|", "\u2503": "|", "\u2500": "-", "\u2501": "-", "\u250c": "+", "\u2510": "+", "\u2514": "+",
    "\u2518": "+", "\u251c": "+", "\u2524": "+", "\u252c": "+", "\u2534": "+", "\u253c": "+", "\u2026": "~",
    "\u2013": "-", "\u2014": "-", "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2192": ">",
    "\u2191": "^", "\u2193": "v", "\u2588": "#", "\u2591": "-", "\u2022": "*", "\xd7": "x", "\xa0": " ",
}  # fmt: skip
_ASCII |= {chr(code): "#" for code in range(0x2581, 0x2590)}
"""Part blocks: the ends of scroll bars."""


_COERCED = frozenset({"C.UTF-8", "C.utf8", "UTF-8"})
"""What Python itself makes of LC_CTYPE where the locale is C: it says nothing about the terminal."""


def is_ascii_terminal(environment: Mapping[str, str]) -> bool:
    """Whether only ASCII is safe: the Linux console, and every terminal whose locale is not of UTF-8."""
    locale = environment.get("LC_ALL") or ""
    if not locale and environment.get("LC_CTYPE") not in _COERCED:
        locale = environment.get("LC_CTYPE") or ""
    codeset = (locale or environment.get("LANG") or "").lower().replace("-", "")
    return "utf8" not in codeset or environment.get("TERM", "") in {"linux", "dumb", "vt100", "vt220", ""}


@lru_cache(2048)
def ascii_text(text: str) -> str:
    """Return the text in ASCII, each character as wide as before."""
    if text.isascii():
        return text
    return "".join(ch if ch.isascii() else _ASCII.get(ch, "?" * cell_len(ch)) for ch in text)


def shortened(text: str, width: int) -> str:
    """Return the text in at most `width` cells, with an ellipsis where it was cut."""
    if cell_len(text) <= width:
        return text
    kept = ""
    for ch in text:
        if cell_len(kept + ch) > width - 1:
            break
        kept += ch
    return f"{kept}\u2026" if width > 0 else ""


class AsciiFilter(LineFilter):
    """Turns everything that is drawn into ASCII."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Replace the texts of one line."""
        del background
        return [
            segment if segment.control else Segment(ascii_text(segment.text), segment.style)
            for segment in segments
        ]
