"""What `dexctl` does, by subject. Each module is imported when its command runs."""

from __future__ import annotations

__all__: list[str] = []
