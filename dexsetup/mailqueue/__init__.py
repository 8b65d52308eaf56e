"""Sends waiting letters when the recipient's machine is there: dex-mailqueue, a program of its own."""

from __future__ import annotations
