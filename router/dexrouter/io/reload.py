"""Reads the configuration again (SIGHUP) and carries over what may change while the router runs.

Peers that are called, passwords, route servers and connections of the IP tunnel are added and removed; nobody
else's session is touched. Who had come in with a password that is gone is sent away. Everything else needs a
restart, and a line in the log says so. A configuration that cannot be read, or has another key, is refused as
a whole.

The file is that of `--config`. A router that was started with its configuration on standard input, as
cjdroute is, cannot ask for it again: it takes `cjdroute.conf` out of its runtime directory, where the service
manager puts it with the rights of root before it sends the signal. It is gone when it has been read.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from dexrouter.config import (
    AllowedConnection,
    AuthorizedPassword,
    ConfigError,
    RouterConfig,
    TunnelAddress,
    bytes_of,
    load_config,
)
from dexrouter.core.iptunnel import TunnelError
from dexrouter.core.node import Node
from dexrouter.core.peer_table import PeeringError
from dexrouter.crypto.keys import parse_address, parse_public_key, public_key_text
from dexrouter.crypto.users import AuthorizedUsers, Credentials
from dexrouter.io.configured_peers import ConfiguredPeers, Entry
from dexrouter.io.log import event
from dexrouter.wire.iptunnel import Block

__all__ = ["ConfigSource", "ReloadError", "add_users", "apply_changes", "open_tunnels"]

_log = logging.getLogger(__name__)

HANDED_OVER: Final = "cjdroute.conf"

_CARRIED_OVER: Final = frozenset(
    {
        "authorized_passwords",
        "udp_interfaces",
        "eth_interfaces",
        "ip_tunnel",
        "private_key",
        "supernodes",
        "warnings",
    }
)


class ReloadError(Exception):
    """The new configuration is not taken; the old one goes on."""


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """Where a new configuration comes from."""

    path: Path | None
    """The file of `--config`; None: it came on standard input."""
    runtime_directory: Path | None

    def read(self) -> RouterConfig:
        """Read and check it. Raises ReloadError."""
        path = self.path or (self.runtime_directory and self.runtime_directory / HANDED_OVER)
        if path is None:
            raise ReloadError("it came on standard input; start with --config FILE to be able to reload")
        try:
            data = path.read_bytes()
            if self.path is None:
                path.unlink()
        except OSError as error:
            why = f"cannot read {path}: {error.strerror}"
            if self.path is None:
                why += "; reload through the service manager, or start with --config FILE"
            raise ReloadError(why) from error
        try:
            return load_config(data)
        except ConfigError as error:
            raise ReloadError(str(error)) from error


def add_users(users: AuthorizedUsers, entries: tuple[AuthorizedPassword, ...]) -> None:
    """Let the users of a configuration in. Raises DuplicateUserError."""
    for entry in entries:
        users.add(_credentials(entry), parse_address(entry.ipv6) if entry.ipv6 else None)


def open_tunnels(
    node: Node, allowed: tuple[AllowedConnection, ...], gateways: tuple[str, ...], now: float
) -> None:
    """Begin connections of the IP tunnel. Raises TunnelError."""
    for client in allowed:
        node.tunnel.allow(parse_public_key(client.public_key), _block(client.ip4), _block(client.ip6))
    for gateway in gateways:
        node.tunnel.connect(parse_public_key(gateway), now)


def apply_changes(
    old: RouterConfig,
    new: RouterConfig,
    *,
    node: Node,
    peers: ConfiguredPeers,
    wanted: list[Entry],
    now: float,
) -> None:
    """Change a running node from one configuration to another; `wanted` is whom the new one calls.

    Raises ReloadError, having changed nothing.
    """
    _check(new, node, wanted)
    for name in _need_restart(old, new):
        _log.warning(event("reload", section=name, effect="after a restart"))
    _change_users(old.authorized_passwords, new.authorized_passwords, node)
    _change_peers(peers, wanted, now)
    _change_tunnels(old, new, node, now)
    _change_supernodes(old.supernodes, new.supernodes, node)
    _log.info(event("reloaded"))


def _check(new: RouterConfig, node: Node, wanted: list[Entry]) -> None:
    if new.private_key.reveal() != node.own.private.reveal():
        raise ReloadError("it has another private key: restart to become another node")
    own = public_key_text(node.own.public)
    for _, peer in wanted:
        if peer.public_key == own:
            raise ReloadError(f"connectTo {peer.address}: this is the node's own key")


def _need_restart(old: RouterConfig, new: RouterConfig) -> list[str]:
    changed = [
        field.name
        for field in fields(RouterConfig)
        if field.name not in _CARRIED_OVER and getattr(old, field.name) != getattr(new, field.name)
    ]
    udp = [
        (one.bind, one.dscp, one.beacon, one.beacon_port, one.beacon_devices) for one in old.udp_interfaces
    ]
    if udp != [
        (one.bind, one.dscp, one.beacon, one.beacon_port, one.beacon_devices) for one in new.udp_interfaces
    ]:
        changed.append("UDPInterface")
    if [(one.bind, one.beacon) for one in old.eth_interfaces] != [
        (one.bind, one.beacon) for one in new.eth_interfaces
    ]:
        changed.append("ETHInterface")
    return changed


def _change_users(
    old: tuple[AuthorizedPassword, ...], new: tuple[AuthorizedPassword, ...], node: Node
) -> None:
    logins = {entry: _login_of(entry, node.users) for entry in old}
    removed = {login for entry, login in logins.items() if entry not in new and login is not None}
    kept = {login for entry, login in logins.items() if entry in new}
    again = tuple(entry for entry in new if logins.get(entry) in removed)
    for login in removed:
        # It takes all passwords of the user; those that stay come back.
        node.users.remove(login)
        _log.info(event("reload", removed="password", user=login.decode(errors="replace")))
    add_users(node.users, again)
    for entry in new:
        if entry not in old:
            add_users(node.users, (entry,))
            _log.info(event("reload", added="password", user=entry.user or "(none)"))
    for peer in node.peering.peers():
        if peer.is_incoming and peer.session.user in removed - kept:
            node.peering.forget(peer, "its password is no longer in the configuration")


def _change_peers(peers: ConfiguredPeers, wanted: list[Entry], now: float) -> None:
    before = set(peers.entries())
    try:
        peers.set(wanted, now)
    except PeeringError as error:
        # All switch interfaces are in use: the others have been called.
        _log.error(event("reload", error=error))
    for entry in peers.entries():
        if entry not in before:
            _log.info(event("reload", added="peer", address=entry[1].address))
    for entry in before.difference(peers.entries()):
        _log.info(event("reload", removed="peer", address=entry[1].address))


def _change_tunnels(old: RouterConfig, new: RouterConfig, node: Node, now: float) -> None:
    before, after = old.ip_tunnel, new.ip_tunnel
    gone = {(one.public_key, False) for one in before.allowed if one not in after.allowed}
    gone |= {(key, True) for key in before.outgoing if key not in after.outgoing}
    for connection in node.tunnel.connections():
        key = public_key_text(connection.key)
        if (key, connection.is_outgoing) in gone:
            node.tunnel.remove(connection.number)
            _log.info(event("reload", removed="tunnel", key=key))
    allowed = tuple(one for one in after.allowed if one not in before.allowed)
    gateways = tuple(key for key in after.outgoing if key not in before.outgoing)
    try:
        open_tunnels(node, allowed, gateways, now)
    except TunnelError as error:
        _log.error(event("reload", section="ipTunnel", error=error))
    for key in (*(one.public_key for one in allowed), *gateways):
        _log.info(event("reload", added="tunnel", key=key))


def _change_supernodes(old: tuple[str, ...], new: tuple[str, ...], node: Node) -> None:
    """Prefer other route servers; those that the admin API has added stay."""
    authorized = node.route_server.hunter.authorized
    for text in old:
        key = parse_public_key(text)
        if text not in new and key in authorized:
            del authorized[key]
            _log.info(event("reload", removed="supernode", key=text))
    for text in new:
        key = parse_public_key(text)
        if key not in authorized:
            authorized[key] = None
            _log.info(event("reload", added="supernode", key=text))


def _credentials(entry: AuthorizedPassword) -> Credentials:
    return Credentials(bytes_of(entry.password), bytes_of(entry.user) if entry.user else None)


def _login_of(entry: AuthorizedPassword, users: AuthorizedUsers) -> bytes | None:
    """Find under which login an entry of the configuration is known; one without a user was given a name."""
    credentials = _credentials(entry)
    for user in users.users():
        if user.secret == credentials.secret and credentials.login in (None, user.login):
            return user.login
    return None


def _block(given: TunnelAddress | None) -> Block | None:
    if given is None:
        return None
    return Block(ip_address(given.address).packed, given.prefix, given.alloc)
