"""What to say of a text that was pasted or named as peers, and has none."""

from __future__ import annotations

import re

__all__ = ["why_no_peers"]

_PAGE = re.compile(r"\s*https?://\S+\s*", re.IGNORECASE)


def why_no_peers(text: str) -> str:
    """Return the reason, and what to do: a link to somebody's list on the web is what people paste first."""
    if _PAGE.fullmatch(text):
        return (
            "This is the address of a page, and dexsetup fetches none: open it, and paste the entries "
            "that stand there."
        )
    return 'There are no peers in that text. An entry is "address:port": {"publicKey": ..., "password": ...}.'
