"""A real terminal: a tmux server of its own with one window, typed into and read like a person would.

Every key is counted. Waiting is for what the screen shows, never for a time.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

__all__ = ["Terminal"]

_SECONDS = 60.0
_LANGUAGE = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


class Terminal:
    """A context is not needed: `close` ends the server and with it the window."""

    def __init__(self, directory: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self._socket = str(directory / "tmux")
        self._status = directory / "status"
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(directory)}
        self._environment |= {**_LANGUAGE, **(environment or {})}
        self.keys = 0
        """How many keys were pressed; a paste counts as one."""

    def start(self, argv: Sequence[str], *, width: int = 80, height: int = 24, record: str = "") -> None:
        """Open a window with a command in it. `record` is a command that is fed what the window shows."""
        self._status.unlink(missing_ok=True)
        line = f"{shlex.join(argv)}; echo $? > {shlex.quote(str(self._status))}"
        size = ("-x", str(width), "-y", str(height))
        held = ("tmux -S", shlex.quote(self._socket), "wait-for ready")
        shell = f"{' '.join(held)}; {line}" if record else line
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, "sh", "-c", shell)
        if record:
            self._tmux("pipe-pane", "-o", record)
            self._tmux("wait-for", "-S", "ready")

    def _tmux(self, *words: str, stdin: str | None = None) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *words],
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        self.keys += len(keys)
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type a text, letter by letter."""
        self.keys += len(text)
        self._tmux("send-keys", "-l", text)

    def paste(self, text: str) -> None:
        """Paste a text as a terminal does, in brackets where the program asked for them."""
        self.keys += 1
        self._tmux("load-buffer", "-", stdin=text)
        self._tmux("paste-buffer", "-p")

    @property
    def text(self) -> str:
        """What the window shows."""
        return self._tmux("capture-pane", "-p")

    def until(self, condition: Callable[[], object], seconds: float = _SECONDS) -> None:
        """Wait for a condition; AssertionError with the screen if it does not come."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.text
            time.sleep(0.05)

    def shows(self, *texts: str, seconds: float = _SECONDS) -> None:
        """Wait until the window shows all of these."""
        self.until(lambda: all(text in self.text for text in texts), seconds)

    def cursor(self) -> tuple[int, int]:
        """Return column and line of the terminal's own cursor."""
        x, _, y = self._tmux("display-message", "-p", "#{cursor_x} #{cursor_y}").partition(" ")
        return int(x), int(y)

    def resize(self, width: int, height: int) -> None:
        """Give the window another size."""
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def processes(self) -> list[int]:
        """Return the processes in the window, the shell first, each followed by its children."""
        shell = self._tmux("display-message", "-p", "#{pane_pid}").strip()
        found, waiting = [], [int(shell)] if shell else []
        while waiting:
            pid = waiting.pop(0)
            found.append(pid)
            listed = Path(f"/proc/{pid}/task/{pid}/children")
            waiting += [int(word) for word in listed.read_text().split()] if listed.exists() else []
        return found

    def signal(self, name: str, *, depth: int = 1) -> None:
        """Send a signal to the program; `depth` is how many programs further in it is than the shell."""
        subprocess.run(["kill", f"-{name}", str(self.processes()[depth])], check=True)

    def code(self) -> int:
        """Wait for the program's end and return its exit status."""
        self.until(lambda: self._status.exists() and self._status.read_text().strip())
        return int(self._status.read_text())

    def close(self) -> None:
        """End the server: the terminal is gone."""
        self._tmux("kill-server")
