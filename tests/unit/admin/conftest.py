"""Nodes with an admin server."""

from __future__ import annotations

import pytest

from tests.unit.admin.rig import Rig


@pytest.fixture
def rig() -> Rig:
    """A single node with a password and an edge that has every part."""
    return Rig()


@pytest.fixture
def open_rig() -> Rig:
    """The same without a password."""
    return Rig(password="NONE")


@pytest.fixture
def bare_rig() -> Rig:
    """A node without an edge."""
    return Rig(edge=False)
