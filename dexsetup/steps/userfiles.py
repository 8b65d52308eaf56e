"""The settings of people's own programs: mail (s-nail, alpine), phones (linphone, baresip), their contacts.

Only our settings in them are ours: every other byte stays, and so do mode and owner. A home is read and
written as its owner, and what is not a plain file of the owner's there is refused with the reason. Who uses a
program for other mail or calls already keeps those settings: ours go into an account or a file of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dexsetup.answers.model import Answers, User
from dexsetup.answers.sense import contact_address, is_switched_off
from dexsetup.errors import AnswersError
from dexsetup.facts import Account, Facts
from dexsetup.plan.model import Directory, ManagedFile, Resource, StepPlan
from dexsetup.render.environment import Renderer
from dexsetup.render.filters import UnquotableError, mail_display_name, sip_contact_name
from dexsetup.steps.base import Inputs
from dexsetup.steps.homefile import home_file
from dexsetup.steps.node import CONFIG, planned_config, service_address
from dexsetup.steps.phoneprograms import PHONE_PROGRAMS, WindowedLinphone
from dexsetup.steps.userprograms import Contact, Person, UserFile, UserProgram, mail_programs

__all__ = ["UserFilesStep"]

_LAUNCHER_TEMPLATE = "linphonerc/dexsetup-linphone.desktop.j2"
_PLAIN_COMMAND = re.compile(r"[A-Za-z0-9/_.=: -]+")
"""What can stand in a launcher without quotes."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """One program of one person, as the answers name it."""

    number: int
    user: User
    account: Account
    word: str
    program: UserProgram

    def path(self, file: UserFile) -> str:
        return f"{self.account.home}/{file.file}"

    def other_path(self, file: UserFile) -> str:
        return f"{self.account.home}/{file.other_file}" if file.other_file else ""

    @property
    def paths(self) -> tuple[str, ...]:
        found = (place(file) for file in self.program.files for place in (self.path, self.other_path))
        return tuple(path for path in found if path)


class UserFilesStep:
    """See the module docstring."""

    name = "userfiles"
    title = "Mail and phone programs"

    def reads(self, answers: Answers, facts: Facts) -> tuple[str, ...]:
        """Name the node's configuration and every file that may be edited."""
        return (CONFIG, *(path for wish in _wishes(answers, facts) for path in wish.paths))

    def plan(self, inputs: Inputs) -> StepPlan | None:
        """Want our settings in each file, or want them gone where mail or calls are switched off."""
        answers, facts = inputs.answers, inputs.facts
        if not answers.user:
            return None
        problems = [*_problems(answers, facts), *_contact_problems(answers)]
        if problems:
            raise AnswersError(tuple(problems))
        has_address = bool(answers.public_address) or planned_config(inputs) is not None
        address = service_address(inputs) if has_address else ""
        wishes = tuple(_wishes(answers, facts))
        refused = tuple(text for wish in wishes if (text := _reason_against(wish, answers, facts)))
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
            raise AnswersError(tuple(dict.fromkeys(problems)))
        return StepPlan(
            name=self.name,
            title=self.title,
            resources=tuple(dict.fromkeys(resources)),
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


def _contact_problems(answers: Answers) -> Iterator[str]:
    for number, contact in enumerate(answers.contact):
        try:
            mail_display_name(contact.real_name or "")
            sip_contact_name(contact.real_name or "")
        except UnquotableError as error:
            yield f"contact[{number + 1}].real_name: {error}"


def _contacts(answers: Answers) -> tuple[Contact, ...]:
    return tuple(
        Contact(
            one.name, (one.real_name or "").strip(), one.login or one.name, contact_address(one.address or "")
        )
        for one in answers.contact
        if one.state == "present"
    )


def _wishes(answers: Answers, facts: Facts) -> Iterator[_Wish]:
    for number, user in enumerate(answers.user):
        account = facts.account(user.login)
        if account is not None:
            for word, program in mail_programs(user.files).items():
                yield _Wish(number, user, account, word, program)
            for word in dict.fromkeys(user.files):
                for program in PHONE_PROGRAMS.get(word, ()):
                    yield _Wish(number, user, account, word, program)


def _reason_against(wish: _Wish, answers: Answers, facts: Facts) -> str:
    """Return why a file cannot be touched: what it is, or what stands in it."""
    is_wanted = not is_switched_off(wish.word, answers)
    reasons = []
    for file in wish.program.files:
        for path in (wish.path(file), wish.other_path(file)):
            known = facts.files.get(path)
            if known is None:
                continue
            problem = known.problem or file.obstacle(known.content or b"", is_wanted=is_wanted)
            if problem:
                reasons.append(f"{path} is left alone: {problem.rstrip('.')}.")
    return " ".join(reasons)


def _fulfil(wish: _Wish, inputs: Inputs, address: str) -> tuple[list[Resource], list[str]]:
    """Return what is wanted for one program of one person, and what that person should know."""
    program, facts = wish.program, inputs.facts
    if is_switched_off(wish.word, inputs.answers):
        return _without_ours(wish, inputs, address), []
    main = program.files[0]
    if not program.is_here(facts, _content(wish.path(main), facts)):
        return [], []
    person, notes = _person(wish, inputs, address)
    contents = {file.file: _content(wish.path(file), facts) or b"" for file in program.files}
    notes += program.notes(facts, contents)
    is_taken = program.is_taken(contents)
    command = program.start(wish.other_path(main)) if is_taken else ""
    if is_taken:
        path = wish.path(main)
        notes.append(f"{path} is used otherwise and stays as it is; for the mesh: {command}")
    resources: list[Resource] = _directories(wish)
    for file in program.files:
        resources += _wanted_file(wish, file, person, inputs, is_taken=is_taken)
        taken_nicks = file.occupied(contents[file.file])
        notes += (
            f"{wish.path(file)} has another {contact.nick} already, who stays."
            for contact in person.contacts
            if contact.nick.lower() in taken_nicks
        )
    if isinstance(program, WindowedLinphone) and person.contacts:
        notes.append(
            f"{program.name} of {person.login} keeps its contacts in a database: add them in its window."
        )
    if isinstance(program, WindowedLinphone) and not inputs.answers.public_address:
        resources += _launcher(wish, program, command or program.command, inputs)
    return resources, notes


def _wanted_file(
    wish: _Wish, file: UserFile, person: Person, inputs: Inputs, *, is_taken: bool
) -> list[Resource]:
    path, before = wish.path(file), _content(wish.path(file), inputs.facts)
    if is_taken and file.other_file:
        path = wish.other_path(file)
        before = _content(path, inputs.facts) or (before if file.is_copied else None)
    present = before or b""
    rendered = inputs.renderer.render(file.template, **file.values(person, present, inputs.facts))
    content = file.merged(present, rendered, person)
    if not content and not before:
        return []
    return [_file(wish, file, path, content or None, inputs)]


def _without_ours(wish: _Wish, inputs: Inputs, address: str) -> list[Resource]:
    """Want our settings gone; a file of ours beside the person's own goes altogether."""
    person = _named(wish, address)
    wanted: list[Resource] = []
    for file in wish.program.files:
        for path in (wish.path(file), wish.other_path(file)):
            before = _content(path, inputs.facts)
            if before is None:
                continue
            kept = file.removed(before, person)
            is_all_ours = not kept or (path == wish.other_path(file) and kept != before)
            wanted.append(_file(wish, file, path, None if is_all_ours else kept, inputs))
    main = _content(wish.path(wish.program.files[0]), inputs.facts)
    if isinstance(wish.program, WindowedLinphone) and wish.program.is_here(inputs.facts, main):
        wanted += _launcher(wish, wish.program, "", inputs)
    return wanted


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
            keeps_rights=True,
        )
        for directory in wish.program.directories
    ]


