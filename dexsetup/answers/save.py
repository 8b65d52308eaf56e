"""Writes answers as TOML. Loading the text gives an equal object: what was left out is left out again.

The text holds passwords as they were given (a literal, or the reference to a file or variable), so whoever
writes it to disk does so with mode 0600 from the beginning.
"""

from __future__ import annotations

from typing import Any

import tomlkit
from pydantic import BaseModel
from tomlkit.items import AoT, Table

from dexsetup.answers.model import SCHEMA, Answers
from dexsetup.secret import Secret

__all__ = ["save_answers"]

_HEADER = (
    "Answers of dexsetup: what this machine shall be. Apply with: dexsetup --answers FILE",
    "What is left out is left alone. Keep this file to yourself: it may hold passwords of peers.",
)


def save_answers(answers: Answers, header: tuple[str, ...] = _HEADER) -> str:
    """Return the TOML text of the answers, with a comment on top."""
    document = tomlkit.document()
    for line in header:
        document.add(tomlkit.comment(line))
    document.add("schema", tomlkit.item(SCHEMA))
    for name in Answers.model_fields:
        if name == "schema_" or name not in answers.model_fields_set:
            continue
        value = getattr(answers, name)
        if isinstance(value, tuple):
            if value:
                document.append(name, _tables(value))
            else:
                document.add(name, tomlkit.item([]))
        elif value is not None:
            document.append(name, _table(value))
    return tomlkit.dumps(document)


def _tables(sections: tuple[BaseModel, ...]) -> AoT:
    array = tomlkit.aot()
    for section in sections:
        array.append(_table(section))
    return array


def _table(section: BaseModel) -> Table:
    table = tomlkit.table()
    for name in type(section).model_fields:
        value = getattr(section, name)
        if name in section.model_fields_set and value is not None:
            table.add(name, tomlkit.item(_plain(value)))
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    return list(value) if isinstance(value, tuple) else value
