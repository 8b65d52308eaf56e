"""Reading, making and editing `cjdroute.conf`; the set-up program uses this package, too.

It does no input or output: bytes in, values or bytes out. See `load` for reading, `generate` for new
files, `edit` for changes that keep every other byte, and `paste` for credentials as people send them.
"""

from __future__ import annotations

from dexrouter.config.address import (
    AddressError,
    Family,
    SocketAddress,
    parse_peer_address,
    parse_socket_address,
)
from dexrouter.config.edit import (
    add_authorized_password,
    remove_authorized_password,
    remove_peer,
    remove_value,
    set_beacon,
    set_udp_port,
    set_value,
    upsert_peer,
)
from dexrouter.config.errors import ConfigError, ConfigErrors
from dexrouter.config.generate import BEACON_PORT, cleanconf, genconf
from dexrouter.config.jsonc import Document, bytes_of, parse, text_of
from dexrouter.config.load import load_config, load_document
from dexrouter.config.model import (
    AdminConfig,
    AllowedConnection,
    AuthorizedPassword,
    BeaconMode,
    ConnectTo,
    EthInterface,
    IpTunnel,
    PublicPeerEntry,
    RouterConfig,
    Security,
    TunDevice,
    Tunnel,
    TunnelAddress,
    TunnelSocket,
    UdpInterface,
)
from dexrouter.config.paste import PastedPeers, PeerProblem, parse_peers
from dexrouter.config.spans import Edit, apply_edits

__all__ = [
    "BEACON_PORT",
    "AddressError",
    "AdminConfig",
    "AllowedConnection",
    "AuthorizedPassword",
    "BeaconMode",
    "ConfigError",
    "ConfigErrors",
    "ConnectTo",
    "Document",
    "Edit",
    "EthInterface",
    "Family",
    "IpTunnel",
    "PastedPeers",
    "PeerProblem",
    "PublicPeerEntry",
    "RouterConfig",
    "Security",
    "SocketAddress",
    "TunDevice",
    "Tunnel",
    "TunnelAddress",
    "TunnelSocket",
    "UdpInterface",
    "add_authorized_password",
    "apply_edits",
    "bytes_of",
    "cleanconf",
    "genconf",
    "load_config",
    "load_document",
    "parse",
    "parse_peer_address",
    "parse_peers",
    "parse_socket_address",
    "remove_authorized_password",
    "remove_peer",
    "remove_value",
    "set_beacon",
    "set_udp_port",
    "set_value",
    "text_of",
    "upsert_peer",
]
