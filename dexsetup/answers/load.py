"""Reads an answers file: strictly, and with every problem in one go.

    answers.toml:12: mail.enabel: unknown key. Did you mean "enable"?

The line is that of the key where it is known. A schema newer than ours is refused with both numbers; an older
one is brought up to date in memory. Secrets ("file:PATH", "env:NAME") stay references here: secrets.py
resolves them when a plan is made.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dexsetup.answers.migrate import migrate
from dexsetup.answers.model import SCHEMA, Answers, Peer
from dexsetup.answers.positions import Positions
from dexsetup.answers.sense import peer_problems, problems_of
from dexsetup.errors import AnswersError

__all__ = ["Loaded", "explain", "load_answers", "parse_answers"]

_ADVICE = "dexsetup answers new   (prints a commented sample)"
_CLOSE = 0.6


@dataclass(frozen=True, slots=True)
class Loaded:
    """Answers, and what there is to say about how they were read."""

    answers: Answers
    notes: tuple[str, ...] = ()
    place_of: Callable[[Sequence[str | int]], str] = field(default=lambda _: "", repr=False, compare=False)
    """Where a path stands, to be put before a message: "answers.toml:12: "."""


def load_answers(content: bytes | None, name: str) -> Loaded:
    """Return the answers of a file's content (None: no file). Raises AnswersError with every problem."""
    if content is None:
        raise AnswersError((f"{name}: there is no such file",), advice=_ADVICE)
    try:
        text = content.decode("utf-8-sig")  # some editors put a byte order mark first
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise AnswersError((f"{name}:{line}: not UTF-8 text",), advice=_ADVICE) from error
    return parse_answers(text, name)


def parse_answers(text: str, name: str) -> Loaded:
    """Return the answers of a TOML text."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise AnswersError((_toml_problem(name, text, str(error)),), advice=_ADVICE) from error
    positions = Positions(text)
    _check_schema(values, name, positions)
    values, notes = migrate(values)
    try:
        answers = Answers.model_validate(_with_tuples(values))
    except ValidationError as error:
        found = [_problem(details, name, positions) for details in error.errors(include_url=False)]
        found += [_where(name, path, positions) + sentence for path, sentence in _of_good_peers(values)]
        raise AnswersError(tuple(sorted(found, key=_by_line)), advice=_ADVICE) from error
    wrong = tuple(_where(name, path, positions) + sentence for path, sentence in problems_of(answers))
    if wrong:
        raise AnswersError(tuple(sorted(wrong, key=_by_line)), advice=_ADVICE)
    place_of = partial(_place, name, positions)
    return Loaded(answers, tuple(f"{name}: {note}" for note in notes), place_of)


def explain(error: ValidationError, section: str) -> tuple[str, ...]:
    """Return a sentence for each problem of one section that was typed, without a place."""
    found = error.errors(include_url=False)
    return tuple(_sentence(details, (section, *details["loc"])) for details in found)


def _check_schema(values: dict[str, Any], name: str, positions: Positions) -> None:
    """Refuse what we cannot understand at all, before looking at the rest."""
    schema = values.get("schema")
    where = _where(name, ("schema",), positions)
    if schema is None:
        raise AnswersError((f"{where}missing. The file must say: schema = {SCHEMA}",), advice=_ADVICE)
    if isinstance(schema, bool) or not isinstance(schema, int) or schema < 1:
        raise AnswersError((f"{where}must be a whole number from 1 to {SCHEMA}",), advice=_ADVICE)
    if schema > SCHEMA:
        raise AnswersError(
            (f"{where}this file has schema {schema}; this dexsetup knows schemas up to {SCHEMA}",),
            advice="Update dexsetup, or write the file for the older schema.",
        )


def _of_good_peers(values: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what does not make sense in those peers that are well-formed, in a file that is not."""
    peers = values.get("peer")
    for index, value in enumerate(peers if isinstance(peers, list) else ()):
        try:
            peer = Peer.model_validate(_with_tuples(value))
        except ValidationError:
            continue
        for key, sentence in peer_problems(peer):
            yield ("peer", index, key), sentence


