"""Chat: the mesh's IRC server among the networks of HexChat, for those who use HexChat.

The server's name must be looked up and may be gone some day, so this is a bookmark and nothing waits for it.
HexChat's list is only edited where there is one: with a list of ours alone, HexChat would not write its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dexsetup.answers.model import Answers
from dexsetup.facts import Account, Facts
from dexsetup.plan.model import StepPlan
from dexsetup.steps.base import Inputs
from dexsetup.steps.homefile import home_file

__all__ = ["IrcStep"]

_FILE = ".config/hexchat/servlist.conf"
_TEMPLATE = "hexchat/network.j2"
_NETWORK, _SERVER = "Mesh", "irc.fc00.io"
_BLANK = re.compile(rb"\n[ \t\r]*\n")


class IrcStep:
    """See the module docstring."""

    name = "irc"
    title = "Chat bookmark"

    def reads(self, answers: Answers, facts: Facts) -> tuple[str, ...]:
        """Name the list of networks of each person."""
        return tuple(_path(account) for account in _accounts(answers, facts))

    def plan(self, inputs: Inputs) -> StepPlan | None:
        """Want the network in each list, or want ours out of it."""
        answers, facts = inputs.answers, inputs.facts
        if answers.irc is None:
            return None
        block = inputs.renderer.render(_TEMPLATE, name=_NETWORK, server=_SERVER)
        files, notes, refused = [], [], []
        for account in _accounts(answers, facts):
            path = _path(account)
            known = facts.files.get(path)
            if known is not None and known.problem:
                refused.append(f"{path} is left alone: {known.problem.rstrip('.')}.")
            elif known is None or known.content is None:
                if answers.irc.enable:
                    notes.append(f"{account.login} has no {path}: HexChat makes it when it is first started.")
            else:
                merge = _with_block if answers.irc.enable else _without_block
                content = merge(known.content, block)
                made_of = (_TEMPLATE, inputs.renderer)
                files.append(
                    home_file(path, content, known, account, made_of=made_of, unless_running=("hexchat",))
                )
        return StepPlan(
            name=self.name,
            title=self.title,
            resources=tuple(files),
            notes=tuple(notes),
            unavailable=" ".join(refused),
        )


def _accounts(answers: Answers, facts: Facts) -> Iterator[Account]:
    for user in answers.user if answers.irc is not None else ():
        account = facts.account(user.login)
        if account is not None:
            yield account


def _path(account: Account) -> str:
    return f"{account.home}/{_FILE}"


def _with_block(before: bytes, block: bytes) -> bytes:
    if _has_block(before, block):
        return before
    gap = b"" if before.endswith(b"\n\n") or not before else b"\n" if before.endswith(b"\n") else b"\n\n"
    return before + gap + block + b"\n"


def _without_block(before: bytes, block: bytes) -> bytes:
    """Take the network out if it is as we wrote it; one that the person made of it is the person's."""
    return before.replace(block + b"\n", b"", 1) if _has_block(before, block) else before


def _has_block(before: bytes, block: bytes) -> bool:
    return block.strip() in {part.strip() for part in _BLANK.split(before)}
