"""What is decided about letters that wait, without looking at anything: which machine is asked when.

opensmtpd tries a letter again after some minutes, then after ever longer times, and leaves a way that failed
alone for up to an hour (spec 10 §1.5). On a mesh, a friend's laptop is away for the night and back in the
morning: so each machine that letters wait for is asked now and then whether its port 25 answers.

Bounds: at most 64 machines are remembered, the first ones. One is asked 5 seconds after its letter was seen
to wait, then every 10 seconds for the first minutes, and later after a twentieth of the time that it is
waited for already, at most every two minutes.

`smtpctl show queue` has a line for each letter: id, family, kind, flags, sender, recipient, destination, four
times and numbers, state, then what depends on the state. `smtpctl show routes` has lines of
`ID. [source] <-> [address] (name) flags`. Lines of any other kind are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv6Address

from dexsetup.networks import MESH

__all__ = ["MACHINES_MAX", "Patience", "routes_to", "waiting_letters"]

MACHINES_MAX = 64

_FIELDS = 12
_DESTINATION, _STATE = 6, 11
_LITERAL = re.compile(r"[^|]*@\[(?:IPv6:)?([0-9A-Fa-f:.]+)\]", re.IGNORECASE)
_ROUTE = re.compile(r"(\d+)\. \[[^\]]*\] <-> \[?([0-9A-Fa-f:.]+)\]? ")
_ID = re.compile(r"[0-9a-f]{16}")
"""Of one letter; other words would mean several to smtpctl."""
_FIRST_SECONDS = 5.0
_OFTEN_SECONDS = 10.0
_SELDOM_SECONDS = 120.0
_PART_OF_WAIT = 1 / 20


def waiting_letters(shown: str) -> dict[IPv6Address, tuple[str, ...]]:
    """Return the ids of the letters that wait to be tried again, by the mesh address that they go to."""
    found: dict[IPv6Address, tuple[str, ...]] = {}
    for line in shown.split("\n"):  # and at no other sign: a sender's address may hold them
        fields = line.split("|")
        if len(fields) < _FIELDS or fields[2] != "mta" or fields[_STATE] != "pending":
            continue
        if _ID.fullmatch(fields[0]) is None:
            continue
        match = _LITERAL.fullmatch(fields[_DESTINATION])
        address = _mesh_address(match[1]) if match is not None else None
        if address is not None:
            found[address] = (*found.get(address, ()), fields[0])
    return found


def routes_to(address: IPv6Address, shown: str) -> tuple[str, ...]:
    """Return the ids of the ways to an address, which opensmtpd may be leaving alone."""
    found = (match for line in shown.splitlines() if (match := _ROUTE.match(line)) is not None)
    return tuple(match[1] for match in found if _mesh_address(match[2]) == address)


def _mesh_address(text: str) -> IPv6Address | None:
    try:
        address = IPv6Address(text)
    except ValueError:
        return None
    return address if address in MESH else None


@dataclass(slots=True)
class _Machine:
    since: float
    next_at: float


@dataclass(slots=True)
class Patience:
    """Remembers since when each machine is waited for. Time is monotonic seconds, handed in."""

    _machines: dict[IPv6Address, _Machine] = field(default_factory=dict)

    def due(self, addresses: Iterable[IPv6Address], now: float) -> tuple[IPv6Address, ...]:
        """Return the machines that are to be asked now; those no letter waits for are forgotten."""
        wanted = tuple(addresses)
        self._machines = {address: self._machines[address] for address in wanted if address in self._machines}
        for address in wanted:
            if address not in self._machines and len(self._machines) < MACHINES_MAX:
                self._machines[address] = _Machine(now, now + _FIRST_SECONDS)
        found = tuple(address for address, machine in self._machines.items() if machine.next_at <= now)
        for address in found:
            machine = self._machines[address]
            pause = (now - machine.since) * _PART_OF_WAIT
            machine.next_at = now + min(max(pause, _OFTEN_SECONDS), _SELDOM_SECONDS)
        return found
