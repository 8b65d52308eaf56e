"""Makes the plan: every step's wishes in the order in which they can be fulfilled. Pure but for `read_files`.

`read_files` is the one look at the machine that planning needs: it reads what the steps ask to see, as the
owner where the path is in a home, and puts it into the facts.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any, Protocol, TypeVar

from dexsetup.answers.model import Answers
from dexsetup.errors import HostError
from dexsetup.facts import Account, Facts, FileFact
from dexsetup.host.base import FileKind, Host
from dexsetup.plan.model import AddressBound, ManagedFile, Plan, StepPlan
from dexsetup.report.redact import Redactor

__all__ = ["PlansSteps", "build_plan", "in_order", "owner_of", "plan_to_json", "read_files"]

_InputsT_contra = TypeVar("_InputsT_contra", contravariant=True)


class PlansSteps(Protocol[_InputsT_contra]):
    """A step as the planner sees it (steps/base.py): what it must read, and what it wants."""

    name: str

    def reads(self, answers: Answers, facts: Facts) -> tuple[str, ...]:
        """Return the paths whose content it must see."""
        ...

    def plan(self, inputs: _InputsT_contra) -> StepPlan | None:
        """Return what it wants, or None."""
        ...


def build_plan(inputs: _InputsT_contra, steps: Sequence[PlansSteps[_InputsT_contra]]) -> Plan:
    """Return the plan for these inputs. The same inputs give the same plan."""
    wanted = [plan for plan in (step.plan(inputs) for step in steps) if plan is not None]
    ordered = in_order(wanted)
    return Plan(ordered, _address(ordered))


def _address(steps: Iterable[StepPlan]) -> str | None:
    steps = tuple(steps)
    named = next((step.address for step in steps if step.address), None)
    if named is not None:
        return named
    checks = (check for step in steps for check in (*step.waits, *step.verifications))
    return next((check.address for check in checks if isinstance(check, AddressBound)), None)


def in_order(steps: Sequence[StepPlan]) -> tuple[StepPlan, ...]:
    """Return the steps so that each follows what it needs, otherwise in the order given.

    A need that no step of this plan answers to is fulfilled already: its subject was left alone.
    """
    names = {step.name for step in steps}
    waiting = list(steps)
    placed: list[StepPlan] = []
    done: set[str] = set()
    while waiting:
        ready = next((step for step in waiting if not (set(step.needs) & names) - done), None)
        if ready is None:
            circle = ", ".join(step.name for step in waiting)
            raise ValueError(f"these steps need each other in a circle: {circle}")
        waiting.remove(ready)
        placed.append(ready)
        done.add(ready.name)
    return tuple(placed)


def owner_of(path: str, accounts: Iterable[Account]) -> Account | None:
    """Return the person in whose home the path is; None for root's and the system's places."""
    homes = [
        account
        for account in accounts
        if account.uid != 0 and len(account.home) > 1 and path.startswith(account.home.rstrip("/") + "/")
    ]
    return max(homes, key=lambda account: len(account.home), default=None)


def read_files(host: Host, answers: Answers, facts: Facts, steps: Sequence[PlansSteps[Any]]) -> Facts:
    """Return the facts with the files that the steps ask to see."""
    paths = {path for step in steps for path in step.reads(answers, facts)}
    return replace(facts, files={path: _read(host, path, facts) for path in sorted(paths)})


def _read(host: Host, path: str, facts: Facts) -> FileFact:
    owner = owner_of(path, facts.accounts)
    login = None if owner is None else owner.login
    try:
        info = host.stat(path)
        if owner is not None and info is not None and info.kind is FileKind.FILE and info.owner != login:
            return FileFact(content=None, problem=f"it belongs to {info.owner}, not to {login}")
        content = host.read(path, as_user=login)
    except HostError as error:
        words = error.what.removeprefix(f"reading {path} as {login}: ").removeprefix(f"{path}: ")
        return FileFact(content=None, problem=words)
    return FileFact(None) if info is None else FileFact(content, info.mode, info.owner, info.group)


def plan_to_json(plan: Plan, redactor: Redactor) -> str:
    """Return the plan as JSON text with sorted keys and masked secrets."""
    return json.dumps(redactor.value(_values(plan)), indent=1, sort_keys=True, ensure_ascii=True)


def _values(plan: Plan) -> dict[str, Any]:
    steps = []
    for step in plan.steps:
        value = {key: _plain(item) for key, item in _fields(step).items() if key != "resources"}
        value["resources"] = [_resource(resource) for resource in step.resources]
        steps.append(value)
    return {"address": plan.address, "steps": steps}


def _fields(step: StepPlan) -> dict[str, Any]:
    return {name: getattr(step, name) for name in StepPlan.__dataclass_fields__}


def _plain(item: Any) -> Any:
    if isinstance(item, tuple):
        return [_plain(part) for part in item]
    if hasattr(item, "__dataclass_fields__"):
        return {"type": type(item).__name__, **asdict(item)}
    return item


def _resource(resource: Any) -> dict[str, Any]:
    value = {"type": type(resource).__name__, **asdict(resource)}
    if isinstance(resource, ManagedFile):
        del value["based_on"]
        value["content"] = _text(resource.content)
    return value


def _text(content: bytes | None) -> str | None:
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return f"base64:{b64encode(content).decode()}"
