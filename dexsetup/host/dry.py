"""A host that looks at another one and refuses to change it: what --dry-run and every plan is made on."""

from __future__ import annotations

from typing import Any, NoReturn

from dexsetup.errors import HostError
from dexsetup.host.base import Host

__all__ = ["dry"]

_LOOKING = frozenset(
    {
        "read", "stat", "list_directory", "list_tree", "list_source", "probe", "check_content", "now",
        "wall_clock", "sleep", "is_live", "network", "name", "is_pristine", "installed", "state",
        "survives_reboot", "zone_of_uplink", "is_open", "zones_in_use", "has_rule", "zone_members",
        "zone_openings", "default_zone", "has_blackhole",
    }
)  # fmt: skip
_PARTS = frozenset({"packages", "services", "firewall"})


class _Dry:
    """Passes on what only looks; everything else is refused by name."""

    def __init__(self, behind: Any, name: str) -> None:
        self._behind = behind
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name in _PARTS:
            return _Dry(getattr(self._behind, name), name)
        if name in _LOOKING:
            return getattr(self._behind, name)
        return self._refuse(name)

    def _refuse(self, name: str) -> Any:
        def refuse(*args: object, **_: object) -> NoReturn:
            raise HostError(
                f"a dry run changes nothing: {self._name} {name} {args[0] if args else ''}".rstrip()
            )

        return refuse


def dry(host: Host) -> Host:
    """Return the host without its power to change anything."""
    looking: Any = _Dry(host, "host")
    checked: Host = looking
    return checked
