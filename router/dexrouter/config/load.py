"""`load_config`: from the bytes of a `cjdroute.conf` to a `RouterConfig`, with all problems at once.

Rules (protocol notes 08 §3 and §8):

- What would make the reference refuse to start is an error; what it silently ignores (an optional value of
  the wrong type, beacons without a port, `connectTo` under `"bind": "all"`) is a warning.
- Errors are collected: one `ConfigErrors` names every place. Only a broken grammar stops the reading.
- Unknown keys are ignored, as the reference does; of duplicate keys the first counts, except that every
  entry of `connectTo` is used.
"""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from dexrouter.config._section import Reader, Section
from dexrouter.config.address import (
    AddressError,
    Family,
    SocketAddress,
    parse_socket_address,
)
from dexrouter.config.errors import DEFAULT_SOURCE, ConfigErrors
from dexrouter.config.jsonc import Integer, Object, String, parse, text_of
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
from dexrouter.crypto.keys import (
    KeyParseError,
    is_mesh_address,
    key_pair_from_private,
    parse_address,
    public_key_text,
)
from dexrouter.crypto.secret import Secret

if TYPE_CHECKING:
    from dexrouter.config.jsonc import Document, Member, Value
    from dexrouter.crypto.keys import KeyPair

__all__ = ["load_config", "load_document"]

_MAC: Final = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_PRIVATE_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")
_PORTS: Final = range(65536)


def load_config(data: bytes, source: str = DEFAULT_SOURCE) -> RouterConfig:
    """Read a configuration. Raise ConfigError (grammar) or ConfigErrors (everything wrong in its values)."""
    return load_document(parse(data, source))


def load_document(document: Document) -> RouterConfig:
    """Read a configuration that has been parsed already."""
    reader = Reader(document)
    top = Section(reader, document.root, "")
    interfaces = top.section("interfaces")
    router = top.section("router")
    pair = _key_pair(top)
    admin = _admin(top.section("admin"))
    udp = tuple(_udp(entry) for entry in interfaces.sections("UDPInterface"))
    eth = tuple(_eth(entry) for entry in interfaces.sections("ETHInterface"))
    config = RouterConfig(
        private_key=pair.private if pair else Secret(b""),
        admin=admin,
        authorized_passwords=_passwords(top),
        udp_interfaces=udp,
        eth_interfaces=tuple(entry for entry in eth if entry is not None),
        tunnel=_tunnel(router),
        supernodes=router.public_keys("supernodes"),
        ip_tunnel=_ip_tunnel(router.section("ipTunnel")),
        security=_security(top),
        log_to_stdout=top.section("logging").text("logTo") == "stdout",
        no_background=bool(top.integer("noBackground", 0)),
        pipe=top.text("pipe") or "cjdroute.sock",
        dns_seeds=router.texts("dnsSeeds"),
        public_peer=_public_peer(router),
        version=document.version,
        warnings=tuple(str(warning) for warning in reader.warnings),
    )
    if reader.errors:
        raise ConfigErrors(sorted(reader.errors, key=lambda error: (error.line, error.column)))
    return config


def _key_pair(top: Section) -> KeyPair | None:
    text = top.required_text("privateKey", "Make one with --genconf")
    if text is None:
        return None
    if not _PRIVATE_KEY.fullmatch(text):
        # The text is not repeated: it may be a key with one character too many.
        top.error("privateKey", "is not 64 hexadecimal digits", "Take it from a backup, or make a new one")
        return None
    try:
        pair = key_pair_from_private(bytes.fromhex(text))
    except KeyParseError:
        top.error("privateKey", "has an address outside fc00::/8", "Make a new one with --genconf")
        return None
    if (written := top.text("publicKey")) and written != public_key_text(pair.public):
        top.warn("publicKey", "does not belong to privateKey and is ignored", "The private key decides")
    return pair


def _admin(section: Section) -> AdminConfig:
    bind = _bind(section, required=True) or SocketAddress("127.0.0.1", 0)
    return AdminConfig(bind, section.text("password"))


