"""firewalld while it runs: over its own Python bindings, or through firewall-cmd.

While it is stopped: stoppedfirewalld.py.

Rules (spec 11 §2):
- Each opening goes to what runs and to what is kept, one by one; never runtime-to-permanent, which would
  freeze the distribution's zones and a person's passing experiments.
- The zone is that of the interface with the default route; an interface in no zone is in the default zone.
- Errors come as raw D-Bus exceptions whose message begins with a code: ALREADY_ENABLED and NOT_ENABLED mean
  that it is as wanted.
- A zone or service of our own is a file. Reading it takes a reload, which forgets what somebody set in the
  running firewall alone: that is looked at before and set again after it.
- The bindings belong to the system's Python. Another Python of the same version can have them from there; one
  of another version cannot, and uses firewall-cmd, which speaks to the same daemon with the same codes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dexsetup.errors import HostError
from dexsetup.host.base import Completed, FirewallState
from dexsetup.host.commands import NOT_THERE
from dexsetup.host.packages import CommandRunner
from dexsetup.host.stoppedfirewalld import StoppedFirewalld

__all__ = ["Firewalld", "FirewalldCommands", "choose_firewall", "connect", "uplink_interface"]

_AS_WANTED = ("ALREADY_ENABLED", "NOT_ENABLED")
_KINDS = ("service", "port", "protocol", "source", "rich-rule")
"""What of a zone is kept over a reload; interfaces firewalld keeps by itself."""
_METHODS = {
    "service": "Service",
    "port": "Port",
    "protocol": "Protocol",
    "source": "Source",
    "rich-rule": "RichRule",
}

_Items = dict[str, frozenset[str]]
"""By kind of item, each as firewall-cmd writes it."""


def connect() -> Any:
    """Return a connected FirewallClient, or None where the bindings or the daemon are not to be had."""
    try:
        with _system_packages():
            from firewall.client import FirewallClient  # noqa: PLC0415 - the one place that needs the bindings
    except ImportError:
        return None
    try:
        client = FirewallClient()
    except Exception:  # noqa: BLE001 - whatever D-Bus has against it: firewall-cmd will say it in its words
        return None
    return client if client.connected else None


@contextmanager
def _system_packages() -> Iterator[None]:
    """Let the system's packages be found, after all others, for the length of one import."""
    major, minor = sys.version_info[:2]
    fedoras = [f"/usr/{library}/python{major}.{minor}/site-packages" for library in ("lib64", "lib")]
    places = ["/usr/lib/python3/dist-packages", *fedoras]
    before = list(sys.path)
    sys.path += [place for place in places if place not in before]
    try:
        yield
    finally:
        sys.path[:] = before


