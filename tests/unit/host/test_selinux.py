"""Labels where SELinux is on: a file gets that of the one it replaces, then the policy's for its place.

Not tried on a machine with SELinux: the kernel's file and its programs are stood for here, and what would be
asked of them is recorded.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Sequence
from pathlib import Path

import pytest

from dexsetup.host import real
from dexsetup.host.base import Completed
from dexsetup.host.real import RealHost

OWNER = pwd.getpwuid(os.geteuid()).pw_name
GROUP = grp.getgrgid(os.getegid()).gr_name
LABEL = b"system_u:object_r:etc_t:s0\0"


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="programs are copied as root's own")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Switch SELinux on; gives the list of what its programs and the kernel are asked for."""
    lines: list[str] = []

    def run(argv: Sequence[str], *, timeout: float) -> Completed:
        assert timeout > 0
        lines.append(" ".join(argv))
        return Completed(tuple(argv), 0, "", "")

    def label_of(_file: int, name: str) -> bytes:
        assert name == "security.selinux"
        return LABEL

    def set_label(file: int, name: str, value: bytes) -> None:
        lines.append(f"{name} of {Path(f'/proc/self/fd/{file}').readlink().name}: {value!r}")

    enforce = tmp_path / "enforce"
    enforce.write_text("1")
    monkeypatch.setattr(real, "_SELINUX", enforce)
    monkeypatch.setattr(real, "run_command", run)
    monkeypatch.setattr(os, "getxattr", label_of)
    monkeypatch.setattr(os, "setxattr", set_label)
    return lines


def write(path: Path) -> None:
    RealHost().write(str(path), b"x\n", mode=0o644, owner=OWNER, group=GROUP)


def test_a_new_file_gets_the_policy_s_label(asked: list[str], tmp_path: Path) -> None:
    write(tmp_path / "smtpd.conf")
    assert asked == [f"restorecon {tmp_path}/smtpd.conf"]


def test_a_file_that_is_replaced_never_has_another_label_than_before(
    asked: list[str], tmp_path: Path
) -> None:
    """It is set on the fresh file before that takes its place; then the policy has its say."""
    path = tmp_path / "smtpd.conf"
    path.write_text("old\n")
    write(path)
    assert asked == [
        f"security.selinux of .smtpd.conf.dexsetup-new: {LABEL!r}",
        f"restorecon {tmp_path}/smtpd.conf",
    ]


def test_a_directory_gets_its_own_label_and_a_tree_of_programs_all_of_them(
    asked: list[str], tmp_path: Path
) -> None:
    """Else systemd might not be let start what lies in /opt; what else is in a directory is not touched."""
    host = RealHost()
    host.make_directory(str(tmp_path / "etc"), mode=0o755, owner=OWNER, group=GROUP)
    (tmp_path / "source").mkdir()
    host.copy_tree(str(tmp_path / "source"), str(tmp_path / "opt"))
    assert asked == [f"restorecon {tmp_path}/etc", f"restorecon -R {tmp_path}/opt"]


def test_a_machine_without_selinux_is_asked_for_nothing(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real, "_SELINUX", tmp_path / "not there")
    write(tmp_path / "smtpd.conf")
    assert asked == []
