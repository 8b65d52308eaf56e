"""One possible answer of a choice. Apart from the questions, so that the first page needs no declarations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Option"]


@dataclass(frozen=True, slots=True)
class Option:
    """A value, and how it is called on the screen. Value None: the question is left out."""

    value: Any
    label: str
