"""Takes secrets out of text: those we know by heart, and what looks like one in the files we handle.

Known secrets (passwords of the answers, what their "file:" and "env:" point to) are replaced wherever they
stand. Patterns cover the rest: `privateKey` and `password` values of a cjdroute.conf, in JSON as in its laxer
spellings, `password = "..."` in TOML, `password` lines in ini files, and bare 64-digit hex keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from dexsetup.secret import Secret

__all__ = ["MASK", "Redactor"]

MASK = "***"
_SHORTEST = 4
"""A known secret shorter than this would blot out half of every text; its patterns still apply."""

_NAMED = re.compile(
    r"""(?P<name>["']?\b(?:private_?key|password|passwd|secret)["']?\s*[:=]\s*)"""
    r"""(?P<value>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[^\s"',}\]]+)""",
    re.IGNORECASE,
)
_HEX_KEY = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{64}(?![0-9a-fA-F])")


class Redactor:
    """Masks texts. One per run; it learns the secrets of the answers."""

    def __init__(self, secrets: Iterable[Secret | str] = ()) -> None:
        self._known: set[str] = set()
        self.learn(secrets)

    def learn(self, secrets: Iterable[Secret | str]) -> None:
        """Add texts that must never be shown, nor in the quoting of Python or JSON."""
        for secret in secrets:
            text = secret.reveal() if isinstance(secret, Secret) else secret
            if len(text) >= _SHORTEST:
                self._known |= {text, repr(text)[1:-1], json.dumps(text)[1:-1]}

    def text(self, text: str) -> str:
        """Return the text without secrets."""
        for secret in sorted(self._known, key=len, reverse=True):
            text = text.replace(secret, MASK)
        text = _NAMED.sub(_mask_value, text)
        return _HEX_KEY.sub(MASK, text)

    def value(self, value: Any) -> Any:
        """Return a tree of JSON values with every text masked, before quoting could hide a secret."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value

    def lines(self, lines: Iterable[str]) -> tuple[str, ...]:
        """Return the lines without secrets."""
        return tuple(self.text(line) for line in lines)


def _mask_value(match: re.Match[str]) -> str:
    value = match["value"]
    quote = value[0] if value[0] in "\"'" else ""
    return f"{match['name']}{quote}{MASK}{quote}"
