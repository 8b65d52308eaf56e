"""The command line as a person or a script meets it: what it prints, what it returns, what it imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
KEY = "lhj54c2xnczfurpw42d0h1bvc4qquclb4dw72q50tc83ucmm9zt0.k"


def dexsetup(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'router'}"}
    argv = [sys.executable, "-m", "dexsetup", *words]
    return subprocess.run(
        argv, input=stdin, capture_output=True, text=True, check=False, env=environment, timeout=60
    )


def imported_by(code: str) -> set[str]:
    """Return the modules that are loaded when `code` has run in a fresh interpreter."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'router'}"}
    program = f"import sys\n{code}\nprint(*sorted(sys.modules), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        timeout=60,
    )
    return {line.split(".")[0] for line in done.stdout.splitlines()}


def test_help_needs_only_argparse() -> None:
    """--help answers at once: nothing heavy is imported for it."""
    code = "from dexsetup.cli import _parser\n_parser().format_help()"
    heavy = {"pydantic", "tomlkit", "jinja2", "textual", "nacl", "pyroute2", "dexrouter"}
    assert not imported_by(code) & heavy


def test_answers_facts_and_plan_import_nothing_but_pydantic_and_tomlkit() -> None:
    """The engine's rooms need no renderer, no screen, no network library and no step."""
    code = (
        "import dexsetup.answers.load, dexsetup.answers.save, dexsetup.answers.sample\n"
        "import dexsetup.answers.schema\n"
        "import dexsetup.answers.merge, dexsetup.answers.origin, dexsetup.answers.secrets\n"
        "import dexsetup.facts\n"
        "import dexsetup.plan.engine, dexsetup.plan.build, dexsetup.plan.undo, dexsetup.plan.verify\n"
        "steps = [name for name in sys.modules if name.startswith(('dexsetup.steps', 'dexsetup.ui'))]\n"
        "assert not steps, steps"
    )
    others = {"jinja2", "textual", "nacl", "pyroute2", "dexrouter", "firewall", "dbus"}
    assert not imported_by(code) & others


def test_headless_runs_where_textual_is_not(tmp_path: Path) -> None:
    """A whole headless run of the command imports no screen."""
    answers = tmp_path / "my.toml"
    answers.write_text("schema = 1\n")
    code = (
        "sys.modules['textual'] = None\n"
        "from dexsetup.cli import main\n"
        f"assert main(['--root', {str(tmp_path)!r}, '--answers', {str(answers)!r}, '--dry-run']) == 10"
    )
    assert "textual.app" not in imported_by(code)


def test_without_a_terminal_and_answers_it_says_what_to_use() -> None:
    """Exit 2, with the commands to use, on standard error."""
    done = dexsetup()
    assert done.returncode == 2
    assert "dexsetup answers new > my.toml" in done.stderr
    assert done.stdout == ""


def test_bad_answers_are_told_all_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    """Every problem on standard error with its line; exit 2; the tree is untouched."""
    answers = tmp_path / "my.toml"
    answers.write_text("schema = 1\n[mail]\nenabel = true\n[nodee]\n")
    before = sorted(tmp_path.rglob("*"))
    done = dexsetup("--root", str(tmp_path), "--answers", str(answers))
    assert done.returncode == 2
    assert done.stderr.splitlines()[:2] == [
        f'{answers}:3: mail.enabel: unknown key. Did you mean "enable"?',
        f'{answers}:4: nodee: unknown key. Did you mean "node"?',
    ]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_password_file_is_told_with_its_line(tmp_path: Path) -> None:
    """As any other mistake in the file of answers."""
    answers = tmp_path / "my.toml"
    answers.write_text('schema = 1\n[[allow]]\nlogin = "ann"\npassword = "file:/nowhere"\n')
    done = dexsetup("--root", str(tmp_path), "--answers", str(answers), "--dry-run")
    assert done.returncode == 2
    assert done.stderr.startswith(f"{answers}:4: allow[1].password is to come from /nowhere, ")


def test_answers_commands() -> None:
    """The sample checks, the schema is JSON, show names origins, and a current file needs no migration."""
    sample = dexsetup("answers", "new")
    assert sample.returncode == 0
    checked = dexsetup("answers", "check", "-", stdin=sample.stdout)
    assert (checked.returncode, checked.stdout.split(":")[0]) == (0, "standard input")
    assert json.loads(dexsetup("answers", "schema").stdout)["title"] == "Answers of dexsetup"
    shown = dexsetup("answers", "show", "-", stdin='schema = 1\n[node]\ndevice = "mesh0"\n')
    line = next(line for line in shown.stdout.splitlines() if line.startswith("node.device"))
    assert line.split() == ["node.device", "mesh0", "answers"]


