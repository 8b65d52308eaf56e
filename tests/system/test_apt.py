"""The real apt and dpkg, with a repository of packages that are built here.

In a home of its own, which asks no server: its only source of packages is a directory.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from machine import NAMESPACES, OVERLAY, ROOT, needs, program
from neighbourhood import Home, wait_until

pytestmark = [
    pytest.mark.system,
    needs(ROOT, NAMESPACES, OVERLAY, program("apt-get"), program("dpkg-deb")),
]

CHECKOUT = Path(__file__).resolve().parent.parent.parent
CONTROL = """\
Package: {name}
Version: 1.0
Architecture: all
Maintainer: a test <test@localhost>
Description: made for a test
"""
PACKAGES = {
    "dextest-mail": "Depends: dextest-library\n",
    "dextest-library": "",
    "dextest-other": "",
    "dextest-rival": "Conflicts: dextest-other\n",
}
SOURCE = "/etc/apt/sources.list.d/test.list"
HERE, NOWHERE = "file:/srv/packages", "http://192.0.2.1/packages"
"""Where the packages are, and an address to which there is no way."""
LOCK = "/var/lib/dpkg/lock-frontend"
_INSTALL = """
import json, sys
from dexsetup.errors import MachineError
from dexsetup.host.packages import Apt
from dexsetup.host.real import RealHost
host = RealHost()
said, what, why = [], "", ""
try:
    Apt(host.run, host.read, host.list_directory).install(sys.argv[1:], said.append)
except MachineError as error:
    what, why = error.what, error.why
print(json.dumps({"said": said, "what": what, "why": why}))
"""
_ASK = """
import json, sys
from dexsetup.host.packages import Apt
from dexsetup.host.real import RealHost
host = RealHost()
apt = Apt(host.run, host.read, host.list_directory)
path, *names = sys.argv[1:]
print(json.dumps({"installed": sorted(apt.installed(names)), "is_pristine": apt.is_pristine(path)}))
"""
_HOLD = """
import fcntl, sys, time
with open(sys.argv[1], "w") as lock:
    fcntl.lockf(lock, fcntl.LOCK_EX)
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """Build the packages and a repository of them, in a home without a network."""
    with tempfile.TemporaryDirectory(prefix="dexsetup-place-") as stage:
        place = Home("machine with apt", (CHECKOUT, Path(sys.prefix)), Path(stage))
        try:
            place.run("sh", "-c", "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*")
            for name, more in PACKAGES.items():
                tree = f"/srv/{name}"
                config = f"/etc/dexsetup-test/{name}.conf"
                place.write(f"{tree}/DEBIAN/control", CONTROL.format(name=name) + more)
                place.write(f"{tree}/DEBIAN/conffiles", f"{config}\n")
                place.write(f"{tree}{config}", "as packaged\n")
                place.run("mkdir", "-p", "/srv/packages")
                place.run("dpkg-deb", "--root-owner-group", "--build", tree, f"/srv/packages/{name}.deb")
            place.write("/srv/packages/Packages", "\n".join(entry(place, name) for name in PACKAGES))
            yield place
        finally:
            place.close()


def entry(home: Home, name: str) -> str:
    """Return a package's entry in the list of its repository."""
    sums = home.run("sha256sum", f"/srv/packages/{name}.deb").split()[0]
    size = home.run("stat", "-c", "%s", f"/srv/packages/{name}.deb").strip()
    assert len(sums) == 2 * hashlib.sha256().digest_size
    where = f"Filename: ./{name}.deb\nSize: {size}\nSHA256: {sums}\n"
    return CONTROL.format(name=name) + PACKAGES[name] + where


@pytest.fixture(autouse=True)
def _nothing_is_installed(home: Home) -> None:
    """Let every test begin with a source that can be read, no lists, and none of the packages."""
    home.write(SOURCE, f"deb [trusted=yes] {HERE} ./\n")
    home.run("sh", "-c", "rm -rf /var/lib/apt/lists/*_* /etc/dexsetup-test")
    home.run("dpkg", "--purge", *PACKAGES)


def python(home: Home, script: str, *arguments: str) -> dict[str, Any]:
    """Run a script with this checkout's dexsetup; gives the object that it prints."""
    paths = f"PYTHONPATH={CHECKOUT}:{CHECKOUT / 'router'}"
    shown: dict[str, Any] = json.loads(home.run("env", paths, sys.executable, "-c", script, *arguments))
    return shown


def test_packages_come_with_what_they_need_and_are_known_afterwards(home: Home) -> None:
    """The lists are fetched first; progress names each; a changed file is not as it was packaged."""
    config = "/etc/dexsetup-test/dextest-mail.conf"
    done = python(home, _INSTALL, "dextest-mail")
    assert done["what"] == ""
    assert done["said"][0] == "fetching the lists of packages"
    for name in ("dextest-mail", "dextest-library"):
        assert any(name in line and line.endswith("%)") for line in done["said"]), done
    asked = python(home, _ASK, config, *PACKAGES)
    assert asked == {"installed": ["dextest-library", "dextest-mail"], "is_pristine": True}
    home.write(config, "as somebody wants it\n")
    assert not python(home, _ASK, config, *PACKAGES)["is_pristine"]


def test_a_package_that_there_is_not_is_named(home: Home) -> None:
    """And nothing else is installed."""
    done = python(home, _INSTALL, "dextest-other", "dextest-nosuch")
    assert done["what"] == "This distribution has no package named dextest-nosuch."
    assert python(home, _ASK, "/etc/hostname", *PACKAGES)["installed"] == []


def test_without_a_way_to_the_servers_that_is_said(home: Home) -> None:
    home.write(SOURCE, f"deb [trusted=yes] {NOWHERE} ./\n")
    done = python(home, _INSTALL, "dextest-other")
    assert done["what"] == "The package servers cannot be reached, so dextest-other cannot be installed."
    assert "192.0.2.1" in done["why"]


def test_no_package_is_removed_for_another(home: Home) -> None:
    """The one that is in the way stays."""
    assert python(home, _INSTALL, "dextest-other")["what"] == ""
    done = python(home, _INSTALL, "dextest-rival")
    what = "Installing dextest-rival would remove another package, and dexsetup removes none."
    assert done["what"] == what
    assert python(home, _ASK, "/etc/hostname", *PACKAGES)["installed"] == ["dextest-other"]


def test_a_locked_database_is_waited_for(home: Home) -> None:
    """When the other program ends, the installation goes on."""
    assert python(home, _INSTALL, "dextest-library")["what"] == ""
    with tempfile.NamedTemporaryFile("w+") as log:
        home.start(sys.executable, "-c", _HOLD, LOCK, "3", log=log.file)
        wait_until(lambda: Path(log.name).read_text() != "", what="the lock is held", seconds=20)
        done = python(home, _INSTALL, "dextest-other")
    assert done["what"] == ""
    assert any("dextest-other" in line for line in done["said"])
