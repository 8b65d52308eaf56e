"""The nodes that this one calls."""

from __future__ import annotations

from dexsetup.steps.lists import ListStep

__all__ = ["PeersStep"]


class PeersStep(ListStep):
    """See the module docstring."""

    name = "peers"
    title = "Nodes to call"
    list_name = "peer"
    needs = ("identity",)
    without_node = "there is no node here from which a peer could be removed"
