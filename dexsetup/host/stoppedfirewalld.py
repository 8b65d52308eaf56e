"""firewalld while it is stopped: its files are read here, and written by its own firewall-offline-cmd.

Reading them costs nothing; each question to firewall-offline-cmd would be a process of half a second. What is
written holds from firewalld's next start. Nothing runs, so nothing is opened now, and no zone has members.
"""

# The arguments are the contract's; those about what runs mean nothing here.
# ruff: noqa: ARG002

from __future__ import annotations

from collections.abc import Callable, Sequence

from dexsetup.errors import HostError
from dexsetup.host import zonexml
from dexsetup.host.base import FirewallState
from dexsetup.host.packages import CommandRunner

__all__ = ["StoppedFirewalld"]

_SETTINGS = "/etc/firewalld/firewalld.conf"
_FALLBACK_ZONE = "public"
"""What firewalld takes where its settings name no default zone."""


class StoppedFirewalld:
    """See the module docstring."""

    name = "firewalld"
    state = FirewallState.STOPPED

    def __init__(
        self,
        run: CommandRunner,
        uplink: Callable[[], str],
        read: Callable[[str], bytes | None],
        list_directory: Callable[[str], Sequence[str]],
    ) -> None:
        self._run = run
        self._uplink = uplink
        self._read = read
        self._list = list_directory

    def zone_of_uplink(self) -> str:
        """Return the zone that the interface with the default route is bound to, else the default zone."""
        interface = self._uplink()
        bound = (zone for zone in self._zones() if interface in zonexml.interfaces(self._zone(zone)))
        return next(bound, "") or self.default_zone()

    def default_zone(self) -> str:
        """Read the settings."""
        for line in (self._read(_SETTINGS) or b"").decode("utf-8", "replace").splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "DefaultZone" and value.strip():
                return value.strip()
        return _FALLBACK_ZONE

    def is_open(self, zone: str, port: int, protocol: str) -> tuple[bool, bool]:
        """Look for the port in the zone's file."""
        return False, zonexml.has_port(self._zone(zone), port, protocol)

    def open_port(
        self, zone: str, port: int, protocol: str, *, now: bool = True, permanently: bool = True
    ) -> None:
        """Let it in from the next start."""
        self._change(zone, f"--add-port={port}/{protocol}", permanently=permanently)

    def close_port(
        self, zone: str, port: int, protocol: str, *, now: bool = True, permanently: bool = True
    ) -> None:
        """Shut it from the next start."""
        self._change(zone, f"--remove-port={port}/{protocol}", permanently=permanently)

    def zones_in_use(self) -> tuple[str, ...]:
        """Return the default zone and that of the uplink: others have no interfaces that could be known."""
        return tuple(sorted({self.default_zone(), self.zone_of_uplink()}))

    def has_rule(self, zone: str, rule: str) -> tuple[bool, bool]:
        """Look for the rule in the zone's file."""
        return False, zonexml.has_rule(self._zone(zone), rule)

    def add_rule(self, zone: str, rule: str, *, now: bool = True, permanently: bool = True) -> None:
        """Add it, from the next start."""
        self._change(zone, f"--add-rich-rule={rule}", permanently=permanently)

    def remove_rule(self, zone: str, rule: str, *, now: bool = True, permanently: bool = True) -> None:
        """Remove it, from the next start."""
        self._change(zone, f"--remove-rich-rule={rule}", permanently=permanently)

    def zone_members(self, zone: str) -> tuple[frozenset[str], frozenset[str]] | None:
        """Nothing runs."""
        return None

    def zone_openings(self, zone: str) -> tuple[str, tuple[tuple[str, tuple[str, ...]], ...]] | None:
        """Nothing runs."""
        return None

    def release_interface(self, zone: str, interface: str) -> None:
        """Nothing holds it."""

    def reload(self, own_zone: str) -> None:
        """Do nothing: it reads its files when it starts."""

    def _zones(self) -> list[str]:
        names = {*self._list(zonexml.ZONES), *self._list(zonexml.DISTRIBUTION_ZONES)}
        return sorted(name.removesuffix(".xml") for name in names if name.endswith(".xml"))

    def _zone(self, zone: str) -> bytes | None:
        own = self._read(f"{zonexml.ZONES}/{zone}.xml")
        return self._read(f"{zonexml.DISTRIBUTION_ZONES}/{zone}.xml") if own is None else own

    def _change(self, zone: str, option: str, *, permanently: bool) -> None:
        if not permanently:
            return
        done = self._run(["firewall-offline-cmd", f"--zone={zone}", option], timeout=60)
        if done.status != 0:
            raise HostError(
                f"firewall-offline-cmd --zone={zone} {option} failed.",
                why=(done.stderr or done.stdout).strip(),
            )
