"""A key is answered while the machine is slow, and a fault of ours ends with a report and no secrets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import dexsetup.commands.crash
from dexsetup.host.base import ProgressSink
from dexsetup.host.fake import FakePackages
from dexsetup.probe import Result
from dexsetup.ui.desk import Looked, Survey
from dexsetup.ui.draft import Draft
from dexsetup.ui.pages.firewall import FirewallPage
from tui_rig import Driver, debian_host, desk_for, drive

_AT_ONCE = 5.0
"""Seconds: far more than a key takes on a busy machine, far less than the work that is under way."""


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


async def answered(driver: Driver, key: str, text: str) -> None:
    """Press a key and see what it brings, at once."""
    started = time.monotonic()
    await driver.press(key)
    assert text in driver.text
    assert time.monotonic() - started < _AT_ONCE


def test_keys_are_answered_while_the_machine_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The survey hangs in a program of the machine: help opens and closes, and quitting quits."""
    desk = desk_for(debian_host())
    release = threading.Event()
    survey = desk.survey

    def slow() -> Survey:
        release.wait(30.0)
        return survey()

    monkeypatch.setattr(desk, "survey", slow)

    async def play(driver: Driver) -> None:
        try:
            await driver.until(lambda: "Looking at this machine" in driver.text)
            await answered(driver, "f1", "Help: Welcome")
            await answered(driver, "escape", "This sets up a mesh node")
            await answered(driver, "ctrl+n", "Still looking at this machine")
            await driver.press("ctrl+q")
        finally:
            release.set()

    assert drive(desk, play).return_value == 0


def test_keys_are_answered_while_peers_do_not_answer() -> None:
    """A handshake that waits for its timeout keeps nobody from ticking, pasting or going on."""
    release = threading.Event()

    def slow(peers: object, *, report: object, is_stopped: Callable[[], bool]) -> tuple[Result, ...]:
        del peers, report
        while not release.wait(0.2) and not is_stopped():
            pass
        return ()

    async def play(driver: Driver) -> None:
        try:
            await driver.opened()
            await driver.go(3, "Peers")
            assert "asked 0/" in driver.text
            driver.wizard.page.query_one("#peers").focus()
            await answered(driver, "space", "[x]")
            await answered(driver, "p", "paste what was sent to you")
            await answered(driver, "escape", "Whom shall this node call?")
            await answered(driver, "ctrl+n", "4/9 Firewall")
        finally:
            release.set()

    wizard = drive(desk_for(debian_host(), prober=slow), play)
    assert len(wizard.draft.answers.peer) == 1


def test_keys_are_answered_while_packages_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package manager hangs: the log opens, quitting says how to stop, and Esc stops."""
    host = debian_host()
    host.packages.present.discard("s-nail")
    release = threading.Event()
    began = threading.Event()
    install = FakePackages.install

    def slow(packages: FakePackages, names: Sequence[str], progress: ProgressSink) -> None:
        progress("waiting for a lock")
        began.set()
        release.wait(30.0)
        install(packages, names, progress)

    monkeypatch.setattr(FakePackages, "install", slow)

    async def play(driver: Driver) -> None:
        try:
            await driver.opened()
            await driver.go(7, "Review")
            driver.wizard.draft.accept("mesh-mail", is_on=True)
            driver.wizard.draft_changed()
            await driver.planned()
            await driver.press("ctrl+a")
            await driver.until(began.is_set)
            await driver.until(lambda: "waiting for a lock" in driver.text)
            await answered(driver, "f3", "Log of the run")
            await answered(driver, "escape", "waiting for a lock")
            await answered(driver, "ctrl+q", "Esc stops it")
            await answered(driver, "escape", "Stopping after the change")
        finally:
            release.set()
        await driver.ran()
        assert "Everything was undone." in driver.text

    before = host.snapshot()["files"]
    drive(desk_for(host), play)
    assert host.snapshot()["files"] == before


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


def test_a_fault_of_ours_tells_no_secret_of_the_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own words may hold one: neither the screen nor the report does."""
    monkeypatch.setattr(dexsetup.commands.crash, "REPORTS", str(tmp_path / "reports"))

    def broken(_: FirewallPage) -> None:
        raise RuntimeError("what of hunter2hunter2 here")

    monkeypatch.setattr(FirewallPage, "renew", broken)
    desk = desk_for(debian_host())
    desk.session.redactor.learn(["hunter2hunter2"])

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.press("4")
        await driver.pilot.pause(0.5)

    with pytest.raises(RuntimeError):
        drive(desk, play)
    (report,) = (tmp_path / "reports").iterdir()
    assert "RuntimeError: what of *** here" in report.read_text()
    assert "hunter2" not in "".join(capsys.readouterr())


def test_a_file_in_a_home_of_nobody_is_no_fault() -> None:
    """It is said like a file that is not there; it used to end the wizard."""

    async def play(driver: Driver) -> None:
        await driver.opened()
        await driver.go(3, "Peers")
        await driver.press("o")
        await driver.type("~no-such-user/peers")
        await driver.press("enter", "enter")
        assert "cannot be read: Could not determine home directory" in driver.text
        await driver.press("escape")

    drive(desk_for(debian_host()), play, size=(150, 30))
