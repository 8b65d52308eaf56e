"""The wizard in a real terminal (tmux) over a directory: started, typed into, resized, ended by signals."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dexsetup.answers.load import load_answers
from machine import needs, program

pytestmark = needs(program("tmux"))
_SECONDS = 60.0


class Terminal:
    """One tmux server with one window of its own."""

    def __init__(self, directory: Path, checkout: Path) -> None:
        self.root = directory / "root"
        (self.root / "etc").mkdir(parents=True)
        (self.root / "home" / "jo").mkdir(parents=True)
        os.chown(self.root / "home" / "jo", os.geteuid(), os.getegid())
        (self.root / "etc/os-release").write_text('ID=debian\nPRETTY_NAME="Debian GNU/Linux 12"\n')
        (self.root / "etc/passwd").write_text(
            f"root:x:0:0:root:/root:/bin/sh\njo:x:{os.geteuid() or 1000}:1000:Jo Doe,,,:/home/jo:/bin/sh\n"
        )
        units = self.root / "usr/lib/systemd/system"
        units.mkdir(parents=True)
        (units / "opensmtpd.service").write_text("[Install]\nWantedBy=multi-user.target\n")
        (self.root / "etc/group").write_text("root:x:0:\njo:x:1000:\n")
        if os.geteuid() == 0:
            os.chown(self.root / "home" / "jo", 1000, 1000)
        self._socket = str(directory / "tmux")
        self._status = directory / "status"
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join((str(checkout), str(checkout / "router"))),
        }

    def start(self, *options: str) -> None:
        """Open the wizard at 80x24."""
        words = [sys.executable, "-m", "dexsetup.cli", "--root", str(self.root), *options]
        line = f"{' '.join(words)}; echo $? > {self._status}"
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "sh", "-c", line)

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *words],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    @property
    def text(self) -> str:
        return self._tmux("capture-pane", "-p")

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + _SECONDS
        while not condition():
            assert time.monotonic() < deadline, self.text
            time.sleep(0.05)

    def shows(self, *texts: str) -> None:
        self.until(lambda: all(text in self.text for text in texts))

    def cursor(self) -> tuple[int, int]:
        x, _, y = self._tmux("display-message", "-p", "#{cursor_x} #{cursor_y}").partition(" ")
        return int(x), int(y)

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def signal(self, name: str) -> None:
        """Send a signal to the wizard itself."""
        shell = self._tmux("display-message", "-p", "#{pane_pid}").strip()
        children = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        subprocess.run(["kill", f"-{name}", children[0]], check=True)

    def code(self) -> int:
        self.until(lambda: self._status.exists() and self._status.read_text().strip())
        return int(self._status.read_text())

    def close(self) -> None:
        self._tmux("kill-server")


@pytest.fixture
def terminal(tmp_path: Path, checkout: Path) -> Iterator[Terminal]:
    """Give a terminal, and take it down."""
    window = Terminal(tmp_path, checkout)
    yield window
    window.close()


def test_a_whole_first_run_by_keys(terminal: Terminal) -> None:
    """Enter to Review, the risk, Apply: the files are in the directory, and ^Q ends with the run's code."""
    terminal.start()
    terminal.shows("Go on", "People: jo")
    for page in ("2/9 Identity", "3/9 Peers", "4/9 Firewall", "5/9 Mail", "6/9 Phone", "7/9 Review"):
        terminal.press("Enter")
        terminal.shows(page, "Nothing has been written.")
    terminal.shows("steps:", "Risk mesh-mail")
    terminal.press("Enter")
    terminal.shows(">[ ] understood")
    terminal.press("Space")
    terminal.shows(">[x] understood")
    terminal.press("C-a")
    terminal.shows("To go back: dexsetup undo")
    terminal.press("C-q")
    assert terminal.code() == 0
    saved = (terminal.root / "etc/dexsetup/answers.toml").read_bytes()
    assert load_answers(saved, "answers").answers.node is not None
    assert (terminal.root / "etc/cjdroute.conf").stat().st_mode & 0o777 == 0o600


def test_resizing_and_the_cursor(terminal: Terminal) -> None:
    """The terminal's own cursor stands on the control that has the keyboard, at every size."""
    terminal.start()
    terminal.shows("Go on", "People: jo")

    def is_on_button() -> bool:
        x, y = terminal.cursor()
        line = terminal.text.split("\n")[y]
        return line[x : x + 4] == ">[ G"

    terminal.until(is_on_button)
    terminal.resize(59, 15)
    terminal.shows("too small for the wizard")
    terminal.resize(120, 40)
    terminal.shows("Go on")
    terminal.until(is_on_button)


@pytest.mark.parametrize("name", ["TERM", "HUP"])
def test_signals_end_it_and_nothing_is_written(terminal: Terminal, name: str) -> None:
    """A terminal that goes away, or a shutdown: exit code 130, and the directory as it was."""
    terminal.start()
    terminal.shows("Go on", "People: jo")
    before = sorted(path for path in terminal.root.rglob("*"))
    terminal.signal(name)
    assert terminal.code() == 130
    assert sorted(path for path in terminal.root.rglob("*")) == before


def test_plain_in_a_terminal(terminal: Terminal) -> None:
    """--plain draws nothing over: numbered lines and a prompt."""
    terminal.start("--plain", "--ask", "node")
    terminal.shows("1/2 Identity", "node.key [keep]:")
    terminal.press("C-d")
    assert terminal.code() == 130
