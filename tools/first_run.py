"""Writes down a whole first run as a new user types it, in a real terminal at 80x24, and the run after it.

    sudo python tools/first_run.py

The home, its gateway and the peer are namespaces (tests/support/first_run.py); every program in them is the
real one. Writes docs/first-run.md, and the terminal's output with its times as docs/screens/first-run.cast
(asciicast v2: asciinema play). Needs root, tmux, opensmtpd and s-nail, as the test of the same run does.
"""

# ruff: noqa: INP001 - a script of the tree, not a package
from __future__ import annotations

import json
import os
import shlex
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
for part in ("", "router", "tests/support"):
    sys.path.insert(0, str(ROOT / part))

from first_run import FirstRun, Noted  # noqa: E402 - the path has to be set first

PAGE = ROOT / "docs" / "first-run.md"
CAST = ROOT / "docs" / "screens" / "first-run.cast"
_RECORD = "--record"
_INTRODUCTION = """\
# A first run, key by key

Made by `sudo python tools/first_run.py`: a home behind NAT in namespaces, a real router on the other side of
the gateway, the built wizard in tmux at 80x24, and somebody who was sent the credentials of one peer. Keys,
addresses and passwords are those of nodes that are gone. The same as a recording: `asciinema play
docs/screens/first-run.cast`.

"""


def record(path: Path) -> None:
    """Write standard input down with its times: what tmux feeds us is what the terminal was sent."""
    start = time.monotonic()
    with path.open("w") as cast:
        cast.write(json.dumps({"version": 2, "width": 80, "height": 24, "title": "dexsetup"}) + "\n")
        while piece := os.read(0, 65536):
            text = piece.decode("utf-8", "replace")
            cast.write(json.dumps([round(time.monotonic() - start, 3), "o", text]) + "\n")


def table(steps: list[Noted]) -> list[str]:
    """Return the steps as a table: what, how many keys, whether something had to be decided."""
    lines = ["| what | keys | decision |", "| --- | --- | --- |"]
    lines += [f"| {step.what} | {step.keys or ''} | {'yes' if step.is_decision else ''} |" for step in steps]
    keys, decisions = sum(step.keys for step in steps), sum(step.is_decision for step in steps)
    return [*lines, f"| **together** | **{keys}** | **{decisions}** |", ""]


def screens(steps: list[Noted]) -> list[str]:
    """Return what the terminal showed after each step."""
    lines = []
    for step in steps:
        shown = "\n".join(line.rstrip() for line in step.screen.rstrip().splitlines())
        lines += [f"**{step.what}**", "", "```", shown, "```", ""]
    return lines


def main() -> None:
    """Walk through both runs and write them down."""
    CAST.parent.mkdir(parents=True, exist_ok=True)
    writer = shlex.join([sys.executable, str(Path(__file__).resolve()), _RECORD, str(CAST)])
    with FirstRun() as run:
        run.record = writer
        run.open("Go on", "People: ann")
        run.go_to_review()
        run.begin_apply()
        run.wait_for_home()
        run.terminal.shows("public-node", "ESTABLISHED")
        run.send_letter()
        run.quit()
        first = list(run.noted)
        run.noted.clear()
        run.record = ""
        run.add_peer(run.start_second_node(), "second-node")
        run.quit()
        second = list(run.noted)
    lines = ["## From nothing to the first letter", "", *table(first), *screens(first)]
    lines += ["## The second run: one more peer", "", *table(second), *screens(second)]
    PAGE.write_text(_INTRODUCTION + "\n".join(lines).rstrip() + "\n")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}\n{CAST.relative_to(ROOT)}\n")


if __name__ == "__main__":
    if sys.argv[1:2] == [_RECORD]:
        record(Path(sys.argv[2]))
    else:
        main()
