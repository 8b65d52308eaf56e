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
    "EthInterface",
    "Family",
    "IpTunnel",
    "PublicPeerEntry",
    "RouterConfig",
    "Security",
    "SocketAddress",
    "TunDevice",
    "Tunnel",
    "TunnelAddress",
    "TunnelSocket",
    "UdpInterface",
    "bytes_of",
    "cleanconf",
    "genconf",
    "load_config",
    "load_document",
    "parse",
    "parse_peer_address",
    "parse_socket_address",
    "text_of",
]
