"""Key material that cannot be printed by accident.

`repr`, `str`, `format` and `pickle` of a `Secret` give `***`; the one way to the bytes is `reveal()`, which
is easy to search for. Comparison takes the same time wherever the first difference is.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import Final

__all__ = ["Secret"]

_MASK: Final = "***"


class Secret:
    """Some bytes that only `reveal()` shows."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """Give the bytes themselves."""
        return self._value

    def __repr__(self) -> str:
        return _MASK

    def __format__(self, _spec: str) -> str:
        return _MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and compare_digest(self._value, other._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (_MASK,)
