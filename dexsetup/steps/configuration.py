"""Edits of cjdroute.conf that the answers ask for: bytes in, bytes out, every other byte as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hmac import digest
from ipaddress import IPv6Address, ip_interface
from typing import TypeVar

from dexrouter.config import BeaconMode, ConfigError, ConnectTo, RouterConfig, TunDevice, load_config
from dexrouter.config.edit import (
    add_authorized_password,
    ask_for_tunnel_addresses,
    give_tunnel_addresses,
    remove_authorized_password,
    remove_peer,
    remove_tunnel,
    set_beacon,
    set_udp_port,
    set_value,
    upsert_peer,
)
from dexrouter.config.model import AllowedConnection, IpTunnel, TunnelAddress
from dexrouter.config.spans import apply_edits
from dexrouter.crypto.entropy import generate_password
from dexrouter.crypto.keys import address_text, key_pair_from_private, public_key_text
from dexsetup.answers.model import Allow, Entry, Node, Peer, Tunnel
from dexsetup.errors import AnswersError

__all__ = [
    "DEVICE",
    "is_taken_while_running",
    "node_address",
    "udp_ports",
    "with_allowed",
    "with_identity",
    "with_peers",
    "with_tunnels",
]

DEVICE = "cjdns0"
"""Name of the mesh interface of a new node: a fixed one, so that firewalls can name it."""
_EntryT = TypeVar("_EntryT", bound=Entry)
_NEW_KEY_MARK = '// dexsetup: made new for the answer key = "new": '


def with_identity(present: bytes | None, node: Node, drawn: bytes, imported: bytes | None) -> bytes:
    """Return the configuration with the key, port, device and beacons that the node section asks for.

    `present` is what the machine has, `drawn` a fresh configuration, `imported` one to take the key from. All
    have been read without error. Raises AnswersError with every answer that cannot be followed.
    """
    if present is None:
        data = imported if imported is not None else drawn
        node = node if node.device is not None or imported is not None else _with_default_device(node)
    else:
        data = present if imported is None else _with_key_of(present, imported)
    if node.key == "new" and not _is_marked(data):
        data = _marked(data if present is None else _with_key_of(data, drawn))
    elif node.key.startswith("replace:") and node_address(load_config(data)) == _replaced(node):
        data = _with_key_of(data, drawn)
    problems: list[str] = []
    for key, edit in (("udp_port", _with_port), ("lan_peering", _with_beacon), ("device", _with_device)):
        try:
            data = edit(data, node)
        except ConfigError as error:
            problems.append(f"node.{key}: {error}")
    if problems:
        raise AnswersError(tuple(problems))
    return data


def with_peers(data: bytes, peers: Sequence[Peer]) -> bytes:
    """Return the configuration with these peers merged in, and those removed that shall be absent.

    What an answer leaves out is taken from the entry that is there already. Raises AnswersError with the
    problems of all peers.
    """
    return _with_each(data, "peer", peers, _with_peer)


def with_allowed(data: bytes, allowed: Sequence[Allow], secret: bytes) -> bytes:
    """Return the configuration in which these people may call, or may no longer.

    Who is there keeps the password unless the answer names another one; who is new and has none in the
    answers gets one made of `secret` and the login, so that planning twice gives the same.
    Raises AnswersError.
    """
    return _with_each(data, "allow", allowed, lambda data, one: _with_allowed(data, one, secret))


def with_tunnels(data: bytes, tunnels: Sequence[Tunnel]) -> bytes:
    """Return the configuration in which addresses are shared with these nodes, or no longer are.

    Raises AnswersError.
    """
    return _with_each(data, "tunnel", tunnels, _with_tunnel)


def _with_each(
    data: bytes, name: str, entries: Sequence[_EntryT], put_in: Callable[[bytes, _EntryT], bytes]
) -> bytes:
    """Put one entry of a list in after the other; what is wrong with any of them is said of all at once."""
    problems: list[str] = []
    for number, entry in enumerate(entries):
        try:
            data = put_in(data, entry)
        except (ConfigError, ValueError) as error:
            problems.append(f"{name}[{number + 1}]: {error}")
    if problems:
        raise AnswersError(tuple(problems))
    return data


def is_taken_while_running(before: bytes | None, after: bytes) -> bool:
    """Whether the router takes this change of its configuration without a restart: peers, who may call ..."""
    if not before or before == after:
        return False
    return _without_people(load_config(before)) == _without_people(load_config(after))


def _without_people(config: RouterConfig) -> RouterConfig:
    """Return a configuration without what the router's reload carries over (dexrouter.io.reload)."""
    return replace(
        config,
        authorized_passwords=(),
        ip_tunnel=IpTunnel(),
        supernodes=(),
        udp_interfaces=tuple(replace(one, connect_to=()) for one in config.udp_interfaces),
        eth_interfaces=tuple(replace(one, connect_to=()) for one in config.eth_interfaces),
        warnings=(),
    )


