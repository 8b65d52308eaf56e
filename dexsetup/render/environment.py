"""What steps know of rendering: a template and values in, the bytes of a file out. jinja.py does it."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Renderer"]


class Renderer(Protocol):
    """Turns a template into the bytes of a file."""

    def render(self, template: str, /, **values: Any) -> bytes:
        """Render `template` (a path below templates/). Raises on any undefined or unquotable value."""
        ...

    def version(self, template: str) -> str:
        """Return a short stable mark of the template's text, for the record of what was written."""
        ...
