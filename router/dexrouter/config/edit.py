"""Changes to a `cjdroute.conf` that leave every other byte as it is (protocol notes 08 §5).

Each function takes the bytes of the file and returns the edits that bring about what is wanted: none if it
is so already. Rules:

- A file is read by its own grammar first; one that cannot be understood raises ConfigError with the place.
- The result is read again before the edits are returned, and must hold the old content and the change,
  nothing more and nothing less; otherwise ConfigError, and the file is better changed by hand.
- A peer goes into the `UDPInterface` entry whose `bind` is of its family, never into another one; only the
  four fields that mean something are written.
- Taking out what was put in gives the original bytes back (see `_layout`). Replacing what was there before
  cannot be undone from the file alone; callers keep the bytes from before.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dexrouter.config._change import Change, same_value, text_at
from dexrouter.config._section import key_problem
from dexrouter.config.address import AddressError, Family, parse_peer_address, parse_socket_address
from dexrouter.config.errors import DEFAULT_SOURCE, ConfigError
from dexrouter.config.generate import BEACON_PORT
from dexrouter.config.jsonc import Array, Object, parse, text_of
from dexrouter.config.model import BeaconMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dexrouter.config._change import Chain
    from dexrouter.config.jsonc import Document, Value
    from dexrouter.config.model import AllowedConnection, ConnectTo
    from dexrouter.config.spans import Edit
    from dexrouter.config.writing import Plain

__all__ = [
    "add_authorized_password",
    "ask_for_tunnel_addresses",
    "give_tunnel_addresses",
    "remove_authorized_password",
    "remove_peer",
    "remove_tunnel",
    "remove_value",
    "set_beacon",
    "set_udp_port",
    "set_value",
    "upsert_peer",
]

_TUNNEL: Final = ("router", "ipTunnel")
_PATH: Final = re.compile(r"[^.\[\]]+(\[\d{1,4}\])*(\.[^.\[\]]+(\[\d{1,4}\])*)*")
_PATH_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def upsert_peer(data: bytes, peer: ConnectTo, source: str = DEFAULT_SOURCE) -> tuple[Edit, ...]:
    """Put a peer in, or replace the entry that has its address.

    ConfigError if the peer itself is not in order, or if no `UDPInterface` is of its family.
    """
    change = Change(parse(data, source))
    family = _checked_family(peer, source)
    entries = [(chain, entry) for chain, entry in _udp_entries(change) if _family_of(entry) is family]
    if not entries:
        raise _no_interface(change.document, peer.address, family)
    wanted: dict[str, Plain] = {
        key: text
        for key, text in (
            ("login", peer.login),
            ("password", peer.password),
            ("publicKey", peer.public_key),
            ("peerName", peer.peer_name),
        )
        if text is not None
    }
    same = [
        (*place, index)
        for chain, _ in entries
        for place, connect_to in _connect_to(change, chain)
        for index, member in enumerate(connect_to.members)
        if _is_address(text_of(member.key.value), peer.address)
    ]
    if same:
        change.replace(same[0], wanted)
        change.remove(same[1:])
    else:
        change.put(entries[0][0], ("connectTo", peer.address), wanted)
    return change.edits()


def remove_peer(data: bytes, who: str, source: str = DEFAULT_SOURCE) -> tuple[Edit, ...]:
    """Take out every entry, UDP or Ethernet, with this public key or this address."""
    change = Change(parse(data, source))
    change.remove(
        [
            (*place, index)
            for kind in ("UDPInterface", "ETHInterface")
            for chain, _ in _entries(change, kind)
            for place, connect_to in _connect_to(change, chain)
            for index, member in enumerate(connect_to.members)
            if _is_address(text_of(member.key.value), who) or _has_key(member.value, who)
        ]
    )
    return change.edits()


def set_value(data: bytes, path: str, value: Plain, source: str = DEFAULT_SOURCE) -> tuple[Edit, ...]:
    """Give the key at a path a value, as in `router.interface.tunDevice`; dictionaries on the way are made.

    `interfaces.UDPInterface[0].bind` names the first entry; a single dictionary counts as the first of its
    list. ConfigError if something on the way is neither dictionary nor list, or has fewer entries.
    """
    change = Change(parse(data, source))
    chain, rest = _walk(change, path)
    keys = [step for step in rest if isinstance(step, str)]
    if len(keys) < len(rest):
        raise ConfigError(
            "there is no such entry in the file",
            hint="Make the entry by hand first",
            path=path,
            source=source,
        )
    change.put(chain, keys, value)
    return change.edits()


def remove_value(data: bytes, path: str, source: str = DEFAULT_SOURCE) -> tuple[Edit, ...]:
    """Take out the key at a path, if it is there."""
    change = Change(parse(data, source))
    chain, rest = _walk(change, path)
    if not rest:
        change.remove([chain])
    return change.edits()


def set_udp_port(data: bytes, port: int, source: str = DEFAULT_SOURCE) -> tuple[Edit, ...]:
    """Let every `UDPInterface` entry listen on this port; the addresses stay."""
    change = Change(parse(data, source))
    for chain, entry in _udp_entries(change):
        host, colon, _ = (text_at(entry, "bind") or "").rpartition(":")
        change.put(chain, ("bind",), f"{host if colon else '0.0.0.0'}:{port}")  # noqa: S104 - the default
    return change.edits()


def set_beacon(data: bytes, mode: BeaconMode, source: str = DEFAULT_SOURCE) -> tuple[Edit, ...]:
    """Switch looking for neighbours on or off in the first IPv4 entry.

    The port and the devices that it needs are added if they are missing, and kept if not.
    """
    change = Change(parse(data, source))
    for chain, entry in _udp_entries(change):
        if _family_of(entry) is Family.IPV4:
            wanted: dict[str, Plain] = {"beacon": int(mode)}
            if mode is not BeaconMode.OFF:
                needed: dict[str, Plain] = {"beaconDevices": ["all"], "beaconPort": BEACON_PORT}
                wanted |= {key: value for key, value in needed.items() if entry.get(key) is None}
            change.put_members(chain, wanted)
            return change.edits()
    raise _no_interface(change.document, "beacons", Family.IPV4)


def add_authorized_password(
    data: bytes, password: str, user: str | None = None, source: str = DEFAULT_SOURCE
) -> tuple[Edit, ...]:
    """Let somebody call us; a user who is listed already gets the new password."""
    change = Change(parse(data, source))
    for chain, entry in change.children((), "authorizedPasswords"):
        if user is not None and text_at(entry, "user") == user:
            change.put(chain, ("password",), password)
            return change.edits()
        if user is None and text_at(entry, "password") == password:
            return ()
    fields: dict[str, Plain] = {"password": password}
    if user is not None:
        fields["user"] = user
    change.append(("authorizedPasswords",), fields)
    return change.edits()


def remove_authorized_password(data: bytes, user: str, source: str = DEFAULT_SOURCE) -> tuple[Edit, ...]:
    """Take out the entries of this user."""
    change = Change(parse(data, source))
    entries = change.children((), "authorizedPasswords")
    change.remove([chain for chain, entry in entries if text_at(entry, "user") == user])
    return change.edits()


def give_tunnel_addresses(
    data: bytes, connection: AllowedConnection, source: str = DEFAULT_SOURCE
) -> tuple[Edit, ...]:
    """Give a node addresses through the IP tunnel; one that has some already gets these (spec 06 §5)."""
    change = Change(parse(data, source))
    wanted: dict[str, Plain] = {"publicKey": connection.public_key}
    for stem, given in (("ip4", connection.ip4), ("ip6", connection.ip6)):
        if given is not None:
            wanted |= {
                f"{stem}Address": given.address,
                f"{stem}Prefix": given.prefix,
                f"{stem}Alloc": given.alloc,
            }
    for chain, entry in _tunnels(change):
        if text_at(entry, "publicKey") == connection.public_key:
            change.replace(chain, wanted)
            return change.edits()
    change.append((*_TUNNEL, "allowedConnections"), wanted)
    return change.edits()


def ask_for_tunnel_addresses(data: bytes, public_key: str, source: str = DEFAULT_SOURCE) -> tuple[Edit, ...]:
    """Ask a node for addresses through the IP tunnel."""
    change = Change(parse(data, source))
    if not _asked(change, public_key):
        change.append((*_TUNNEL, "outgoingConnections"), public_key)
    return change.edits()


def remove_tunnel(data: bytes, public_key: str, source: str = DEFAULT_SOURCE) -> tuple[Edit, ...]:
    """Give a node no addresses through the IP tunnel any more, and ask it for none."""
    change = Change(parse(data, source))
    given = [chain for chain, entry in _tunnels(change) if text_at(entry, "publicKey") == public_key]
    change.remove([*given, *_asked(change, public_key)])
    return change.edits()


def _tunnels(change: Change) -> list[tuple[Chain, Object]]:
    place = _place(change, _TUNNEL)
    return [] if place is None else change.children(place, "allowedConnections")


def _asked(change: Change, public_key: str) -> list[Chain]:
    """Return the places of a key among those that are asked for addresses."""
    place = _place(change, (*_TUNNEL, "outgoingConnections"))
    node = None if place is None else change.node(place)
    if place is None or not isinstance(node, Array):
        return []
    return [(*place, index) for index, item in enumerate(node.items) if same_value(item, public_key)]


def _place(change: Change, keys: Sequence[str]) -> Chain | None:
    chain: Chain | None = ()
    for key in keys:
        chain = None if chain is None else change.child(chain, key)
    return chain


def _entries(change: Change, kind: str) -> list[tuple[Chain, Object]]:
    interfaces = change.child((), "interfaces")
    return change.children(interfaces, kind) if interfaces is not None else []


def _udp_entries(change: Change) -> list[tuple[Chain, Object]]:
    return _entries(change, "UDPInterface")


def _connect_to(change: Change, chain: Chain) -> list[tuple[Chain, Object]]:
    """Return the `connectTo` of an entry, if it has one that is a dictionary."""
    place = change.child(chain, "connectTo")
    node = change.node(place) if place is not None else None
    return [(place, node)] if place is not None and isinstance(node, Object) else []


def _family_of(entry: Object) -> Family:
    return Family.IPV6 if (text_at(entry, "bind") or "").startswith("[") else Family.IPV4


def _is_address(written: str, wanted: str) -> bool:
    if written == wanted:
        return True
    try:
        return parse_socket_address(written) == parse_socket_address(wanted)
    except AddressError:
        return False


def _has_key(value: Value, key: str) -> bool:
    return isinstance(value, Object) and text_at(value, "publicKey") == key


def _checked_family(peer: ConnectTo, source: str) -> Family:
    try:
        family = parse_peer_address(peer.address).family
    except AddressError as error:
        raise ConfigError(error.what, hint=error.hint, source=source) from error
    if problem := key_problem(peer.public_key):
        hint = "Ask your peer for the key again"
        raise ConfigError(f'the key "{peer.public_key}" {problem}', hint=hint, source=source)
    if not peer.password:
        raise ConfigError(
            f"the peer {peer.address} has no password", hint="Your peer has to give you one", source=source
        )
    return family


def _no_interface(document: Document, what: str, family: Family) -> ConfigError:
    interfaces = document.root.get("interfaces")
    udp = interfaces.get("UDPInterface") if isinstance(interfaces, Object) else None
    example = '"[::]:PORT"' if family is Family.IPV6 else '"0.0.0.0:PORT"'
    return document.error(
        f"no entry is bound to IPv{family}, so there is no place for {what}",
        udp.start if udp is not None else document.root.start,
        f'Add an entry with "bind": {example}',
        path="interfaces.UDPInterface",
    )


def _walk(change: Change, path: str) -> tuple[Chain, list[str | int]]:
    """Follow a path as far as it exists; return the place and the steps that are left."""
    if not _PATH.fullmatch(path):
        raise ValueError(f"{path!r} is no path such as router.interface.tunDevice or a.b[0].c")
    steps: list[str | int] = [key or int(index) for key, index in _PATH_STEP.findall(path)]
    chain: Chain = ()
    while steps:
        node = change.node(chain)
        step = steps[0]
        if isinstance(step, str):
            place = change.child(chain, step)
            if place is None:
                break
            chain = place
        elif isinstance(node, Array) and step < len(node.items):
            chain = (*chain, step)
        elif not isinstance(node, Object) or step:
            break
        steps.pop(0)
    return chain, steps
