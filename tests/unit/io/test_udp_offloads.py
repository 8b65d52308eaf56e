"""Trains of datagrams through real sockets: the same datagrams with the kernel's help and without."""

from __future__ import annotations

import errno
import select
import socket

import pytest

from dexrouter.core.links import LinkAddress
from dexrouter.core.outputs import Train
from dexrouter.io.udp import MAX_DATAGRAM, UdpSocket

HOSTS = ["127.0.0.1", "::1"]


def pair(host: str) -> tuple[UdpSocket, UdpSocket, LinkAddress]:
    try:
        first, second = UdpSocket(host, 0), UdpSocket(host, 0)
    except OSError as error:
        pytest.skip(f"{host}: {error}")
    address: LinkAddress = (host, second.port) if ":" not in host else (host, second.port, 0, 0)
    return first, second, address


def take(link: UdpSocket, count: int) -> list[bytes]:
    """Receive until so many datagrams have come (or nothing does any more)."""
    got: list[bytes] = []
    while len(got) < count and select.select([link], [], [], 2.0)[0]:
        for _, packets in link.receive():
            got += [bytes(packets.view[start:end]) for start, end in packets.spans]
    return got


TRAINS = [
    [b"one"],
    [bytes([n]) * 1324 for n in range(60)],
    [bytes([n]) * 1324 for n in range(49)] + [b"short"],
    [bytes([n]) * (100 + n % 3) for n in range(40)],
    [b"x" * 50, b"y" * 60, b"z" * 60, b"", b"a" * 60],
    [bytes([n]) for n in range(150)],
]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("limit", [MAX_DATAGRAM, 1000, 0], ids=["cut by the kernel", "too long", "cut by us"])
@pytest.mark.parametrize(("size", "last", "count"), [(1324, 1324, 3), (1324, 7, 120), (1, 1, 200)])
def test_a_train_is_sent_as_its_datagrams(host: str, limit: int, size: int, last: int, count: int) -> None:
    """Whoever cuts it; single datagrams before and behind it keep their places."""
    first, second, address = pair(host)
    try:
        first._segment_limit = limit
        datagrams = [bytes([n % 256]) * size for n in range(count - 1)] + [b"e" * last]
        train = Train(memoryview(bytearray(b"".join(datagrams))), size)
        first.send(address, [b"before", train, b"behind", b"this too"])
        assert take(second, count + 3) == [b"before", *datagrams, b"behind", b"this too"]
        assert not first.drops
    finally:
        first.close()
        second.close()


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("helped", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("train", TRAINS, ids=range(len(TRAINS)))
def test_what_is_sent_is_what_comes(host: str, helped: tuple[bool, bool], train: list[bytes]) -> None:
    """Sizes, order and content, whichever of both ends has offloads."""
    first, second, address = pair(host)
    try:
        if not helped[0]:
            first._segment_limit = 0
        if not helped[1]:
            second._socket.setsockopt(17, 104, 0)
        first.send(address, list(train))
        assert take(second, len(train)) == train
        assert not first.drops
    finally:
        first.close()
        second.close()


class _Refusing:
    """A socket whose kernel refuses to cut."""

    def __init__(self, real: socket.socket, number: int) -> None:
        self._real = real
        self._number = number
        self.sendto = real.sendto
        self.close = real.close

    def sendmsg(self, *_: object) -> int:
        raise OSError(self._number, "refused")


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO, errno.EMSGSIZE])
def test_a_train_that_the_kernel_refuses_goes_one_by_one(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost, and datagrams of that size are not tried so again."""
    first, second, address = pair("127.0.0.1")
    try:
        monkeypatch.setattr(first, "_socket", _Refusing(first._socket, number))
        train = [bytes([n]) * 900 for n in range(5)]
        for _ in range(2):
            first.send(address, list(train))
            assert take(second, 5) == train
        assert first._segment_limit == (0 if number == errno.EIO else 899)
        assert "refused" not in first.offloads["receive offload"]
        assert first.offloads["segmentation"] != "on"
        assert not first.drops
    finally:
        first.close()
        second.close()


def test_a_train_that_is_lost_is_counted_datagram_by_datagram(monkeypatch: pytest.MonkeyPatch) -> None:
    """The counters know nothing of batches."""
    first, second, address = pair("127.0.0.1")
    try:
        monkeypatch.setattr(first, "_socket", _Refusing(first._socket, errno.ENOBUFS))
        first.send(address, [b"12"] * 7)
        assert first.drops == {"udp.ENOBUFS": 7}
    finally:
        first.close()
        second.close()
