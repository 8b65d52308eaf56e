"""Draws docs/screens/*.svg with the real wizard over a machine in memory, driven by keys.

It also writes down a whole first run at 80x24 as text, with every key that was pressed: first-run.txt.

    python tools/screens.py

The machine, its peers and their answers are made up (tests/support/tui_rig.py); all else is the program.
"""

# ruff: noqa: INP001 - a script of the tree, not a package
from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
for part in ("", "router", "tests/support"):
    sys.path.insert(0, str(ROOT / part))

import dexsetup.program_tree  # noqa: E402 - the path has to be set first
import dexsetup.ui.desk  # noqa: E402 - as above
from dexsetup.ui.app import Wizard  # noqa: E402 - as above
from tui_rig import TREE, Driver, debian_host, desk_for, drive, two_peers  # noqa: E402 - as above

SCREENS = ROOT / "docs" / "screens"
_PAGES = ("Welcome", "Identity", "Peers", "Firewall", "Mail", "Phone", "Review")
_SIZE = (110, 30)
_UNSTEADY = re.compile(r"\d+\.\d s|(?<![\w.:])\d\d:\d\d(?![\w.:])|\d{8}T\d{6}Z-[0-9a-f]{2}")


def save(wizard: Wizard, name: str) -> None:
    """Write one picture."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    (SCREENS / f"{name}.svg").write_text(wizard.export_screenshot(title="dexsetup"))


async def play(driver: Driver) -> None:
    """Walk through a whole first run."""
    wizard = driver.wizard
    await driver.opened()
    for number, page in enumerate(_PAGES, 1):
        await driver.go(number, page)
        await driver.until(lambda: not wizard.probing.is_under_way)
        await driver.planned()
        save(wizard, page.lower())
    wizard.draft.accept("mesh-mail", is_on=True)
    wizard.draft_changed()
    await driver.planned()
    await driver.press("ctrl+a")
    await driver.ran()
    await driver.until(lambda: getattr(wizard.focused, "id", "") == "home")
    save(wizard, "apply")
    await driver.planned()
    await driver.go(9, "Home")
    two_peers(wizard)
    await driver.pilot.pause()
    save(wizard, "home")


def _nothing_is_gathered(staging: Path, *, python: str = "") -> Path:
    del staging, python
    return Path(TREE)


def _run_name(wall_clock: float) -> str:
    """Return a name that is the same each time a picture is drawn."""
    del wall_clock
    return "20261123T100000Z-3f"


def _stopped() -> float:
    """Return the same time always: a picture shows no machine's speed."""
    return 0.0


class Record:
    """A first run, key by key."""

    def __init__(self) -> None:
        self.lines = ["# A first run at 80x24, typed as somebody new would. Made by tools/screens.py."]
        self.keys = 0

    async def press(self, driver: Driver, why: str, *keys: str) -> None:
        """Press keys and write down what is on the screen then."""
        await driver.press(*keys)
        self.keys += len(keys)
        self.lines += ["", f"# {self.keys}: {' '.join(keys)}   {why}", ""]

    def look(self, driver: Driver) -> None:
        """Write down what is on the screen."""
        self.lines += [f"    {line}".rstrip() for line in driver.text.splitlines()]

    async def play(self, driver: Driver) -> None:
        """Enter to Review, the one decision that nobody can take for a person, Apply, a letter."""
        wizard = driver.wizard
        await driver.opened()
        self.look(driver)
        for page in _PAGES[1:]:
            await self.press(driver, f"to {page}", "enter")
            await driver.at(page)
            await driver.until(lambda: not wizard.probing.is_under_way)
            await driver.planned()
            self.look(driver)
        await self.press(driver, "Apply asks for the risk first", "enter")
        await self.press(driver, "understood", "space")
        await driver.planned()
        self.look(driver)
        await self.press(driver, "apply", "ctrl+a")
        await driver.ran()
        await driver.until(lambda: getattr(wizard.focused, "id", "") == "home")
        self.look(driver)
        await driver.planned()
        await self.press(driver, "to Home", "enter")
        await driver.at("Home")
        two_peers(wizard)
        await driver.pilot.pause()
        self.look(driver)
        self.lines += ["", f"# {self.keys} keys, one decision: the risk. m sends the first letter."]

    def write(self) -> None:
        """Write the file. What differs from run to run is left out."""
        text = _UNSTEADY.sub(lambda match: "~" * len(match[0]), "\n".join(self.lines))
        (SCREENS / "first-run.txt").write_text(f"{text}\n")


def main() -> None:
    """Draw all of them."""
    dexsetup.program_tree.prepare = _nothing_is_gathered
    dexsetup.ui.desk.new_run_name = _run_name
    drive(desk_for(debian_host()), play, size=_SIZE, clock=_stopped)
    record = Record()
    drive(desk_for(debian_host()), record.play, clock=_stopped)
    record.write()
    for path in sorted(SCREENS.glob("*")):
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
