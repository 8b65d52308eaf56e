"""The edge of the process: signals, pipes whose reader is gone, locales without UTF-8, the umask."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from dexrouter.config import genconf
from dexsetup import cli
from dexsetup.answers.load import load_answers
from dexsetup.answers.model import Answers, User
from dexsetup.host.rooted import RootedHost
from dexsetup.plan.journal import list_runs
from dexsetup.ui.desk import save_draft
from dexsetup.ui.draft import Draft
from machine import ROOT, needs

CHECKOUT = Path(__file__).resolve().parents[3]
KEY = "lhj54c2xnczfurpw42d0h1bvc4qquclb4dw72q50tc83ucmm9zt0.k"
ASCII_ALONE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""A locale that knows no more: Python's own ways out of it are shut."""


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "dexsetup", *words]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'router'}", **more}


def dexsetup(
    *words: str, stdin: bytes = b"", locale: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command(*words),
        input=stdin,
        capture_output=True,
        check=False,
        env=environment(**(locale or {})),
        timeout=60,
    )


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A directory that stands for a machine with a node."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/cjdroute.conf").write_text(genconf(random.Random(1).randbytes))
    return tmp_path


def add_peer(image: Path, name: bytes, **more: str) -> subprocess.CompletedProcess[bytes]:
    paste = b'"192.0.2.1:26041": { "password": "word-word", "publicKey": "%s", "peerName": "%s" }'
    words = ("peers", "add", "--root", str(image), "-")
    return dexsetup(*words, stdin=paste % (KEY.encode(), name), locale=more)


@needs(ROOT)
@pytest.mark.parametrize("option", [(), ("--json",)])
def test_a_reader_that_is_gone_does_not_end_a_run_in_the_middle(image: Path, option: tuple[str, ...]) -> None:
    """It is applied to the end, and the exit code is that of the run."""
    answers = image / "my.toml"
    answers.write_text("schema = 1\n[[allow]]\nlogin = 'ann'\n")
    words = command("--root", str(image), "--answers", str(answers), *option)
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment()
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(60) == 0
    assert '"ann"' in (image / "etc/cjdroute.conf").read_text()
    assert [record.result for record in list_runs(RootedHost(str(image)))] == ["applied"]


