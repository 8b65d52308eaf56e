"""The neighbourhood itself: who reaches whom, what a home may change, and that nothing outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine import NAMESPACES, OVERLAY, ROOT, needs, program
from neighbourhood import PUBLIC_ADDRESS, CommandError, Home, Neighbourhood, wait_until

pytestmark = [pytest.mark.system, needs(ROOT, NAMESPACES, OVERLAY, program("nft"), program("ping"))]

SUPPORT = Path(__file__).resolve().parent.parent / "support"
LISTENER = "import socket; s = socket.create_server(('', 7)); print('up', flush=True); s.accept()"


@pytest.fixture(scope="module")
def street(checkout: Path) -> Iterator[Neighbourhood]:
    with Neighbourhood((checkout,)) as neighbourhood:
        neighbourhood.add_home("home a")
        neighbourhood.add_home("home b")
        yield neighbourhood


@pytest.fixture
def home(street: Neighbourhood) -> Home:
    return street.homes["home a"]


@pytest.mark.parametrize("name", ["home a", "home b"])
def test_every_home_reaches_the_public_node(street: Neighbourhood, name: str) -> None:
    """Both homes have the same address behind their gateways, and both get an answer from the street."""
    assert street.homes[name].succeeds("ping", "-c", "1", "-W", "2", PUBLIC_ADDRESS)


def test_nobody_calls_a_home_from_outside(street: Neighbourhood, home: Home, tmp_path: Path) -> None:
    """A port that is open in home b answers there, and neither home a nor the street gets through to it."""
    other = street.homes["home b"]
    call = f"import socket; socket.create_connection(({'{}'!r}, 7), timeout=2)"
    with (tmp_path / "log").open("w") as log:
        listener = other.start(sys.executable, "-c", LISTENER, log=log)
        wait_until(lambda: (tmp_path / "log").read_text() == "up\n", what="the listener is up", seconds=10)
        for caller in (home, street.public):
            for address in ("203.0.113.12", "192.168.1.2"):
                assert not caller.succeeds(sys.executable, "-c", call.format(address)), (caller.name, address)
        assert other.succeeds(sys.executable, "-c", call.format("192.168.1.2"))
        assert listener.wait(timeout=10) == 0


def test_a_home_changes_only_itself(street: Neighbourhood, home: Home, checkout: Path) -> None:
    """Files, users and devices that change in a home change neither in another home nor on the machine."""
    device_mode = Path("/dev/null").stat().st_mode
    home.write("/etc/only-in-home-a", "here\n")
    home.add_person("ann", "Ann Ash")
    home.run("chmod", "0600", "/dev/null")
    assert home.read("/etc/only-in-home-a") == "here\n"
    assert home.run("id", "-un", login="ann") == "ann\n"
    assert not street.homes["home b"].succeeds("id", "ann")
    assert street.homes["home b"].read("/etc/only-in-home-a") == ""
    assert not Path("/etc/only-in-home-a").exists()
    assert Path("/dev/null").stat().st_mode == device_mode
    home.run("chmod", "0666", "/dev/null")
    with pytest.raises(CommandError, match="Read-only file system"):
        home.run("touch", str(checkout / "written-from-a-home"))


def test_a_fingerprint_tells_a_changed_mode(home: Home) -> None:
    """Equal fingerprints mean equal bytes, modes and owners."""
    home.write("/etc/one-more", "text\n")
    first = home.fingerprint("/etc")
    assert home.fingerprint("/etc") == first
    home.run("chmod", "0600", "/etc/one-more")
    assert home.fingerprint("/etc") != first


def test_nothing_outlives_a_killed_builder(tmp_path: Path) -> None:
    """Who is killed while a home stands leaves no process of it behind, not even one that hides."""
    script = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from neighbourhood import Neighbourhood\n"
        "with Neighbourhood() as street:\n"
        "    home = street.add_home('home a')\n"
        "    home.run('sh', '-c', 'setsid sleep 987654 </dev/null >/dev/null 2>&1 &')\n"
        "    print(home.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    builder = subprocess.Popen(
        [sys.executable, "-c", script, str(SUPPORT)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert builder.stdout is not None
    holder = Path("/proc") / builder.stdout.readline().strip()
    assert holder.is_dir()
    builder.send_signal(signal.SIGKILL)
    builder.wait()
    builder.stdout.close()
    wait_until(lambda: not holder.exists(), what="the home's holder is gone", seconds=10)
    wait_until(lambda: "sleep 987654" not in _command_lines(), what="its processes are gone", seconds=10)


def _command_lines() -> str:
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(process.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(lines)
