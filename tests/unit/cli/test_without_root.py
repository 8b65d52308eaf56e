"""An ordinary user is told that a look needs root, not that there is nothing to see."""

from __future__ import annotations

import pytest

from dexsetup import cli
from dexsetup.commands.session import Flags, Session
from dexsetup.errors import MachineError
from dexsetup.exitcodes import ExitCode
from dexsetup.host.fake import FakeHost
from dexsetup.plan.places import ANSWERS
from dexsetup.steps.node import CONFIG
from tui_rig import debian_host


def use(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dexsetup.commands.session.open_host", lambda _: host)


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("runs",),
        ("verify",),
        ("audit",),
        ("doctor",),
        ("contacts", "list"),
        ("peers", "allowed"),
        ("card",),
    ],
)
@pytest.mark.parametrize("path", [ANSWERS, CONFIG])
def test_what_looks_at_roots_files_says_so(
    words: tuple[str, ...], path: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(debian_host(uid=1000, files={path: b"for root alone"}), monkeypatch)
    assert cli.main(words) == ExitCode.MACHINE
    assert f"sudo dexsetup {words[0]}" in capsys.readouterr().err


def test_what_is_for_all_needs_no_root(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The community's peers, and a friend's card."""
    use(debian_host(uid=1000, files={ANSWERS: b"for root alone"}), monkeypatch)
    assert cli.main(["peers", "list", "--public", "--country", "Japan"]) == ExitCode.OK
    assert "139.162.119.37:22237" in capsys.readouterr().out


def test_a_machine_without_a_node_is_open_to_all() -> None:
    """There is nothing to hide; root and images never ask."""
    Session(Flags(), debian_host(uid=1000)).need_root("status")
    Session(Flags(), debian_host(files={ANSWERS: b""})).need_root("status")
    with pytest.raises(MachineError, match="for root alone"):
        Session(Flags(), debian_host(uid=1000, files={ANSWERS: b""})).need_root("status")
