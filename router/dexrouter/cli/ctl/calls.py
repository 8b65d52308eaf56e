"""`dexctl call`: any function of the admin API, its reply as JSON; without a function, the list of them."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from dexrouter.admin.client import AdminClient
from dexrouter.admin.message import Value

__all__ = ["call"]

Signature = Mapping[str, object]

_TYPES: Final = {"Int": int, "List": list, "Dict": dict}


class _ArgumentError(Exception):
    """An argument does not fit the function; the text is a sentence."""


def call(client: AdminClient, options: Namespace) -> int:
    """Call it; 1 if the reply is an error, 2 if the function has no such argument."""
    functions = _functions(client)
    name = options.function
    if name is None:
        for one, signature in sorted(functions.items()):
            print(f"{one}({', '.join(_describe(signature))})")
        return 0
    if name != "cookie" and name not in functions:
        near = get_close_matches(name, functions, 1)
        hint = f" Did you mean {near[0]}?" if near else ' "dexctl call" lists what there is.'
        return _fail(f"The router has no function {name}.{hint}")
    try:
        arguments = _arguments(options.arguments, functions.get(name, {}))
    except _ArgumentError as error:
        return _fail(f"{name}: {error}")
    reply = client.ask(name, arguments, signed=name != "cookie", timeout=options.timeout)
    print(json.dumps(reply, indent=2, sort_keys=True))
    return 0 if reply.get("error", "none") in ("none", "") else 1


def _functions(client: AdminClient) -> dict[str, Signature]:
    functions: dict[str, Signature] = {}
    for entry in client.pages("Admin_availableFunctions", "availableFunctions", signed=False):
        match entry:
            case (str(name), dict(signature)):
                functions[name] = signature
    return functions


def _describe(signature: Signature) -> list[str]:
    """Write the arguments, required ones first and starred."""
    marked = [
        f"{name}{'*' if _field(argument, 'required') else ''} {_field(argument, 'type')}"
        for name, argument in signature.items()
    ]
    return sorted(marked, key=lambda text: ("*" not in text, text))


def _arguments(words: list[str], signature: Signature) -> dict[str, Value]:
    """Read `--NAME=VALUE` words by the types that the router names."""
    arguments: dict[str, Value] = {}
    for word in words:
        name, equals, text = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not equals:
            raise _ArgumentError(f'Write arguments as --NAME=VALUE, not "{word}".')
        if name not in signature:
            known = ", ".join(_describe(signature)) or "none at all"
            raise _ArgumentError(f'There is no argument "{name}"; there is {known}.')
        arguments[name] = _value(name, text, str(_field(signature[name], "type")))
    return arguments


def _value(name: str, text: str, kind: str) -> Value:
    if kind == "String":
        return text
    try:
        value: Value = json.loads(text)
    except ValueError as error:
        raise _ArgumentError(f'"{name}" is of type {kind}; write it as JSON.') from error
    if isinstance(value, bool) or not isinstance(value, _TYPES.get(kind, int)):
        raise _ArgumentError(f'"{name}" is of type {kind}.')
    return value


def _field(argument: object, name: str) -> object:
    return argument.get(name) if isinstance(argument, Mapping) else None


def _fail(sentence: str) -> int:
    print(f"dexctl: {sentence}", file=sys.stderr)
    return 2
