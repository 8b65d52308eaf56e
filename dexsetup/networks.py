"""Which IPv6 addresses are the mesh's, and which are public: said once, for all that must know.

Standard library only: the programs beside the mail server use it as well.
"""

from __future__ import annotations

from ipaddress import IPv6Network
from typing import Final

__all__ = ["MESH", "PUBLIC"]

MESH: Final = IPv6Network("fc00::/8")
"""Every address of a node begins so (spec 01)."""
PUBLIC: Final = IPv6Network("2000::/3")
"""What is given out for the Internet."""
