"""One handler per kind of resource: check, apply and undo through the Host alone.

The three verbs hold for all: check never changes anything; apply journals each change before making it; undo
reads only the journal's record and leaves alone what somebody changed since.
"""

from __future__ import annotations

from typing import Any, Protocol

from dexsetup.errors import MachineError
from dexsetup.plan.handlers.context import ChangeClock, Context, Decision, Undone
from dexsetup.plan.handlers.directories import DirectoryHandler
from dexsetup.plan.handlers.files import FileHandler
from dexsetup.plan.handlers.links import LinkHandler
from dexsetup.plan.handlers.openings import OpeningHandler
from dexsetup.plan.handlers.packages import PackageHandler
from dexsetup.plan.handlers.routes import RouteHandler
from dexsetup.plan.handlers.trees import TreeHandler
from dexsetup.plan.handlers.units import UnitHandler
from dexsetup.plan.handlers.users import UserHandler
from dexsetup.plan.handlers.zones import RuleHandler, ZoneHandler
from dexsetup.plan.journal import ChangeRecord
from dexsetup.plan.model import (
    BlackholeRoute,
    Directory,
    FirewallOpening,
    FirewallRule,
    Link,
    LoadedZone,
    ManagedFile,
    PackageSet,
    Resource,
    SystemUser,
    Tree,
    Unit,
)
from dexsetup.plan.results import Change, CheckResult, Unavailable

__all__ = [
    "ChangeClock",
    "Context",
    "Decision",
    "Handler",
    "Undone",
    "apply",
    "check",
    "remember_in_sync",
    "undo",
]


class Handler(Protocol):
    """The three verbs. Each handler takes its own kind of resource; the table below matches them."""

    kind: str

    def check(self, resource: Any, context: Context, /) -> CheckResult:
        """Compare what is there with what is wanted."""
        ...

    def apply(self, resource: Any, context: Context, /) -> None:
        """Make it so, journaled. Raises HostError or MachineError."""
        ...

    def undo(self, record: ChangeRecord, context: Context, /) -> Undone:
        """Take one journaled change back. Doing it twice does it once."""
        ...


_FILES = FileHandler()
_HANDLERS: dict[type, Handler] = {
    ManagedFile: _FILES,
    Directory: DirectoryHandler(),
    Link: LinkHandler(),
    Tree: TreeHandler(),
    PackageSet: PackageHandler(),
    SystemUser: UserHandler(),
    Unit: UnitHandler(),
    FirewallOpening: OpeningHandler(),
    LoadedZone: ZoneHandler(),
    FirewallRule: RuleHandler(),
    BlackholeRoute: RouteHandler(),
}
_BY_KIND = {handler.kind: handler for handler in _HANDLERS.values()}


def check(resource: Resource, context: Context) -> CheckResult:
    """Look at one resource. What cannot be looked at is unavailable, with the reason."""
    try:
        result = _HANDLERS[type(resource)].check(resource, context)
    except MachineError as error:
        return Unavailable(error.what, context.redactor.text(error.why))
    if context.journal is None and isinstance(result, Change):
        _expect(resource, context)
    return result


def _expect(resource: Resource, context: Context) -> None:
    """While only checking: let later resources of the plan see what this one will have changed."""
    match resource:
        case ManagedFile():
            context.planned[resource.path] = resource.content
            context.clock.changed(resource.path)
        case Link() | Tree():
            context.clock.changed(resource.path)
        case Unit():
            context.clock.started(resource.name)
        case _:
            pass


def apply(resource: Resource, context: Context) -> None:
    """Make one resource so."""
    _HANDLERS[type(resource)].apply(resource, context)


def undo(record: ChangeRecord, context: Context) -> Undone:
    """Take one change back. What cannot be taken back is kept and said."""
    try:
        return _BY_KIND[record.kind].undo(record, context)
    except MachineError as error:
        why = f" ({error.why})" if error.why else ""
        return Undone(kept=context.redactor.text(f"{record.subject}: {error.what}{why}"), is_failed=True)


def remember_in_sync(resource: Resource, context: Context) -> None:
    """Note that a file was found exactly as we would have written it."""
    if isinstance(resource, ManagedFile):
        _FILES.remember_in_sync(resource, context)
