"""What becomes reachable, from where, before and after: computed from the zones as they are.

There are two sides from which somebody can come. From the mesh, everybody who has an address there; from the
network around the machine, whoever the zone of the interface with the default route lets in. What the mesh
finds without a zone of its own is what the default zone lets in, and that can be much: Fedora Workstation's
lets in every port from 1025 to 65535 (spec 11 §1). Where no firewall runs, everything that listens is open.

Ports are written as firewalld writes them: 25/tcp, 1025-65535/udp. A door may be open with nobody behind it:
`programs` says who listens there now.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from dexsetup.facts import Facts, Listener, Zone

__all__ = [
    "Access",
    "Door",
    "Openings",
    "Source",
    "Wish",
    "door_lines",
    "lets_in",
    "preview",
    "spared",
    "zone_of_device",
]

Openings = tuple[tuple[str, tuple[str, ...]], ...]
"""(what, ports) of everything that is let in."""
_ALL, _OTHERS = "everything", "everything else"
_ALL_PORTS = ("1-65535/tcp", "1-65535/udp")
_NAMES = {"smtp": "mail", "cjdns-sip": "calls"}
"""What people call the services of firewalld that dexsetup chooses."""


class Source(StrEnum):
    """Where somebody comes from."""

    MESH = "mesh"
    NETWORK = "network"


class Access(StrEnum):
    """Whether a packet gets there."""

    OPEN = "open"
    SHUT = "shut"
    ABSENT = "-"
    """There is no mesh interface through which anybody could come."""
    UNKNOWN = "?"
    """The firewall did not say."""


_HEADINGS = {Source.MESH: "From the mesh", Source.NETWORK: "From other networks"}


@dataclass(frozen=True, slots=True)
class Door:
    """Some ports, and whether they are open from one side."""

    source: Source
    what: str
    """Mail, calls, ssh, router, the name of a service; empty for ports that have none."""
    ports: tuple[str, ...]
    before: Access
    after: Access
    is_chosen: bool = True
    """Whether the answers want it open; of the network's side nothing is asked but the router's ports."""
    programs: tuple[str, ...] = ()
    """Who listens there now, as `sshd 22`; for what is not open afterwards, nobody."""

    @property
    def mark(self) -> str:
        """What becomes of it: + opened, - shut, = as it was, ! open although nobody chose it."""
        if self.after is Access.OPEN and not self.is_chosen:
            return "!"
        was_open, is_open = self.before is Access.OPEN, self.after is Access.OPEN
        return "=" if was_open is is_open else "+" if is_open else "-"

    @property
    def text(self) -> str:
        """The door in a few words; protocols only where there is one port."""
        ports = self.ports
        if len(ports) > 1:
            ports = tuple(dict.fromkeys(port.partition("/")[0] for port in ports))
        return " ".join(part for part in (self.what, *ports) if part)


@dataclass(frozen=True, slots=True)
class Wish:
    """What answers and configuration come to."""

    device: str
    """The mesh interface; empty where the kernel chooses its name, so that no zone can be given to it."""
    router_ports: tuple[int, ...]
    """UDP ports at which peers reach the router."""
    services: Openings
    """What the mesh shall reach."""
    is_managed: bool
    """Whether ports are opened and the mesh interface gets a zone of its own."""
    has_guard: bool = False
    """Whether, without firewalld, a table of nftables lets in the services alone."""
    guarded: Openings | None = None
    """What such a table lets in already; None without one."""


@dataclass(frozen=True, slots=True)
class _Span:
    """Ports of one protocol."""

    protocol: str
    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> _Span:
        """Read `25/tcp` or `1025-65535/udp`."""
        ports, _, protocol = text.partition("/")
        first, _, last = ports.partition("-")
        return cls(protocol, int(first), int(last or first))

    def has(self, listener: Listener) -> bool:
        """Whether somebody listens within."""
        return self.protocol == listener.protocol and self.first <= listener.port <= self.last

    def holds(self, other: _Span) -> bool:
        """Whether the other one lies within."""
        return self.protocol == other.protocol and self.first <= other.first and other.last <= self.last


def zone_of_device(zones: Iterable[Zone], device: str) -> Zone | None:
    """Return the zone that decides over an interface: the one that has it, else the default one."""
    known = tuple(zones)
    own = next((zone for zone in known if device and device in zone.interfaces), None)
    return own or next((zone for zone in known if zone.is_default), None)


def lets_in(zone: Zone) -> Openings | None:
    """Return what a zone lets in; None: everything."""
    return None if zone.target == "ACCEPT" else zone.openings


def preview(facts: Facts, wish: Wish) -> tuple[Door, ...]:
    """Return every door that is open before or after, first those of the mesh."""
    return (*_from_mesh(facts, wish), *_from_network(facts, wish))


def _from_mesh(facts: Facts, wish: Wish) -> tuple[Door, ...]:
    around = zone_of_device(facts.zones, wish.device)
    now = _mesh_now(facts, wish, around)
    has_node = facts.running_router != "none"
    if facts.firewall == "running" and wish.is_managed and wish.device:
        after: Openings | None = wish.services
    elif facts.firewall == "none" and wish.has_guard and wish.is_managed:
        after = wish.services
    elif facts.firewall == "running" and around is not None:
        own = wish.services if wish.is_managed else ()
        inside = lets_in(around if not _is_ours(around, wish) else _default(facts) or around)
        after = None if inside is None else (*inside, *own)
    else:
        after = None
    is_known = facts.firewall != "running" or around is not None
    before = _Side(now, has_source=has_node, is_known=is_known)
    return _doors(Source.MESH, before, _Side(after), facts.listening, wish.services)


def _mesh_now(facts: Facts, wish: Wish, around: Zone | None) -> Openings | None:
    if facts.firewall == "running":
        return () if around is None else lets_in(around)
    return wish.guarded


def _is_ours(zone: Zone, wish: Wish) -> bool:
    """Whether a zone is the mesh interface's alone."""
    return zone.interfaces == (wish.device,) and not zone.is_default


