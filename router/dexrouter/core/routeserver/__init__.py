"""The client of a route server: find one, announce our links to it, ask it for paths (spec 05 §8 to §10)."""

from __future__ import annotations
