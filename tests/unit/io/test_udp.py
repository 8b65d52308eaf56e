"""UDP sockets on the loopback: batches, bursts, errors as counts, bind failures as sentences."""

from __future__ import annotations

import logging
import logging.handlers
import math
import select
import socket
from collections.abc import Iterator

import pytest

from dexrouter.core.links import LinkAddress, LinkKind
from dexrouter.io.burst import MOST, Burst
from dexrouter.io.errors import StartError
from dexrouter.io.udp import MAX_DATAGRAM, UdpSocket


@pytest.fixture
def ours() -> Iterator[UdpSocket]:
    opened = UdpSocket("127.0.0.1", 0)
    yield opened
    opened.close()


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        yield opened


def take(opened: UdpSocket) -> list[tuple[LinkAddress, list[bytes]]]:
    """Receive once, and give the datagrams as bytes."""
    return [
        (source, [bytes(packets.view[start:end]) for start, end in packets.spans])
        for source, packets in opened.receive()
    ]


class NoRest(Burst):
    def __init__(self) -> None:
        super().__init__()
        self.size, self.last = MOST, math.inf

    def next(self, now: float) -> int:
        found = super().next(now)
        self.last = math.inf
        return found


def take_busily(opened: UdpSocket) -> list[tuple[LinkAddress, list[bytes]]]:
    """Receive as a socket does that has had no rest."""
    opened._burst = NoRest()
    return take(opened)


def wait_readable(opened: UdpSocket) -> None:
    assert select.select([opened], [], [], 5.0)[0]


def test_the_name_is_that_of_cjdns_tools_and_the_port_the_real_one(ours: UdpSocket) -> None:
    assert ours.name == f"UDP/IPv4/127.0.0.1:{ours.port}"
    assert ours.port > 0
    assert ours.kind is LinkKind.UDP4
    six = UdpSocket("::1", 0)
    assert six.name == f"UDP/IPv6/[::1]:{six.port}"
    assert six.kind is LinkKind.UDP6
    six.close()


def test_datagrams_of_one_source_come_as_one_batch_in_order(ours: UdpSocket, sender: socket.socket) -> None:
    """Another source in between begins a new batch: order is kept over all."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        for origin, data in ((sender, b"1"), (sender, b"2"), (other, b"3"), (sender, b"4")):
            origin.sendto(data, ("127.0.0.1", ours.port))
        wait_readable(ours)
        assert take_busily(ours) == [
            (sender.getsockname(), [b"1", b"2"]),
            (other.getsockname(), [b"3"]),
            (sender.getsockname(), [b"4"]),
        ]
    assert take(ours) == []


def test_no_more_than_a_burst_is_taken_at_once(ours: UdpSocket, sender: socket.socket) -> None:
    """Other descriptors have their turn; the rest is still there."""
    for number in range(MOST + 10):
        sender.sendto(bytes((number,)), ("127.0.0.1", ours.port))
    wait_readable(ours)
    ((_, first),) = take_busily(ours)
    ((_, rest),) = take_busily(ours)
    assert [len(first), len(rest)] == [MOST, 10]
    assert b"".join(first + rest) == bytes(range(MOST + 10))


def test_after_a_rest_one_is_taken_and_then_ever_more(
    ours: UdpSocket, sender: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first goes on its way before it is asked whether there is another; nothing is lost by it."""
    clock = [100.0]
    monkeypatch.setattr("dexrouter.io.udp.boot_time", lambda: clock[0])
    for number in range(20):
        sender.sendto(bytes((number,)), ("127.0.0.1", ours.port))
    wait_readable(ours)
    bursts = []
    for _ in range(6):
        clock[0] += 0.0001
        bursts += [datagrams for _, datagrams in take(ours)]
    assert [len(burst) for burst in bursts] == [1, 2, 4, 8, 5]
    assert b"".join(b"".join(burst) for burst in bursts) == bytes(range(20))


