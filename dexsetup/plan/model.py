"""What is wanted of a machine, as plain data: resources, the plan of a step, the whole plan.

Nothing here looks at or touches a machine. A *resource* says how one thing shall be (a file with these
bytes, a unit that runs); it does not say how to get there. Its handler (plan/handlers/) knows three verbs
through the Host alone: check, apply, undo. So every step gets journal, diff, idempotence and undo for
nothing: a step only computes resources.

A plan compares with ==, prints as text and dumps as JSON (secrets as ***): the same answers on the same
facts with the same draws give the same plan, whether they were typed or loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from dexsetup.exposure import Door

__all__ = [
    "AddressBound",
    "BlackholeRoute",
    "Directory",
    "FileSharing",
    "FirewallOpening",
    "FirewallRule",
    "Link",
    "LoadedZone",
    "ManagedFile",
    "PackageSet",
    "PeerEstablished",
    "Plan",
    "Resource",
    "Risk",
    "StepPlan",
    "SystemUser",
    "TcpGreets",
    "Tree",
    "TreeEntry",
    "Unit",
    "UnitActive",
    "Verification",
]


class FileSharing(StrEnum):
    """Whose file it is, which decides what happens when it was edited by hand."""

    OURS = "ours"
    """We write the whole of it. Edited since we wrote it: a conflict."""
    SHARED = "shared"
    """Only our keys in it are ours; `content` was computed from what is there, all else unchanged."""


@dataclass(frozen=True, slots=True)
class ManagedFile:
    """A file with exactly these bytes, or (content None) no file.

    For a SHARED file `based_on` is the content that `content` was computed from (None: there was no file);
    if the file has changed since, the engine plans again rather than overwrite.
    """

    path: str
    content: bytes | None = field(repr=False)
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    sharing: FileSharing = FileSharing.OURS
    based_on: bytes | None = field(default=None, repr=False)
    as_user: str | None = None
    """Read and written with this user's rights, never through a symbolic link: homes are hostile ground."""
    validate: tuple[str, ...] = ()
    """Command that must accept the new file before it is installed; `{}` stands for its temporary path."""
    secret: bool = False
    """The diff shows keys and passwords as ***."""
    unless_running: tuple[str, ...] = ()
    """Programs of `as_user` that write their own view over ours at their end: it waits for that."""
    template: str = ""
    """Name and version of the template it came from, for the record of what we wrote."""
    on_conflict: Literal["stop", "ours", "theirs"] = "stop"
    """What a person decided for the case that it was edited by hand: ours keeps theirs beside it as
    PATH.dexsetup-saved, theirs leaves the file as it is."""
    foreign: Literal["take_over", "ask"] = "take_over"
    """A file that is there and that we never wrote: kept for undo and replaced, or (ask) a conflict like an
    edited one. A file that is as its package brought it is never a conflict."""


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory with this mode and owner. Undo removes it only if it was made by us and is empty."""

    path: str
    mode: int = 0o755
    owner: str = "root"
    group: str = "root"
    as_user: str | None = None
    keeps_rights: bool = False
    """One that is there already is right as it is, whatever its mode and owner."""


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link in a directory that only root can write."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One file of a Tree: path below the tree's root, SHA-256 of its bytes, mode."""

    path: str
    sha256: str
    mode: int


@dataclass(frozen=True, slots=True)
class Tree:
    """A root-owned copy of a directory of programs: exactly these files, replaced as a whole."""

    path: str
    source: str
    entries: tuple[TreeEntry, ...] = ()
    """Empty: whatever the source holds when it is checked."""


@dataclass(frozen=True, slots=True)
class PackageSet:
    """Packages of the distribution that must be installed. Undo names them and removes none."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SystemUser:
    """A system account without login that a service runs as."""

    name: str
    home: str
    comment: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A service that is enabled and running (or neither), and restarted when one of its files changed."""

    name: str
    enabled: bool = True
    active: bool = True
    restart_on: tuple[str, ...] = ()
    """Paths of resources of this plan: if applying changed one of them, the unit is restarted."""
    reload_on: tuple[str, ...] = ()
    """The same, but the unit takes the change while it runs."""
    as_before: bool = False
    """Enabled and running as before dexsetup first changed that; the two above hold where nobody knows."""


@dataclass(frozen=True, slots=True)
class FirewallOpening:
    """A port or service let in through one zone, in the running firewall and in its permanent settings."""

    port: int
    protocol: str
    zone: str | None = None
    """None: the zone of the interface that has the default route, or the default zone."""
    is_wanted: bool = True
    """False: shut again where dexsetup opened it."""


@dataclass(frozen=True, slots=True)
class LoadedZone:
    """The running firewall has this zone as its file says; the file is another resource, before this one."""

    name: str
    interface: str
    services: tuple[str, ...]
    files: tuple[str, ...] = ()
    """Paths that define it: if applying changed one of them, the firewall reads them again."""
    is_wanted: bool = True


@dataclass(frozen=True, slots=True)
class FirewallRule:
    """A rich rule in every zone that is in use but one, in the running firewall and in its settings."""

    rule: str
    what: str
    """The same in words."""
    except_zone: str
    is_wanted: bool = True


@dataclass(frozen=True, slots=True)
class BlackholeRoute:
    """A route of IPv6 at which packets end that no better route takes."""

    network: str
    metric: int
    what: str
    """What it is for, in a sentence."""
    kept_for: tuple[str, ...] = ()
    """Units that need it: undo leaves it while one of them runs."""


Resource = (
    ManagedFile
    | Directory
    | Link
    | Tree
    | PackageSet
    | SystemUser
    | Unit
    | FirewallOpening
    | LoadedZone
    | FirewallRule
    | BlackholeRoute
)


@dataclass(frozen=True, slots=True)
class Risk:
    """What a person must have been told and have agreed to before Apply; named in `accept_risk`."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class AddressBound:
    """The node's address is on an interface and can be bound."""

    address: str
    timeout: float


@dataclass(frozen=True, slots=True)
class PeerEstablished:
    """At least one peer of the router is ESTABLISHED. Not satisfied in time: a warning, exit 6."""

    timeout: float
    is_any_named: bool = True
    """Whether the configuration names one: if not, the node knows whom it hears, or who calls it."""


@dataclass(frozen=True, slots=True)
class TcpGreets:
    """A TCP connect to host and port is answered with a line that begins with `prefix`."""

    host: str
    port: int
    prefix: str
    timeout: float


@dataclass(frozen=True, slots=True)
class UnitActive:
    """The unit runs."""

    name: str


Verification = AddressBound | PeerEstablished | TcpGreets | UnitActive


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What one step wants: resources in the order in which they are applied, then checked again."""

    name: str
    title: str
    resources: tuple[Resource, ...] = ()
    waits: tuple[Verification, ...] = ()
    """Waited for after the resources are in place, before any step that needs this one."""
    verifications: tuple[Verification, ...] = ()
    """Checked end to end when all steps are done."""
    needs: tuple[str, ...] = ()
    risks: tuple[Risk, ...] = ()
    notes: tuple[str, ...] = ()
    """Sentences for the person: what follows from this, what was left alone and why."""
    doors: tuple[Door, ...] = ()
    """What becomes reachable, from where, before and after."""
    unavailable: str = ""
    """Why this machine cannot do it (one sentence), or empty."""
    address: str | None = None
    """The node's mesh address, from the step that knows it; the plan carries the first one named."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it, in order of application."""

    steps: tuple[StepPlan, ...]
    address: str | None
    """The node's mesh address, long form, as every file will carry it; None without a node."""
