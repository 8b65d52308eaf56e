"""The wizard in a real terminal (tmux) over a directory: started, typed into, resized, ended by signals."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dexsetup.answers.load import load_answers
from machine import needs, program
from terminal import Terminal

pytestmark = needs(program("tmux"))


class Image(Terminal):
    """A terminal with the wizard over a directory that stands for a machine."""

    def __init__(self, directory: Path, checkout: Path) -> None:
        path = os.pathsep.join((str(checkout), str(checkout / "router")))
        super().__init__(directory, environment={"PYTHONPATH": path})
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

    def files(self) -> dict[str, tuple[int, bytes]]:
        """Return mode and content of everything but dexsetup's own records."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = path.relative_to(self.root).as_posix()
            if not "var/lib/dexsetup/".startswith(f"{name}/") and not name.startswith(
                ("var/lib/dexsetup", "run")
            ):
                content = path.read_bytes() if path.is_file() else b""
                found[name] = (path.lstat().st_mode, content)
        return found

    def open(self, *options: str) -> None:
        """Open the wizard at 80x24."""
        self.start([sys.executable, "-m", "dexsetup.cli", "--root", str(self.root), *options])


@pytest.fixture
def terminal(tmp_path: Path, checkout: Path) -> Iterator[Image]:
    """Give a terminal, and take it down."""
    window = Image(tmp_path, checkout)
    yield window
    window.close()


def test_a_whole_first_run_by_keys(terminal: Image) -> None:
    """Enter to Review, the risk, Apply: the files are in the directory, and ^Q ends with the run's code."""
    terminal.open()
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


def test_resizing_and_the_cursor(terminal: Image) -> None:
    """The terminal's own cursor stands on the control that has the keyboard, at every size."""
    terminal.open()
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
def test_signals_end_it_and_nothing_is_written(terminal: Image, name: str) -> None:
    """A terminal that goes away, or a shutdown: exit code 130, and the directory as it was."""
    terminal.open()
    terminal.shows("Go on", "People: jo")
    before = sorted(path for path in terminal.root.rglob("*"))
    terminal.signal(name)
    assert terminal.code() == 130
    assert sorted(path for path in terminal.root.rglob("*")) == before


def test_sigterm_in_the_middle_of_apply_undoes_what_was_done(terminal: Image) -> None:
    """The change that is under way is finished, then everything is as before; exit code 130."""
    before = terminal.files()
    terminal.open("--ask", "review")
    terminal.shows("steps:", "Risk mesh-mail", "Nothing has been written.")
    terminal.press("Enter")
    terminal.shows(">[ ] understood")
    terminal.press("Space")
    terminal.shows(">[x] understood")
    terminal.press("C-a")
    terminal.until((terminal.root / "etc/cjdroute.conf").exists)
    terminal.signal("TERM")
    assert terminal.code() == 130
    assert terminal.files() == before
    (run,) = (terminal.root / "var/lib/dexsetup/runs").iterdir()
    assert '"result":"undone"' in (run / "journal.jsonl").read_text()


def test_plain_in_a_terminal(terminal: Image) -> None:
    """--plain draws nothing over: numbered lines and a prompt."""
    terminal.open("--plain", "--ask", "node")
    terminal.shows("1/2 Identity", "node.key [keep]:")
    terminal.press("C-d")
    assert terminal.code() == 130
