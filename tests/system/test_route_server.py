"""Beside a real route server: found, told of our links, asked for paths; on a real router and on ours.

DEX_ROUTE_SERVER names the server; with DEX_CJDROUTE real routers take part, too.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from machine import NAMESPACES, ROOT, TUN, needs, program
from neighbourhood import wait_until
from router_mesh import line
from router_pair import REFERENCE
from served_mesh import ROUTE_SERVER, ServedMesh

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(200),
    needs(ROOT, TUN, NAMESPACES, program("ping"), ROUTE_SERVER),
]

OURS = "ours"
THEIRS = "reference"
PATIENCE = 60.0
"""Nodes of cjdns look for a server every 3 s, each behind the one before it."""

ANNOUNCED = 90.0
"""A node of cjdns announces what came after its first announcement, or got lost, within a minute."""

MIXES = [
    ((OURS, THEIRS, OURS, THEIRS), 0, (0, 3)),
    ((THEIRS, OURS, THEIRS, OURS), 0, (3, 1)),
    ((OURS, THEIRS, THEIRS, OURS, OURS), 1, (0, 4)),
]
"""Kinds, where the server is, and from which of ours a path is asked to where."""


def name(mix: object) -> str:
    return "-".join(str(one)[0] for one in mix) if isinstance(mix, tuple) else str(mix)


def test_a_route_server_beside_our_router_serves_a_line(tmp_path: Path) -> None:
    """Every node announces what it accepts and gets its paths; a new server hears everything again."""
    with ServedMesh(tmp_path, [OURS] * 4, line(4), route_server=1) as mesh:
        mesh.start_all()
        mesh.start_server()
        wait_until(mesh.know_all, what="a server that knows every path", seconds=ANNOUNCED)
        assert mesh.complaints() == []
        mesh.wait_for_all(seconds=PATIENCE)
        for one, other in ((0, 3), (3, 0), (1, 3)):
            mesh.wait_for_told_path(one, other, seconds=PATIENCE)
        mesh.kill_server()
        mesh.start_server()
        wait_until(mesh.know_all, what="a new server that knows every path", seconds=ANNOUNCED)
        mesh.wait_for_all(seconds=PATIENCE)


def test_without_its_server_a_line_goes_on(tmp_path: Path) -> None:
    """The server's host is gone: a new node reaches the others all the same; back, it serves all."""
    with ServedMesh(tmp_path, [OURS] * 4, line(4), route_server=0) as mesh:
        mesh.start_all()
        mesh.start_server()
        wait_until(lambda: mesh.server_in_use(3) != "NONE", what="a server in use", seconds=PATIENCE)
        mesh.kill_server()
        mesh.kill(0)
        mesh.kill(3)
        mesh.start(3)
        wait_until(
            lambda: mesh.reaches(3, 1) and mesh.reaches(1, 3),
            what="pings beyond the neighbour",
            seconds=PATIENCE,
        )
        mesh.start(0)
        mesh.start_server()
        wait_until(mesh.know_all, what="a server that knows every path", seconds=ANNOUNCED)


@pytest.mark.parametrize(("kinds", "host", "pair"), MIXES, ids=name)
@needs(REFERENCE)
def test_a_route_server_serves_both_kinds(
    kinds: tuple[str, ...], host: int, pair: tuple[int, int], tmp_path: Path
) -> None:
    """On a router of either kind; ours as ends and as relays, between real ones and behind them."""
    with ServedMesh(tmp_path, kinds, line(len(kinds)), route_server=host) as mesh:
        mesh.start_all()
        mesh.start_server()
        wait_until(mesh.know_all, what="a server that knows every path", seconds=ANNOUNCED)
        assert mesh.complaints() == []
        mesh.wait_for_all(seconds=PATIENCE)
        mesh.wait_for_told_path(*pair, seconds=PATIENCE)
