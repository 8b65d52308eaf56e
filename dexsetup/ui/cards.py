"""A card as it is shown: text, link, and the link as a QR code where it fits."""

from __future__ import annotations

from dexsetup.card import Card, card_link, card_text
from dexsetup.ui.widgets.lines import Line

__all__ = ["card_lines", "qr_lines"]

_QUIET = 2
"""Modules of margin; four are the standard's, two are read by every phone."""
_HALVES = {(False, False): "\u2588", (False, True): "\u2580", (True, False): "\u2584", (True, True): " "}
"""Two modules above each other in one character; on a dark terminal the light ones are drawn."""


def card_lines(card: Card, width: int, height: int, *, is_ascii: bool) -> tuple[list[Line], str]:
    """Return the card as lines, and the link that is copied."""
    link = card_link(card)
    lines = [Line(text) for text in card_text(card).splitlines()]
    code = [] if is_ascii else qr_lines(link)
    if code and len(code) + len(lines) + 1 <= height and len(code[0]) <= width:
        lines = [*lines, Line(""), *(Line(text) for text in code)]
    elif code:
        lines += [Line(""), Line("A larger window also shows it as a QR code.", "quiet")]
    return lines, link


def qr_lines(text: str) -> list[str]:
    """Return a QR code of the text, two rows of modules in a line."""
    import segno  # noqa: PLC0415 - optional, and only a card needs it

    matrix = [
        [bool(module) for module in row]
        for row in segno.make(text, error="l", micro=False).matrix_iter(border=_QUIET)
    ]
    if len(matrix) % 2:
        matrix.append([False] * len(matrix[0]))
    pairs = zip(matrix[::2], matrix[1::2], strict=True)
    return ["".join(_HALVES[above, below] for above, below in zip(*pair, strict=True)) for pair in pairs]
