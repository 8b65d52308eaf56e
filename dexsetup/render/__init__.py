"""Rendering of templates/: files made of values that are quoted for the program that reads them."""

from __future__ import annotations
