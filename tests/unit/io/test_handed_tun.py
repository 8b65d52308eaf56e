"""A descriptor or a Unix socket in the place of the TUN device."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from dexrouter.admin.edge import EdgeError
from dexrouter.core.outputs import Assigned
from dexrouter.core.packets import Packets
from dexrouter.crypto.keys import Address
from dexrouter.io.errors import StartError
from dexrouter.io.handed_tun import HandedDescriptor, HostSocket, is_tun
from dexrouter.io.loop import EventLoop
from dexrouter.io.mesh_device import MeshDevice

ADDRESS = Address(b"\xfc" + bytes(14) + b"\x07")
SIX, FOUR = b"\x60" + bytes(39), b"\x45" + bytes(19)
GREETING = b"\x01" + ADDRESS + b"\x02" + (1304).to_bytes(4, "big")


def contents(packets: Packets | None) -> list[bytes]:
    assert packets is not None
    return [bytes(packets.view[start:end]) for start, end in packets.spans]


def message(packet: bytes, protocol: str = "000086dd", kind: int = 0) -> bytes:
    return struct.pack(">BI", kind, 4 + len(packet)) + bytes.fromhex(protocol) + packet


@pytest.fixture
def program(tmp_path: Path) -> Iterator[socket.socket]:
    """A program that waits for a router at `tun.sock`."""
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.bind(str(tmp_path / "tun.sock"))
        waiting.listen()
        waiting.settimeout(5.0)
        yield waiting


def connected(program: socket.socket) -> tuple[HostSocket, socket.socket]:
    device = HostSocket(program.getsockname(), ADDRESS, 1304)
    other, _ = program.accept()
    other.settimeout(5.0)
    assert other.recv(100) == GREETING
    return device, other


def test_the_program_is_told_address_and_mtu_and_given_packets_with_their_protocol(
    program: socket.socket,
) -> None:
    """IPv4 and IPv6, each with its length."""
    device, other = connected(program)
    with other:
        device.write([SIX, memoryview(FOUR)])
        assert other.recv(200) == message(SIX) + message(FOUR, "00000800")
    device.close()


def test_a_stream_cut_anywhere_gives_the_same_packets(program: socket.socket) -> None:
    """A packet comes out when its last byte has come."""
    device, other = connected(program)
    with other:
        found = []
        for byte in message(SIX) + message(FOUR, "00000800"):
            other.send(bytes((byte,)))
            found += contents(device.read())
        assert found == [SIX, FOUR]
        assert contents(device.read()) == []
        assert device.is_open
    device.close()


@pytest.mark.parametrize("bad", [message(SIX, kind=9), message(b""), struct.pack(">BI", 0, 1 << 31)])
def test_a_stream_that_cannot_be_followed_ends(program: socket.socket, bad: bytes) -> None:
    """What came before is still delivered."""
    device, other = connected(program)
    with other:
        other.send(message(SIX) + bad)
        assert contents(device.read()) == [SIX]
        assert not device.is_open
    device.close()


def test_a_program_that_does_not_read_loses_packets_and_costs_bounded_memory(program: socket.socket) -> None:
    """They are counted."""
    device, other = connected(program)
    with other:
        for _ in range(100):
            device.write([SIX + bytes(65000)] * 4)
        assert device.drops["tun.write"] > 100
        assert len(device._output) < 1 << 20
    device.close()


@pytest.mark.parametrize("is_bare", [True, False])
def test_a_descriptor_gives_and_takes_packets(*, is_bare: bool) -> None:
    """Bare, or with the protocol in front."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    device = HandedDescriptor(ours.detach(), is_bare=is_bare)
    front = b"" if is_bare else bytes.fromhex("000086dd")
    with theirs:
        theirs.send(front + SIX)
        assert contents(device.read()) == [SIX]
        device.write([SIX])
        assert theirs.recv(100) == front + SIX
    assert contents(device.read()) == []
    assert not device.is_open
    device.close()


def test_a_descriptor_that_is_not_open_is_refused() -> None:
    """With the reason."""
    number = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    os.close(number)
    with pytest.raises(StartError, match=f"descriptor {number}: Bad file descriptor"):
        HandedDescriptor(number, is_bare=True)


def test_only_a_tun_device_is_one(tmp_path: Path) -> None:
    """Nothing else is taken: a descriptor of the router's own, read as a device, would end it."""
    with socket.socket() as own, (tmp_path / "file").open("w") as file:
        assert not any(is_tun(number) for number in (own.fileno(), file.fileno(), 1 << 20, -1))


@pytest.fixture
def device() -> Iterator[MeshDevice]:
    """A node's place for a device, empty."""
    loop = EventLoop()
    made = MeshDevice(address=ADDRESS, loop=loop, on_readable=lambda: None)
    yield made
    made.close()
    loop.close()


def test_a_socket_takes_the_place_of_the_device_until_it_is_closed(
    device: MeshDevice, program: socket.socket, tmp_path: Path
) -> None:
    """Then there is none, and another can be begun."""
    with pytest.raises(EdgeError, match=r"socket .*nobody"):
        device.init_socket(str(tmp_path / "nobody"))
    assert device.name == ""
    for _ in range(2):
        device.init_socket(program.getsockname())
        other, _ = program.accept()
        with other:
            other.send(message(SIX))
            assert contents(device.read()) == [SIX]
            assert device.name == program.getsockname()
        assert contents(device.read()) == []
        assert not device.is_open()
        assert device.name == ""
        assert contents(device.read()) == []


def test_routes_are_those_of_gateways_and_hand_together(device: MeshDevice) -> None:
    """What a gateway gave goes with it, and peers with their links; what was added by hand stays."""
    table = device.routes
    by_hand, given = ip_network("192.0.2.0/24"), ip_network("0.0.0.0/0")
    assert table.add(table.prefixes, by_hand)
    assert table.add(table.exceptions, ip_network("198.51.100.0/24"))
    device.assign(Assigned((), (given,)))
    device.route_around([ip_address("203.0.113.7")])
    assert table.prefixes == [by_hand, given]
    assert [str(one) for one in table.exceptions] == ["198.51.100.0/24", "203.0.113.7/32"]
    assert not any(ip_address("198.51.100.9") in route for route in table.generate())
    device.assign(Assigned())
    device.route_around([])
    assert table.generate() == (by_hand,)
    with pytest.raises(EdgeError, match="tun7: No such device"):
        device.commit_routes("tun7")


def test_a_list_of_routes_is_bounded(device: MeshDevice) -> None:
    """What is there already is no second entry."""
    table = device.routes
    added = [table.add(table.prefixes, ip_network(f"10.{n >> 8}.{n & 255}.0/24")) for n in range(300)]
    assert added.count(True) == len(table.prefixes) == 256
    assert table.add(table.prefixes, ip_network("10.0.0.0/24"))
    assert not table.add(table.prefixes, ip_network("10.200.0.0/24"))
