"""The settings of people's own programs: ~/.mailrc (s-nail), ~/.pinerc (alpine), ~/.linphonerc (linphone).

Only our settings in them are ours: every other byte stays, and so do mode and owner. A home is read and
written as its owner, and what is not a plain file of the owner's there is refused with the reason. Who uses a
program for other mail or calls already keeps those settings: ours go into an account or a file of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from dexsetup.answers.model import Answers, User
from dexsetup.errors import AnswersError
from dexsetup.facts import Account, Facts
from dexsetup.plan.model import Directory, FileSharing, ManagedFile, Resource, StepPlan
from dexsetup.render.environment import Renderer
from dexsetup.render.filters import UnquotableError
from dexsetup.steps.base import Inputs
from dexsetup.steps.node import CONFIG, address_of, is_switched_off, planned_config
from dexsetup.steps.userprograms import PROGRAMS, Person

__all__ = ["UserFilesStep"]

_NEW_FILE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class _Wish:
    """One program of one person, as the answers name it."""

    number: int
    user: User
    account: Account
    program: str

    @property
    def path(self) -> str:
        return f"{self.account.home}/{PROGRAMS[self.program].file}"

    @property
    def other_path(self) -> str:
        return f"{self.path}-mesh"


class UserFilesStep:
    """See the module docstring."""

    name = "userfiles"
    title = "Mail and phone programs"

    def reads(self, answers: Answers, facts: Facts) -> tuple[str, ...]:
        """Name the node's configuration and every file that may be edited."""
        wishes = tuple(_wishes(answers, facts))
        return (CONFIG, *(wish.path for wish in wishes), *(wish.other_path for wish in wishes))

    def plan(self, inputs: Inputs) -> StepPlan | None:
        """Want our settings in each file, or want them gone where mail or calls are switched off."""
        answers, facts = inputs.answers, inputs.facts
        if not answers.user:
            return None
        problems = list(_problems(answers, facts))
        if problems:
            raise AnswersError(tuple(problems))
        config = planned_config(inputs)
        address = address_of(config) if config is not None else ""
        wishes = tuple(_wishes(answers, facts))
        refused = tuple(text for wish in wishes if (text := _reason_against(wish, facts)))
        resources: list[Resource] = []
        notes: list[str] = []
        for wish in wishes if not refused else ():
            try:
                added, said = _fulfil(wish, inputs, address)
            except UnquotableError as error:
                problems.append(f"user[{wish.number + 1}].real_name: {error}")
                continue
            resources += added
            notes += said
        if problems:
            raise AnswersError(tuple(problems))
        return StepPlan(
            name=self.name,
            title=self.title,
            resources=tuple(resources),
            notes=tuple(dict.fromkeys(notes)),
            unavailable=" ".join(refused),
            address=address or None,
        )


def _problems(answers: Answers, facts: Facts) -> Iterator[str]:
    seen: set[str] = set()
    for number, user in enumerate(answers.user):
        if facts.account(user.login) is None:
            yield f'user[{number + 1}].login: there is no account "{user.login}" on this machine'
        if user.login in seen:
            yield f'user[{number + 1}].login: "{user.login}" is named twice'
        seen.add(user.login)


def _wishes(answers: Answers, facts: Facts) -> Iterator[_Wish]:
    for number, user in enumerate(answers.user):
        account = facts.account(user.login)
        if account is not None:
            for program in dict.fromkeys(user.files):
                yield _Wish(number, user, account, program)


def _reason_against(wish: _Wish, facts: Facts) -> str:
    paths = (wish.path, wish.other_path)
    reasons = ((path, facts.files[path].problem) for path in paths if path in facts.files)
    return " ".join(f"{path} is left alone: {problem}." for path, problem in reasons if problem)


def _fulfil(wish: _Wish, inputs: Inputs, address: str) -> tuple[list[Resource], list[str]]:
    """Return what is wanted for one program of one person, and what that person should know."""
    program = PROGRAMS[wish.program]
    before = _content(wish.path, inputs.facts)
    if is_switched_off(wish.program, inputs.answers):
        return _without_ours(wish, inputs, address), []
    person, notes = _person(wish, inputs.renderer, address)
    path = wish.path
    if before is not None and program.is_taken(before):
        path = wish.other_path
        notes.append(f"{wish.path} is used otherwise and stays as it is; for the mesh: {program.hint} {path}")
        before = _content(path, inputs.facts) or before
    present = before or b""
    rendered = inputs.renderer.render(program.template, **program.values(person, present))
    content = program.merged(present, rendered, person)
    if path == wish.path and program.is_rewritten_at_exit and before not in {None, content}:
        notes.append(f"Close {program.name} of {wish.account.login} first: it rewrites {path} at its end.")
    return [*_directories(wish), _file(wish, path, content, inputs)], notes


def _without_ours(wish: _Wish, inputs: Inputs, address: str) -> list[Resource]:
    """Want our settings gone; a file of ours beside the person's own goes altogether."""
    program, person = PROGRAMS[wish.program], _named(wish, address)
    files: list[Resource] = []
    for path in (wish.path, wish.other_path):
        before = _content(path, inputs.facts)
        if before is None:
            continue
        kept = program.removed(before, person)
        is_all_ours = not kept or (path == wish.other_path and kept != before)
        files.append(_file(wish, path, None if is_all_ours else kept, inputs))
    return files


def _content(path: str, facts: Facts) -> bytes | None:
    file = facts.files.get(path)
    return None if file is None else file.content


def _directories(wish: _Wish) -> list[Resource]:
    account = wish.account
    return [
        Directory(
            f"{account.home}/{directory}",
            mode=0o700,
            owner=account.login,
            group=account.group,
            as_user=account.login,
        )
        for directory in PROGRAMS[wish.program].directories
    ]


def _named(wish: _Wish, address: str) -> Person:
    answered = wish.user.real_name
    name = answered if answered is not None else wish.account.real_name
    return Person(wish.account.login, name, address, is_name_answered=answered is not None)


def _person(wish: _Wish, renderer: Renderer, address: str) -> tuple[Person, list[str]]:
    """Return the person with a name that this program can show; one of the account's own may be left out."""
    person = _named(wish, address)
    if person.is_name_answered:
        return person, []
    program = PROGRAMS[wish.program]
    try:
        renderer.render(program.template, **program.values(person, b""))
    except UnquotableError as error:
        return replace(person, real_name=""), [f"The name of {wish.account.login} is left out: {error}."]
    return person, []


def _file(wish: _Wish, path: str, content: bytes | None, inputs: Inputs) -> ManagedFile:
    known = inputs.facts.files.get(path)
    template = PROGRAMS[wish.program].template
    is_there = known is not None and known.content is not None
    return ManagedFile(
        path=path,
        content=content,
        mode=known.mode if known is not None and is_there else _NEW_FILE_MODE,
        owner=wish.account.login,
        group=known.group if known is not None and is_there else wish.account.group,
        sharing=FileSharing.SHARED,
        based_on=known.content if known is not None else None,
        as_user=wish.account.login,
        template=f"{template} {inputs.renderer.version(template)}",
    )
