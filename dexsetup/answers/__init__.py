"""What a person wants, declared once per question; see model.py."""

from __future__ import annotations
