"""Streams over the mesh through real devices and sockets: nothing is changed, whatever helps with it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine import NAMESPACES, ROOT, TUN, needs
from neighbourhood import Place, wait_until
from router_pair import REFERENCE, RouterPair

pytestmark = [pytest.mark.system, pytest.mark.timeout(90), needs(ROOT, TUN, NAMESPACES)]

PORT = 4001
SIZE = 12_000_000

SERVER = """
import hashlib, socket, sys
listening = socket.create_server(("::", 5000), family=socket.AF_INET6)
print("ready", flush=True)
for _ in range(2):
    stream, _ = listening.accept()
    digest = hashlib.sha256()
    while data := stream.recv(1 << 20):
        digest.update(data)
    print(digest.hexdigest(), flush=True)
"""

CLIENT = """
import random, socket, sys
data = random.Random(int(sys.argv[2])).randbytes(int(sys.argv[3]))
stream = socket.create_connection((sys.argv[1], 5000), timeout=20)
for at in range(0, len(data), 70001):
    stream.sendall(data[at : at + 70001])
stream.close()
"""


@pytest.fixture(
    params=[
        pytest.param(frozenset[int](), id="ours"),
        pytest.param(frozenset({0}), id="the reference calls", marks=needs(REFERENCE)),
        pytest.param(frozenset({1}), id="the reference is called", marks=needs(REFERENCE)),
    ]
)
def pair(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RouterPair]:
    with RouterPair(tmp_path, reference=request.param) as built:
        udp = {"bind": f"0.0.0.0:{PORT}", "connectTo": {f"10.77.0.2:{PORT}": built.credentials(1)}}
        built.configure(0, UDPInterface=[udp])
        built.configure(1, UDPInterface=[{"bind": f"0.0.0.0:{PORT}", "connectTo": {}}])
        built.start(0)
        built.start(1)
        built.wait_for_pings()
        yield built


def checksum_errors(place: Place) -> int:
    """Segments that the kernel has found to be wrong."""
    shown = place.run("sh", "-c", "cat /proc/net/snmp")
    names, values = (line.split()[1:] for line in shown.splitlines() if line.startswith("Tcp:"))
    return int(dict(zip(names, values, strict=True))["InCsumErrors"])


def test_two_streams_arrive_as_they_were_sent(pair: RouterPair, tmp_path: Path) -> None:
    """At once and in odd portions; no segment had a wrong checksum."""
    expected = {hashlib.sha256(random.Random(seed).randbytes(SIZE)).hexdigest() for seed in (1, 2)}
    heard, said = tmp_path / "heard", tmp_path / "said"
    with heard.open("w") as out, said.open("w") as log:
        pair.places[1].start("python3", "-c", SERVER, log=out)
        wait_until(lambda: "ready" in heard.read_text(), what="the server", seconds=10)
        for seed in (1, 2):
            target = pair.address(1)
            pair.places[0].start("python3", "-c", CLIENT, target, str(seed), str(SIZE), log=log)
        wait_until(lambda: len(heard.read_text().split()) == 3, what="both streams", seconds=60)
    assert set(heard.read_text().split()) == {"ready", *expected}
    assert [checksum_errors(place) for place in pair.places] == [0, 0]
