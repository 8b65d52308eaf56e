"""What the pages are made of. State is in the characters: `>` has the keyboard, `[x]` is ticked."""

from __future__ import annotations