def _with_tuples(value: Any) -> Any:
    """Return the values with tuples for lists: the answers are immutable, and strict about it."""
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_with_tuples(item) for item in value)
    return value


def _toml_problem(name: str, text: str, words: str) -> str:
    what, _, place = words.partition(" (at ")
    line = "".join(ch for ch in place.partition(",")[0] if ch.isdecimal())
    where = f"{name}:{line or text.count(chr(10)) + 1}"
    return f"{where}: this is not TOML: {what[:1].lower()}{what[1:]}"


def _where(name: str, path: Sequence[str | int], positions: Positions) -> str:
    return f"{_place(name, positions, path)}{_dotted(path)}: "


def _place(name: str, positions: Positions, path: Sequence[str | int]) -> str:
    line = positions.line(path)
    return f"{name}{f':{line}' if line is not None else ''}: "


def _dotted(path: Sequence[str | int]) -> str:
    """Return the path as a person writes it: peer[1].address is the first peer's address."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            text += f".{part}" if text else part
    return text


def _problem(details: ErrorDetails, name: str, positions: Positions) -> str:
    path = tuple(details["loc"])
    return _where(name, path, positions) + _sentence(details, path)


def _sentence(details: ErrorDetails, path: Sequence[str | int]) -> str:
    kind, given = details["type"], details.get("input")
    context = details.get("ctx", {})
    match kind:
        case "extra_forbidden":
            return f"unknown key.{_guess(str(path[-1]), _keys_beside(path))}"
        case "missing":
            return "missing"
        case "literal_error":
            allowed = _words(str(context.get("expected", "")))
            return f"must be one of {', '.join(allowed)}, not {_shown(given)}.{_guess(str(given), allowed)}"
        case "string_pattern_mismatch":
            return f"{_shown(given)} is not what is expected here: {_hint(path)}".rstrip(": ")
        case "greater_than_equal" | "less_than_equal":
            bound = context.get("ge", context.get("le"))
            relation = "at least" if kind == "greater_than_equal" else "at most"
            return f"must be {relation} {bound}, not {_shown(given)}"
        case "string_too_short":
            return "must not be empty"
        case "string_unicode":
            return "holds bytes that are no text"
    kinds = {
        "string_type": "text in quotes",
        "int_type": "a whole number",
        "bool_type": "true or false",
        "tuple_type": "a list in brackets",
        "model_type": "a table of its own",
        "model_attributes_type": "a table of its own",
        "dict_type": "a table of its own",
    }
    if kind in kinds:
        return f"must be {kinds[kind]}, not {_shown(given)}"
    return str(details["msg"])


def _shown(value: object) -> str:
    """Return a value for a message: never a long one, and never one that may be a secret in a wrong place."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 40 else "what stands there"
    return str(value)


def _words(expected: str) -> tuple[str, ...]:
    """Return the allowed words out of pydantic's "'a', 'b' or 'c'"."""
    return tuple(expected.replace(" or ", ", ").replace("'", "").split(", "))


def _guess(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=_CLOSE)
    return f' Did you mean "{near[0]}"?' if near else ""


def _keys_beside(path: Sequence[str | int]) -> tuple[str, ...]:
    """Return the keys that may stand where an unknown one stands."""
    model = _model_at(path[:-1])
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _hint(path: Sequence[str | int]) -> str:
    model = _model_at(path[:-1])
    field = model.model_fields.get(str(path[-1]))
    return (field.description or "") if field is not None else ""


def _model_at(path: Sequence[str | int]) -> type[BaseModel]:
    """Return the model of the table at a path."""
    model: type[BaseModel] = Answers
    for part in path:
        if isinstance(part, int) or part not in model.model_fields:
            continue
        inner = _inner_model(model.model_fields[part].annotation)
        model = inner or model
    return model


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _inner_model(part)) is not None), None)


def _by_line(problem: str) -> tuple[int, str]:
    place = problem.split(": ", 1)[0].rpartition(":")[2]
    return (int(place) if place.isdecimal() else 0, problem)
