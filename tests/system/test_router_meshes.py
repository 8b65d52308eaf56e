"""Real routers in real namespaces: lines and rings, kills and cuts, ours alone and beside the reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine import NAMESPACES, ROOT, TUN, needs, program
from router_mesh import RouterMesh, line, ring
from router_pair import REFERENCE

pytestmark = [pytest.mark.system, needs(ROOT, TUN, NAMESPACES, program("ping"))]

OURS = "ours"
THEIRS = "reference"
PATIENCE = 30.0
"""For what takes a second or two where nothing else runs."""

MIXES = [
    (THEIRS, OURS, THEIRS),
    (OURS, THEIRS, OURS),
    (OURS, THEIRS, OURS, THEIRS, OURS),
    (THEIRS, OURS, THEIRS, OURS, THEIRS),
    (OURS, OURS, THEIRS, THEIRS, OURS),
]


def name(kinds: tuple[str, ...]) -> str:
    return "-".join(kind[0] for kind in kinds)


def test_a_line_of_five_talks_and_again_after_its_middle_was_killed(tmp_path: Path) -> None:
    """All twenty ordered pairs, before and after a kill -9 of the node that carries most of them."""
    with RouterMesh(tmp_path, [OURS] * 5, line(5)) as mesh:
        mesh.start_all()
        mesh.wait_for_all(seconds=PATIENCE)
        mesh.kill(2)
        assert not mesh.reaches(0, 4)
        mesh.start(2)
        mesh.wait_for_all(seconds=PATIENCE)


def test_a_ring_goes_on_when_a_cable_is_cut(tmp_path: Path) -> None:
    """The way round takes the place of the way that is gone, long before the peer counts as unresponsive."""
    with RouterMesh(tmp_path, [OURS] * 4, ring(4)) as mesh:
        mesh.start_all()
        mesh.wait_for_all(seconds=PATIENCE)
        mesh.cut((0, 1))
        assert mesh.wait_for_all(seconds=PATIENCE) < 20


@pytest.mark.parametrize("kinds", MIXES, ids=name)
@needs(REFERENCE)
def test_a_line_of_both_kinds_talks(kinds: tuple[str, ...], tmp_path: Path) -> None:
    """Ours as neighbour, as end and as relay between real nodes."""
    with RouterMesh(tmp_path, kinds, line(len(kinds))) as mesh:
        mesh.start_all()
        mesh.wait_for_all(seconds=PATIENCE)


@needs(REFERENCE)
def test_a_real_node_is_reached_around_a_cut_between_ours(tmp_path: Path) -> None:
    """It may keep to the path that is gone (v20 does): ours in front of the gap leads its packets around."""
    with RouterMesh(tmp_path, [OURS, OURS, OURS, THEIRS, OURS, OURS], ring(6)) as mesh:
        mesh.start_all()
        mesh.wait_for_all(seconds=PATIENCE)
        mesh.cut((0, 1))
        assert mesh.wait_for_all(seconds=PATIENCE) < 20


@pytest.mark.parametrize("kinds", [(OURS, THEIRS, OURS, THEIRS, OURS), (THEIRS, OURS, THEIRS)], ids=name)
@needs(REFERENCE)
def test_ours_is_back_at_once_after_a_kill_between_real_nodes(kinds: tuple[str, ...], tmp_path: Path) -> None:
    """The killed relay of ours greets whom it knew, and asks for the keys of sessions that it lost."""
    with RouterMesh(tmp_path, kinds, line(len(kinds))) as mesh:
        middle = kinds.index(OURS, len(kinds) // 2)
        mesh.start_all()
        mesh.wait_for_all(seconds=PATIENCE)
        mesh.kill(middle)
        mesh.start(middle)
        mesh.wait_for_all(seconds=PATIENCE)
