r"""How values are written: strings with their escapes, and whole values on one line or over several.

What is written here is read alike by every known reader (protocol notes 08 §1, "portable files"): UTF-8,
one comma between entries and none after the last, `\xNN` for what a string cannot hold as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from dexrouter.config.jsonc import bytes_of

__all__ = ["Plain", "write_inline", "write_lines", "write_string"]

Plain: TypeAlias = "str | int | Sequence[Plain] | Mapping[str, Plain]"
"""What can be written: texts, whole numbers, lists and dictionaries of them."""


def write_string(text: str) -> str:
    """Write a string: printable characters as they are, the others and bytes that are no UTF-8 as `xNN`."""
    return '"' + "".join(_written(character) for character in text) + '"'


def write_inline(value: Plain) -> str:
    """Write a value on one line."""
    if isinstance(value, str):
        return write_string(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, Mapping):
        if not value:
            return "{}"
        members = (f"{write_string(key)}: {write_inline(item)}" for key, item in value.items())
        return "{ " + ", ".join(members) + " }"
    return "[ " + ", ".join(write_inline(item) for item in value) + " ]" if value else "[]"


def write_lines(value: Plain, indent: str, step: str, newline: str) -> str:
    """Write a value with each entry of a dictionary on its own line; lists stay on one line."""
    if not isinstance(value, Mapping) or not value:
        return write_inline(value)
    inner = indent + step
    members = (
        f"{inner}{write_string(key)}: {write_lines(item, inner, step, newline)}"
        for key, item in value.items()
    )
    return "{" + newline + f",{newline}".join(members) + newline + indent + "}"


def _written(character: str) -> str:
    if character not in '"\\' and character.isprintable():
        return character
    return "".join(f"\\x{byte:02X}" for byte in bytes_of(character))
