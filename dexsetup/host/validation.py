"""The program that will read a file has a look at it first, where that program is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

__all__ = ["complaint_about", "complaint_about_content"]

_SECONDS: Final = 30.0
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs of root are: a caller's PATH often lacks the sbin directories."""


def complaint_about_content(argv: Sequence[str], content: bytes) -> str:
    """Return what the program has against content that is in no file yet, or nothing."""
    if shutil.which(argv[0], path=_PATH) is None:
        return ""
    with tempfile.TemporaryDirectory(prefix="dexsetup-") as directory:
        place = Path(directory, "content")
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(content)
        return complaint_about(argv, str(place))


def complaint_about(argv: Sequence[str], place: str) -> str:
    """Return what the program has against the file, which is `{}` in its arguments, or nothing."""
    program = shutil.which(argv[0], path=_PATH)
    if program is None:
        return ""
    command = [program, *(part.replace("{}", place) for part in argv[1:])]
    try:
        done = subprocess.run(  # noqa: S603 - the command is a constant of a step
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"{argv[0]} did not end within {_SECONDS:.0f} s"
    if done.returncode == 0:
        return ""
    words = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
    return words.replace(place, "the new file") or f"{argv[0]} ended with status {done.returncode}"
