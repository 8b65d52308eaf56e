"""Runs programs of the machine: in root's path, in English, in a session of their own, with a time limit.

A session of their own keeps a ^C of the person at the terminal away from them: a package manager is never cut
in two. Output is handed on line by line while it comes.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

from dexsetup.host.base import Completed, ProgressSink

__all__ = ["NOT_THERE", "TIMED_OUT", "run_command"]

NOT_THERE = 127
TIMED_OUT = 124
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ROOTS_HOME = "/root"
"""Whatever sudo left: as root, no program reads the settings of a person, or leaves files in that home."""
_CHUNK = 65536
_KEPT_FROM_CALLER = (
    "HOME",
    "TERM",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)


def run_command(
    argv: Sequence[str],
    *,
    timeout: float,
    progress: ProgressSink | None = None,
    environment: Mapping[str, str] | None = None,
) -> Completed:
    """Run a command to its end. Status 127: no such program; 124: it took too long and was ended."""
    program = shutil.which(argv[0], path=_PATH)
    if program is None:
        return Completed(tuple(argv), NOT_THERE, "", f"{argv[0]}: not found")
    kept = {name: os.environ[name] for name in _KEPT_FROM_CALLER if name in os.environ}
    if os.geteuid() == 0:
        kept["HOME"] = _ROOTS_HOME
    child = subprocess.Popen(  # noqa: S603 - the callers' commands are constants, arguments are separate words
        [program, *argv[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**kept, "PATH": _PATH, "LC_ALL": "C.UTF-8", **(environment or {})},
        start_new_session=True,
    )
    return _collect(child, tuple(argv), timeout, progress)


def _collect(
    child: subprocess.Popen[bytes], argv: tuple[str, ...], timeout: float, progress: ProgressSink | None
) -> Completed:
    deadline = time.monotonic() + timeout
    texts: dict[str, list[bytes]] = {"out": [], "err": []}
    held = {"out": b"", "err": b""}
    is_late = False
    with selectors.DefaultSelector() as selector, child:
        for name, stream in (("out", child.stdout), ("err", child.stderr)):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, name)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                is_late = True
                break
            for key, _ in selector.select(min(left, 1.0)):
                chunk = _read(key.fileobj)
                if not chunk:
                    selector.unregister(key.fileobj)
                    continue
                texts[key.data].append(chunk)
                held[key.data] = _lines(held[key.data] + chunk, progress)
        if not is_late:
            try:
                child.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                is_late = True
        if is_late:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
    out, err = (b"".join(texts[name]).decode("utf-8", "replace") for name in ("out", "err"))
    if is_late:
        return Completed(argv, TIMED_OUT, out, f"{err}\n{argv[0]} did not end within {timeout:.0f} s".strip())
    return Completed(argv, child.returncode, out, err)


def _read(stream: object) -> bytes:
    source: IO[bytes] = stream  # type: ignore[assignment]  # what was registered above
    return os.read(source.fileno(), _CHUNK)


def _lines(text: bytes, progress: ProgressSink | None) -> bytes:
    """Hand on whole lines; return what is left of the last one."""
    *whole, rest = text.split(b"\n")
    if progress is not None:
        for line in whole:
            if stripped := line.decode("utf-8", "replace").strip():
                progress(stripped)
    return rest
