"""The peers of the configuration: called, and called again when the configuration or the network changes.

A peer with a zone (`[fe80::7%eth0]:1234`) is known to the core by the number that its device has just now: it
is called when the device is there, and anew when the device has come again with another number.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable
from typing import Final

from dexrouter.config import ConnectTo, Family, bytes_of
from dexrouter.core.links import LinkAddress
from dexrouter.core.node import Node
from dexrouter.core.peer import Peer
from dexrouter.core.peer_table import PeeringError
from dexrouter.crypto.keys import parse_public_key, public_key_text
from dexrouter.crypto.users import Credentials
from dexrouter.io.log import event

__all__ = ["ConfiguredPeers", "Entry", "link_address_of"]

_log = logging.getLogger(__name__)

_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - the destination "any" is this machine

Entry = tuple[int, ConnectTo]
"""Number of the interface, and whom to call through it."""


class ConfiguredPeers:
    """What is called, entry by entry."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._called: dict[Entry, LinkAddress | None] = {}
        """None: its device is not there, or the peer could not be added."""

    def set(self, wanted: Iterable[Entry], now: float) -> None:
        """Call who is new, forget who is no longer wanted, leave the others alone.

        Raises PeeringError for the first that cannot be added; the others have been called then.
        """
        entries = dict.fromkeys(wanted)
        places = {(number, peer.address) for number, peer in entries}
        for entry in [entry for entry in self._called if entry not in entries]:
            address = self._called.pop(entry)
            # One that only has other credentials is replaced by being called again.
            if (entry[0], entry[1].address) not in places:
                self._forget(entry, address)
        failure: PeeringError | None = None
        for entry in entries:
            if entry in self._called:
                continue
            try:
                self._call(entry, now)
            except PeeringError as error:
                failure = failure or PeeringError(f"connectTo {entry[1].address}: {error}")
        if failure is not None:
            raise failure

    def entries(self) -> tuple[Entry, ...]:
        """Give those that are called, or waited for."""
        return tuple(self._called)

    def follow(self, now: float) -> None:
        """Call those whose device has come, or come again, since."""
        for entry, before in tuple(self._called.items()):
            if "%" not in entry[1].address or link_address_of(entry[1]) in (None, before):
                continue
            self._forget(entry, before)
            try:
                self._call(entry, now)
            except PeeringError as error:
                _log.warning(event("peer", address=entry[1].address, error=error))

    def _call(self, entry: Entry, now: float) -> None:
        number, peer = entry
        address = link_address_of(peer)
        self._called[entry] = None
        if address is None:
            _log.warning(event("peer", address=peer.address, waiting="its device is not there"))
            return
        self._node.peering.connect(
            number,
            address,
            parse_public_key(peer.public_key),
            Credentials(bytes_of(peer.password), bytes_of(peer.login) if peer.login else None),
            now,
            name=peer.peer_name or "outer",
        )
        self._called[entry] = address

    def _forget(self, entry: Entry, address: LinkAddress | None) -> None:
        peer = self._find(entry[0], address)
        if peer is not None and public_key_text(peer.key) == entry[1].public_key:
            self._node.peering.forget(peer, "no longer configured")

    def _find(self, number: int, address: LinkAddress | None) -> Peer | None:
        for peer in self._node.peering.peers():
            if peer.interface.number == number and peer.link_address == address and not peer.is_incoming:
                return peer
        return None


def link_address_of(peer: ConnectTo) -> LinkAddress | None:
    """Give where a peer of the configuration is, as the core names it; None: its device is not there."""
    if "." not in peer.address and "[" not in peer.address:
        return bytes.fromhex(peer.address.replace(":", ""))
    endpoint = peer.endpoint
    host = _LOOPBACK.get(endpoint.host, endpoint.host)
    if endpoint.family is Family.IPV4:
        return host, endpoint.port
    try:
        return host, endpoint.port, 0, socket.if_nametoindex(endpoint.zone) if endpoint.zone else 0
    except OSError:
        return None
