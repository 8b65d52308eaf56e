"""Edits as spans of bytes, the same for every file that dexsetup changes but does not own.

The type is the router's (its configuration is edited in the same way), so that there is one truth.
"""

from __future__ import annotations

from dexrouter.config.spans import Edit, apply_edits
from dexsetup.errors import MachineError

__all__ = ["Edit", "EditError", "apply_edits"]


class EditError(MachineError):
    """A file is in a state that cannot be edited safely; the text names the line, and nothing was changed."""
