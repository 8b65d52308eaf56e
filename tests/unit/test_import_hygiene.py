"""What is loaded when, asked of a process of its own: a static graph cannot see a deferred import."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = """
import json, sys
for name in {blocked!r}:
    sys.modules[name] = None
from {module} import main
try:
    status = main({arguments!r})
except SystemExit as end:
    status = end.code
print(json.dumps([status or 0, sorted({{name.partition(".")[0] for name in sys.modules}})]))
"""


def run(
    checkout: Path, module: str, *arguments: str, blocked: tuple[str, ...] = ()
) -> tuple[int, set[str], str]:
    """Run a command in a fresh process; gives its status, the packages it has loaded and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT.format(blocked=blocked, module=module, arguments=list(arguments))],
        check=False,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{checkout}:{checkout / 'router'}", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    *_, last = done.stdout.splitlines()
    status, loaded = json.loads(last)
    return status, set(loaded), done.stdout


@pytest.mark.parametrize("argument", ["--version", "--help"])
@pytest.mark.parametrize("module", ["dexsetup.cli", "dexrouter.cli.daemon", "dexrouter.cli.control"])
def test_a_question_about_the_program_loads_nothing_heavy(checkout: Path, module: str, argument: str) -> None:
    """--version and --help answer at once: no third-party package is loaded for them."""
    status, loaded, _ = run(checkout, module, argument)
    assert status == 0
    assert loaded & {"pydantic", "jinja2", "textual", "pyroute2", "nacl", "tomlkit", "rich"} == set()


@pytest.mark.parametrize("module", ["dexsetup.mailfilter.main", "dexsetup.mailqueue.main"])
def test_the_programs_beside_the_mail_server_are_standard_library_alone(checkout: Path, module: str) -> None:
    """They must start fast, and run where the wizard's packages are not."""
    status, loaded, _ = run(checkout, module, "wrong")
    assert status == 2
    assert loaded <= sys.stdlib_module_names | {"dexsetup", "__main__", "encodings"} | {
        name for name in loaded if name.startswith(("_", "sitecustomize", "distutils-precedence"))
    }


def test_answers_are_applied_without_textual(checkout: Path, tmp_path: Path) -> None:
    """A machine without the packages of the screens can do everything that needs no screen."""
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\njo:x:1000:1000:Jo Doe:/home/jo:/bin/sh\n")
    (etc / "group").write_text("root:x:0:\njo:x:1000:\n")
    answers = tmp_path / "answers.toml"
    answers.write_text('schema = 1\n[node]\nkey = "keep"\n')
    answers.chmod(0o600)
    arguments = ("--answers", str(answers), "--root", str(tmp_path), "--dry-run")
    status, loaded, shown = run(checkout, "dexsetup.cli", *arguments, blocked=("textual", "rich", "segno"))
    assert status == 10, shown
    assert "+++ /etc/cjdroute.conf" in shown
    assert "pyroute2" not in loaded


def test_the_plain_wizard_needs_nothing_of_the_toolkit(checkout: Path) -> None:
    """It is what opens where the toolkit is not installed."""
    script = (
        "import sys\n"
        "for name in ('textual', 'rich', 'segno'):\n"
        "    sys.modules[name] = None\n"
        "import dexsetup.ui.plain\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{checkout}:{checkout / 'router'}"},
    )
    assert done.returncode == 0, done.stderr
