"""Finds what still carries an address that this node no longer has: file by file, line by line.

A former address is one of a key that the configuration had before a change of ours (the journal keeps what
was there). Wherever it stands in a file of ours or of the people named in the answers, it is stale. Where a
line can only name this node itself (a sender, a mailname, what to listen on), any other mesh address is.
Addresses of friends, in aliases and address books, are left out by that.

Reads only, homes as their owners; what cannot be read is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address

from dexrouter.config import ConfigError, load_config
from dexsetup.answers.model import Answers
from dexsetup.errors import HostError
from dexsetup.facts import Facts
from dexsetup.host.base import Host
from dexsetup.networks import MESH
from dexsetup.plan.build import owner_of
from dexsetup.plan.journal import list_runs
from dexsetup.plan.state import load_state
from dexsetup.steps.configuration import node_address
from dexsetup.steps.node import CONFIG
from dexsetup.steps.userfiles import UserFilesStep

__all__ = ["Stale", "former_addresses", "stale_lines"]

_ADDRESS = re.compile(r"(?:(?<=IPv6:)|(?<![0-9A-F:]))fc[0-9A-F]{2}:[0-9A-F:]+", re.IGNORECASE)
_OURS_ALONE = ("/smtpd.conf", "/mailname", "/nodeinfo.json", "/.baresip/accounts")
"""Ends of the paths in which no address of somebody else stands."""
_OWN_LINE = re.compile(
    r"\s*(?:set\s+(?:from|return-address)|user-domain|contact|bind_address|sip_listen)\b\s*[=\s]",
    re.IGNORECASE,
)
_LINE_MAX = 4096


@dataclass(frozen=True, slots=True)
class Stale:
    """One place."""

    path: str
    line: int
    address: IPv6Address

    @property
    def text(self) -> str:
        """The place in a sentence."""
        return f"{self.path}:{self.line} still carries {self.address}, which is not this node's address"


def former_addresses(host: Host, own: IPv6Address) -> frozenset[IPv6Address]:
    """Return the addresses that the node had before changes that were made, or undone, by dexsetup."""
    found = set()
    for run in list_runs(host):
        for change in run.changes:
            if change.kind == "file" and change.subject == CONFIG and change.before.get("image"):
                address = _address_of(host.read(change.before["image"]))
                if address is not None:
                    found.add(address)
    return frozenset(found - {own})


def stale_lines(host: Host, facts: Facts, answers: Answers, own: IPv6Address) -> Iterator[Stale]:
    """Yield every place with an address that is not this node's, in the order of the paths."""
    try:
        former = former_addresses(host, own)
        ours = set(load_state(host))
    except HostError:
        former, ours = frozenset(), set()
    server = facts.mail_server
    paths = ours | {server.config, server.mailname, server.aliases, *UserFilesStep().reads(answers, facts)}
    for path in sorted(paths - {CONFIG}):
        for number, line in enumerate(_lines(host, facts, path), start=1):
            is_own = path.endswith(_OURS_ALONE) or _OWN_LINE.match(line) is not None
            for address in dict.fromkeys(_addresses_in(line)):
                if address in former or (is_own and address != own):
                    yield Stale(path, number, address)


def _lines(host: Host, facts: Facts, path: str) -> list[str]:
    owner = owner_of(path, facts.accounts)
    try:
        content = host.read(path, as_user=None if owner is None else owner.login)
    except HostError:
        return []
    return [line[:_LINE_MAX] for line in (content or b"").decode("utf-8", "replace").split("\n")]


def _addresses_in(line: str) -> Iterator[IPv6Address]:
    for text in _ADDRESS.findall(line):
        try:
            address = IPv6Address(text.rstrip(":") if not text.endswith("::") else text)
        except ValueError:
            continue
        if address in MESH:
            yield address


def _address_of(content: bytes | None) -> IPv6Address | None:
    if not content:
        return None
    try:
        config = load_config(content, CONFIG)
    except ConfigError:
        return None
    return node_address(config)
