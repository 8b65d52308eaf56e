"""No test of the screens gathers the programs of the router's service: that has tests of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

import dexsetup.program_tree
from tui_rig import TREE


@pytest.fixture(autouse=True)
def _no_gathering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dexsetup.program_tree, "prepare", lambda _: Path(TREE))