class Firewalld:
    """A running firewalld, through its bindings."""

    name = "firewalld"
    state = FirewallState.RUNNING

    def __init__(self, client: Any, uplink: Callable[[], str]) -> None:
        self._client = client
        self._uplink = uplink

    def zone_of_uplink(self) -> str:
        """Return the zone of the interface with the default route."""
        interface = self._uplink()
        zone = self._ask(lambda: self._client.getZoneOfInterface(interface)) if interface else ""
        return str(zone or self.default_zone())

    def default_zone(self) -> str:
        """Ask for it."""
        return str(self._ask(self._client.getDefaultZone))

    def is_open(self, zone: str, port: int, protocol: str) -> tuple[bool, bool]:
        """Ask for the port itself, now and permanently."""
        now = self._ask(lambda: self._client.queryPort(zone, str(port), protocol))
        kept = self._ask(lambda: self._permanent(zone).queryPort(str(port), protocol))
        return bool(now), bool(kept)

    def open_port(
        self, zone: str, port: int, protocol: str, *, now: bool = True, permanently: bool = True
    ) -> None:
        """Let it in."""
        if permanently:
            self._ask(lambda: self._permanent(zone).addPort(str(port), protocol))
        if now:
            self._ask(lambda: self._client.addPort(zone, str(port), protocol))

    def close_port(
        self, zone: str, port: int, protocol: str, *, now: bool = True, permanently: bool = True
    ) -> None:
        """Shut it out."""
        if now:
            self._ask(lambda: self._client.removePort(zone, str(port), protocol))
        if permanently:
            self._ask(lambda: self._permanent(zone).removePort(str(port), protocol))

    def zones_in_use(self) -> tuple[str, ...]:
        """Ask for the active zones and the default zone."""
        active = self._ask(self._client.getActiveZones) or {}
        return tuple(sorted({*map(str, active), self.default_zone()}))

    def has_rule(self, zone: str, rule: str) -> tuple[bool, bool]:
        """Ask for the rule itself, now and permanently."""
        now = self._ask(lambda: self._client.queryRichRule(zone, rule))
        kept = self._ask(lambda: self._permanent(zone).queryRichRule(rule))
        return bool(now), bool(kept)

    def add_rule(self, zone: str, rule: str, *, now: bool = True, permanently: bool = True) -> None:
        """Add it."""
        self._change("add", zone, ("rich-rule", rule), now=now, permanently=permanently)

    def remove_rule(self, zone: str, rule: str, *, now: bool = True, permanently: bool = True) -> None:
        """Remove it."""
        self._change("remove", zone, ("rich-rule", rule), now=now, permanently=permanently)

    def zone_members(self, zone: str) -> tuple[frozenset[str], frozenset[str]] | None:
        """Ask the running zone."""
        if zone not in map(str, self._ask(self._client.getZones)):
            return None
        services = self._ask(lambda: self._client.getServices(zone))
        interfaces = self._ask(lambda: self._client.getInterfaces(zone))
        return frozenset(map(str, services)), frozenset(map(str, interfaces))

    def zone_openings(self, zone: str) -> tuple[str, tuple[tuple[str, tuple[str, ...]], ...]] | None:
        """Ask the running zone, and what its services are."""
        if zone not in map(str, self._ask(self._client.getZones)):
            return None
        names = sorted(map(str, self._ask(lambda: self._client.getServices(zone))))
        openings = [(name, self._service_ports(name)) for name in names]
        own = tuple(sorted(map(_written, self._ask(lambda: self._client.getPorts(zone)))))
        target = str(self._ask(lambda: self._permanent(zone).getTarget()))
        return target, (*openings, *((("", own),) if own else ()))

    def _service_ports(self, name: str) -> tuple[str, ...]:
        settings = self._ask(lambda: self._client.getServiceSettings(name))
        return tuple(sorted(map(_written, settings.getPorts())))

    def release_interface(self, zone: str, interface: str) -> None:
        """Take it out of the running zone."""
        self._ask(lambda: self._client.removeInterface(zone, interface))

    def reload(self, own_zone: str) -> None:
        """Read the files anew, and set again what was set in the running firewall alone."""
        _reload(
            self._look,
            lambda: self._ask(self._client.reload),
            lambda verb, zone, item: self._change(verb, zone, item, now=True, permanently=False),
            [zone for zone in self.zones_in_use() if zone != own_zone],
        )

    def _look(self, zone: str) -> tuple[_Items, _Items]:
        """Return what the zone has (now, permanently)."""
        found = []
        for ask in (self._running(zone), self._permanent(zone)):
            items = {kind: self._ask(getattr(ask, f"get{_METHODS[kind]}s")) for kind in _KINDS}
            found.append({kind: frozenset(map(_written, values)) for kind, values in items.items()})
        return found[0], found[1]

    def _running(self, zone: str) -> Any:
        return _RunningZone(self._client, zone)

    def _change(self, verb: str, zone: str, item: tuple[str, str], *, now: bool, permanently: bool) -> None:
        kind, text = item
        values = tuple(text.split("/")) if kind == "port" else (text,)
        method = f"{verb}{_METHODS[kind]}"
        if permanently:
            self._ask(lambda: getattr(self._permanent(zone), method)(*values))
        if now:
            self._ask(lambda: getattr(self._client, method)(zone, *values))

    def _permanent(self, zone: str) -> Any:
        return self._client.config().getZoneByName(zone)

    def _ask(self, call: Callable[[], Any]) -> Any:
        """Call, and turn a D-Bus exception into our words; "it is so already" is success."""
        try:
            return call()
        except Exception as error:
            words = _message(error)
            if words.split(":")[0] in _AS_WANTED:
                return None
            raise HostError(
                "firewalld refused.", why=words, advice="firewall-cmd --list-all-zones"
            ) from error


class _RunningZone:
    """One zone of the running firewall, with the names that its permanent settings have."""

    def __init__(self, client: Any, zone: str) -> None:
        self._client = client
        self._zone = zone

    def __getattr__(self, name: str) -> Callable[[], Any]:
        return lambda: getattr(self._client, name)(self._zone)