def test_public_peers_are_listed_as_lines_and_as_json() -> None:
    """By country; each with its number; the source is named on standard error."""
    done = dexsetup("peers", "list", "--public", "--country", "us")
    assert done.returncode == 0
    assert "United States" in done.stdout
    assert "Public peers from https://" in done.stderr
    first = json.loads(
        dexsetup("peers", "list", "--public", "--country", "us", "--json").stdout.splitlines()[0]
    )
    assert {"number", "name", "address", "public_key", "place", "attribution"} <= set(first)
    assert "password" not in first


def test_events_are_json_lines_on_standard_output(tmp_path: Path) -> None:
    """--json: one object a line, the last one says how it ended; nothing else on standard output."""
    done = dexsetup("--root", str(tmp_path), "--answers", "-", "--json", "--dry-run", stdin="schema = 1\n")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["PlanMade", "RunDone"]
    assert (done.returncode, events[-1]["code"]) == (10, 10)


@pytest.mark.skipif(os.geteuid() != 0, reason="an image with owners needs root")
def test_peers_come_and_go_in_an_image(tmp_path: Path) -> None:
    """Added by paste, listed, removed by name; what was applied is remembered; undo takes it all back."""
    (tmp_path / "etc").mkdir()
    root = ("--root", str(tmp_path))
    paste = f'"192.0.2.1:26041": {{ "password": "word-word", "publicKey": "{KEY}", "peerName": "friend" }},'
    config = dexsetup_genconf()
    (tmp_path / "etc/cjdroute.conf").write_text(config)
    added = dexsetup("peers", "add", *root, "-", stdin=paste)
    assert added.returncode == 0, added.stderr
    assert "word-word" not in added.stdout + added.stderr
    assert dexsetup("peers", "list", *root).stdout.split() == ["friend", "192.0.2.1:26041", "-"]
    again = dexsetup("peers", "add", *root, "-", stdin=paste)
    assert "Nothing to do" in again.stdout
    removed = dexsetup("peers", "remove", *root, "friend")
    assert removed.returncode == 0, removed.stderr
    assert (tmp_path / "etc/cjdroute.conf").read_text() == config
    assert dexsetup("peers", "remove", *root, "friend").returncode == 2
    assert len(dexsetup("runs", *root).stdout.splitlines()) == 2
    for _ in range(2):
        assert dexsetup("undo", *root).returncode == 0
    assert sorted(path.name for path in (tmp_path / "etc").iterdir()) == ["cjdroute.conf"]
    assert (tmp_path / "etc/cjdroute.conf").read_text() == config


def dexsetup_genconf() -> str:
    """Return a configuration of a node."""
    import random  # noqa: PLC0415 - a seed for one file

    from dexrouter.config import genconf  # noqa: PLC0415 - as above

    return genconf(random.Random(1).randbytes)


def test_status_and_facts_of_an_image(tmp_path: Path) -> None:
    """An empty image has no address and no runs; its facts are JSON."""
    root = ("--root", str(tmp_path))
    status = json.loads(dexsetup("status", *root, "--json").stdout)
    assert status["address"] is None
    assert json.loads(dexsetup("facts", *root).stdout)["init"] == "systemd"
    assert dexsetup("runs", *root).stdout == "dexsetup has not changed anything on this machine.\n"
    assert dexsetup("verify", *root).returncode == 3


def test_a_fault_of_ours_leaves_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unforeseen exception is exit 1, with a report that only its owner can read."""
    from dexsetup import cli  # noqa: PLC0415 - patched here

    def broken(*_: object) -> None:
        raise RuntimeError("password = hunter22")

    monkeypatch.setattr(cli, "_run", broken)
    monkeypatch.setattr("dexsetup.commands.crash.REPORTS", str(tmp_path))
    assert cli.main(["status"]) == 1
    said = capsys.readouterr().err
    assert "hunter22" not in said
    place = Path(said.split("is in ")[1].split(". What")[0])
    assert place.stat().st_mode & 0o777 == 0o600
    assert "hunter22" not in place.read_text()
    assert place.parent == tmp_path