def _default(facts: Facts) -> Zone | None:
    return next((zone for zone in facts.zones if zone.is_default), None)


def _from_network(facts: Facts, wish: Wish) -> tuple[Door, ...]:
    router: Openings = tuple(("router", (f"{port}/udp",)) for port in wish.router_ports)
    zone = next((zone for zone in facts.zones if zone.is_uplink), None)
    if facts.firewall != "running":
        return _doors(Source.NETWORK, _Side(None), _Side(None), facts.listening, router)
    now = () if zone is None else lets_in(zone)
    after = None if now is None else (*now, *(router if wish.is_managed else ()))
    before = _Side(now, is_known=zone is not None)
    return _doors(Source.NETWORK, before, _Side(after), facts.listening, router)


@dataclass(frozen=True, slots=True)
class _Side:
    """What is let in at one time."""

    openings: Openings | None
    """None: everything."""
    has_source: bool = True
    is_known: bool = True

    def access(self, ports: Iterable[str]) -> Access:
        """Return whether all these ports are open."""
        if not self.has_source:
            return Access.ABSENT
        if not self.is_known:
            return Access.UNKNOWN
        if self.openings is None:
            return Access.OPEN
        inside = [_Span.parse(port) for _, opened in self.openings for port in opened]
        wanted = [_Span.parse(port) for port in ports]
        is_open = all(any(span.holds(one) for span in inside) for one in wanted)
        return Access.OPEN if is_open and wanted else Access.SHUT


def _doors(
    source: Source, before: _Side, after: _Side, listening: tuple[Listener, ...], chosen: Openings
) -> tuple[Door, ...]:
    """Return one door for each thing that is open on either side, and for the mesh one for all the others."""
    found: dict[tuple[str, ...], str] = {_sorted(ports): what for what, ports in chosen}
    for side in (after, before):
        for what, ports in side.openings or ():
            for group in (ports,) if what else ((port,) for port in ports):
                found.setdefault(_sorted(group), what)
    wanted = {_sorted(ports) for _, ports in chosen}
    doors = [
        Door(
            source,
            _NAMES.get(what, what),
            ports,
            before.access(ports),
            after.access(ports),
            is_chosen=ports in wanted or source is Source.NETWORK,
        )
        for ports, what in found.items()
    ]
    doors = [door for door in doors if door.ports and Access.OPEN in {door.before, door.after}]
    rest = Door(
        source,
        _OTHERS if doors else _ALL,
        (),
        before.access(_ALL_PORTS),
        after.access(_ALL_PORTS),
        is_chosen=source is Source.NETWORK,
    )
    spans = [_Span.parse(port) for door in doors for port in door.ports]
    others = [one for one in listening if not any(span.has(one) for span in spans)]
    is_worth_saying = source is Source.MESH or rest.after is Access.OPEN
    return (
        *(_peopled(door, listening) for door in doors),
        *((_peopled(rest, others),) if is_worth_saying else ()),
    )


def _sorted(ports: tuple[str, ...]) -> tuple[str, ...]:
    """Return ports in their order: firewalld and the answers name them in different ones."""
    return tuple(sorted(ports, key=lambda port: (_Span.parse(port).first, port)))


def _peopled(door: Door, listening: Iterable[Listener]) -> Door:
    """Name who listens behind a door that is open afterwards."""
    if door.after is not Access.OPEN:
        return door
    spans = [_Span.parse(port) for port in door.ports or _ALL_PORTS]
    names = (f"{one.program or '?'} {one.port}" for one in listening if any(span.has(one) for span in spans))
    return replace(door, programs=tuple(dict.fromkeys(names)))


def spared(facts: Facts, wish: Wish) -> str:
    """Return what a zone of its own spares the mesh interface, in a sentence; empty where it is nothing."""
    around = _default(facts)
    inside = lets_in(around) if around is not None else ()
    if around is None or not wish.device or not wish.is_managed or inside == ():
        return ""
    chosen = {port for _, ports in wish.services for port in ports}
    more = [f"{what} {port}".strip() for what, ports in inside or () for port in ports if port not in chosen]
    words = ", ".join(more) if inside is not None else "everything that listens"
    if not words:
        return ""
    return (
        f"{wish.device} gets a zone of its own. In {around.name}, into which it would fall, the mesh would "
        f"reach more: {words}."
    )


def door_lines(doors: Iterable[Door], width: int) -> tuple[str, ...]:
    """Return the doors as a table, now and afterwards side by side; below, who listens there."""
    lines = []
    room = max(20, width - 18)
    source = None
    for door in doors:
        if door.source is not source:
            source = door.source
            lines.append(f"{_HEADINGS[source]:<{room + 4}} {'now':<6} after")
        words = door.text if len(door.text) <= room else f"{door.text[: room - 1]}~"
        lines.append(f"[{door.mark}] {words:<{room}} {door.before:<6} {door.after}")
        if door.programs:
            words = f"listening: {', '.join(door.programs)}"
            lines += textwrap.wrap(words, width, initial_indent=" " * 6, subsequent_indent=" " * 8)
    return tuple(lines)
