"""What a `cjdroute.conf` says, as frozen values (protocol notes 08 §3).

Every value has been checked when it is here: addresses parse, keys hash into fc00::/8, numbers are in range.
Texts keep bytes that are not UTF-8 as lone surrogates; `jsonc.bytes_of` gives the bytes back, and passwords
are hashed as those bytes. Secrets do not show in `repr`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

from dexrouter.config.address import SocketAddress, parse_socket_address

if TYPE_CHECKING:
    from dexrouter.crypto.secret import Secret

__all__ = [
    "AdminConfig",
    "AllowedConnection",
    "AuthorizedPassword",
    "BeaconMode",
    "ConnectTo",
    "EthInterface",
    "IpTunnel",
    "PublicPeerEntry",
    "RouterConfig",
    "Security",
    "TunDevice",
    "Tunnel",
    "TunnelAddress",
    "TunnelSocket",
    "UdpInterface",
]


class BeaconMode(IntEnum):
    """Whether neighbours on the same network are looked for."""

    OFF = 0
    ACCEPT = 1
    SEND = 2
    """Accept and send."""


@dataclass(frozen=True, slots=True)
class AuthorizedPassword:
    """Who may connect to us."""

    password: str = field(repr=False)
    user: str | None = None
    """The name the other side gives as `login`; without one, only the password's hash identifies it."""
    ipv6: str | None = None
    """The one mesh address that may use this entry."""


@dataclass(frozen=True, slots=True)
class AdminConfig:
    """Where the admin API listens."""

    bind: SocketAddress
    password: str | None = field(default=None, repr=False)
    """`NONE` means no authentication; None means a random one that nobody knows."""


@dataclass(frozen=True, slots=True)
class ConnectTo:
    """A peer that we call."""

    address: str
    """`ip:port` of a UDP peer, `aa:bb:cc:dd:ee:ff` of an Ethernet peer, as written."""
    public_key: str
    """52 characters and `.k`."""
    password: str = field(repr=False)
    login: str | None = None
    """The user name that the other side put at this password."""
    peer_name: str | None = None
    """Our own name for the peer."""

    @property
    def endpoint(self) -> SocketAddress:
        """The parsed address of a UDP peer; AddressError when it is none."""
        return parse_socket_address(self.address, zones=True)


@dataclass(frozen=True, slots=True)
class UdpInterface:
    """One UDP socket and the peers called through it; its family is that of `bind`."""

    bind: SocketAddress = field(default=SocketAddress("0.0.0.0", 0))  # noqa: S104 - a peer may be anywhere
    """Port 0 means any."""
    dscp: int = 0
    beacon: BeaconMode = BeaconMode.OFF
    """What is in force: OFF when the port or the devices are missing."""
    beacon_port: int | None = None
    beacon_devices: tuple[str, ...] = ()
    """`all`, names of devices, or broadcast addresses with port."""
    connect_to: tuple[ConnectTo, ...] = ()


@dataclass(frozen=True, slots=True)
class EthInterface:
    """Peering with Ethernet frames on one device, or on every one (`all`)."""

    bind: str
    beacon: BeaconMode = BeaconMode.OFF
    connect_to: tuple[ConnectTo, ...] = ()
    """Empty when `bind` is `all`, which ignores them."""


@dataclass(frozen=True, slots=True)
class TunDevice:
    """A TUN device of the kernel; without a name the kernel chooses one."""

    name: str | None = None


@dataclass(frozen=True, slots=True)
class TunnelSocket:
    """A Unix socket in place of a TUN device."""

    path: str


Tunnel: TypeAlias = TunDevice | TunnelSocket


@dataclass(frozen=True, slots=True)
class TunnelAddress:
    """An address handed out through the IP tunnel."""

    address: str
    prefix: int
    """The route that the client installs."""
    alloc: int
    """How much is given to the client."""


@dataclass(frozen=True, slots=True)
class AllowedConnection:
    """A node that may ask us for addresses; at least one of the two is there."""

    public_key: str
    ip4: TunnelAddress | None = None
    ip6: TunnelAddress | None = None


@dataclass(frozen=True, slots=True)
class IpTunnel:
    """IPv4 and IPv6 through the mesh."""

    allowed: tuple[AllowedConnection, ...] = ()
    outgoing: tuple[str, ...] = ()
    """Public keys of the nodes that we ask for addresses."""


@dataclass(frozen=True, slots=True)
class Security:
    """What the process gives up once it has started; the defaults are those of a missing list."""

    user: str | None = "nobody"
    """None: stay the user that started it."""
    keep_net_admin: bool = True
    chroot: str | None = "/var/run/"
    no_files: bool = False
    no_forks: bool = True
    seccomp: bool = True
    setup_complete: bool = True


@dataclass(frozen=True, slots=True)
class PublicPeerEntry:
    """How this node shows itself to the seed servers (version 22 of the reference)."""

    id: str
    ipv4: str | None = None
    ipv6: str | None = None


@dataclass(frozen=True, slots=True)
class RouterConfig:
    """A whole configuration."""

    private_key: Secret
    """32 bytes, unclamped."""
    admin: AdminConfig
    authorized_passwords: tuple[AuthorizedPassword, ...] = ()
    udp_interfaces: tuple[UdpInterface, ...] = ()
    eth_interfaces: tuple[EthInterface, ...] = ()
    tunnel: Tunnel | None = None
    supernodes: tuple[str, ...] = ()
    ip_tunnel: IpTunnel = field(default_factory=IpTunnel)
    security: Security = field(default_factory=Security)
    log_to_stdout: bool = False
    no_background: bool = False
    pipe: str = "cjdroute.sock"
    """An absolute path, or the name of a file in /tmp."""
    dns_seeds: tuple[str, ...] = ()
    public_peer: PublicPeerEntry | None = None
    version: int | None = None
    warnings: tuple[str, ...] = ()
    """What was read and does nothing, each with its place; for the log at start."""
