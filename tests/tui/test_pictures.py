"""What people see, as text: every page at 80x24, and the others sizes and modes where they differ.

After a wanted change: DEX_GOLDENS=write python -m pytest tests/tui/test_pictures.py, and read the diff.
"""

from __future__ import annotations

import difflib
import os
import re

import pytest

from dexrouter.config import ConnectTo, apply_edits, upsert_peer
from step_inputs import DRAWN, OTHER_KEY
from tui_rig import GOLDENS, Driver, debian_host, desk_for, drive, two_peers

PAGES = ("Welcome", "Identity", "Peers", "Firewall", "Mail", "Phone", "Review")
SIZES = {"80x24": (80, 24), "100x30": (100, 30), "60x16": (60, 16)}
_TIME = re.compile(r"\d+\.\d s|(?<![\w.:])\d\d:\d\d(?![\w.:])|\d{8}T\d{6}Z-[0-9a-f]{2}")


def compare(name: str, shown: str) -> None:
    """Compare a picture with the one that was read and accepted."""
    path = GOLDENS / f"{name}.txt"
    steady = _TIME.sub(lambda match: "~" * len(match[0]), shown)
    if os.environ.get("DEX_GOLDENS") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(steady)
    expected = path.read_text() if path.exists() else ""
    diff = "\n".join(difflib.unified_diff(expected.splitlines(), steady.splitlines(), lineterm=""))
    assert steady == expected, f"{name}:\n{diff}"


@pytest.mark.parametrize("size", SIZES)
def test_every_page(size: str) -> None:
    """Each page is whole at 80x24, usable at 60x16, and from 100 columns the diff stands beside it."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        for number, page in enumerate(PAGES, 1):
            await driver.go(number, page)
            await driver.until(lambda: not driver.wizard.probing.is_under_way)
            await driver.planned()
            compare(f"{size}/{number}-{page.lower()}", driver.text)

    drive(desk_for(debian_host()), play, size=SIZES[size])


def test_ascii() -> None:
    """The Linux console gets no character beyond ASCII, from no page."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        for number, page in enumerate(PAGES, 1):
            await driver.go(number, page)
            await driver.until(lambda: not driver.wizard.probing.is_under_way)
            await driver.planned()
            assert driver.text.isascii()
            compare(f"ascii/{number}-{page.lower()}", driver.text)

    drive(desk_for(debian_host()), play, is_ascii=True)


def test_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR nothing that is drawn has a colour, and the text is the same."""
    monkeypatch.setenv("NO_COLOR", "1")

    async def play(driver: Driver) -> None:
        await driver.opened()
        for number, page in enumerate(PAGES, 1):
            await driver.go(number, page)
            await driver.until(lambda: not driver.wizard.probing.is_under_way)
            await driver.planned()
            for strip in driver.wizard.screen._compositor.render_strips():
                for segment in strip:
                    style = segment.style
                    assert style is None or style.color is None or style.color.is_default, segment
                    assert style is None or style.bgcolor is None or style.bgcolor.is_default, segment
            compare(f"80x24/{number}-{page.lower()}", driver.text)

    drive(desk_for(debian_host()), play)


def test_too_small_a_window_says_so() -> None:
    """Below 60x16 one sentence says what is needed and what else there is."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        assert "60 columns and 16 lines" in " ".join(driver.text.split())
        assert "dexsetup --plain" in " ".join(driver.text.split())

    drive(desk_for(debian_host()), play, size=(59, 20))


def test_resizing_keeps_page_and_answers() -> None:
    """A window that gets small and large again shows the same page, and the keyboard is where it was."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(2, "Identity")
        await driver.press("tab")
        focused = driver.wizard.focused
        for width, height in ((40, 10), (120, 40), (80, 24)):
            await driver.pilot.resize_terminal(width, height)
            await driver.pilot.pause()
        assert driver.wizard.focused is focused
        assert driver.wizard.step == "Identity"

    drive(desk_for(debian_host()), play)


@pytest.mark.parametrize("size", SIZES)
def test_apply_and_home(size: str) -> None:
    """The run while nothing fails, and Home as the router's peers would fill it."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(7, "Review")
        driver.wizard.draft.accept("mesh-mail", is_on=True)
        driver.wizard.draft_changed()
        await driver.planned()
        await driver.press("ctrl+a")
        await driver.until(
            lambda: driver.wizard.running.view is not None and not driver.wizard.running.is_applying
        )
        await driver.until(lambda: getattr(driver.wizard.focused, "id", "") == "home")
        compare(f"{size}/8-apply", driver.text)
        await driver.planned()
        await driver.go(9, "Home")
        two_peers(driver.wizard)
        await driver.pilot.pause()
        compare(f"{size}/9-home", driver.text)

    drive(desk_for(debian_host()), play, size=SIZES[size])


def test_a_machine_that_is_set_up_opens_home() -> None:
    """The second start shows the node; a goes to the peers, Esc comes back."""
    entry = ConnectTo("203.0.113.5:1", OTHER_KEY, "pw", None, "old friend")
    config = apply_edits(DRAWN, upsert_peer(DRAWN, entry))
    files = {"/etc/cjdroute.conf": config, "/etc/dexsetup/answers.toml": b"schema = 1\n[node]\n"}

    async def play(driver: Driver) -> None:
        await driver.until(lambda: driver.wizard.step == "Home")
        await driver.at("Home")
        await driver.press("a")
        await driver.at("Peers")
        assert "[=] old friend" in driver.text
        await driver.press("escape")
        await driver.at("Home")
        await driver.press("u")
        assert "There is no run to undo." in driver.text

    drive(desk_for(debian_host(files=files)), play)
