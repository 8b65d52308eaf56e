"""The questions of a section as forms and prompts need them, out of the declarations in answers/model.py."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from dexsetup.answers.model import Allow, Firewall, Mail, Node, Peer, Phone, Section, User
from dexsetup.secret import Secret
from dexsetup.ui.option import Option

__all__ = ["SECTIONS", "Kind", "Question", "question_for", "questions_of"]

SECTIONS: dict[str, type[Section]] = {
    "node": Node,
    "firewall": Firewall,
    "mail": Mail,
    "phone": Phone,
    "peer": Peer,
    "allow": Allow,
    "user": User,
}
_ALTERNATIVES = re.compile(r"\^\(((?:[^|()]+\|)+[^|()]+)\)\$")
"""A pattern of words, and of words with something behind a colon, as that of node.key."""
_PATH = ":/.+"


class Kind(Enum):
    """How a question is answered."""

    CHOICE = "one of some words"
    TICK = "yes or no"
    TEXT = "a text"
    NUMBER = "a whole number"
    SECRET = "a text that is not shown"  # noqa: S105 - a word for a kind of field
    TICKS = "any of some words"


@dataclass(frozen=True, slots=True)
class Question:
    """One declaration."""

    section: str
    key: str
    title: str
    hint: str
    kind: Kind
    default: Any
    options: tuple[Option, ...] = ()
    prefix: str = ""
    """A choice may also be a text that begins so ("import:")."""

    @property
    def is_required(self) -> bool:
        """Whether there is no answer without it."""
        return self.default is ...


def questions_of(section: str) -> tuple[Question, ...]:
    """Return the questions of a section, in the order in which they are declared."""
    model = SECTIONS[section]
    return tuple(_question(section, key, field) for key, field in model.model_fields.items())


def question_for(section: str, key: str) -> Question:
    """Return one question."""
    return _question(section, key, SECTIONS[section].model_fields[key])


def _question(section: str, key: str, field: FieldInfo) -> Question:
    kind, options, prefix = _kind(field)
    default = ... if field.is_required() else field.default
    return Question(section, key, field.title or key, field.description or "", kind, default, options, prefix)


def _kind(field: FieldInfo) -> tuple[Kind, tuple[Option, ...], str]:
    annotation = _bare(field.annotation)
    is_optional = annotation is not field.annotation and _allows_none(field.annotation)
    if get_origin(annotation) is Literal:
        return Kind.CHOICE, tuple(Option(word, word) for word in get_args(annotation)), ""
    if annotation is bool and is_optional:
        return Kind.CHOICE, (Option(None, "as it is"), Option(True, "yes"), Option(False, "no")), ""
    if annotation is bool:
        return Kind.TICK, (), ""
    if annotation is int:
        return Kind.NUMBER, (), ""
    if annotation is Secret:
        return Kind.SECRET, (), ""
    if get_origin(annotation) is tuple:
        words = get_args(_bare(get_args(annotation)[0]))
        return Kind.TICKS, tuple(Option(word, word) for word in words), ""
    if match := _ALTERNATIVES.fullmatch(_pattern(field)):
        parts = match[1].split("|")
        fixed = tuple(Option(word, word) for word in parts if word.isalpha())
        # What is neither a word nor a path is written by commands: nobody has to choose it on a screen.
        prefix = next((f"{part.removesuffix(_PATH)}:" for part in parts if part.endswith(_PATH)), "")
        return Kind.CHOICE, fixed, prefix
    return Kind.TEXT, (), ""


def _bare(annotation: Any) -> Any:
    """Return the type itself, without None beside it and constraints around it."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        return _bare(next(part for part in get_args(annotation) if part is not type(None)))
    return annotation


def _allows_none(annotation: Any) -> bool:
    return type(None) in get_args(annotation)


def _pattern(field: FieldInfo) -> str:
    return next((str(item.pattern) for item in field.metadata if getattr(item, "pattern", None)), "")
