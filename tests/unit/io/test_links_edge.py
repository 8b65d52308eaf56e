"""Links without a network: what they do while a device is missing, and what the admin API is told."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator

import pytest

from dexrouter.admin.edge import EdgeError
from dexrouter.core.links import LinkAddress
from dexrouter.core.node import Node
from dexrouter.core.outputs import Buffer
from dexrouter.core.peer import BeaconMode
from dexrouter.io.ethernet import EthernetDevice
from dexrouter.io.links import Links, source_address
from dexrouter.io.loop import EventLoop
from dexrouter.io.watch import GATHER_FOR, NetworkWatch
from remote import make_node

MISSING = "no-such-device"


class Mesh0:
    """A device that nothing is written to."""

    name = "mesh0"

    def __init__(self) -> None:
        self.written: list[Buffer] = []
        self.write: Callable[[list[Buffer]], None] = self.written.extend


@pytest.fixture
def node() -> Node:
    node = make_node()
    node.peering.interfaces.clear()
    return node


@pytest.fixture
def links(node: Node) -> Iterator[Links]:
    loop = EventLoop()
    built = Links(node=node, loop=loop, carry_out=lambda: None, host=Mesh0())
    yield built
    built.close()
    loop.close()


def test_what_is_sent_to_a_device_that_is_not_there_is_counted() -> None:
    """Three packets, three drops, no error."""
    device = EthernetDevice(MISSING)
    device.send(b"\2\0\0\0\0\1", [b"one", b"two"])
    device.send_beacon(b"beacon")
    assert device.drops == {"eth.closed": 3}
    assert device.receive() == ([], [])
    assert device.fileno() == -1


def test_a_missing_device_keeps_its_number_and_mode(node: Node, links: Links) -> None:
    """The interface exists from the start, so that its peers may be called as soon as it comes."""
    number = links.open_ethernet(MISSING, BeaconMode.SENDING)
    interface = node.peering.interfaces[number]
    assert (interface.name, interface.beacon_mode) == (f"ETH/{MISSING}", BeaconMode.SENDING)
    links.beacon(number, b"content")
    links.transmit(number, b"\2\0\0\0\0\1", [b"packet"])


def test_the_admin_is_refused_a_device_that_cannot_be_opened(node: Node, links: Links) -> None:
    """No interface is left behind."""
    with pytest.raises(EdgeError, match=MISSING):
        links.ethernet_new(MISSING)
    assert node.peering.interfaces == []


def test_a_udp_socket_of_the_admin_has_a_real_port(node: Node, links: Links) -> None:
    """The reply names the port that was chosen; beacons need a port of their own."""
    number, bound = links.udp_new("127.0.0.1", 0, dscp=0, beacon_port=0)
    host, _, port = bound.partition(":")
    assert host == "127.0.0.1"
    assert int(port) > 0
    assert links.udp_descriptor(number) > 0
    assert links.number_of_udp("127.0.0.1", int(port)) == number
    with pytest.raises(EdgeError, match="no beacon port"):
        links.set_beacon_mode(number, BeaconMode.SENDING)
    links.set_beacon_mode(number, BeaconMode.DISABLED)


def test_a_port_in_use_is_an_error_of_the_edge(node: Node, links: Links) -> None:
    """One line, without the advice that is meant for whoever starts the router."""
    _, bound = links.udp_new("127.0.0.1", 0, dscp=0, beacon_port=0)
    with pytest.raises(EdgeError, match="cannot bind") as caught:
        links.udp_new("127.0.0.1", int(bound.rpartition(":")[2]), dscp=0, beacon_port=0)
    assert "\n" not in str(caught.value)


def test_beacon_devices_are_given_back_as_they_were_set(node: Node, links: Links) -> None:
    """Set, read, and no address for a device that does not exist."""
    number, _ = links.udp_new("127.0.0.1", 0, dscp=0, beacon_port=45_671)
    links.set_beacon_devices(number, [MISSING, "198.18.255.255:45671"])
    assert links.beacon_devices(number) == [MISSING, "198.18.255.255:45671"]
    assert links.beacon_addresses(number) == []


@pytest.mark.parametrize(
    ("peer", "expected"),
    [(("127.0.0.1", 1), "127.0.0.1"), (("::1", 1, 0, 0), "::1"), (b"\2\0\0\0\0\1", None)],
)
def test_our_address_towards_a_peer(peer: LinkAddress, expected: str | None) -> None:
    """Asked of the kernel without a datagram; None for a peer of Ethernet."""
    assert source_address(peer) == expected


def test_rings_within_a_moment_count_as_one() -> None:
    """Nothing is due before the first ring and the moment after it; then once."""
    watch = NetworkWatch()
    try:
        assert watch.next_deadline() is None
        watch.receive(10.0)
        watch.receive(10.1)
        assert watch.next_deadline() == 10.0 + GATHER_FOR
        assert not watch.is_due(10.1)
        assert watch.is_due(10.0 + GATHER_FOR)
        assert not watch.is_due(99.0)
        assert watch.next_deadline() is None
    finally:
        watch.close()


def test_a_look_that_fails_is_made_again(
    links: Links, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The kernel may lack memory for its answer: that is said, and the router goes on."""
    links.watch()
    assert links._watch is not None
    links._watch.ring(10.0)

    def unwilling() -> frozenset[tuple[int, str]]:
        raise OSError(errno.ENOBUFS, "No buffer space available")

    with monkeypatch.context() as patched:
        patched.setattr("dexrouter.io.netlink.own_addresses", unwilling)
        links.poll(10.0 + GATHER_FOR)
    assert "No buffer space available" in caplog.text
    assert links.next_deadline() == pytest.approx(10.0 + 2 * GATHER_FOR)
    links.poll(11.0)
    assert links.next_deadline() is None
