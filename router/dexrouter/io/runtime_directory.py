"""Where the running router may keep files: the directory that systemd gives, or that of a root process."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["runtime_directory"]


def runtime_directory() -> Path | None:
    """Give the directory, which need not exist yet; None: there is none."""
    given = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    return Path("/run/dexrouter") if os.geteuid() == 0 else None