def _launcher(wish: _Wish, program: WindowedLinphone, command: str, inputs: Inputs) -> list[Resource]:
    """Want the entry among the applications that waits for the address; without a command, want it gone."""
    if command and not _PLAIN_COMMAND.fullmatch(command):
        return []
    account = wish.account
    content = inputs.renderer.render(_LAUNCHER_TEMPLATE, command=command) if command else None
    return [
        ManagedFile(
            f"{account.home}/{program.launcher}",
            content,
            owner=account.login,
            group=account.group,
            as_user=account.login,
            template=f"{_LAUNCHER_TEMPLATE} {inputs.renderer.version(_LAUNCHER_TEMPLATE)}",
        )
    ]


def _named(wish: _Wish, address: str) -> Person:
    answered = wish.user.real_name
    name = answered if answered is not None else wish.account.real_name
    return Person(wish.account.login, name, address, is_name_answered=answered is not None)


def _person(wish: _Wish, inputs: Inputs, address: str) -> tuple[Person, list[str]]:
    """Return the person with a name that this program can show; one of the account's own may be left out."""
    person = replace(_named(wish, address), contacts=_contacts(inputs.answers))
    if person.is_name_answered:
        return person, []
    try:
        _try_name(wish.program, person, inputs.renderer, inputs.facts)
    except UnquotableError as error:
        return replace(person, real_name=""), [f"The name of {wish.account.login} is left out: {error}."]
    return person, []


def _try_name(program: UserProgram, person: Person, renderer: Renderer, facts: Facts) -> None:
    for file in program.files:
        renderer.render(file.template, **file.values(person, b"", facts))


def _file(wish: _Wish, file: UserFile, path: str, content: bytes | None, inputs: Inputs) -> ManagedFile:
    return home_file(
        path,
        content,
        inputs.facts.files.get(path),
        wish.account,
        made_of=(file.template, inputs.renderer),
        unless_running=wish.program.processes,
    )
