"""A generated configuration: complete, readable, and reproducible from a seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dexrouter.config import BeaconMode, SocketAddress, TunDevice, cleanconf, genconf, load_config
from dexrouter.config.jsonc import content_of, parse_strict
from dexrouter.crypto.entropy import SeededEntropy
from dexrouter.crypto.keys import KeyParseError

VECTORS = Path(__file__).parents[2] / "vectors"
SEEDS: list[dict[str, Any]] = json.loads((VECTORS / "keys.json").read_text())["genconf_seed"]
PRIVATE = bytes.fromhex(SEEDS[0]["private_key"])


@pytest.mark.parametrize("vector", SEEDS, ids=[f"seed-{number}" for number in range(len(SEEDS))])
def test_a_seed_gives_the_secrets_that_the_reference_draws_from_it(vector: dict[str, Any]) -> None:
    text = genconf(SeededEntropy(bytes.fromhex(vector["seed"])))
    config = load_config(text.encode())
    assert config.private_key.reveal().hex() == vector["private_key"]
    assert [entry.password for entry in config.authorized_passwords] == vector["passwords"][:1]
    assert [config.udp_interfaces[n].bind.port for n in (0, 1)] == [vector["udp_port"]] * 2
    content = content_of(parse_strict(text.encode()))
    assert isinstance(content, dict)
    assert content["publicKey"] == vector["public_key_text"]
    assert content["ipv6"] == vector["ip6"]
    positions = [text.index(password) for password in vector["passwords"]]
    assert positions == sorted(positions)


def test_the_content_is_that_of_a_file_of_the_reference() -> None:
    """Apart from the secrets, the same keys and values stand in the same order."""
    expected = json.loads((VECTORS / "conf" / "expected.json").read_text())["files"][2]
    theirs = expected["v20.7 and v21.1 (run)"]["parsed"]
    ours = content_of(
        parse_strict(
            genconf(
                SeededEntropy(bytes(64)), private_key=bytes.fromhex(theirs["privateKey"]), udp_port=57251
            ).encode()
        )
    )
    assert isinstance(ours, dict)
    theirs["authorizedPasswords"][0]["password"] = ours["authorizedPasswords"][0]["password"]
    assert json.dumps(ours) == json.dumps(theirs)


def test_without_options_nothing_is_warned_about_and_lan_peering_is_on() -> None:
    config = load_config(genconf(SeededEntropy(bytes(64))).encode())
    assert config.warnings == ()
    assert config.udp_interfaces[0].beacon is BeaconMode.SEND
    assert config.eth_interfaces == ()
    assert config.tunnel == TunDevice(None)
    assert config.admin.bind == SocketAddress("127.0.0.1", 11234)
    assert not config.log_to_stdout
    assert not config.no_background


def test_options_reach_the_file() -> None:
    config = load_config(
        genconf(
            SeededEntropy(bytes(64)),
            eth=True,
            private_key=PRIVATE,
            udp_port=4000,
            tun_device='odd"name',
            lan_peering=False,
            admin_bind="127.0.0.1:4001",
            admin_password="\x01",
            log_to_stdout=True,
            no_background=True,
        ).encode()
    )
    assert config.private_key.reveal() == PRIVATE
    assert [interface.bind.port for interface in config.udp_interfaces] == [4000, 4000]
    assert config.udp_interfaces[0].beacon is BeaconMode.OFF
    assert [eth.bind for eth in config.eth_interfaces] == ["all"]
    assert config.tunnel == TunDevice('odd"name')
    assert config.admin.bind.port == 4001
    assert config.admin.password == "\x01"
    assert config.log_to_stdout
    assert config.no_background
    assert config.warnings == ()


def test_a_private_key_of_another_network_is_refused() -> None:
    with pytest.raises(KeyParseError):
        genconf(SeededEntropy(bytes(64)), private_key=bytes(32))


def test_the_file_is_portable() -> None:
    """LF, ASCII, no tabs, lines that fit a wide terminal, and no comment that newer readers misread."""
    text = genconf(SeededEntropy(bytes(64)))
    assert text.isascii()
    assert text.endswith("}\n")
    assert not set(text) & set("\r\t")
    assert "**/" not in text
    assert max(len(line) for line in text.splitlines()) <= 120


def test_cleanconf_of_it_is_the_same_configuration() -> None:
    text = genconf(SeededEntropy(bytes(64)))
    assert load_config(cleanconf(text.encode()).encode()) == load_config(text.encode())
