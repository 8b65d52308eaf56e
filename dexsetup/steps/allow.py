"""Who may call this node: a login and a password for each, in the router's `authorizedPasswords`.

A password that nobody chose is drawn once and kept: the second run finds it in the configuration. It is in no
file but that one, root's alone.
"""

from __future__ import annotations

from dexsetup.steps.lists import ListStep

__all__ = ["AllowStep"]


class AllowStep(ListStep):
    """See the module docstring."""

    name = "allow"
    title = "Who may call this node"
    list_name = "allow"
    needs = ("identity", "peers")
    without_node = "there is no node here that anybody could call"