def _with_tunnel(data: bytes, tunnel: Tunnel) -> bytes:
    given = AllowedConnection(tunnel.public_key, _block(tunnel.ip4), _block(tunnel.ip6))
    is_given = given.ip4 is not None or given.ip6 is not None
    config = load_config(data).ip_tunnel
    if tunnel.state == "present" and (
        given in config.allowed if is_given else tunnel.public_key in config.outgoing
    ):
        return data
    data = apply_edits(data, remove_tunnel(data, tunnel.public_key))
    if tunnel.state == "absent":
        return data
    if is_given:
        return apply_edits(data, give_tunnel_addresses(data, given))
    return apply_edits(data, ask_for_tunnel_addresses(data, tunnel.public_key))


def _block(text: str | None) -> TunnelAddress | None:
    """Return an address as the configuration has it; without a network, all of the Internet is reached."""
    if text is None:
        return None
    place = ip_interface(text)
    prefix = place.network.prefixlen if "/" in text else 0
    return TunnelAddress(str(place.ip), prefix, place.ip.max_prefixlen)


def _with_allowed(data: bytes, one: Allow, secret: bytes) -> bytes:
    if one.state == "absent":
        return apply_edits(data, remove_authorized_password(data, one.login))
    is_known = any(entry.user == one.login for entry in load_config(data).authorized_passwords)
    if one.password is None and is_known:
        return data
    password = one.password.reveal() if one.password else _made_password(secret, one.login)
    return apply_edits(data, add_authorized_password(data, password, one.login))


def _made_password(secret: bytes, login: str) -> str:
    made = digest(secret, login.encode(), "sha256")
    halves = iter((made[:16], made[16:]))
    return generate_password(lambda _: next(halves))


def udp_ports(config: RouterConfig) -> tuple[int, ...]:
    """Return the UDP ports that peers reach the node on, sorted; beacons on the local network not counted."""
    return tuple(sorted({interface.bind.port for interface in config.udp_interfaces} - {0}))


def _with_default_device(node: Node) -> Node:
    return node.model_copy(update={"device": DEVICE})


def _with_key_of(data: bytes, other: bytes) -> bytes:
    private = load_config(other).private_key.reveal()
    if load_config(data).private_key.reveal() == private:
        return data
    pair = key_pair_from_private(private)
    for path, value in (
        ("privateKey", private.hex()),
        ("publicKey", public_key_text(pair.public)),
        ("ipv6", address_text(pair.address)),
    ):
        data = apply_edits(data, set_value(data, path, value))
    return data


def node_address(config: RouterConfig) -> IPv6Address:
    """Return the mesh address that belongs to a configuration's key."""
    return IPv6Address(bytes(key_pair_from_private(config.private_key.reveal()).address))


def _replaced(node: Node) -> IPv6Address:
    """Return the address that shall be no more: the answer of an action, which is done once."""
    text = node.key.removeprefix("replace:")
    try:
        return IPv6Address(text)
    except ValueError as error:
        raise AnswersError((f'node.key: "{text}" is not a mesh address',)) from error


def _mark_of(data: bytes) -> str:
    pair = key_pair_from_private(load_config(data).private_key.reveal())
    return f"{_NEW_KEY_MARK}{address_text(pair.address)}"


def _is_marked(data: bytes) -> bool:
    """Whether the key that is there was made for this very answer, so that a second run keeps it."""
    return _mark_of(data).encode() in data.splitlines()


def _marked(data: bytes) -> bytes:
    """Note for which answer the key was made, behind the last brace: no reader looks there (spec 08 §1)."""
    lines = [line for line in data.splitlines(keepends=True) if not line.startswith(_NEW_KEY_MARK.encode())]
    body = b"".join(lines)
    return body + (b"" if body.endswith(b"\n") else b"\n") + _mark_of(data).encode() + b"\n"


def _with_port(data: bytes, node: Node) -> bytes:
    return data if node.udp_port is None else apply_edits(data, set_udp_port(data, node.udp_port))


def _with_beacon(data: bytes, node: Node) -> bytes:
    if node.lan_peering is None:
        return data
    mode = BeaconMode.SEND if node.lan_peering else BeaconMode.OFF
    return apply_edits(data, set_beacon(data, mode))


def _with_device(data: bytes, node: Node) -> bytes:
    if node.device is None:
        return data
    if not isinstance(load_config(data).tunnel, TunDevice):
        data = apply_edits(data, set_value(data, "router.interface.type", "TUNInterface"))
    return apply_edits(data, set_value(data, "router.interface.tunDevice", node.device))


def _with_peer(data: bytes, peer: Peer) -> bytes:
    if peer.state == "absent":
        return apply_edits(data, remove_peer(data, peer.public_key))
    known = _known_entry(load_config(data), peer)
    address = peer.address or (known.address if known else None)
    password = peer.password.reveal() if peer.password else (known.password if known else None)
    if address is None:
        raise ValueError("an address is needed, and no peer with this key is there already")
    if password is None:
        raise ValueError("a password is needed, and no peer with this key is there already")
    wanted = ConnectTo(
        address=address,
        public_key=peer.public_key,
        password=password,
        login=peer.login or (known.login if known else None),
        peer_name=peer.name or (known.peer_name if known else None),
    )
    return apply_edits(data, upsert_peer(data, wanted))


def _known_entry(config: RouterConfig, peer: Peer) -> ConnectTo | None:
    entries = [
        entry
        for interface in config.udp_interfaces
        for entry in interface.connect_to
        if entry.public_key == peer.public_key
    ]
    same_address = [entry for entry in entries if entry.address == peer.address]
    return next(iter(same_address or entries), None)
