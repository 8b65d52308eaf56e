"""Layouts and nothing else: bytes to frozen values and back, without state, clock or entropy."""

from __future__ import annotations
