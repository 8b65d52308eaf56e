"""Finding ways through the mesh: graph, crawl, searches, answers (spec 05). The door is pathfinder.py."""

from __future__ import annotations
