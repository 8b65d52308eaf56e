"""A terminal that goes away takes the wizard with it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]
_PATIENCE = 30.0


def test_the_wizard_ends_when_its_terminal_is_closed(tmp_path: Path) -> None:
    """No process stays behind that reads, for ever, from a terminal that is gone."""
    ours, theirs = pty.openpty()
    wizard = subprocess.Popen(
        [sys.executable, "-m", "dexsetup", "--root", str(tmp_path)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        cwd=tmp_path,
        env={**os.environ, "TERM": "xterm", "PYTHONPATH": f"{_CHECKOUT}:{_CHECKOUT / 'router'}"},
    )
    os.close(theirs)
    try:
        deadline = time.monotonic() + _PATIENCE
        seen = b""
        while b"Welcome" not in seen and time.monotonic() < deadline:
            seen += os.read(ours, 65536)
        assert b"Welcome" in seen
        time.sleep(1.0)
        os.close(ours)
        assert wizard.wait(timeout=_PATIENCE) == 130
    finally:
        wizard.kill()
        wizard.wait()
