"""Turns references to secrets into the secrets, when a plan is made and no earlier.

"file:PATH" is the first line of a file, "env:NAME" a variable of the environment that dexsetup was started
in; anything else is the secret itself. The answers that are saved keep the references.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from dexsetup.answers.model import Allow, Answers, Peer
from dexsetup.errors import AnswersError, HostError
from dexsetup.host.base import Host
from dexsetup.secret import Secret

__all__ = ["resolve_secrets", "secrets_of"]

_FILE, _VARIABLE = "file:", "env:"
_EntryT = TypeVar("_EntryT", Peer, Allow)


def resolve_secrets(
    answers: Answers,
    host: Host,
    environment: Mapping[str, str],
    place_of: Callable[[Sequence[str | int]], str] = lambda _: "",
) -> Answers:
    """Return the answers with the secrets in place. Raises AnswersError with every one that is missing.

    `place_of` gives file and line of a path, to be put before what is wrong with it (load.py).
    """
    problems: list[str] = []

    def where(section: str, index: int) -> str:
        return f"{place_of((section, index, 'password'))}{section}[{index + 1}].password"

    peers = tuple(
        _resolved(peer, where("peer", index), host, environment, problems)
        for index, peer in enumerate(answers.peer)
    )
    allowed = tuple(
        _resolved(one, where("allow", index), host, environment, problems)
        for index, one in enumerate(answers.allow)
    )
    if problems:
        raise AnswersError(tuple(problems))
    changes = {"peer": peers, "allow": allowed}
    return answers.model_copy(update={name: value for name, value in changes.items() if value})


def secrets_of(answers: Answers) -> tuple[Secret, ...]:
    """Return every secret that stands in answers."""
    given = [peer.password for peer in answers.peer] + [one.password for one in answers.allow]
    return tuple(password for password in given if password is not None)


def _resolved(
    entry: _EntryT, where: str, host: Host, environment: Mapping[str, str], problems: list[str]
) -> _EntryT:
    if entry.password is None:
        return entry
    text = entry.password.reveal()
    if text.startswith(_FILE):
        found = _from_file(text.removeprefix(_FILE), where, host, problems)
    elif text.startswith(_VARIABLE):
        name = text.removeprefix(_VARIABLE)
        found = environment.get(name, "")
        if not found:
            problems.append(f"{where} is to come from the environment, and {name} is not set there")
    else:
        return entry
    return entry.model_copy(update={"password": Secret(found)}) if found else entry


def _from_file(path: str, where: str, host: Host, problems: list[str]) -> str:
    if not path.startswith("/"):
        problems.append(f"{where} is to come from file:{path}, no whole path (write it from the first / on)")
        return ""
    try:
        content = host.read(path)
    except HostError as error:
        problems.append(f"{where} is to come from {path}, but {error.what}")
        return ""
    if content is None:
        problems.append(f"{where} is to come from {path}, and there is no such file")
        return ""
    lines = content.decode("utf-8", "replace").splitlines()
    if not lines or not lines[0].strip():
        problems.append(f"{where} is to come from {path}, and that file is empty")
        return ""
    return lines[0].strip()
