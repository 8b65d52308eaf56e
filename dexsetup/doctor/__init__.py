"""dexsetup doctor: what does not work, why, and what mends it."""

from __future__ import annotations

from dexsetup.doctor.chain import examine
from dexsetup.doctor.finding import Finding, Remedy

__all__ = ["Finding", "Remedy", "examine"]
