"""From answers and facts to changes on a machine, with a journal; see model.py for what a plan is."""

from __future__ import annotations
