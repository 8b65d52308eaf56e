"""What the mesh can reach on this machine: the sockets that listen, and what the firewall makes of them.

A socket is within reach when it is bound to all addresses or to the mesh address. Whether a packet gets there
is the firewall's to say; a look from the machine itself cannot tell, because its own packets never pass it
(spec 11 §1). So what listens (`ss`) is compared with the zone as it runs. What is open and was not chosen in
the answers is a surprise, and comes with what to do about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address

from dexsetup.facts import Listener

__all__ = ["Exposure", "Reach", "judge", "listeners", "open_ports"]

_PROCESS = re.compile(r'users:\(\("((?:[^"\\]|\\.)*)"')
_ADVICE = {
    "sshd": "let in only who needs it: PasswordAuthentication no, PermitRootLogin no, AllowUsers LOGIN, for "
    "`Match LocalAddress fc00::/8` in /etc/ssh/sshd_config.d/50-mesh.conf; check it with: sshd -t",
}
_SHUT_IT = "bind it to 127.0.0.1 in its own settings, or give the mesh interface its zone: dexsetup --answers"


class Reach(StrEnum):
    """What becomes of a packet from the mesh to a socket."""

    CHOSEN = "open, as chosen"
    SURPRISE = "open, and not chosen"
    SHUT = "shut by the firewall"


@dataclass(frozen=True, slots=True)
class Exposure:
    """A listener, and what the mesh gets of it."""

    listener: Listener
    reach: Reach
    advice: str = ""


def listeners(shown: str, address: str = "") -> tuple[Listener, ...]:
    """Return those of `ss -H -lntup` that the mesh address leads to, sorted by port.

    Without an address: those that listen on every address of the machine, IPv6 among them.
    """
    found = set()
    for line in shown.splitlines():
        words = line.split()
        if len(words) < 5 or words[0] not in {"tcp", "udp"}:
            continue
        place, _, port = words[4].rpartition(":")
        if port.isdecimal() and _leads_to(place, address):
            process = _PROCESS.search(line)
            found.add(Listener(words[0], place, int(port), process[1] if process is not None else ""))
    return tuple(sorted(found, key=lambda item: (item.port, item.protocol, item.place, item.program)))


def _leads_to(place: str, address: str) -> bool:
    bare = place.partition("%")[0].removeprefix("[").removesuffix("]")
    if bare in {"*", "::"}:
        return True
    try:
        return IPv6Address(bare) == IPv6Address(address)
    except ValueError:
        return False


def open_ports(ports: Iterable[tuple[str, str]]) -> frozenset[tuple[int, str]]:
    """Return every single (port, protocol) of ports and ranges as firewalld writes them."""
    found = set()
    for text, protocol in ports:
        first, _, last = text.partition("-")
        found |= {(port, protocol) for port in range(int(first), int(last or first) + 1)}
    return frozenset(found)


def judge(
    heard: Iterable[Listener],
    *,
    let_in: frozenset[tuple[int, str]] | None,
    chosen: frozenset[tuple[int, str]],
) -> tuple[Exposure, ...]:
    """Judge each listener. `let_in` is what the firewall lets in from the mesh; None: all of it."""
    result = []
    for listener in heard:
        key = (listener.port, listener.protocol)
        if let_in is not None and key not in let_in:
            result.append(Exposure(listener, Reach.SHUT))
        elif key in chosen:
            result.append(Exposure(listener, Reach.CHOSEN))
        else:
            result.append(Exposure(listener, Reach.SURPRISE, _ADVICE.get(listener.program, _SHUT_IT)))
    return tuple(result)
