"""A friend card: what one person sends another to be reached, as text, as a `dex:` link and as a QR code.

    dex:fc21:c6db:cb54:b6fe:73b:b830:4585:fab0?name=Jo%20Doe&user=jo&only=mail
        &peer=192.0.2.1:26041&key=...k&login=friend-1&password=...

The first part is the address; the rest is optional. `only` is mail or calls, where the user has but one of
the two. The last four are a peering credential, which makes the link a secret between two people: it is only
put in when somebody asks for it. Reading never raises anything but AnswersError, and never trusts: what comes
out has been checked like pasted peers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import parse_qsl, quote

from dexrouter.config import AddressError, ConnectTo, parse_peer_address
from dexrouter.crypto.keys import KeyParseError, address_of, parse_public_key
from dexsetup.errors import AnswersError
from dexsetup.networks import MESH

__all__ = ["Card", "card_link", "card_text", "find_card", "read_card"]

_SCHEME = "dex:"
_LONGEST = 2048
_ONLY_MAIL, _ONLY_CALLS = "mail", "calls"


@dataclass(frozen=True, slots=True)
class Card:
    """How a person, or a node, is reached."""

    address: str
    """The mesh address, as RFC 5952 writes it."""
    name: str = ""
    login: str = ""
    """The account there: the part in front of the @ of mail and calls."""
    peer: ConnectTo | None = field(default=None, repr=False)
    """A credential with which the reader may call the node."""
    has_mail: bool = True
    """Whether letters to the login arrive there, as far as is known."""
    has_calls: bool = True
    """The same of calls."""

    @property
    def mail(self) -> str:
        """The mail address; empty if there is none."""
        return f"{self.login}@[IPv6:{self.address}]" if self.login and self.has_mail else ""

    @property
    def sip(self) -> str:
        """The address for calls; empty if there is none."""
        return f"sip:{self.login}@[{self.address}]" if self.login and self.has_calls else ""


def card_text(card: Card) -> str:
    """Return the card as lines to read, the link last."""
    lines = [card.name, f"address  {card.address}"]
    if card.mail:
        lines.append(f"mail     {card.mail}")
    if card.sip:
        lines.append(f"calls    {card.sip}")
    if card.peer is not None:
        lines.append(f"peer     {card.peer.address} (a password for you alone is in the link)")
    return "\n".join([*(line for line in lines if line), card_link(card)])


def card_link(card: Card) -> str:
    """Return the card as a link."""
    values = [("name", card.name), ("user", card.login)]
    if card.login and card.has_mail != card.has_calls:
        values.append(("only", _ONLY_MAIL if card.has_mail else _ONLY_CALLS))
    if card.peer is not None:
        values += [("peer", card.peer.address), ("key", card.peer.public_key)]
        values += [("login", card.peer.login or ""), ("password", card.peer.password)]
    query = "&".join(f"{key}={quote(value, safe=':[].')}" for key, value in values if value)
    return f"{_SCHEME}{card.address}{f'?{query}' if query else ''}"


def find_card(text: str) -> str:
    """Return the first link in a text; empty if there is none."""
    return next((word for word in text.split() if word.casefold().startswith(_SCHEME)), "")


def read_card(text: str) -> Card:
    """Read a link, or the first one in a text. Raises AnswersError."""
    link = find_card(text)
    if not link:
        raise AnswersError(('there is no link that begins with "dex:" in that text',))
    if len(link) > _LONGEST:
        raise AnswersError((f"the link is longer than {_LONGEST} characters",))
    if not _is_text(link):
        raise AnswersError(("the link holds bytes that are no UTF-8 text",))
    place, _, query = link[len(_SCHEME) :].partition("?")
    try:
        address = IPv6Address(place)
    except AddressValueError as error:
        raise AnswersError((f'"{place}" in the link is not an address',)) from error
    if address not in MESH or address.scope_id is not None:
        raise AnswersError((f"{address} is not an address of the mesh: those begin with fc",))
    values = dict(parse_qsl(query, keep_blank_values=False))
    login, only = values.get("user", ""), values.get("only", "")
    return Card(
        str(address),
        values.get("name", ""),
        login,
        _peer(values, address),
        has_mail=not login or only != _ONLY_CALLS,
        has_calls=not login or only != _ONLY_MAIL,
    )


def _is_text(link: str) -> bool:
    """Whether it can be written: bytes of a terminal or a file that are no text come as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in link)


def _peer(values: dict[str, str], address: IPv6Address) -> ConnectTo | None:
    if "peer" not in values:
        return None
    try:
        parse_peer_address(values["peer"])
        key = parse_public_key(values.get("key", ""))
    except (AddressError, KeyParseError) as error:
        raise AnswersError((f"the peer in the link cannot be used: {error}",)) from error
    if address_of(key) != address.packed:
        raise AnswersError(("the key in the link does not belong to its address",))
    if not values.get("password"):
        raise AnswersError(("the peer in the link has no password",))
    login, name = values.get("login") or None, values.get("name") or None
    return ConnectTo(values["peer"], values["key"], values["password"], login, name)
