"""A router under floods: its memory is bounded, and its peers go on talking through it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from flooder import KINDS
from machine import NAMESPACES, ROOT, TUN, needs, program
from neighbourhood import wait_until
from router_mesh import RouterMesh, line

pytestmark = [pytest.mark.system, needs(ROOT, TUN, NAMESPACES, program("ping"))]

PATIENCE = 30.0
RATE = 2000
SECONDS = 3.0
MOST_MIB = 60.0


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterMesh]:
    """Two routers that talk, and a place beside the second one that runs none."""
    with RouterMesh(tmp_path_factory.mktemp("floods"), ["ours"] * 3, line(3)) as mesh:
        mesh.start(0)
        mesh.start(1)
        wait_until(lambda: mesh.reaches(0, 1), what="the first ping", seconds=PATIENCE)
        yield mesh


@pytest.mark.parametrize("kind", KINDS)
def test_peers_talk_on_during_a_flood(mesh: RouterMesh, kind: str) -> None:
    """Half of the pings are answered while the flood lasts; memory stays below 60 MiB."""
    flood = mesh.flood(1, kind, rate=RATE, seconds=SECONDS)
    wait_until(lambda: "flooding" in mesh.said_by_flooder(kind), what="the flood", seconds=PATIENCE)
    shown = mesh.places[0].run("ping", "-c", "20", "-i", "0.1", "-W", "1", "-n", "-q", mesh.address(1))
    assert flood.wait(timeout=PATIENCE) == 0
    answered = re.search(r"(\d+) received", shown)
    assert answered is not None
    assert int(answered[1]) >= 10, shown
    sent = json.loads(mesh.said_by_flooder(kind).splitlines()[-1])["sent"]
    assert sent > RATE
    assert mesh.memory_mib(1) < MOST_MIB
    assert mesh.reaches(0, 1)
