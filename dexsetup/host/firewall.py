"""firewalld: over its own Python bindings while it runs, through firewall-offline-cmd while it is stopped.

Rules (spec 11 §2):
- Each opening goes to what runs and to what is kept, one by one; never runtime-to-permanent, which would
  freeze the distribution's zones and a person's passing experiments.
- The zone is that of the interface with the default route; an interface in no zone is in the default zone.
- Errors come as raw D-Bus exceptions whose message begins with a code: ALREADY_ENABLED and NOT_ENABLED mean
  that it is as wanted.
- The bindings exist only for the system's Python. A Python without them uses firewall-cmd, which speaks to
  the same daemon with the same codes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dexsetup.errors import HostError
from dexsetup.host.base import Completed, FirewallState
from dexsetup.host.packages import CommandRunner

__all__ = ["Firewalld", "FirewalldCommands", "choose_firewall", "connect", "uplink_interface"]

_AS_WANTED = ("ALREADY_ENABLED", "NOT_ENABLED")


def connect() -> Any:
    """Return a connected FirewallClient, or None where the bindings or the daemon are not to be had."""
    try:
        from firewall.client import FirewallClient  # noqa: PLC0415 - the one place that needs the bindings
    except ImportError:
        return None
    try:
        client = FirewallClient()
    except Exception:  # noqa: BLE001 - whatever D-Bus has against it: firewall-cmd will say it in its words
        return None
    return client if client.connected else None


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
        return str(zone or self._ask(self._client.getDefaultZone))

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


class FirewalldCommands:
    """firewalld through firewall-cmd (running) or firewall-offline-cmd (stopped)."""

    name = "firewalld"

    def __init__(self, run: CommandRunner, state: FirewallState, uplink: Callable[[], str]) -> None:
        self._run = run
        self.state = state
        self._uplink = uplink

    def zone_of_uplink(self) -> str:
        """Return the zone of the interface with the default route."""
        interface = self._uplink()
        if interface:
            done = self._command([f"--get-zone-of-interface={interface}"], is_permanent=False, is_query=True)
            if done.status == 0 and done.stdout.strip():
                return done.stdout.strip().splitlines()[-1]
        return self._command(["--get-default-zone"], is_permanent=False).stdout.strip()

    def is_open(self, zone: str, port: int, protocol: str) -> tuple[bool, bool]:
        """Ask for the port itself."""
        query = [f"--zone={zone}", f"--query-port={port}/{protocol}"]
        kept = self._command(query, is_permanent=True, is_query=True).status == 0
        if self.state is FirewallState.STOPPED:
            return False, kept
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

    def _change(self, option: str, zone: str, *, now: bool, permanently: bool) -> None:
        if permanently:
            self._command([f"--zone={zone}", option], is_permanent=True)
        if now and self.state is FirewallState.RUNNING:
            self._command([f"--zone={zone}", option], is_permanent=False)

    def _command(self, options: list[str], *, is_permanent: bool, is_query: bool = False) -> Completed:
        if self.state is FirewallState.STOPPED:
            argv = ["firewall-offline-cmd", *options]
        else:
            argv = ["firewall-cmd", *(["--permanent"] if is_permanent else []), *options]
        done = self._run(argv, timeout=60)
        if done.status != 0 and not is_query:
            raise HostError(
                f"{argv[0]} {' '.join(argv[1:])} failed.", why=(done.stderr or done.stdout).strip()
            )
        return done


def choose_firewall(run: CommandRunner, uplink: Callable[[], str]) -> Firewalld | FirewalldCommands | None:
    """Return the firewall of this machine; None if there is none that we know."""
    if run(["firewall-offline-cmd", "--version"], timeout=20).status == 127:
        return None
    if run(["firewall-cmd", "--state"], timeout=20).status == 0:
        client = connect()
        if client is not None:
            return Firewalld(client, uplink)
        return FirewalldCommands(run, FirewallState.RUNNING, uplink)
    return FirewalldCommands(run, FirewallState.STOPPED, uplink)


def uplink_interface(route_table: bytes | None) -> str:
    """Return the interface of the default route with the lowest metric (/proc/net/route), or nothing."""
    best: tuple[int, str] | None = None
    for line in (route_table or b"").decode("ascii", "replace").splitlines()[1:]:
        words = line.split()
        if len(words) >= 8 and words[1] == "00000000" and words[7] == "00000000" and words[6].isdecimal():
            metric = int(words[6])
            if best is None or metric < best[0]:
                best = (metric, words[0])
    return best[1] if best else ""


def _message(error: Exception) -> str:
    get = getattr(error, "get_dbus_message", None)
    return str(get()) if get is not None else str(error)
