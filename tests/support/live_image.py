"""A directory with real files that stands for a machine which runs: services, firewall, kernel in memory.

So every kind of resource takes part where files, owners and links are the real ones. Time passes only when
somebody sleeps, and whoever is asked on the network answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dexsetup.host.base import Completed, UnitState
from dexsetup.host.fake import FakeFirewall, FakeNetwork, FakePackages, FakeServices
from dexsetup.host.rooted import RootedHost

__all__ = ["LiveImage"]

_ZONES = "/etc/firewalld/zones"


class _Answering(FakeNetwork):
    """Everybody greets."""

    def tcp_greeting(self, host: str, port: int, timeout: float) -> str:
        """Greet as a mail server does."""
        del host, port, timeout
        return "220 here"


class LiveImage(RootedHost):
    """See the module docstring. `programs` answers probes, by the words of the command."""

    is_live = True

    def __init__(self, root: str, programs: dict[tuple[str, ...], str]) -> None:
        super().__init__(root)
        memory: Any = self  # the parts in memory ask their host for no more than this one has
        self.packages: Any = FakePackages(memory)
        self.services: Any = FakeServices(memory)
        self.firewall: Any = FakeFirewall(read_zones=self._zone_files)
        self.network: Any = _Answering(any_address_is_bound=True, peers=(("192.0.2.1:1", "ESTABLISHED"),))
        self.blackholes: set[tuple[str, int]] = set()
        self._programs = programs
        self._clock = 0.0

    def memory(self) -> object:
        """Return what may be compared of all that is in no file."""
        units = self.services.units.items()
        firewall = self.firewall
        return (
            {name: state for name, state in units if state != UnitState(state.exists, False, False)},
            *(set(part) for part in (firewall.runtime, firewall.permanent, firewall.rules)),
            set(firewall.kept_rules),
            dict(firewall.zones),
            set(self.blackholes),
        )

    def probe(self, argv: Sequence[str], *, timeout: float = 10.0) -> Completed:
        """Answer as the test said, or as if the program were not there."""
        del timeout
        known = self._programs.get(tuple(argv))
        return Completed(tuple(argv), 127 if known is None else 0, known or "", "")

    def has_blackhole(self, network: str, metric: int) -> bool | None:
        """Whether it was added."""
        return (network, metric) in self.blackholes

    def add_blackhole(self, network: str, metric: int) -> None:
        """Add it."""
        self.blackholes.add((network, metric))

    def remove_blackhole(self, network: str, metric: int) -> None:
        """Take it away."""
        self.blackholes.remove((network, metric))

    def now(self) -> float:
        """Return the time that was slept."""
        return self._clock

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self._clock += seconds

    def _zone_files(self) -> dict[str, bytes]:
        names = (name for name in self.list_directory(_ZONES) if name.endswith(".xml"))
        return {name.removesuffix(".xml"): Path(f"{self.root}{_ZONES}/{name}").read_bytes() for name in names}