def _bind(section: Section, *, required: bool) -> SocketAddress | None:
    hint = "Write the address to listen on, as in 127.0.0.1:11234"
    text = section.required_text("bind", hint) if required else section.text("bind")
    if text is None:
        return None
    try:
        return parse_socket_address(text)
    except AddressError as error:
        section.error("bind", error.what, error.hint)
        return None


def _passwords(top: Section) -> tuple[AuthorizedPassword, ...]:
    found: list[AuthorizedPassword] = []
    for entry in top.sections("authorizedPasswords"):
        password = entry.required_text("password", "Take the entry out, or give it a password")
        if password is None:
            continue
        one = AuthorizedPassword(password, entry.text("user"), entry.text("ipv6"))
        if one.ipv6 is not None:
            _check_mesh_address(entry, one.ipv6)
        if any(other.user == one.user and other.password == password for other in found):
            entry.error(
                "password", "the same user has the same password twice", "Take one of the entries out"
            )
        found.append(one)
    return tuple(found)


def _check_mesh_address(entry: Section, text: str) -> None:
    try:
        is_mesh = is_mesh_address(parse_address(text))
    except KeyParseError:
        is_mesh = False
    if not is_mesh:
        entry.error("ipv6", f'"{text}" is no address of the mesh', "They begin with fc")


def _udp(section: Section) -> UdpInterface:
    bind = _bind(section, required=False) or UdpInterface().bind
    port = section.integer("beaconPort", 0, _PORTS) or None
    devices = section.texts("beaconDevices")
    beacon = BeaconMode(section.integer("beacon", 0, range(3)))
    if beacon is not BeaconMode.OFF and (port is None or not devices):
        missing = "beaconPort" if port is None else "beaconDevices"
        section.warn("beacon", f"does nothing without {missing}", f"Add {missing}, or set it to 0")
        beacon = BeaconMode.OFF
    if beacon is not BeaconMode.OFF and bind.family is Family.IPV6:
        section.warn("beacon", "does nothing here: beacons are IPv4 only", "Move it to the IPv4 entry")
        beacon = BeaconMode.OFF
    if beacon is not BeaconMode.OFF and port == bind.port:
        section.error("beaconPort", "is the port of bind, too", "Beacons need a port of their own: 64512")
    return UdpInterface(
        bind=bind,
        dscp=section.integer("dscp", 0, range(64)),
        beacon=beacon,
        beacon_port=port,
        beacon_devices=devices,
        connect_to=_udp_peers(section, bind.family),
    )


def _udp_peers(section: Section, family: Family) -> tuple[ConnectTo, ...]:
    peers: list[ConnectTo] = []
    connect_to = section.section("connectTo")
    for member in connect_to.node.members:
        address = text_of(member.key.value)
        try:
            endpoint = parse_socket_address(address, zones=True)
        except AddressError as error:
            connect_to.error(address, error.what, error.hint, member.start)
            continue
        if endpoint.family is not family:
            what = f"an IPv{endpoint.family} peer under an interface that is bound to IPv{family}"
            hint = f"Move it to the UDPInterface entry for IPv{endpoint.family}"
            connect_to.error(address, what, hint, member.start)
        if (peer := _peer(connect_to, member, address)) is not None:
            peers.append(peer)
    return tuple(peers)


def _peer(connect_to: Section, member: Member, address: str) -> ConnectTo | None:
    if not isinstance(member.value, Object):
        connect_to.error(
            address, "is not a dictionary", "Write the credentials in braces", member.value.start
        )
        return None
    entry = Section(connect_to.reader, member.value, connect_to.path_of(address))
    password = entry.required_text("password", "Your peer has to give you one")
    key = entry.public_key("publicKey")
    if password is None or key is None:
        return None
    return ConnectTo(address, key, password, entry.text("login"), entry.text("peerName"))


