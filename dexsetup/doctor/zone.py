"""The firewall between the mesh and what listens here."""

from __future__ import annotations

from collections.abc import Iterator

from dexrouter.config import RouterConfig, TunDevice
from dexsetup.doctor.finding import AGAIN, Finding, Remedy
from dexsetup.host.base import FirewallState, Host
from dexsetup.plan.events import Grade
from dexsetup.steps.firewall import ZONE

__all__ = ["zone_links"]


def zone_links(host: Host, config: RouterConfig, service: str, what: str) -> Iterator[Finding]:
    """Look whether the mesh interface's zone lets this in."""
    if host.firewall.state is not FirewallState.RUNNING:
        return
    members = host.firewall.zone_members(ZONE)
    device = config.tunnel.name if isinstance(config.tunnel, TunDevice) else None
    if members is None or device not in members[1]:
        text = f"{device or 'the mesh interface'} is not in the zone {ZONE}"
        cause = f"the zone of the ordinary network decides what the mesh reaches, and it may shut {what} out"
        yield Finding("firewall", Grade.WARN, text, cause, AGAIN, Remedy.APPLY)
    elif service not in members[0]:
        text = f"the zone {ZONE} does not let {what} in"
        yield Finding("firewall", Grade.FAIL, text, "it was changed", AGAIN, Remedy.APPLY)
    else:
        yield Finding("firewall", Grade.OK, f"{device} is in the zone {ZONE}, which lets {what} in")
