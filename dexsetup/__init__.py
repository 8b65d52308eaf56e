"""dexsetup: sets up a mesh router and the mail and phone programs that use its address."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
