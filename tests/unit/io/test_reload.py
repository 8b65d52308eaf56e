"""A configuration that is read again changes what it says and nothing else, or nothing at all."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from dexrouter.config import RouterConfig, load_config
from dexrouter.core.node import Node
from dexrouter.crypto.keys import public_key_text
from dexrouter.crypto.users import Credentials
from dexrouter.io.configured_peers import ConfiguredPeers, Entry
from dexrouter.io.log import set_up_log
from dexrouter.io.reload import HANDED_OVER, ConfigSource, ReloadError, add_users, apply_changes, open_tunnels
from remote import RemotePeer, make_node

NOW = 1000.0
KEY = public_key_text(RemotePeer(make_node(), 5).key.public)
OTHER_KEY = public_key_text(RemotePeer(make_node(), 6).key.public)
ADDRESS = "192.0.2.7:1"


def text_of(
    node: Node,
    *,
    users: tuple[tuple[str | None, str], ...] = (),
    peers: tuple[str, ...] = (),
    tunnel: dict[str, Any] | None = None,
    **more: object,
) -> str:
    config: dict[str, Any] = {
        "privateKey": node.own.private.reveal().hex(),
        "admin": {"bind": "127.0.0.1:1"},
        "authorizedPasswords": [
            {"password": password, **({"user": user} if user else {})} for user, password in users
        ],
        "interfaces": {
            "UDPInterface": [
                {
                    "bind": "0.0.0.0:1",
                    "connectTo": {address: {"password": "p", "publicKey": KEY} for address in peers},
                }
            ]
        },
        "router": {"ipTunnel": tunnel or {}},
        "version": 2,
    }
    return json.dumps({**config, **more})


class Running:
    """A node that runs with a configuration, and is given another."""

    def __init__(self, **settings: Any) -> None:
        self.node = make_node()
        for login in [user.login for user in self.node.users.users()][1:]:
            self.node.users.remove(login)
        self.peers = ConfiguredPeers(self.node)
        self.config = load_config(text_of(self.node, **settings).encode())
        add_users(self.node.users, self.config.authorized_passwords)
        self.peers.set(self.wanted(self.config), NOW)
        open_tunnels(self.node, self.config.ip_tunnel.allowed, self.config.ip_tunnel.outgoing, NOW)

    @staticmethod
    def wanted(config: RouterConfig) -> list[Entry]:
        return [(0, peer) for interface in config.udp_interfaces for peer in interface.connect_to]

    def reload(self, text: str | None = None, **settings: Any) -> None:
        new = load_config((text or text_of(self.node, **settings)).encode())
        apply_changes(self.config, new, node=self.node, peers=self.peers, wanted=self.wanted(new), now=NOW)
        self.config = new

    def logins(self) -> list[bytes]:
        return [user.login for user in self.node.users.users()]

    def addresses(self) -> list[str]:
        return [str(peer.link_address[0]) for peer in self.node.peering.peers()]


def test_passwords_and_peers_come_and_go() -> None:
    """What is in both stays as it is: same peer, same entry."""
    running = Running(users=(("ann", "1"), ("ben", "2")), peers=("192.0.2.1:1", "192.0.2.2:1"))
    kept = next(running.node.peering.peers())
    running.reload(users=(("ann", "1"), ("cid", "3")), peers=("192.0.2.1:1", "192.0.2.3:1"))
    assert running.logins() == [b"Local Peers", b"ann", b"cid"]
    assert running.addresses() == ["192.0.2.1", "192.0.2.3"]
    assert next(running.node.peering.peers()) is kept


def test_of_two_passwords_of_a_user_one_may_go() -> None:
    """The other one stays valid, and so do passwords without a user."""
    running = Running(users=(("ann", "1"), ("ann", "2"), (None, "3"), (None, "4")))
    running.reload(users=(("ann", "2"), (None, "4")))
    users = running.node.users
    assert users.lookup(Credentials(b"4").lookup) is not None
    assert users.lookup(Credentials(b"3").lookup) is None
    ann = users.lookup(Credentials(b"2", b"ann").lookup)
    assert ann is not None
    assert ann.secret == Credentials(b"2").secret


def test_who_came_with_a_removed_password_is_sent_away() -> None:
    """And who came with another one keeps the session."""
    running = Running(users=(("ann", "1"), ("ben", "2")))
    ann = RemotePeer(running.node, 11, credentials=Credentials(b"1", b"ann"))
    ben = RemotePeer(running.node, 12, credentials=Credentials(b"2", b"ben"))
    for remote in (ann, ben):
        remote.establish(NOW)
    assert len(running.addresses()) == 2
    running.reload(users=(("ben", "2"),))
    (left,) = running.node.peering.peers()
    assert left.key == ben.key.public


def test_who_came_with_a_removed_password_without_a_name_is_sent_away_at_the_second_reload_too() -> None:
    """Entries without a user are told apart, also when one of them has taken the place of another."""
    running = Running(users=((None, "1"), (None, "2")))
    running.reload(users=((None, "2"), (None, "3")))
    two, three = (
        RemotePeer(running.node, number, credentials=Credentials(b"%d" % number)) for number in (2, 3)
    )
    for remote in (two, three):
        remote.establish(NOW)
    running.reload(users=((None, "2"),))
    (left,) = running.node.peering.peers()
    assert left.key == two.key.public


def test_tunnel_connections_come_and_go() -> None:
    """A client with another address is a new one; a gateway that stays keeps its connection."""
    client = {"publicKey": KEY, "ip4Address": "10.0.0.1"}
    running = Running(tunnel={"allowedConnections": [client], "outgoingConnections": [OTHER_KEY]})
    gateway = running.node.tunnel.connections()[1]
    running.reload(
        tunnel={
            "allowedConnections": [{**client, "ip4Address": "10.0.0.2"}],
            "outgoingConnections": [OTHER_KEY],
        }
    )
    before, after = running.node.tunnel.connections()
    assert before is gateway
    assert after.ip4 is not None
    assert after.ip4.address == bytes((10, 0, 0, 2))
    running.reload()
    assert running.node.tunnel.connections() == ()


@pytest.mark.parametrize("what", ["key", "own"])
def test_a_bad_configuration_is_refused_as_a_whole(what: str) -> None:
    """Another private key, ourselves as a peer: the rest of it is not taken either."""
    running = Running(users=(("ann", "1"),), peers=("192.0.2.1:1",))
    bad: dict[str, Any] = {"users": (("ben", "2"),), "peers": ("192.0.2.9:1",)}
    if what == "key":
        text = text_of(make_node(77), **bad)
    else:
        text = text_of(running.node, **bad).replace(KEY, public_key_text(running.node.own.public))
    with pytest.raises(ReloadError):
        running.reload(text)
    assert running.logins() == [b"Local Peers", b"ann"]
    assert running.addresses() == ["192.0.2.1"]


def test_each_change_is_a_line_and_so_is_what_needs_a_restart(capsys: pytest.CaptureFixture[str]) -> None:
    """Names and addresses, never passwords."""
    running = Running(users=(("ann", "hush-1"),), peers=("192.0.2.1:1",))
    set_up_log(logging.INFO, sys.stderr)
    running.reload(
        text_of(
            running.node, users=(("ben", "hush-2"),), peers=("192.0.2.2:1",), admin={"bind": "127.0.0.1:2"}
        )
    )
    said = capsys.readouterr().err
    logging.getLogger("dexrouter").handlers[:] = []
    for line in (
        "removed=password user=ann",
        "added=password user=ben",
        "removed=peer address=192.0.2.1:1",
        "added=peer address=192.0.2.2:1",
        "section=admin effect='after a restart'",
        "reloaded",
    ):
        assert line in said
    assert "hush" not in said


def test_route_servers_change_but_those_of_the_admin_api() -> None:
    """One stays, one goes, one comes."""
    running = Running()
    authorized = running.node.route_server.hunter.authorized
    by_hand = RemotePeer(make_node(), 8).key.public
    third = public_key_text(RemotePeer(make_node(), 9).key.public)
    running.reload(_with_servers(text_of(running.node), KEY, OTHER_KEY))
    assert [public_key_text(key) for key in authorized] == [KEY, OTHER_KEY]
    authorized[by_hand] = None
    running.reload(_with_servers(text_of(running.node), OTHER_KEY, third))
    assert [public_key_text(key) for key in authorized] == [OTHER_KEY, public_key_text(by_hand), third]
    running.reload(text_of(running.node))
    assert list(authorized) == [by_hand]


def _with_servers(text: str, *keys: str) -> str:
    config = json.loads(text)
    config["router"]["supernodes"] = list(keys)
    return json.dumps(config)


def test_a_configuration_of_standard_input_can_be_handed_over(tmp_path: Path) -> None:
    """It is taken out of the runtime directory, and gone then; without it, the message says what to do."""
    node = make_node()
    source = ConfigSource(None, tmp_path)
    handed = tmp_path / HANDED_OVER
    handed.write_text(text_of(node, users=(("ann", "1"),)))
    assert source.read().authorized_passwords[0].user == "ann"
    assert not handed.exists()
    with pytest.raises(ReloadError, match="--config FILE"):
        source.read()
    with pytest.raises(ReloadError, match="--config FILE"):
        ConfigSource(None, None).read()


def test_a_file_is_read_again_and_again(tmp_path: Path) -> None:
    """The file of --config stays; a broken one, or none, is refused with its name or place."""
    node = make_node()
    path = tmp_path / "my.conf"
    source = ConfigSource(path, None)
    path.write_text(text_of(node))
    assert source.read() == source.read()
    path.write_text("{ broken")
    with pytest.raises(ReloadError):
        source.read()
    path.unlink()
    with pytest.raises(ReloadError, match=r"my\.conf"):
        source.read()
