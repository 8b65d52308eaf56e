"""Neighbours on the local network: captured beacons of real nodes, and a socket that hears them."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexrouter.wire.ethernet import unwrap
from dexsetup.neighbours import Neighbour, hear, listen

CAPTURES: dict[str, Any] = {
    one["name"]: one
    for one in json.loads((Path(__file__).parents[2] / "vectors" / "beacons.json").read_text())["captures"]
}
UDP = CAPTURES["udp-beacon"]
ETHERNET = CAPTURES["ethernet-beacon"]
_HEADER = 14
_SECONDS = 20.0


def datagram(number: int = 0) -> bytes:
    return bytes.fromhex(UDP["beacons"][number]["datagram"])


def test_a_captured_ethernet_beacon_names_its_sender() -> None:
    """Key, protocol version and hardware address; no socket of ours could call it."""
    beacon = ETHERNET["beacons"][0]
    content = bytes(unwrap(bytes.fromhex(beacon["frame"])[_HEADER:]))
    found = hear(content, "02:00:00:00:0a:01", device="eth0")
    assert found is not None
    assert found.public_key == ETHERNET["nodes"]["A"]["public_key_text"]
    assert (found.version, found.place) == (21, "local network, eth0")
    assert found.connect_to() is None


def test_what_is_no_node_and_the_own_node_are_not_told() -> None:
    """A key outside the mesh, an old protocol, ourselves."""
    content = datagram()[8:]
    own = UDP["nodes"]["A"]["ip6"]
    assert hear(content, "10.77.0.1:1") is not None
    assert hear(content, "10.77.0.1:1", own_address=own) is None
    assert hear((19).to_bytes(4, "big") + content[4:], "10.77.0.1:1") is None
    assert hear(content[:24] + bytes(32), "10.77.0.1:1") is None
    assert hear(content[:-1], "10.77.0.1:1") is None


@given(content=st.binary(max_size=80))
def test_any_bytes_are_a_neighbour_or_none(content: bytes) -> None:
    found = hear(content, "10.77.0.1:1")
    assert found is None or found.public_key.endswith(".k")


def test_a_password_is_in_no_word_of_a_neighbour() -> None:
    found = hear(datagram()[8:], "10.77.0.1:4001")
    assert found is not None
    entry = found.connect_to()
    assert entry is not None
    assert entry.password.encode("utf-8", "surrogateescape").hex() == UDP["beacons"][0]["decoded"]["password"]
    assert entry.password not in repr(found)


def spare_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_broadcasts_are_heard_beside_another_program_and_told_once() -> None:
    """A router that has the port hears them as well; rubbish in between is nobody."""
    port = spare_port()
    heard: list[Neighbour] = []
    done = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as router:
        router.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        router.bind(("0.0.0.0", port))  # noqa: S104 - as a router does
        router.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        router.settimeout(_SECONDS)
        ear = threading.Thread(target=listen, args=(heard.append, done.is_set), kwargs={"port": port})
        ear.start()
        try:
            for _ in range(200):
                for content in (b"rubbish", datagram(), datagram()):
                    router.sendto(content, ("127.255.255.255", port))
                if heard or done.wait(0.05):
                    break
            assert router.recv(100)
        finally:
            done.set()
            ear.join()
    (found,) = heard
    assert found.public_key == UDP["nodes"]["A"]["public_key_text"]
    assert found.address == "127.0.0.1:4001"
    assert found.place == "local network"


def test_a_port_that_somebody_keeps_to_himself_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing to hear it returns, with the kernel's words."""

    def forbidden() -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("dexsetup.neighbours._ethernet", forbidden)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as selfish:
        selfish.bind(("0.0.0.0", 0))  # noqa: S104 - as a router does
        port = selfish.getsockname()[1]
        reasons = listen(lambda _: None, lambda: False, port=port)
    assert reasons == ("UDP: Address already in use", "Ethernet: Operation not permitted")
