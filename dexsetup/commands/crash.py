"""What is left when dexsetup itself is at fault: a redacted report, readable by its owner alone."""

from __future__ import annotations

import os
import platform
import tempfile
import traceback
from pathlib import Path

from dexsetup import __version__
from dexsetup.plan.journal import utc
from dexsetup.plan.places import REPORTS
from dexsetup.report.redact import Redactor

__all__ = ["write_report"]


def write_report(error: BaseException, argv: list[str], redactor: Redactor, wall_clock: float) -> Path:
    """Write the report and return where it is. Nothing of it holds a value of a variable."""
    trace = "".join(traceback.format_exception(error))
    text = (
        f"dexsetup {__version__}, Python {platform.python_version()}, {utc(wall_clock)}\n"
        f"command: dexsetup {' '.join(argv)}\n\n{trace}"
    )
    name = f"report-{utc(wall_clock).replace(':', '')}-{os.getpid()}.txt"
    for directory in (Path(REPORTS), Path(tempfile.gettempdir())):
        try:
            if directory == Path(REPORTS):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(directory / name, flags, 0o600), "wb") as stream:
                stream.write(redactor.text(text).encode("utf-8", "backslashreplace"))
        except OSError:
            continue
        return directory / name
    return Path("(no report could be written)")
