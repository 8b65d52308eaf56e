"""From the bytes of a configuration to values: what is read, what is refused, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dexrouter.config import (
    AllowedConnection,
    AuthorizedPassword,
    BeaconMode,
    ConfigError,
    ConfigErrors,
    ConnectTo,
    PublicPeerEntry,
    RouterConfig,
    Security,
    SocketAddress,
    TunDevice,
    TunnelAddress,
    TunnelSocket,
    UdpInterface,
    bytes_of,
    load_config,
)

VECTORS = Path(__file__).parents[2] / "vectors" / "conf"
PRIVATE = "6c8250eb2579a98ff58c7799ffa18a6f3861eb2be2088744e04765d37c0cd20f"
KEY = "d6bngqcv2w0u702yy5932d3k3pr2mxdukmxu4wqguuwddhd1rnx0.k"
FOREIGN_KEY = "0000000000000000000000000000000000000000000000000000.k"
"""Well formed, but its address is not in fc00::/8."""


def config(body: str = "") -> RouterConfig:
    head = f'{{"privateKey": "{PRIVATE}", "admin": {{"bind": "127.0.0.1:11234"}}, "version": 2'
    return load_config(f"{head}{', ' if body else ''}{body}}}".encode())


def udp(body: str) -> UdpInterface:
    (interface,) = config(f'"interfaces": {{"UDPInterface": {{{body}}}}}').udp_interfaces
    return interface


def problems(body: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        config(body)
    return [f"{problem.path}: {problem.what}" for problem in caught.value.problems]


def test_everything_that_an_operator_touches_is_read() -> None:
    loaded = load_config((VECTORS / "05-edited-peers-v2.conf").read_bytes())
    assert loaded.private_key.reveal().hex() == PRIVATE
    assert loaded.authorized_passwords == (
        AuthorizedPassword("aPasswordForEverybody000", "default-login"),
        AuthorizedPassword("onlyForTheCabin111111111", "cabin", "fc59:9827:f1c0:e6aa:0626:b542:84e3:3cd1"),
        AuthorizedPassword("noUserNameGiven222222222"),
    )
    assert loaded.admin.bind == SocketAddress("127.0.0.1", 11234)
    assert loaded.admin.password == "NONE"
    udp4, udp6 = loaded.udp_interfaces
    assert str(udp4.bind) == "0.0.0.0:43211"
    assert (udp4.beacon, udp4.beacon_port, udp4.beacon_devices) == (
        BeaconMode.SEND,
        64512,
        ("eth0", "192.168.101.255"),
    )
    assert udp4.connect_to == (
        ConnectTo(
            "198.51.100.7:50433",
            KEY,
            "swordfish-swordfish-0001",
            "default-login",
            "friend // not a comment {",
        ),
        ConnectTo("203.0.113.9:1234", "m2d3dc8l3vkjulrgpvyvsbwwrukq3m9jbvz3nkt4hqn5hvdnljp0.k", "pw2"),
    )
    assert udp4.connect_to[0].endpoint == SocketAddress("198.51.100.7", 50433)
    assert str(udp6.bind) == "[::]:43211"
    assert udp6.connect_to[0].endpoint == SocketAddress("2001:db8::7", 50433)
    assert [(eth.bind, eth.beacon) for eth in loaded.eth_interfaces] == [("all", BeaconMode.SEND)]
    assert loaded.tunnel == TunDevice("tun0")
    assert loaded.supernodes == ("u8wqf969fmj8lcz6t4mr82dt37gdgd99rus0s5vk6bhmp2lhbc80.k",)
    assert loaded.ip_tunnel.allowed == (
        AllowedConnection(
            "udv40jk2nzjxgpj58sxk6ls2k910rcm4hnr1lch0x2yndpbblkw0.k",
            TunnelAddress("192.168.1.24", 0, 32),
            TunnelAddress("2001:db8:ab::10", 0, 64),
        ),
    )
    assert len(loaded.ip_tunnel.outgoing) == 2
    assert loaded.security == Security()
    assert loaded.log_to_stdout
    assert loaded.no_background
    assert loaded.version == 2
    assert loaded.warnings == ()


def test_one_dictionary_may_stand_for_a_list_of_interfaces() -> None:
    loaded = load_config((VECTORS / "35-single-object-interfaces-v2.conf").read_bytes())
    assert len(loaded.udp_interfaces) == 1
    assert loaded.tunnel == TunnelSocket("/run/example/cjdns.sock")
    assert loaded.security.user is None
    assert loaded.security.chroot is None


def test_what_is_absent_has_the_defaults_of_the_reference() -> None:
    loaded = config()
    assert loaded == RouterConfig(private_key=loaded.private_key, admin=loaded.admin, version=2)
    assert loaded.tunnel is None
    assert loaded.pipe == "cjdroute.sock"
    assert udp("") == UdpInterface()


def test_secrets_do_not_show() -> None:
    """The canary: neither the private key nor a password is in the repr of a configuration."""
    loaded = load_config((VECTORS / "05-edited-peers-v2.conf").read_bytes())
    shown = repr(loaded)
    for secret in (PRIVATE, "aPasswordForEverybody000", "swordfish-swordfish-0001", "NONE"):
        assert secret not in shown


def test_a_password_keeps_its_bytes() -> None:
    """Passwords are hashed as bytes, so bytes that are no UTF-8 survive."""
    (entry,) = config('"authorizedPasswords": [{"password": "a\\xFFb\\xC3\\xA9"}]').authorized_passwords
    assert bytes_of(entry.password) == b"a\xffb\xc3\xa9"


def test_all_problems_are_reported_in_the_order_of_the_file() -> None:
    with pytest.raises(ConfigErrors) as caught:
        load_config(b'{"version": 2,\n"interfaces": {"UDPInterface": [{"bind": "x"}]},\n"privateKey": "00"}')
    assert str(caught.value).split("\n") == [
        "cjdroute.conf:1:1: admin.bind: is missing. Write the address to listen on, as in 127.0.0.1:11234",
        (
            'cjdroute.conf:2:42: interfaces.UDPInterface[0].bind: "x" has no port. '
            "Write address:port, an IPv6 address in brackets"
        ),
        (
            "cjdroute.conf:3:15: privateKey: is not 64 hexadecimal digits. "
            "Take it from a backup, or make a new one"
        ),
    ]
    assert isinstance(caught.value, ConfigError)
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ('"203.0.113.1:1": 1', "is not a dictionary"),
        (f'"203.0.113.1:1": {{"publicKey": "{KEY}"}}', "password: is missing"),
        ('"203.0.113.1:1": {"password": "x"}', "publicKey: is missing"),
        ('"203.0.113.1:1": {"password": "x", "publicKey": 1}', "publicKey: is not a text"),
        ('"203.0.113.1:1": {"password": "x", "publicKey": "short"}', "too short"),
        (f'"203.0.113.1:1": {{"password": "x", "publicKey": "{KEY[:-1]}"}}', "does not end with .k"),
        (f'"203.0.113.1:1": {{"password": "x", "publicKey": "a{KEY[1:]}"}}', "holds characters"),
        (f'"203.0.113.1:1": {{"password": "x", "publicKey": "{FOREIGN_KEY}"}}', "not a key of this network"),
        (f'"nyc.example.org:1": {{"password": "x", "publicKey": "{KEY}"}}', "is a host name"),
        (f'"203.0.113.1": {{"password": "x", "publicKey": "{KEY}"}}', "has no port"),
        (f'"203.0.113.1:x": {{"password": "x", "publicKey": "{KEY}"}}', "is not a number up to 65535"),
        (f'"2001:db8::1:1": {{"password": "x", "publicKey": "{KEY}"}}', "without brackets"),
        (f'"[2001:db8::1]:1": {{"password": "x", "publicKey": "{KEY}"}}', "bound to IPv4"),
    ],
)
def test_a_peer_that_would_stop_the_reference_is_an_error(entry: str, what: str) -> None:
    (problem,) = problems(f'"interfaces": {{"UDPInterface": {{"connectTo": {{{entry}}}}}}}')
    assert problem.startswith("interfaces.UDPInterface.connectTo.")
    assert what in problem


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            '"interfaces": {"UDPInterface": {"dscp": 64}}',
            "interfaces.UDPInterface.dscp: 64 is out of range",
        ),
        (
            '"interfaces": {"UDPInterface": {"beacon": 3}}',
            "interfaces.UDPInterface.beacon: 3 is out of range",
        ),
        (
            '"interfaces": {"UDPInterface": [1]}',
            "interfaces.UDPInterface[0]: expected a dictionary in braces",
        ),
        (
            (
                '"interfaces": {"UDPInterface": {"bind": "0.0.0.0:7", "beacon": 1, "beaconPort": 7, '
                '"beaconDevices": ["all"]}}'
            ),
            "interfaces.UDPInterface.beaconPort: is the port of bind, too",
        ),
        (
            '"interfaces": {"UDPInterface": {"beaconDevices": [1]}}',
            "interfaces.UDPInterface.beaconDevices[0]: is not a text in quotation marks",
        ),
        (
            '"interfaces": {"ETHInterface": {"bind": "eth0", "connectTo": {"01:02": {}}}}',
            'interfaces.ETHInterface.connectTo.01:02: "01:02" is no Ethernet address',
        ),
        (
            '"interfaces": {"ETHInterface": {"bind": "eth0", "connectTo": {"01:02:03:04:05:06": 1}}}',
            "interfaces.ETHInterface.connectTo.01:02:03:04:05:06: is not a dictionary",
        ),
        ('"authorizedPasswords": ["x"]', "authorizedPasswords[0]: expected a dictionary in braces"),
        ('"authorizedPasswords": [{"user": "x"}]', "authorizedPasswords[0].password: is missing"),
        (
            '"authorizedPasswords": [{"user": "x", "password": "p"}, {"user": "x", "password": "p"}]',
            "authorizedPasswords[1].password: the same user has the same password twice",
        ),
        (
            '"authorizedPasswords": [{"password": "p", "ipv6": "2001:db8::1"}]',
            'authorizedPasswords[0].ipv6: "2001:db8::1" is no address of the mesh',
        ),
        (
            '"authorizedPasswords": [{"password": "p", "ipv6": "no"}]',
            'authorizedPasswords[0].ipv6: "no" is no address of the mesh',
        ),
        (
            '"router": {"interface": {"type": "SocketInterface"}}',
            "router.interface.socketFullPath: is missing",
        ),
        (
            f'"router": {{"supernodes": ["{FOREIGN_KEY}"]}}',
            (
                f'router.supernodes[0]: "{FOREIGN_KEY}" is not a key of this network: '
                "its address does not begin with fc"
            ),
        ),
        (
            f'"router": {{"ipTunnel": {{"allowedConnections": [{{"publicKey": "{KEY}"}}]}}}}',
            "router.ipTunnel.allowedConnections[0].ip4Address: neither ip4Address nor ip6Address is given",
        ),
        (
            (
                f'"router": {{"ipTunnel": {{"allowedConnections": [{{"publicKey": "{KEY}", '
                '"ip4Address": "10.0.0.1", "ip6Alloc": 1}]}}'
            ),
            "router.ipTunnel.allowedConnections[0].ip6Alloc: stands without ip6Address",
        ),
        (
            (
                f'"router": {{"ipTunnel": {{"allowedConnections": [{{"publicKey": "{KEY}", '
                '"ip6Address": "10.0.0.1"}]}}'
            ),
            'router.ipTunnel.allowedConnections[0].ip6Address: "10.0.0.1" is no IPv6 address',
        ),
        ('"security": [{"setuser": 7}]', "security[0].setuser: is not a text in quotation marks"),
    ],
)
def test_values_that_would_stop_the_reference_are_errors(body: str, problem: str) -> None:
    assert problems(body) == [problem]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('"ip4Address": "10.0.0.1", "ip4Alloc": 0', "ip4Alloc: 0 is out of range"),
        ('"ip6Address": "2001:db8::1", "ip6Alloc": 129', "ip6Alloc: 129 is out of range"),
        ('"ip4Address": "0.0.0.0"', 'ip4Address: "0.0.0.0" is nobody\'s address'),
        ('"ip6Address": "::", "ip6Alloc": 64', 'ip6Address: "::" is nobody\'s address'),
    ],
)
def test_what_the_tunnel_could_not_give_is_an_error_with_its_place(entry: str, problem: str) -> None:
    """`--check` and a reload say so, not the start."""
    body = f'"router": {{"ipTunnel": {{"allowedConnections": [{{"publicKey": "{KEY}", {entry}}}]}}}}'
    assert problems(body) == [f"router.ipTunnel.allowedConnections[0].{problem}"]


@pytest.mark.parametrize(
    "text", ["", "0.0.0.0:99999", "0.0.0.0:", "[::1:5", "[::1]x:5", "[fe80::1%eth0]:5", "1.2.3:4"]
)
def test_a_bind_address_that_is_none_is_an_error(text: str) -> None:
    (problem,) = problems(f'"interfaces": {{"UDPInterface": {{"bind": "{text}"}}}}')
    assert problem.startswith("interfaces.UDPInterface.bind: ")


def test_a_private_key_of_another_network_is_an_error() -> None:
    with pytest.raises(ConfigErrors, match=r"outside fc00::/8"):
        load_config(f'{{"privateKey": "{"00" * 32}", "admin": {{"bind": "127.0.0.1:1"}}}}'.encode())


def test_the_text_of_a_bad_private_key_is_not_repeated() -> None:
    """A key with one digit too many is still nearly the key."""
    with pytest.raises(ConfigErrors) as caught:
        load_config(f'{{"privateKey": "{PRIVATE}0", "admin": {{"bind": "127.0.0.1:1"}}}}'.encode())
    assert PRIVATE[:16] not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "warning"),
    [
        ('"noBackground": "1"', "noBackground: is not a number and is ignored"),
        ('"pipe": 1', "pipe: is not a text in quotation marks and is ignored"),
        ('"router": 1', "router: is not a dictionary and is ignored"),
        ('"security": 1', "security: is not a list and is ignored"),
        ('"publicKey": "other.k"', "publicKey: does not belong to privateKey and is ignored"),
        ('"router": {"interface": {"type": "TAP"}}', 'router.interface.type: "TAP" is unknown'),
        (
            '"interfaces": {"UDPInterface": {"beacon": 2, "beaconPort": 64512}}',
            "interfaces.UDPInterface.beacon: does nothing without beaconDevices",
        ),
        (
            '"interfaces": {"UDPInterface": {"beacon": 1, "beaconDevices": ["all"]}}',
            "interfaces.UDPInterface.beacon: does nothing without beaconPort",
        ),
        (
            (
                '"interfaces": {"UDPInterface": {"bind": "[::]:9", "beacon": 1, "beaconPort": 1, '
                '"beaconDevices": ["all"]}}'
            ),
            "interfaces.UDPInterface.beacon: does nothing here: beacons are IPv4 only",
        ),
        ('"interfaces": {"ETHInterface": {}}', "interfaces.ETHInterface.bind: is missing"),
        (
            '"interfaces": {"ETHInterface": {"bind": "all", "connectTo": {"x": {}}}}',
            'interfaces.ETHInterface.connectTo: does nothing with "bind": "all"',
        ),
    ],
)
def test_what_the_reference_ignores_is_a_warning(body: str, warning: str) -> None:
    loaded = config(body)
    assert len(loaded.warnings) == 1
    assert warning in loaded.warnings[0]
    assert all(entry.beacon is BeaconMode.OFF for entry in loaded.udp_interfaces)


def test_ethernet_peers_are_read_by_the_address_of_their_card() -> None:
    (eth,) = config(
        '"interfaces": {"ETHInterface": {"bind": "eth0", "beacon": 1, "connectTo": '
        f'{{"01:02:03:04:05:0A": {{"password": "p", "publicKey": "{KEY}"}}}}}}}}'
    ).eth_interfaces
    assert eth.beacon is BeaconMode.ACCEPT
    assert eth.connect_to == (ConnectTo("01:02:03:04:05:0A", KEY, "p"),)


@pytest.mark.parametrize(
    ("entries", "security"),
    [
        ('{"setuser": "jo"}', Security(user="jo", keep_net_admin=False)),
        ('{"setuser": "jo", "exemptAngel": 1}', Security(user="jo")),
        ('{"setuser": 0}, {"chroot": 0}', Security(user=None, keep_net_admin=False, chroot=None)),
        ('{"nofiles": 1}, {"noforks": 0}', Security(no_files=True, no_forks=False)),
        ('{"setupComplete": 0}, {"seccomp": 0}', Security(seccomp=False, setup_complete=False)),
        ('{"chroot": "/srv"}', Security(chroot="/srv")),
    ],
)
def test_what_the_security_list_does_not_name_keeps_its_default(entries: str, security: Security) -> None:
    assert config(f'"security": [{entries}]').security == security


def test_keys_of_version_22_are_read() -> None:
    loaded = config(
        '"router": {"dnsSeeds": ["seed.example"], "publicPeer": {"id": "me", "ipv4": "203.0.113.1"}}'
    )
    assert loaded.dns_seeds == ("seed.example",)
    assert loaded.public_peer == PublicPeerEntry("me", "203.0.113.1")
    assert config('"router": {"publicPeer": "me"}').public_peer == PublicPeerEntry("me")
    assert config('"router": {"publicPeer": {}}').public_peer is None


def test_every_entry_of_connect_to_is_used_even_if_an_address_comes_twice() -> None:
    entry = f'"203.0.113.1:1": {{"password": "%s", "publicKey": "{KEY}"}}'
    peers = udp(f'"connectTo": {{{entry % "a"}, {entry % "b"}}}').connect_to
    assert [peer.password for peer in peers] == ["a", "b"]
