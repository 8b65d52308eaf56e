"""Edits of a file as spans of its bytes: whatever lies outside them stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Edit", "apply_edits"]


@dataclass(frozen=True, slots=True)
class Edit:
    """Put `text` in the place of the bytes from `start` to `end`; equal offsets insert."""

    start: int
    end: int
    text: bytes


def apply_edits(data: bytes, edits: Iterable[Edit]) -> bytes:
    """Return the bytes with all edits made; offsets are those of `data`.

    Edits may come in any order; insertions at the same place keep theirs. ValueError if two overlap or one
    lies outside the data: that is a fault of the caller.
    """
    pieces: list[bytes] = []
    position = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if not position <= edit.start <= edit.end <= len(data):
            raise ValueError(f"edit of {edit.start}..{edit.end} overlaps another or lies outside {len(data)}")
        pieces += (data[position : edit.start], edit.text)
        position = edit.end
    return b"".join((*pieces, data[position:]))
