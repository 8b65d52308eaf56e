"""The Renderer over jinja2, and the resolver that finds templates/ in a checkout and in an installed wheel.

Undefined names raise, nothing is escaped for HTML, the last line end is kept, and every file is UTF-8 with
LF. The only module of dexsetup that imports jinja2.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dexsetup.render.filters import FILTERS

__all__ = ["JinjaRenderer", "templates_directory"]


def templates_directory(package: Path | None = None) -> Path:
    """Return where the templates are: inside the package (a wheel), or beside it (a checkout).

    `package` is the directory of dexsetup itself; the running one if left out. Raises FileNotFoundError with
    both places that were looked at.
    """
    package = Path(__file__).resolve().parent.parent if package is None else package
    candidates = (package / "templates", package.parent / "templates")
    for candidate in candidates:
        if (candidate / "opensmtpd" / "smtpd.conf.j2").is_file():
            return candidate
    raise FileNotFoundError(
        f"no templates in {candidates[0]} or {candidates[1]}: this installation is damaged"
    )


class JinjaRenderer:
    """Implements dexsetup.render.environment.Renderer."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = templates_directory() if directory is None else directory
        self._environment = Environment(
            loader=FileSystemLoader(self._directory, encoding="utf-8"),
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701 - these are configuration files; each value has its target's filter
            keep_trailing_newline=True,
            trim_blocks=True,
            lstrip_blocks=True,
            newline_sequence="\n",
        )
        self._environment.filters.update(FILTERS)

    def render(self, template: str, /, **values: Any) -> bytes:
        """Render a template, named by its path below templates/.

        Raises jinja2.UndefinedError for a value that is not given and UnquotableError for one that its
        target cannot carry.
        """
        return self._environment.get_template(template).render(**values).encode()

    def version(self, template: str) -> str:
        """Return the first twelve hex digits of the SHA-256 of the template's text."""
        return hashlib.sha256((self._directory / template).read_bytes()).hexdigest()[:12]
