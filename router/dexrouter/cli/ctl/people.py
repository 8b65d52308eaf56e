"""`dexctl reload`: tells a running router of the peers and passwords that are new in its configuration.

Through the admin API, which every cjdns has: cjdroute reads its configuration once, when it starts. What was
taken out of the configuration stays until a restart, because a router does not say who stood in it.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping

from dexrouter.admin.access import DEFAULT_CONFIG
from dexrouter.admin.client import AdminClient, CallFailedError
from dexrouter.admin.message import Value
from dexrouter.config import ConfigError, RouterConfig, load_config

__all__ = ["reload"]

_KNOWN_ALREADY = "Password already added."


def reload(client: AdminClient, options: Namespace) -> int:
    """Add what is missing, and say what was added. Status 1 if the router refuses one; the rest is added."""
    path = options.config or DEFAULT_CONFIG
    try:
        config = load_config(path.read_bytes(), str(path))
    except OSError as error:
        print(f"dexctl: cannot read {path}: {error.strerror}", file=sys.stderr)
        return 1
    except ConfigError as error:
        print(f"dexctl: {error}", file=sys.stderr)
        return 1
    refused = [text for text in (*_add_passwords(client, config), *_call_peers(client, config)) if text]
    for text in refused:
        print(f"dexctl: {text}", file=sys.stderr)
    return 1 if refused else 0


def _add_passwords(client: AdminClient, config: RouterConfig) -> Iterator[str]:
    """Add each password that has a user; yields what the router has against it.

    One without a user gets another name each time it is added, so it cannot be added twice.
    """
    for entry in config.authorized_passwords:
        if entry.user is None:
            continue
        arguments: dict[str, Value] = {"password": entry.password, "user": entry.user}
        if entry.ipv6 is not None:
            arguments["ipv6"] = entry.ipv6
        try:
            client.call("AuthorizedPasswords_add", arguments)
        except CallFailedError as error:
            if error.text != _KNOWN_ALREADY:
                yield str(error)
        else:
            print(f"password of {entry.user}")


def _call_peers(client: AdminClient, config: RouterConfig) -> Iterator[str]:
    """Call each peer over UDP that the router does not know; yields what the router has against it."""
    known = {_key(value) for value in client.pages("InterfaceController_peerStats", "peers", signed=False)}
    for number, interface in enumerate(config.udp_interfaces):
        for peer in interface.connect_to:
            if peer.public_key in known:
                continue
            arguments: dict[str, Value] = {
                "publicKey": peer.public_key,
                "address": peer.address,
                "interfaceNumber": number,
                "password": peer.password,
                "login": peer.login or "",
                "peerName": peer.peer_name or "",
            }
            try:
                client.call("UDPInterface_beginConnection", arguments)
            except CallFailedError as error:
                yield f"{peer.address}: {error}"
            else:
                print(f"peer {peer.address}")


def _key(peer: object) -> str:
    """Return the public key at the end of a peer's name, as in v21.0000.0000.0000.0013.KEY.k."""
    name = str(peer.get("addr", "")) if isinstance(peer, Mapping) else ""
    return ".".join(name.split(".")[-2:])
