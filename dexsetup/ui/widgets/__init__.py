"""What the pages are made of. State is in the characters: `>` in front of what has the keyboard, `[x]` `( )`."""

from __future__ import annotations