def _eth(section: Section) -> EthInterface | None:
    bind = section.text("bind")
    if bind is None:
        section.warn("bind", "is missing, so the entry does nothing", 'Name a device, or write "all"')
        return None
    connect_to = section.section("connectTo")
    beacon = BeaconMode(section.integer("beacon", 0, range(3)))
    if bind == "all":
        if connect_to.node.members:
            section.warn("connectTo", 'does nothing with "bind": "all"', "Name the device of these peers")
        return EthInterface(bind, beacon)
    peers: list[ConnectTo] = []
    for member in connect_to.node.members:
        address = text_of(member.key.value)
        if not _MAC.fullmatch(address):
            hint = "Write aa:bb:cc:dd:ee:ff"
            connect_to.error(address, f'"{address}" is no Ethernet address', hint, member.start)
        elif (peer := _peer(connect_to, member, address)) is not None:
            peers.append(peer)
    return EthInterface(bind, beacon, tuple(peers))


def _tunnel(router: Section) -> Tunnel | None:
    section = router.section("interface")
    kind = section.text("type")
    if kind == "TUNInterface":
        return TunDevice(section.text("tunDevice"))
    if kind == "SocketInterface":
        path = section.required_text("socketFullPath", "Give the path of the socket")
        return TunnelSocket(path) if path is not None else None
    if kind is not None:
        section.warn("type", f'"{kind}" is unknown, so there is no tunnel', "Write TUNInterface")
    return None


def _ip_tunnel(section: Section) -> IpTunnel:
    allowed: list[AllowedConnection] = []
    for entry in section.sections("allowedConnections"):
        key = entry.public_key("publicKey")
        ip4 = _tunnel_address(entry, Family.IPV4)
        ip6 = _tunnel_address(entry, Family.IPV6)
        if entry.node.get("ip4Address") is None and entry.node.get("ip6Address") is None:
            entry.error("ip4Address", "neither ip4Address nor ip6Address is given", "Give at least one")
        allowed.append(AllowedConnection(key or "", ip4, ip6))
    return IpTunnel(tuple(allowed), section.public_keys("outgoingConnections"))


def _tunnel_address(entry: Section, family: Family) -> TunnelAddress | None:
    stem = f"ip{family}"
    bits = 32 if family is Family.IPV4 else 128
    text = entry.text(f"{stem}Address")
    prefix = entry.integer(f"{stem}Prefix", bits, range(bits + 1))
    alloc = entry.integer(f"{stem}Alloc", bits, range(1, bits + 1))
    if text is None:
        for key in (f"{stem}Prefix", f"{stem}Alloc"):
            if entry.node.get(key) is not None:
                entry.error(key, f"stands without {stem}Address", f"Add {stem}Address, or take it out")
        return None
    try:
        address = IPv4Address(text) if family is Family.IPV4 else IPv6Address(text)
    except AddressValueError:
        entry.error(f"{stem}Address", f'"{text}" is no IPv{family} address', "Write the bare address")
        return None
    if address.is_unspecified:
        entry.error(f"{stem}Address", f'"{text}" is nobody\'s address', "Write the one that the node gets")
    return TunnelAddress(str(address), prefix, alloc)


def _security(top: Section) -> Security:
    security = Security()
    for entry in top.sections("security"):
        if (user := entry.node.get("setuser")) is not None:
            angel = entry.integer("exemptAngel", 0)
            keep = bool(entry.integer("keepNetAdmin", angel))
            security = replace(security, user=_text_or_off(entry, "setuser", user), keep_net_admin=keep)
        if (root := entry.node.get("chroot")) is not None:
            security = replace(security, chroot=_text_or_off(entry, "chroot", root))
        security = replace(
            security,
            no_files=bool(entry.integer("nofiles", security.no_files)),
            no_forks=bool(entry.integer("noforks", security.no_forks)),
            seccomp=bool(entry.integer("seccomp", security.seccomp)),
            setup_complete=bool(entry.integer("setupComplete", security.setup_complete)),
        )
    return security


def _text_or_off(entry: Section, key: str, value: Value) -> str | None:
    if isinstance(value, Integer) and value.value == 0:
        return None
    return entry.required_text(key, "Write a name in quotation marks, or 0 to switch it off")


def _public_peer(router: Section) -> PublicPeerEntry | None:
    value = router.node.get("publicPeer")
    if isinstance(value, String):
        return PublicPeerEntry(text_of(value.value))
    section = router.section("publicPeer")
    name = section.text("id")
    return PublicPeerEntry(name, section.text("ipv4"), section.text("ipv6")) if name is not None else None
