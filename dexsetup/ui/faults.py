"""Errors as lines for a screen; a fault of ours with the place of its report."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dexsetup.report.redact import Redactor

__all__ = ["told"]


def told(error: Exception, redactor: Redactor | None) -> str:
    """Return an error as lines: its four parts, or a fault of ours with its report.

    The redactor is that of the answers, which knows their secrets; None before there are any.
    """
    from dexsetup.errors import AnswersError, DexsetupError  # noqa: PLC0415 - after first paint

    if isinstance(error, AnswersError):
        return "\n".join((*error.problems, *((error.advice,) if error.advice else ())))
    if isinstance(error, DexsetupError):
        said = [f"said: {line}" for line in error.why.splitlines()]
        parts = [error.what, *said, error.done, error.advice]
        return "\n".join(part for part in parts if part)
    from dexsetup.commands.crash import write_report  # noqa: PLC0415 - only a fault of ours needs it
    from dexsetup.report.redact import Redactor as FreshRedactor  # noqa: PLC0415 - as above

    redactor = redactor or FreshRedactor()
    path = write_report(error, ["(wizard)"], redactor, time.time())
    text = redactor.text(f"{type(error).__name__}: {error}")
    return f"This is a fault of dexsetup: {text}\nA report without secrets is in {path}."