class FirewalldCommands:
    """A running firewalld, through firewall-cmd."""

    name = "firewalld"
    state = FirewallState.RUNNING

    def __init__(self, run: CommandRunner, uplink: Callable[[], str]) -> None:
        self._run = run
        self._uplink = uplink

    def zone_of_uplink(self) -> str:
        """Return the zone of the interface with the default route."""
        interface = self._uplink()
        if interface:
            done = self._command([f"--get-zone-of-interface={interface}"], is_permanent=False, is_query=True)
            if done.status == 0 and done.stdout.strip():
                return done.stdout.strip().splitlines()[-1]
        return self.default_zone()

    def default_zone(self) -> str:
        """Ask for it."""
        return self._command(["--get-default-zone"], is_permanent=False).stdout.strip()

    def is_open(self, zone: str, port: int, protocol: str) -> tuple[bool, bool]:
        """Ask for the port itself."""
        query = [f"--zone={zone}", f"--query-port={port}/{protocol}"]
        kept = self._command(query, is_permanent=True, is_query=True).status == 0
        return self._command(query, is_permanent=False, is_query=True).status == 0, kept

    def open_port(
        self, zone: str, port: int, protocol: str, *, now: bool = True, permanently: bool = True
    ) -> None:
        """Let it in."""
        self._change(f"--add-port={port}/{protocol}", zone, now=now, permanently=permanently)

    def close_port(
        self, zone: str, port: int, protocol: str, *, now: bool = True, permanently: bool = True
    ) -> None:
        """Shut it out."""
        self._change(f"--remove-port={port}/{protocol}", zone, now=now, permanently=permanently)

    def zones_in_use(self) -> tuple[str, ...]:
        """Ask for the active zones and the default zone."""
        zones = {self.default_zone()}
        shown = self._command(["--get-active-zones"], is_permanent=False).stdout
        zones |= {line.split()[0] for line in shown.splitlines() if line and not line.startswith(" ")}
        return tuple(sorted(zones))

    def has_rule(self, zone: str, rule: str) -> tuple[bool, bool]:
        """Ask for the rule itself."""
        query = [f"--zone={zone}", f"--query-rich-rule={rule}"]
        kept = self._command(query, is_permanent=True, is_query=True).status == 0
        return self._command(query, is_permanent=False, is_query=True).status == 0, kept

    def add_rule(self, zone: str, rule: str, *, now: bool = True, permanently: bool = True) -> None:
        """Add it."""
        self._change(f"--add-rich-rule={rule}", zone, now=now, permanently=permanently)

    def remove_rule(self, zone: str, rule: str, *, now: bool = True, permanently: bool = True) -> None:
        """Remove it."""
        self._change(f"--remove-rich-rule={rule}", zone, now=now, permanently=permanently)

    def zone_members(self, zone: str) -> tuple[frozenset[str], frozenset[str]] | None:
        """Ask the running zone."""
        if zone not in self._command(["--get-zones"], is_permanent=False).stdout.split():
            return None
        listed = [
            self._command([f"--zone={zone}", option], is_permanent=False).stdout.split()
            for option in ("--list-services", "--list-interfaces")
        ]
        return frozenset(listed[0]), frozenset(listed[1])

    def zone_openings(self, zone: str) -> tuple[str, tuple[tuple[str, tuple[str, ...]], ...]] | None:
        """Ask the running zone, and what its services are."""
        if zone not in self._command(["--get-zones"], is_permanent=False).stdout.split():
            return None
        shown = [
            sorted(self._command([f"--zone={zone}", option], is_permanent=False).stdout.split())
            for option in ("--list-services", "--list-ports")
        ]
        openings = [(name, self._service_ports(name)) for name in shown[0]]
        target = self._command([f"--zone={zone}", "--get-target"], is_permanent=True).stdout.strip()
        return target, (*openings, *((("", tuple(shown[1])),) if shown[1] else ()))

    def _service_ports(self, name: str) -> tuple[str, ...]:
        shown = self._command([f"--service={name}", "--get-ports"], is_permanent=True, is_query=True)
        return tuple(sorted(shown.stdout.split()))

    def release_interface(self, zone: str, interface: str) -> None:
        """Take it out of the running zone."""
        self._change(f"--remove-interface={interface}", zone, now=True, permanently=False)

    def reload(self, own_zone: str) -> None:
        """Read the files anew, and set again what was set in the running firewall alone."""
        _reload(
            self._look,
            lambda: self._command(["--reload"], is_permanent=False),
            lambda verb, zone, item: self._change(
                f"--{verb}-{item[0]}={item[1]}", zone, now=True, permanently=False
            ),
            [zone for zone in self.zones_in_use() if zone != own_zone],
        )

    def _look(self, zone: str) -> tuple[_Items, _Items]:
        """Return what the zone has (now, permanently)."""
        found: list[_Items] = []
        for is_permanent in (False, True):
            items = {}
            for kind in _KINDS:
                option = [f"--zone={zone}", f"--list-{kind}s"]
                shown = self._command(option, is_permanent=is_permanent).stdout
                items[kind] = frozenset(shown.splitlines() if kind == "rich-rule" else shown.split())
            found.append(items)
        return found[0], found[1]

    def _change(self, option: str, zone: str, *, now: bool, permanently: bool) -> None:
        if permanently:
            self._command([f"--zone={zone}", option], is_permanent=True)
        if now:
            self._command([f"--zone={zone}", option], is_permanent=False)

    def _command(self, options: list[str], *, is_permanent: bool, is_query: bool = False) -> Completed:
        argv = ["firewall-cmd", *(["--permanent"] if is_permanent else []), *options]
        done = self._run(argv, timeout=60)
        if done.status != 0 and not is_query:
            raise HostError(
                f"{argv[0]} {' '.join(argv[1:])} failed.", why=(done.stderr or done.stdout).strip()
            )
        return done


