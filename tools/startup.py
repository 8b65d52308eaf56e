"""Measures what a person waits for: `dexsetup --help`, and the first frame of the wizard.

    python tools/startup.py [COUNT]

Each is started COUNT times (default 5) and the best and the middle are printed in milliseconds, with
`python -c pass` beside it. The wizard runs on a pseudo terminal; its first frame is there when "Welcome" has
been drawn, and it is ready when the toolkit has drawn over it.
"""

# ruff: noqa: INP001 - a script of the tree, not a package
from __future__ import annotations

import os
import pty
import select
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_PATH = os.pathsep.join((str(ROOT), str(ROOT / "router")))
_SECONDS = 20.0


def command(*words: str) -> float:
    """Run a command to its end; return milliseconds."""
    started = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": _PATH}
    subprocess.run(  # noqa: S603 - our own words
        [sys.executable, *words], check=True, stdout=subprocess.DEVNULL, env=environment
    )
    return (time.perf_counter() - started) * 1000


def wizard(directory: str) -> tuple[float, float]:
    """Start the wizard over an empty directory; return milliseconds to first frame and to the toolkit's."""
    started = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(PYTHONPATH=_PATH, TERM="xterm-256color", LINES="24", COLUMNS="80")
        words = ["-m", "dexsetup.cli", "--root", directory]
        os.execv(sys.executable, [sys.executable, *words])  # noqa: S606 - our own words
    try:
        first = _until(terminal, b"Welcome", started)
        ready = _until(terminal, b"Go on", started)
    finally:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        os.close(terminal)
    return first, ready


def _until(terminal: int, text: bytes, started: float) -> float:
    seen = b""
    while text not in seen:
        left = started + _SECONDS - time.perf_counter()
        if left <= 0 or not select.select([terminal], [], [], left)[0]:
            raise SystemExit(f"{text!r} was not drawn within {_SECONDS} s")
        seen += os.read(terminal, 65536)
    return (time.perf_counter() - started) * 1000


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    import tempfile  # noqa: PLC0415 - not part of what is measured

    with tempfile.TemporaryDirectory() as directory:
        rows = {
            "python -c pass": [command("-c", "pass") for _ in range(count)],
            "dexsetup --help": [command("-m", "dexsetup.cli", "--help") for _ in range(count)],
        }
        frames = [wizard(directory) for _ in range(count)]
    rows["wizard, first frame"] = [first for first, _ in frames]
    rows["wizard, all of it"] = [ready for _, ready in frames]
    for name, times in rows.items():
        middle = statistics.median(times)
        sys.stdout.write(f"{name:<22} best {min(times):6.0f} ms   middle {middle:6.0f} ms\n")


if __name__ == "__main__":
    main()
