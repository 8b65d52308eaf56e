"""The root-owned copy of the programs: what is in it, that it works alone, that it is the same every time."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path

import pytest

from dexsetup import program_tree
from dexsetup.errors import MachineError
from dexsetup.program_tree import gather, prepare, requirements

UNCHECKED_HASH = (1).to_bytes(4, "little")
"""Flags of bytecode that is never compared with its source."""


@pytest.fixture(scope="module")
def python() -> str:
    return sys.executable


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("program")


@pytest.fixture(scope="module")
def tree(staging: Path, python: str) -> Path:
    return prepare(staging, python=python)


def test_what_is_needed_is_followed_through_every_requirement() -> None:
    """Also through extras: textual asks for markdown-it-py[linkify]."""
    found = set(requirements())
    assert {"jinja2", "markupsafe", "pynacl", "cffi", "pycparser", "pydantic", "pydantic-core"} <= found
    assert {"textual", "markdown-it-py", "linkify-it-py"} <= found
    assert not found & {"pytest", "hypothesis", "ruff", "mypy"}


def test_a_needed_package_that_is_missing_is_named() -> None:
    with pytest.raises(MachineError, match="no-such-package"):
        requirements(roots=("no-such-package",))
    assert requirements(roots=(), optional=("no-such-package",)) == ()


def test_the_copy_holds_programs_templates_and_launchers(tree: Path) -> None:
    for path in (
        "bin/dexrouter",
        "bin/dexctl",
        "bin/dexsetup",
        "bin/dex-mailfilter",
        "bin/dex-mailqueue",
        "lib/dexsetup/plan/model.py",
        "lib/dexsetup/templates/opensmtpd/smtpd.conf.j2",
        "lib/dexrouter/__init__.py",
        "lib/nacl/__init__.py",
        "lib/jinja2/tests.py",
    ):
        assert (tree / path).is_file(), path


def test_the_copy_holds_no_tests_and_no_dead_links(tree: Path) -> None:
    for path in tree.rglob("*"):
        assert path.is_dir() or path.is_file()
        assert path.name not in {"tests", "RECORD", "direct_url.json"}
        assert path.is_dir() or path.stat().st_mode & 0o777 == (
            0o755 if path.parent == tree / "bin" else 0o644
        )


def test_every_module_of_the_router_has_bytecode_that_is_valid_anywhere(tree: Path) -> None:
    """Nobody may write it later, so a copy without it would be compiled anew at each start."""
    for module in (tree / "lib" / "dexrouter").rglob("*.py"):
        compiled = Path(cache_from_source(str(module)))
        header = compiled.read_bytes()[:8]
        assert header[:4] == MAGIC_NUMBER
        assert header[4:] == UNCHECKED_HASH
        assert str(tree).encode() not in compiled.read_bytes()


def test_an_unchanged_installation_is_not_copied_again(tree: Path, staging: Path, python: str) -> None:
    """The tree stays the very same directory; a changed launcher makes a new one."""
    before = tree.stat().st_ino
    assert prepare(staging, python=python) == tree
    assert tree.stat().st_ino == before
    (staging / "tree.stamp").write_text("another")
    assert prepare(staging, python=python) == tree
    assert tree.stat().st_ino != before


def test_two_that_gather_at_once_wait_for_each_other(tmp_path: Path, python: str) -> None:
    """Neither takes the other's half-gathered copy for something that a crash has left."""
    with ThreadPoolExecutor(2) as both:
        trees = [both.submit(prepare, tmp_path, python=python) for _ in range(2)]
        assert {tree.result() for tree in trees} == {tmp_path / "tree"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "tree", "tree.stamp"]


def test_gathered_anew_it_is_the_same_to_the_byte(tree: Path, tmp_path: Path, python: str) -> None:
    again = prepare(tmp_path, python=python)
    for path in tree.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(tree)).read_bytes(), path


def test_the_same_installation_gives_the_same_files(python: str) -> None:
    assert gather(python=python) == gather(python=python)


def test_the_copy_runs_without_anything_of_where_it_came_from(tree: Path, tmp_path: Path) -> None:
    """Started from elsewhere, with a hostile environment, it imports from itself alone."""
    launcher = tmp_path / "copy" / "bin" / "dexrouter"
    subprocess.run(["cp", "-r", str(tree), str(tmp_path / "copy")], check=True)
    answer = subprocess.run(
        [str(launcher), "--version"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere"},
    )
    assert answer.stdout.startswith("dexrouter ")


def test_a_launcher_of_another_python_says_so(tree: Path, tmp_path: Path) -> None:
    """A new minor version of Python cannot use compiled packages of the old one."""
    text = (tree / "bin" / "dexrouter").read_text()
    stale = tmp_path / "dexrouter"
    version = f"({sys.version_info.major}, {sys.version_info.minor})"
    assert version in text
    stale.write_text(text.replace(version, "(3, 2)"))
    answer = subprocess.run([sys.executable, str(stale)], check=False, capture_output=True, text=True)
    assert answer.returncode == 3
    assert "Run dexsetup again" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_mail_filter_starts_from_the_copy_with_the_standard_library_alone(tree: Path) -> None:
    """Whatever Python comes next can run it: opensmtpd would end with it."""
    launcher = tree / "bin" / "dex-mailfilter"
    answer = subprocess.run(
        [str(launcher)],
        input=b"config|ready\n",
        check=True,
        capture_output=True,
        env={"PYTHONPATH": "/nowhere"},
    )
    assert answer.stdout.endswith(b"register|ready\n")
    assert "version_info" not in launcher.read_text()


def test_a_system_python_of_another_version_is_refused(tmp_path: Path) -> None:
    """The sentence names both versions and the command that helps."""
    other = tmp_path / "python3.2"
    other.write_text("#!/bin/sh\n")
    with pytest.raises(MachineError, match=r"which is Python 3\.2") as caught:
        gather(python=str(other))
    assert caught.value.advice.startswith("DEX_PYTHON=")
    with pytest.raises(MachineError, match="which is not there"):
        gather(python=str(tmp_path / "python3"))


def test_an_installed_copy_is_its_own_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run from /opt/dexsetup, nothing is gathered."""
    module = tmp_path / "lib" / "dexsetup" / "program_tree.py"
    module.parent.mkdir(parents=True)
    launcher = tmp_path / "bin" / "dexrouter"
    launcher.parent.mkdir()
    launcher.touch()
    monkeypatch.setattr(program_tree, "__file__", str(module))
    assert prepare(tmp_path / "unused") == tmp_path
    assert not (tmp_path / "unused").exists()


def test_nobody_else_can_write_where_the_programs_are_gathered(tmp_path: Path, python: str) -> None:
    """Below /tmp, somebody may have made the directory, or a link, before: both are refused, untouched."""
    open_to_all, link = tmp_path / "open", tmp_path / "link"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    mine = tmp_path / "mine"
    mine.mkdir()
    link.symlink_to(mine)
    for staging in (open_to_all, link):
        with pytest.raises(MachineError, match="is no directory that you alone can write"):
            prepare(staging, python=python)
    assert list(open_to_all.iterdir()) == list(mine.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, python: str) -> None:
    """A full disk or a file in the way is no fault of ours."""
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match=r"could not be gathered in .*/file/below"):
        prepare(tmp_path / "file/below", python=python)
