"""Somebody at the plain wizard's prompts."""

from __future__ import annotations

__all__ = ["Person"]


class Person:
    """Types prepared lines; then nothing but Enter until the end."""

    def __init__(self, *lines: tuple[str, str]) -> None:
        self.lines = dict(lines)
        self.prompts: list[str] = []

    def __call__(self, prompt: str) -> str:
        self.prompts.append(prompt)
        for start, answer in self.lines.items():
            if prompt.startswith(start):
                del self.lines[start]
                return answer
        return ""
