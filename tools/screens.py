"""Draws docs/screens/*.svg with the real wizard over a machine in memory, driven by keys.

    python tools/screens.py

The machine, its peers and their answers are made up (tests/support/tui_rig.py); all else is the program.
"""

# ruff: noqa: INP001 - a script of the tree, not a package
from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
for part in ("", "router", "tests/support"):
    sys.path.insert(0, str(ROOT / part))

import dexsetup.program_tree  # noqa: E402 - the path has to be set first
from dexsetup.ui.app import Wizard  # noqa: E402 - as above
from tui_rig import TREE, Driver, debian_host, desk_for, drive, two_peers  # noqa: E402 - as above

SCREENS = ROOT / "docs" / "screens"
_PAGES = ("Welcome", "Identity", "Peers", "Firewall", "Mail", "Phone", "Review")
_SIZE = (110, 30)


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
        await driver.until(lambda: not wizard.is_probing)
        await driver.planned()
        save(wizard, page.lower())
    wizard.draft.accept("mesh-mail", is_on=True)
    wizard.draft_changed()
    await driver.planned()
    await driver.press("ctrl+a")
    await driver.until(lambda: wizard.run_view is not None and not wizard.is_applying)
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


def main() -> None:
    """Draw all of them."""
    dexsetup.program_tree.prepare = _nothing_is_gathered
    drive(desk_for(debian_host()), play, size=_SIZE)
    for path in sorted(SCREENS.glob("*.svg")):
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
