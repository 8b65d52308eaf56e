"""Where each answer comes from: flag, answers, what was applied last, what was detected, or the default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dexsetup.answers.model import Answers, list_models, section_models
from dexsetup.secret import Secret

__all__ = ["Origin", "Shown", "show_answers"]


class Origin(StrEnum):
    """In order of precedence."""

    FLAG = "flag"
    ANSWERS = "answers"
    LAST_APPLIED = "last applied"
    DETECTED = "detected"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Shown:
    """One value, as it may be shown."""

    name: str
    value: str
    origin: Origin


def show_answers(
    answers: Answers | None,
    last: Answers | None = None,
    *,
    flags: Mapping[str, Any] | None = None,
    detected: Mapping[str, Any] | None = None,
) -> Iterator[Shown]:
    """Yield every value in force, with its origin; a section left out has one line. Secrets are ***."""
    given = flags or {}
    found = detected or {}
    for section, model in section_models().items():
        is_answered = any(getattr(source, section) is not None for source in (last, answers) if source)
        if not is_answered and not any(name.startswith(f"{section}.") for name in (*given, *found)):
            yield Shown(section, "(left out: left alone)", Origin.DEFAULT)
            continue
        for key, field in model.model_fields.items():
            name = f"{section}.{key}"
            value, origin = field.default, Origin.DEFAULT
            if name in found:
                value, origin = found[name], Origin.DETECTED
            for source, where in ((last, Origin.LAST_APPLIED), (answers, Origin.ANSWERS)):
                table = getattr(source, section) if source is not None else None
                if table is not None and key in table.model_fields_set:
                    value, origin = getattr(table, key), where
            if name in given:
                value, origin = given[name], Origin.FLAG
            yield Shown(name, _text(value), origin)
    for section in list_models():
        yield from _list(section, answers, last)


def _list(section: str, answers: Answers | None, last: Answers | None) -> Iterator[Shown]:
    """Yield the entries of a list: those of the answers, then those applied last that they do not mention."""
    seen: set[str] = set()
    index = 0
    for source, origin in ((answers, Origin.ANSWERS), (last, Origin.LAST_APPLIED)):
        for item in getattr(source, section) if source is not None else ():
            identity = item.identity
            if identity in seen:
                continue
            seen.add(identity)
            index += 1
            for key in type(item).model_fields:
                value = getattr(item, key)
                is_given = key in item.model_fields_set
                if is_given or value is not None:
                    where = origin if is_given else Origin.DEFAULT
                    yield Shown(f"{section}[{index}].{key}", _text(value), where)


def _text(value: Any) -> str:
    if value is None:
        return "(as it is)"
    if isinstance(value, Secret):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    return str(value)
