"""The pages of the wizard, one file each. A page shows the draft and changes it; it keeps nothing."""

from __future__ import annotations
