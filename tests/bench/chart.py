"""A bar chart as SVG: groups of bars, one colour for each name, the value at the end of each bar."""

from __future__ import annotations

from xml.sax.saxutils import escape

__all__ = ["bar_chart"]

_COLOURS = ("#1b7f5c", "#8a8f98", "#c08a2b", "#5b6bb0")
_WIDTH = 720
_LEFT = 130
_RIGHT = 70
_BAR = 20
_GAP = 6
_GROUP = 34
_TOP = 44


def bar_chart(title: str, groups: dict[str, dict[str, float]]) -> str:
    """Draw groups of named values, none negative."""
    longest = max((value for bars in groups.values() for value in bars.values()), default=1.0) or 1.0
    names = list(dict.fromkeys(name for bars in groups.values() for name in bars))
    parts: list[str] = []
    y = _TOP
    for group, bars in groups.items():
        parts.append(_text(12, y + 14, group, weight="600"))
        y += 22
        for name, value in bars.items():
            width = (_WIDTH - _LEFT - _RIGHT) * value / longest
            colour = _COLOURS[names.index(name) % len(_COLOURS)]
            parts.append(_text(_LEFT - 8, y + 15, name, anchor="end"))
            parts.append(
                f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="3" fill="{colour}"/>'
            )
            parts.append(_text(_LEFT + width + 8, y + 15, f"{value:,.0f}"))
            y += _BAR + _GAP
        y += _GROUP - _BAR
    body = "\n".join(("", _text(12, 24, title, weight="700"), *parts, ""))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" viewBox="0 0 {_WIDTH} {y}" '
        f'font-family="system-ui, sans-serif" font-size="13">\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{body}</svg>\n'
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "400") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="#1d2127">'
        f"{escape(text)}</text>"
    )
