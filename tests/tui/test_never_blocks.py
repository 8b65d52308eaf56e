"""A key is answered while the machine is slow, and a fault of ours ends with a report and no secrets."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

import dexsetup.commands.crash
from dexsetup.ui.desk import Looked
from dexsetup.ui.draft import Draft
from dexsetup.ui.pages.firewall import FirewallPage
from tui_rig import Driver, debian_host, desk_for, drive

_AT_ONCE = 1.0
"""Seconds: far more than a key takes, far less than the work that is under way."""


def test_keys_are_answered_while_a_plan_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planning hangs; going through the pages and typing goes on as if it did not."""
    desk = desk_for(debian_host())
    release = threading.Event()

    def slow(draft: Draft) -> Looked:
        del draft
        release.wait(30.0)
        return Looked(problems=("late",))

    monkeypatch.setattr(desk, "look", slow)

    async def play(driver: Driver) -> None:
        try:
            await driver.until(lambda: driver.wizard.survey is not None)
            for number, page in ((2, "Identity"), (5, "Mail"), (4, "Firewall")):
                started = time.monotonic()
                await driver.go(number, page)
                assert time.monotonic() - started < _AT_ONCE
            driver.wizard.page.query("Tick").first().focus()
            started = time.monotonic()
            await driver.press("space")
            assert "[ ] Shall the router's port be opened" in driver.text
            assert time.monotonic() - started < _AT_ONCE
        finally:
            release.set()

    wizard = drive(desk, play)
    assert wizard.draft.answers.firewall is not None
    assert not wizard.draft.answers.firewall.enable


def test_a_fault_of_ours_shows_no_values(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The toolkit's own traceback prints local variables; ours names the fault and where the report is."""
    monkeypatch.setattr(dexsetup.commands.crash, "REPORTS", str(tmp_path / "reports"))

    def broken(page: FirewallPage) -> None:
        password = "hunter2hunter2"
        raise RuntimeError(f"no page of {type(page).__name__} for {len(password)}")

    monkeypatch.setattr(FirewallPage, "renew", broken)

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.press("4")
        await driver.pilot.pause(0.5)

    with pytest.raises(RuntimeError, match="no page of FirewallPage"):
        drive(desk_for(debian_host()), play)
    (report,) = (tmp_path / "reports").iterdir()
    shown = "".join(capsys.readouterr())
    assert str(report) in shown.replace("\n", "")
    assert "hunter2" not in shown
    assert "hunter2hunter2" not in report.read_text().replace('password = "hunter2hunter2"', "")
