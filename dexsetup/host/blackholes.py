"""Routes of the kernel at which packets end, by iproute2's `ip`: asked for as JSON, added and taken away."""

from __future__ import annotations

import json

from dexsetup.errors import HostError
from dexsetup.host.commands import NOT_THERE
from dexsetup.host.packages import CommandRunner

__all__ = ["add_blackhole", "has_blackhole", "remove_blackhole"]

_SECONDS = 20.0


def has_blackhole(run: CommandRunner, network: str, metric: int) -> bool | None:
    """Whether the kernel has this very route: that prefix, that metric. None: there is no `ip` to ask."""
    shown = run(["ip", "-6", "-j", "route", "show", "type", "blackhole", "exact", network], timeout=_SECONDS)
    if shown.status == NOT_THERE:
        return None
    try:
        routes = json.loads(shown.stdout or "[]")
    except ValueError:
        return False
    return any(route.get("metric") == metric for route in routes)


def add_blackhole(run: CommandRunner, network: str, metric: int) -> None:
    """Add the route; one that is there already stays. Raises HostError in the kernel's words."""
    _change(run, "replace", network, metric)


def remove_blackhole(run: CommandRunner, network: str, metric: int) -> None:
    """Take the route away. Raises HostError in the kernel's words."""
    _change(run, "del", network, metric)


def _change(run: CommandRunner, verb: str, network: str, metric: int) -> None:
    words = ["route", verb, "blackhole", network, "metric", str(metric)]
    done = run(["ip", "-6", *words], timeout=_SECONDS)
    if done.status != 0:
        raise HostError(
            f"ip -6 {' '.join(words)} failed.",
            why=done.stderr.strip(),
            advice="Is IPv6 switched off here? Look with: sysctl net.ipv6.conf.all.disable_ipv6",
        )