@needs(ROOT)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_undo_goes_on_to_its_end_whatever_signal_comes(
    image: Path,
    number: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It used to stop in the middle, and to say that nothing was changed."""
    before = (image / "etc/cjdroute.conf").read_bytes()
    assert add_peer(image, b"friend").returncode == 0
    write = RootedHost.write

    def interrupted(host: RootedHost, path: str, content: bytes, **more: object) -> None:
        if path.endswith("cjdroute.conf"):
            os.kill(os.getpid(), number)
        write(host, path, content, **more)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(RootedHost, "write", interrupted)
    assert cli.main(["undo", "--root", str(image)]) == 0
    said = capsys.readouterr()
    assert "Undo is under way, and goes on to its end" in said.err
    assert "was undone: what was there before is back" in said.out
    assert (image / "etc/cjdroute.conf").read_bytes() == before


@needs(ROOT)
def test_names_beyond_ascii_are_taken_and_shown_in_any_locale(image: Path) -> None:
    """What is read is UTF-8; what this locale cannot show stands there in escapes."""
    added = add_peer(image, "Zoë".encode(), **ASCII_ALONE)
    assert added.returncode == 0, added.stderr
    assert '"Zoë"' in (image / "etc/cjdroute.conf").read_text("utf-8")
    shown = dexsetup("peers", "list", "--root", str(image), locale=ASCII_ALONE)
    assert b"Zo\\xeb" in shown.stdout
    friend = ("card", "--for", "Zoë", "--at", "192.0.2.1", "--root", str(image))
    card = dexsetup(*friend, locale={"PYTHONUTF8": "1", "PYTHONIOENCODING": "ascii"})
    assert card.returncode == 0, card.stderr
    assert b"For Zo\\xeb, and nobody else" in card.stdout
    assert dexsetup(*friend, locale=ASCII_ALONE).stderr == b"--for: holds bytes that are no text\n"


def test_what_is_no_text_on_standard_input_is_no_fault_of_ours(image: Path) -> None:
    """Exit 2, with the reason."""
    done = add_peer(image, b"\xff")
    assert (done.returncode, done.stderr) == (2, b"standard input: not UTF-8 text\n")
    done = dexsetup("card", "-", stdin=b"\xff")
    assert (done.returncode, done.stderr) == (2, b"standard input: not UTF-8 text\n")


def test_a_report_holds_bytes_that_are_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They come from a command line in another encoding, and must not break the report of a fault."""

    def broken(*_: object) -> None:
        raise RuntimeError("\udcff")

    monkeypatch.setattr(cli, "_run", broken)
    monkeypatch.setattr("dexsetup.commands.crash.REPORTS", str(tmp_path))
    assert cli.main(["peers", "add", "\udcff"]) == 1
    (report,) = tmp_path.iterdir()
    assert b"peers add \\udcff" in report.read_bytes()


def test_answers_are_saved_as_utf8_in_any_locale(tmp_path: Path) -> None:
    """A file that the next run could not read would be no file of answers."""
    draft = Draft(Answers(schema=1, user=(User(login="jo", real_name="Zoë"),)))
    script = (
        "import sys\n"
        "from dexsetup.answers.model import Answers, User\n"
        "from dexsetup.ui.desk import save_draft\n"
        "from dexsetup.ui.draft import Draft\n"
        "save_draft(Draft(Answers(schema=1, user=(User(login='jo', real_name='Zo\\xeb'),))), sys.argv[1])\n"
    )
    path = tmp_path / "saved.toml"
    subprocess.run([sys.executable, "-c", script, str(path)], check=True, env=environment(**ASCII_ALONE))
    assert load_answers(path.read_bytes(), "saved").answers == draft.answers
    save_draft(draft, str(path))
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_whoever_starts_it_directories_are_made_for_all_to_enter_and_root_to_write(mask: int) -> None:
    """A service could not read below 077; with 000 anybody could write what root runs."""
    former = os.umask(mask)
    try:
        assert cli.main(["answers", "schema"]) == 0
    finally:
        left = os.umask(former)
    assert left == 0o022


@needs(ROOT)
def test_no_name_is_not_the_name_of_a_peer_without_one(image: Path) -> None:
    """An empty variable in a script removed the one peer that nobody had named."""
    assert add_peer(image, b"").returncode == 0
    before = (image / "etc/cjdroute.conf").read_bytes()
    done = dexsetup("peers", "remove", "--root", str(image), "")
    assert done.returncode == 2
    assert (image / "etc/cjdroute.conf").read_bytes() == before


@needs(ROOT)
def test_undo_with_dry_run_tells_and_changes_nothing(image: Path) -> None:
    """Before the command or after it: it used to undo all the same, or to be refused."""
    assert add_peer(image, b"friend").returncode == 0
    applied = (image / "etc/cjdroute.conf").read_bytes()
    for words in (("--dry-run", "undo"), ("undo", "--dry-run")):
        done = dexsetup(*words, "--root", str(image))
        said = done.stdout.decode()
        assert done.returncode == 10
        assert "give back /etc/cjdroute.conf" in said
        assert "remove /etc/dexsetup/answers.toml" in said
        assert "Nothing was changed." in said
    assert (image / "etc/cjdroute.conf").read_bytes() == applied
    assert dexsetup("undo", "--root", str(image)).returncode == 0
    done = dexsetup("undo", "--dry-run", "--root", str(image))
    assert (done.returncode, b"Nothing to undo" in done.stdout) == (0, True)


def test_what_changes_is_refused_where_dry_run_cannot_be_kept(tmp_path: Path) -> None:
    """Nobody who asks for a dry run gets another one."""
    done = dexsetup("--dry-run", "doctor", "--fix", "--root", str(tmp_path))
    assert (done.returncode, b"--fix changes what it finds" in done.stderr) == (2, True)


@needs(ROOT)
def test_undo_of_the_first_run_keeps_a_copy_of_the_key(tmp_path: Path) -> None:
    """Whoever undoes to try again has the address that friends know; a later run undone keeps no copy."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "my.toml").write_text("schema = 1\n[node]\nkey = 'keep'\n")
    root = ("--root", str(tmp_path))
    assert dexsetup(*root, "--answers", str(tmp_path / "my.toml")).returncode == 0
    made = (tmp_path / "etc/cjdroute.conf").read_bytes()
    assert add_peer(tmp_path, b"friend").returncode == 0
    assert b"kept" not in dexsetup("undo", *root).stderr
    done = dexsetup("undo", *root)
    assert done.returncode == 0
    assert not (tmp_path / "etc/cjdroute.conf").exists()
    (copy,) = tmp_path.glob("var/lib/dexsetup/runs/*/kept-*")
    assert f"a copy of /etc/cjdroute.conf is kept as /{copy.relative_to(tmp_path)}" in done.stderr.decode()
    assert copy.read_bytes() == made
    assert copy.stat().st_mode & 0o777 == 0o600
