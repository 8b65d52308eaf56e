"""What holds for every test: the developer's machine is cut off, and what was skipped is said by name.

Tests see an empty home, one locale, no colour, no proxy and no answers of the person who runs them. What a
test needs from the real machine it asks for with `machine.needs`, and is skipped by name without it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_KEPT = ("PATH", "PYTHONPYCACHEPREFIX", "TMPDIR", "LD_LIBRARY_PATH")
"""Variables that say where things are. Everything else of the environment is somebody's preference."""

# Time limits are pytest's; a busy machine must not make a law look broken. A failing example is printed
# as code, so a store of examples in somebody's directory adds nothing.
settings.register_profile(
    "dexsetup",
    deadline=None,
    database=None,
    max_examples=60,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("dexsetup"), max_examples=2000)
settings.load_profile(os.environ.get("DEX_HYPOTHESIS", "dexsetup"))


@pytest.fixture(scope="session", autouse=True)
def _severed_machine() -> Iterator[None]:
    """Give every test an empty home and a plain environment."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="dexsetup-home-") as home:
        kept = {name: before[name] for name in before if name in _KEPT or name.startswith(("PYTEST", "DEX_"))}
        os.environ.clear()
        os.environ.update(kept, HOME=home, LANG="C.UTF-8", LC_ALL="C.UTF-8", TZ="UTC", TERM="dumb")
        yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Directory that holds the tree under test."""
    return Path(__file__).resolve().parent.parent


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End with every skipped test's name and reason, or with the words that there was none."""
    skipped = terminalreporter.stats.get("skipped", [])
    terminalreporter.write_sep("=", f"{len(skipped)} skipped")
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        terminalreporter.write_line(f"{report.nodeid}: {reason.removeprefix('Skipped: ')}")