def test_a_burst_grows_to_its_bound_and_ends_with_a_rest() -> None:
    burst = Burst()
    assert [burst.next(100.0) for _ in range(9)] == [1, 2, 4, 8, 16, 32, 64, 64, 64]
    assert [burst.next(100.01) for _ in range(2)] == [1, 2]


def test_datagrams_larger_than_any_link_packet_are_cut(ours: UdpSocket, sender: socket.socket) -> None:
    sender.sendto(bytes(9000), ("127.0.0.1", ours.port))
    wait_readable(ours)
    ((_, datagrams),) = take(ours)
    assert [len(datagram) for datagram in datagrams] == [MAX_DATAGRAM]


def test_an_empty_datagram_is_a_datagram(ours: UdpSocket, sender: socket.socket) -> None:
    sender.sendto(b"", ("127.0.0.1", ours.port))
    wait_readable(ours)
    assert take(ours) == [(sender.getsockname(), [b""])]


def test_what_is_sent_arrives_and_the_source_is_our_port(ours: UdpSocket, sender: socket.socket) -> None:
    sender.settimeout(5.0)
    ours.send(sender.getsockname(), [b"one", b"two"])
    assert [sender.recvfrom(100) for _ in range(2)] == [
        (b"one", ("127.0.0.1", ours.port)),
        (b"two", ("127.0.0.1", ours.port)),
    ]


def test_what_cannot_be_sent_is_counted_and_said_once(ours: UdpSocket) -> None:
    """Too long, or out of reach from here: the next datagram is tried all the same."""
    said = logging.handlers.BufferingHandler(100)
    logger = logging.getLogger("dexrouter.io.udp")
    logger.addHandler(said)
    ours.send(("127.0.0.1", 9), [bytes(70000), bytes(70000)])
    ours.send(("192.0.2.1", 9), [b"from the loopback into the world"])
    logger.removeHandler(said)
    assert ours.drops.pop("udp.EMSGSIZE") == 2
    assert list(ours.drops.values()) == [1]
    assert len(said.buffer) == 2


def test_refusals_by_the_other_side_do_not_stop_reading(ours: UdpSocket, sender: socket.socket) -> None:
    """ICMP port unreachable comes back as an error of a later call."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        nobody = gone.getsockname()
    ours.send(nobody, [b"anybody there?"])
    sender.sendto(b"still here", ("127.0.0.1", ours.port))
    wait_readable(ours)
    batches = take(ours) or take(ours)
    assert batches == [(sender.getsockname(), [b"still here"])]


def test_a_port_in_use_is_a_sentence_with_advice(ours: UdpSocket) -> None:
    with pytest.raises(
        StartError, match=rf"cannot bind UDP 127\.0\.0\.1:{ours.port}: Address already in use"
    ) as refused:
        UdpSocket("127.0.0.1", ours.port)
    assert "Another program (perhaps another router) has this port" in str(refused.value)


def test_an_address_of_another_machine_is_a_sentence_with_advice() -> None:
    with pytest.raises(StartError, match=r"cannot bind UDP 192\.0\.2\.77:0") as refused:
        UdpSocket("192.0.2.77", 0)
    assert "No interface of this machine has that address" in str(refused.value)
    with pytest.raises(StartError, match=r"cannot bind UDP \[2001:db8::77\]:0"):
        UdpSocket("2001:db8::77", 0)


def test_dscp_is_set_in_the_traffic_class_of_both_families() -> None:
    """Six bits, above the two of congestion notification."""
    four, six = UdpSocket("127.0.0.1", 0, dscp=46), UdpSocket("::1", 0, dscp=46)
    assert four._socket.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 46 << 2
    assert six._socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) == 46 << 2
    four.close()
    six.close()


def test_an_ipv6_socket_leaves_the_port_free_for_ipv4() -> None:
    """Both are bound to the same port, as the generated configuration has it."""
    six = UdpSocket("::", 0)
    four = UdpSocket("0.0.0.0", six.port)  # noqa: S104 - what is tested is binding to all
    assert four.port == six.port
    four.close()
    six.close()
