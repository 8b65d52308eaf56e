"""The door to the machine; see base.py for the contract."""

from __future__ import annotations
