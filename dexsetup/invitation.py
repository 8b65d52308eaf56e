"""This node's card, and one with which a friend can call it: their credential, and where they find us.

The password comes out of the router's configuration, so the card can be shown again at any time; nothing is
made here. An address that only the local network reaches is given all the same, with a sentence that says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address, ip_address

from dexrouter.config import ConnectTo, RouterConfig
from dexrouter.crypto.keys import key_pair_from_private, public_key_text
from dexsetup.answers.model import Allow, Answers
from dexsetup.answers.sense import has_phone
from dexsetup.card import Card
from dexsetup.facts import Facts

__all__ = ["Invitation", "invite", "own_card", "reachable_address"]

_ADVICE = (
    "Forward UDP port {port} of your gateway to this machine and name the gateway's address from outside, or "
    "let your friend send you such a card and call them: one of the two who can be reached is enough."
)


@dataclass(frozen=True, slots=True)
class Invitation:
    """A card for one friend."""

    card: Card = field(repr=False)
    note: str
    """Why it may not work as it stands, and what to do; empty if there is nothing to say."""


def own_card(address: str, answers: Answers | None, facts: Facts) -> Card:
    """Return the card of the first person here, with mail and calls as they are set up; or of the node."""
    if answers is None or not answers.user:
        return Card(address, facts.hostname)
    user = answers.user[0]
    account = facts.account(user.login)
    name = user.real_name if user.real_name is not None else account.real_name if account else ""
    # With a public address, mail and calls are there and not at the mesh address that the card names.
    is_here = not answers.public_address
    has_mail = is_here and answers.mail is not None and answers.mail.enable
    has_calls = is_here and has_phone(user, answers)
    if not has_mail and not has_calls:
        return Card(address, name)
    return Card(address, name, user.login, has_mail=has_mail, has_calls=has_calls)


def invite(own: Card, config: RouterConfig, friend: Allow, uplink: Sequence[str]) -> Invitation | None:
    """Return the friend's card, or None if the configuration does not let them in.

    `uplink` are this machine's addresses towards the Internet.
    """
    entry = next((one for one in config.authorized_passwords if one.user == friend.login), None)
    if entry is None:
        return None
    found = _place(config, friend.address or reachable_address(config, uplink))
    if found is None:
        advice = _ADVICE.format(port=next(iter(_ports(config).values()), "of the router"))
        return Invitation(own, f"No address is known at which this node can be reached. {advice}")
    address, port = found
    place = f"[{address}]:{port}" if isinstance(address, IPv6Address) else f"{address}:{port}"
    key = public_key_text(key_pair_from_private(config.private_key.reveal()).public)
    card = replace(own, peer=ConnectTo(place, key, entry.password, friend.login, own.name or None))
    if address.is_global or friend.address:
        return Invitation(card, "")
    return Invitation(card, f"{address} is reached from the local network alone. {_ADVICE.format(port=port)}")


def reachable_address(config: RouterConfig, uplink: Sequence[str]) -> str:
    """Return the address of a machine from which its router reaches furthest; empty if there is none."""
    versions = _ports(config)
    addresses = [address for address in map(ip_address, uplink) if address.version in versions]
    addresses.sort(key=lambda address: (not address.is_global, address.version))
    return str(addresses[0]) if addresses else ""


def _place(config: RouterConfig, text: str) -> tuple[IPv4Address | IPv6Address, int] | None:
    """Return address and port of a text that has passed the answers' check; the port is the router's own."""
    host, port = text, ""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not host:
        return None
    address = ip_address(host)
    number = int(port.lstrip(":") or 0) or _ports(config).get(address.version, 0)
    return (address, number) if number else None


def _ports(config: RouterConfig) -> dict[int, int]:
    """Return the router's UDP port for each version of IP."""
    found: dict[int, int] = {}
    for interface in config.udp_interfaces:
        version = 6 if ":" in interface.bind.host else 4
        if interface.bind.port:
            found.setdefault(version, interface.bind.port)
    return found
