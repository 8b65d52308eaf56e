"""Answers files of older schemas, brought up to the present one by pure functions, one per step.

`MIGRATIONS[n]` turns the values of schema n into those of schema n + 1. There is one schema so far; the first
change of it adds the first function here and a test file of schema 1 beside the present one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dexsetup.answers.model import SCHEMA

__all__ = ["MIGRATIONS", "migrate"]

Values = dict[str, Any]
MIGRATIONS: Mapping[int, Callable[[Values], Values]] = {}


def migrate(
    values: Values, migrations: Mapping[int, Callable[[Values], Values]] = MIGRATIONS, *, to: int = SCHEMA
) -> tuple[Values, tuple[str, ...]]:
    """Return the values in the present schema, and a note for each step that was taken."""
    notes = []
    schema = values["schema"]
    while schema < to:
        values = {**migrations[schema](values), "schema": schema + 1}
        notes.append(f"read as schema {schema}, understood as schema {schema + 1}")
        schema += 1
    return values, tuple(notes)
