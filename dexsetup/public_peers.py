"""The community's list of public nodes: who may be called without asking, where they are, whom to thank.

The data is a file of the package, taken from the list of record at a fixed date (its `meta` says which).
Many entries are years old, so a peer from here has to be tested before it is relied on. Numbers are part of
the data and stay the same when entries come or go. Nothing here touches the network.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from dexrouter.config import ConnectTo, Family

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PublicPeer", "PublicPeers", "Source", "load"]

_CONTINENTS: Final = {
    "af": "Africa",
    "as": "Asia",
    "eu": "Europe",
    "na": "North America",
    "oc": "Oceania",
    "sa": "South America",
}
_COUNTRIES: Final = {
    "br": "Brazil",
    "ca": "Canada",
    "ch": "Switzerland",
    "de": "Germany",
    "fr": "France",
    "jp": "Japan",
    "lt": "Lithuania",
    "nl": "Netherlands",
    "no": "Norway",
    "pl": "Poland",
    "ru": "Russia",
    "se": "Sweden",
    "ua": "Ukraine",
    "uk": "United Kingdom",
    "us": "United States",
    "za": "South Africa",
}
_OTHER_WORDS: Final = {"gb": "uk", "greatbritain": "uk", "usa": "us", "thenetherlands": "nl"}


@dataclass(frozen=True, slots=True)
class Source:
    """Where the list comes from and on what terms."""

    url: str
    commit: str
    date: str
    """The day of that commit, as in 2024-02-21."""
    licence: str
    warning: str


@dataclass(frozen=True, slots=True)
class PublicPeer:
    """One entry, as its operator published it."""

    number: int
    """From 1; never given to another entry."""
    address: str
    public_key: str
    password: str = field(repr=False)
    peer_name: str
    mesh_address: str
    """The node's own address in the mesh."""
    continent: str
    """Two letters: af as eu na oc sa."""
    country: str
    """Two letters, as the list uses them (`uk`)."""
    file: str
    """The file of the source that holds the entry."""
    regions: tuple[str, ...] = ()
    """From the larger to the smaller."""
    login: str | None = None
    contact: str | None = None
    gpg: str | None = None
    location: str | None = None
    other: tuple[tuple[str, str], ...] = ()
    """Everything else that the operator wrote, for those who want to know."""

    @property
    def family(self) -> Family:
        """Over which version of IP the node is called."""
        return Family.IPV6 if self.address.startswith("[") else Family.IPV4

    @property
    def place(self) -> str:
        """Where it is, in words: region, country."""
        country = _COUNTRIES.get(self.country, self.country)
        return ", ".join((*(region.capitalize() for region in reversed(self.regions)), country))

    @property
    def attribution(self) -> str:
        """Who runs it and how to reach them; shown wherever the entry is shown."""
        parts = [self.peer_name]
        if self.contact:
            parts.append(f"contact {self.contact}")
        if self.gpg:
            parts.append(f"gpg {self.gpg}")
        return ", ".join(parts)

    def connect_to(self) -> ConnectTo:
        """Return what goes into a configuration: the four fields that mean something there."""
        return ConnectTo(self.address, self.public_key, self.password, self.login, self.peer_name)

    def is_in(self, place: str) -> bool:
        """Whether it is on this continent, in this country or region; code or name, in any spelling."""
        wanted = _plain(place)
        wanted = _OTHER_WORDS.get(wanted, wanted)
        names = (_CONTINENTS.get(self.continent, ""), _COUNTRIES.get(self.country, ""), *self.regions)
        return bool(wanted) and wanted in (self.continent, self.country, *map(_plain, names))


@dataclass(frozen=True, slots=True)
class PublicPeers:
    """The whole list."""

    source: Source
    peers: tuple[PublicPeer, ...]

    def select(self, place: str = "", family: Family | None = None) -> tuple[PublicPeer, ...]:
        """Return the entries of a place (all if empty) and of one version of IP, in the list's order."""
        return tuple(
            peer
            for peer in self.peers
            if (not place or peer.is_in(place)) and (family is None or peer.family is family)
        )

    def find(self, what: str | int) -> tuple[PublicPeer, ...]:
        """Return the entries with this number, peer name (in any case) or key; often one for each IP."""
        text = str(what).strip()
        if text.isascii() and text.isdigit():
            return tuple(peer for peer in self.peers if peer.number == int(text))
        return tuple(
            peer
            for peer in self.peers
            if peer.public_key == text or peer.peer_name.casefold() == text.casefold()
        )

    @property
    def attribution(self) -> str:
        """Say where the list comes from; shown with it."""
        return (
            f"Public peers from {self.source.url} ({self.source.date}, {self.source.licence.split(' ')[0]}). "
            "Their operators let anybody connect; tell them if you do so for long or for much."
        )


@cache
def load() -> PublicPeers:
    """Read the list that comes with the package."""
    data = json.loads((files("dexsetup") / "data" / "public-peers.json").read_text("utf-8"))
    meta = data["meta"]
    source = Source(meta["source"], meta["commit"], meta["date"], meta["licence"], meta["warning"])
    return PublicPeers(source, tuple(_peer(entry) for entry in data["peers"]))


def _peer(entry: Mapping[str, Any]) -> PublicPeer:
    return PublicPeer(
        number=entry["number"],
        address=entry["address"],
        public_key=entry["publicKey"],
        password=entry["password"],
        peer_name=entry["peerName"],
        mesh_address=entry["cjdnsIp6"],
        continent=entry["continent"],
        country=entry["country"],
        file=entry["file"],
        regions=tuple(entry.get("region", ())),
        login=entry.get("login"),
        contact=entry.get("contact"),
        gpg=entry.get("gpg"),
        location=entry.get("location"),
        other=tuple(entry.get("other", {}).items()),
    )


def _plain(text: str) -> str:
    """Reduce a name to its letters and digits, so that "New York" is "newyork"."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())