def _reload(
    look: Callable[[str], tuple[_Items, _Items]],
    reload: Callable[[], object],
    change: Callable[[str, str, tuple[str, str]], None],
    zones: list[str],
) -> None:
    """Reload, then make the zones differ from their settings as they did before."""
    passing: list[tuple[str, str, tuple[str, str]]] = []
    for zone in zones:
        now, kept = look(zone)
        for kind in _KINDS:
            passing += [("add", zone, (kind, item)) for item in sorted(now[kind] - kept[kind])]
            passing += [("remove", zone, (kind, item)) for item in sorted(kept[kind] - now[kind])]
    reload()
    for verb, zone, item in passing:
        change(verb, zone, item)


def _written(value: Any) -> str:
    """Return an item of the bindings as firewall-cmd writes it: a port is a pair there."""
    return str(value) if isinstance(value, str) else "/".join(map(str, value))


def choose_firewall(
    run: CommandRunner,
    uplink: Callable[[], str],
    read: Callable[[str], bytes | None],
    list_directory: Callable[[str], Sequence[str]],
) -> Firewalld | FirewalldCommands | StoppedFirewalld | None:
    """Return the firewall of this machine; None if there is none that we know."""
    if run(["firewall-offline-cmd", "--version"], timeout=20).status == NOT_THERE:
        return None
    if run(["firewall-cmd", "--state"], timeout=20).status != 0:
        return StoppedFirewalld(run, uplink, read, list_directory)
    client = connect()
    return FirewalldCommands(run, uplink) if client is None else Firewalld(client, uplink)


def uplink_interface(route_table: bytes | None, ipv6_table: bytes | None = None) -> str:
    """Return the interface of the default route with the lowest metric (/proc/net/route), or nothing.

    Where there is none for IPv4, that of IPv6 counts (/proc/net/ipv6_route).
    """
    best: tuple[int, str] | None = None
    for line in (route_table or b"").decode("ascii", "replace").splitlines()[1:]:
        words = line.split()
        if len(words) >= 8 and words[1] == "00000000" and words[7] == "00000000" and words[6].isdecimal():
            metric = int(words[6])
            if best is None or metric < best[0]:
                best = (metric, words[0])
    return best[1] if best else _ipv6_uplink(ipv6_table)


def _ipv6_uplink(table: bytes | None) -> str:
    """Fields: destination, its length, source, its length, next hop, metric, two counts, flags, interface."""
    rows = (line.split() for line in (table or b"").decode("ascii", "replace").splitlines())
    defaults = [
        (int(words[5], 16), words[9])
        for words in rows
        if len(words) == 10 and words[1] == "00" and not words[0].strip("0") and words[9] != "lo"
    ]
    return min(defaults, default=(0, ""))[1]


def _message(error: Exception) -> str:
    get = getattr(error, "get_dbus_message", None)
    return str(get()) if get is not None else str(error)
