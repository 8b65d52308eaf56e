"""The real dnf and rpm, as Debian ships them, with a repository of packages that are built here.

In a home of its own, which has an rpm database of its own: empty at first, but for what the tests install.
"""

from __future__ import annotations

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
    needs(ROOT, NAMESPACES, OVERLAY, program("dnf"), program("rpmbuild"), program("createrepo_c")),
]

CHECKOUT = Path(__file__).resolve().parent.parent.parent
SPEC = """\
Name: {name}
Version: 1.0
Release: 1
Summary: made for a test
License: none
BuildArch: noarch
{more}
%description
Made for a test.
%install
mkdir -p %{{buildroot}}/etc/dexsetup-test
echo as packaged >%{{buildroot}}/etc/dexsetup-test/{name}.conf
%files
%config(noreplace) /etc/dexsetup-test/{name}.conf
"""
PACKAGES = {
    "opensmtpd": "Requires: opensmtpd-library",
    "opensmtpd-library": "",
    "s-nail": "Provides: mailx",
    "sendmail": "",
    "postfix": "Conflicts: sendmail",
}
REPOSITORY = "[test]\nname=test\nbaseurl={url}\ngpgcheck=0\nmetadata_expire=0\n"
HERE, NOWHERE = "file:///srv/packages", "http://192.0.2.1/packages"
"""Where the packages are, and an address to which there is no way."""
LOCK = "/var/cache/dnf/metadata_lock.pid"
_INSTALL = """
import json, sys
from dexsetup.errors import MachineError
from dexsetup.host.packages import Dnf
from dexsetup.host.real import RealHost
said, what, why = [], "", ""
try:
    Dnf(RealHost().run).install(sys.argv[1:], said.append)
except MachineError as error:
    what, why = error.what, error.why
print(json.dumps({"said": said, "what": what, "why": why}))
"""
_ASK = """
import json, sys
from dexsetup.host.packages import Dnf
from dexsetup.host.real import RealHost
dnf = Dnf(RealHost().run)
path, *names = sys.argv[1:]
print(json.dumps({"installed": sorted(dnf.installed(names)), "is_pristine": dnf.is_pristine(path)}))
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """Build the packages and a repository of them, in a home without a network."""
    with tempfile.TemporaryDirectory(prefix="dexsetup-place-") as stage:
        place = Home("machine with dnf", (CHECKOUT, Path(sys.prefix)), Path(stage))
        try:
            place.run("rm", "-rf", "/var/lib/rpm", "/var/cache/dnf", "/etc/yum.repos.d")
            for name, more in PACKAGES.items():
                place.write(f"/srv/{name}.spec", SPEC.format(name=name, more=more))
            specs = [f"/srv/{name}.spec" for name in PACKAGES]
            place.run("rpmbuild", "-bb", "--quiet", "--define", "_rpmdir /srv/packages", *specs)
            place.run("createrepo_c", "--quiet", "/srv/packages")
            yield place
        finally:
            place.close()


@pytest.fixture(autouse=True)
def _nothing_is_installed(home: Home) -> None:
    """Let every test begin with a repository that can be read, and no package."""
    home.write("/etc/yum.repos.d/test.repo", REPOSITORY.format(url=HERE))
    home.run("sh", "-c", "rm -rf /var/cache/dnf; rpm -qa | xargs -r rpm -e")


def python(home: Home, script: str, *arguments: str) -> dict[str, Any]:
    """Run a script with this checkout's dexsetup; gives the object that it prints."""
    paths = f"PYTHONPATH={CHECKOUT}:{CHECKOUT / 'router'}"
    shown: dict[str, Any] = json.loads(home.run("env", paths, sys.executable, "-c", script, *arguments))
    return shown


def test_packages_come_with_what_they_need_and_are_known_afterwards(home: Home) -> None:
    """Progress names each; what a package provides counts; a changed file is not as it was packaged."""
    config = "/etc/dexsetup-test/opensmtpd.conf"
    done = python(home, _INSTALL, "opensmtpd", "s-nail")
    assert done["what"] == ""
    for name in ("opensmtpd-1.0", "opensmtpd-library-1.0", "s-nail-1.0"):
        assert any(line.startswith(f"installing {name}") for line in done["said"]), done
    asked = python(home, _ASK, config, "opensmtpd", "mailx", "alpine")
    assert asked == {"installed": ["mailx", "opensmtpd"], "is_pristine": True}
    home.write(config, "as somebody wants it\n")
    assert not python(home, _ASK, config)["is_pristine"]
    assert not python(home, _ASK, "/etc/hostname")["is_pristine"]


def test_a_package_that_there_is_not_is_named(home: Home) -> None:
    """And nothing else is installed."""
    done = python(home, _INSTALL, "s-nail", "nosuch")
    assert done["what"] == "This distribution has no package named nosuch."
    assert python(home, _ASK, "/", "s-nail")["installed"] == []


def test_without_a_way_to_the_servers_that_is_said(home: Home) -> None:
    """Not that there is no such package, though dnf passes such a repository over and says so, too."""
    home.write("/etc/yum.repos.d/test.repo", REPOSITORY.format(url=NOWHERE) + "skip_if_unavailable=1\n")
    done = python(home, _INSTALL, "s-nail")
    assert done["what"] == "The package servers cannot be reached, so s-nail cannot be installed."
    assert "192.0.2.1" in done["why"] or "metadata" in done["why"]


def test_no_package_is_removed_for_another(home: Home) -> None:
    """The one that is in the way stays."""
    home.run("dnf", "-y", "install", "sendmail")
    done = python(home, _INSTALL, "postfix")
    assert done["what"] == "Installing postfix would remove another package, and dexsetup removes none."
    assert python(home, _ASK, "/", "postfix", "sendmail")["installed"] == ["sendmail"]


def test_a_locked_database_is_waited_for(home: Home) -> None:
    """While another dnf works, that is said; when it ends, the installation goes on."""
    with tempfile.TemporaryFile("w+") as log:
        home.run("mkdir", "-p", LOCK.rpartition("/")[0])
        home.start("sh", "-c", f"echo $$ >{LOCK}; exec sleep 300", log=log)
        wait_until(lambda: home.read(LOCK) != "", what="the lock", seconds=10)
        holder = home.read(LOCK).strip()
        home.start("sh", "-c", f"sleep 2; kill {holder}; rm {LOCK}", log=log)
        done = python(home, _INSTALL, "s-nail")
        assert f"Waiting for process with pid {holder}" in done["said"][0]
        assert done["what"] == ""
