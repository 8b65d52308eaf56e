"""What keeps the router from running, as sentences for the person who started it."""

from __future__ import annotations

__all__ = ["StartError"]


class StartError(Exception):
    """The router cannot start. Nothing of it is left behind."""

    def __init__(self, what: str, *, advice: str = "") -> None:
        super().__init__(what if not advice else f"{what}\n  {advice}")
        self.advice = advice
