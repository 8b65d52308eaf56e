"""Editors for files that belong to other programs: only our part changes, every other byte stays.

Each has the same three functions: `edits(data, wanted)` returns the spans to change and nothing if the file
is as wanted, `removal` takes out what was put in, `present` says what is there. Address books (addressbook,
friends) have one function, from the whole file to the whole file. `cjdroute.conf` is edited by
`dexrouter.config`, with the same spans.
"""

from __future__ import annotations

from dexsetup.edit import addressbook, friends, ini, keyline, marked_block
from dexsetup.edit.spans import Edit, EditError, apply_edits

__all__ = ["Edit", "EditError", "addressbook", "apply_edits", "friends", "ini", "keyline", "marked_block"]
