"""Files of a machine: replaced atomically, read and written with a user's rights, never through a link."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from dexsetup.errors import HostError, LockedError, MachineError
from dexsetup.host.base import FileKind, temporary_name
from dexsetup.host.files import PosixFiles
from dexsetup.host.rooted import RootedHost

USER = 61000


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A directory that stands for a machine with one user."""
    for directory in ("etc", "home/jo", "run", "var/lib"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "etc/passwd").write_text(f"root:x:0:0::/root:/bin/sh\njo:x:{USER}:{USER}::/home/jo:/bin/sh\n")
    (tmp_path / "etc/group").write_text(f"root:x:0:\njo:x:{USER}:\n")
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.fixture
def host(image: Path) -> RootedHost:
    return RootedHost(str(image))


@pytest.fixture
def as_root(image: Path) -> Path:
    """The image, with the user's home owned by the user: needs root."""
    if os.geteuid() != 0:
        pytest.skip("owners can only be given by root")
    os.chown(image / "home/jo", USER, USER)
    return image


def put(host: PosixFiles, path: str, content: bytes = b"new") -> None:
    owner = "root" if os.geteuid() == 0 else str(os.geteuid())
    group = "root" if os.geteuid() == 0 else str(os.getegid())
    host.write(path, content, mode=0o640, owner=owner, group=group)


def test_write_replaces_and_leaves_nothing_beside(host: RootedHost, image: Path) -> None:
    """A written file has content and mode; no temporary file is left, and a stale one is no obstacle."""
    (image / "etc/f").write_bytes(b"old")
    (image / temporary_name("/etc/f")[1:]).write_bytes(b"left over by a crash")
    before = (image / "etc/f").stat().st_ino
    put(host, "/etc/f")
    assert (image / "etc/f").read_bytes() == b"new"
    assert (image / "etc/f").stat().st_mode & 0o7777 == 0o640
    assert (image / "etc/f").stat().st_ino != before
    assert sorted(path.name for path in (image / "etc").iterdir()) == ["f", "group", "passwd"]


def test_a_file_that_its_program_refuses_is_not_installed(image: Path) -> None:
    """The old file stays when the validator says no, and the error carries the validator's words."""
    files = PosixFiles(str(image))
    (image / "etc/f").write_bytes(b"old")
    owner = str(os.geteuid())
    with pytest.raises(HostError) as caught:
        files.write(
            "/etc/f",
            b"bad",
            mode=0o644,
            owner=owner,
            group=str(os.getegid()),
            validate=("sh", "-c", 'echo "syntax error in $0" >&2; exit 1', "{}"),
        )
    assert caught.value.why == "syntax error in the new file"
    assert (image / "etc/f").read_bytes() == b"old"
    assert files.check_content(b"x", ("sh", "-c", "exit 0", "{}")) == ""
    assert files.check_content(b"x", ("no-such-program-at-all",)) == ""


def test_absolute_links_stay_below_the_root(host: RootedHost, image: Path) -> None:
    """A link to /etc/real inside of an image means the image's /etc/real."""
    (image / "etc/real").mkdir()
    (image / "etc/real/f").write_bytes(b"inside")
    (image / "etc/alias").symlink_to("/etc/real")
    (image / "etc/up").symlink_to("../../../../../etc/real/f")
    assert host.read("/etc/alias/f") == b"inside"
    assert host.read("/etc/up") == b"inside"
    put(host, "/etc/alias/g")
    assert (image / "etc/real/g").read_bytes() == b"new"


def test_a_circle_of_links_ends(host: RootedHost, image: Path) -> None:
    """Links that lead to each other are an error, not an endless walk."""
    (image / "etc/a").symlink_to("b")
    (image / "etc/b").symlink_to("a")
    with pytest.raises(HostError, match="too many symbolic links"):
        host.read("/etc/a")


def test_what_is_not_a_plain_file_is_not_read(host: RootedHost, image: Path) -> None:
    """A directory or a pipe in a file's place is refused at once; a missing file is None."""
    os.mkfifo(image / "etc/pipe")
    for path in ("/etc", "/etc/pipe"):
        with pytest.raises(HostError, match="not a plain file"):
            host.read(path)
    assert host.read("/etc/none") is None
    assert host.read("/etc/passwd/below") is None
    assert host.stat("/etc/none") is None


@pytest.mark.parametrize("where", ["/home/jo/.mailrc", "/home/jo/.config/x"])
def test_a_link_in_a_home_is_refused(as_root: Path, where: str) -> None:
    """What a person linked elsewhere is neither read nor written for that person by root."""
    host = RootedHost(str(as_root))
    link = as_root / "home/jo" / where.split("/")[3]
    link.symlink_to("/etc")
    with pytest.raises(HostError, match="symbolic link"):
        host.read(where, as_user="jo")
    if where.endswith("x"):
        with pytest.raises(HostError, match="symbolic link"):
            host.write(where, b"x", mode=0o600, owner="jo", group="jo", as_user="jo")
    assert sorted(path.name for path in (as_root / "etc").iterdir()) == ["group", "passwd"]


def test_writing_as_a_user_has_only_that_users_rights(as_root: Path) -> None:
    """A file in a home belongs to the user; what the user may not do is refused, although we are root."""
    host = RootedHost(str(as_root))
    host.write("/home/jo/f", b"x", mode=0o600, owner="jo", group="jo", as_user="jo")
    status = (as_root / "home/jo/f").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (USER, USER, 0o600)
    (as_root / "etc/secret").write_bytes(b"root's")
    (as_root / "etc/secret").chmod(0o600)
    with pytest.raises(HostError, match="Permission denied"):
        host.read("/etc/secret", as_user="jo")
    with pytest.raises(HostError, match="Permission denied"):
        host.write("/etc/f", b"x", mode=0o644, owner="jo", group="jo", as_user="jo")
    host.make_directory("/home/jo/d", mode=0o700, owner="jo", group="jo", as_user="jo")
    assert (as_root / "home/jo/d").stat().st_uid == USER
    host.remove_directory("/home/jo/d", as_user="jo")
    host.remove("/home/jo/f", as_user="jo")
    assert list((as_root / "home/jo").iterdir()) == []


def test_unknown_owners_are_told_by_name(host: RootedHost) -> None:
    """A file for a user or group that is not there is refused before anything is written."""
    with pytest.raises(HostError, match="belong to nobody-here"):
        host.write("/etc/f", b"", mode=0o644, owner="nobody-here", group="root")
    with pytest.raises(HostError, match="no user nobody-here"):
        host.read("/etc/f", as_user="nobody-here")


def test_one_holder_at_a_time(host: RootedHost, image: Path) -> None:
    """The second to ask is told who holds the lock; afterwards nothing is left and it is free again."""
    with host.hold_lock("/run/dexsetup.lock", "pid 42"):
        with pytest.raises(LockedError) as caught, host.hold_lock("/run/dexsetup.lock", "pid 43"):
            pass
        assert caught.value.why == "pid 42"
    assert list((image / "run").iterdir()) == []
    (image / "run/dexsetup.lock").write_text("left over by a crash")
    with host.hold_lock("/run/dexsetup.lock", "pid 44"):
        assert (image / "run/dexsetup.lock").read_text() == "pid 44"


def test_a_tree_is_copied_as_roots_own(host: RootedHost, image: Path, tmp_path: Path) -> None:
    """Programs are copied readable by all, writable by root alone; links become files."""
    source = tmp_path / "source"
    (source / "pkg").mkdir(parents=True)
    (source / "pkg/a.py").write_bytes(b"a")
    (source / "pkg/a.py").chmod(0o666)
    (source / "run").write_bytes(b"#!/bin/sh")
    (source / "run").chmod(0o777)
    (source / "link").symlink_to("run")
    (image / "opt").mkdir()
    host.copy_tree(str(source), "/opt/thing")
    assert host.list_tree("/opt/thing") == host.list_source(str(source))
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in (image / "opt/thing").rglob("*")} == {
        "pkg": "0o755",
        "a.py": "0o644",
        "run": "0o755",
        "link": "0o755",
    }
    info = host.stat("/opt/thing")
    assert info is not None
    assert info.kind is FileKind.DIRECTORY
    host.move_tree("/opt/thing", "/opt/other")
    host.remove_tree("/opt/other")
    assert list((image / "opt").iterdir()) == []


def test_a_tree_that_cannot_be_renamed_is_copied(
    host: RootedHost, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory of an image's lower layer gives EXDEV (overlay): it is moved by copy, whole and alone."""
    real_rename = os.rename

    def rename(old: str, new: str, **directories: int) -> None:
        if str(old).endswith("/opt/thing"):
            raise OSError(errno.EXDEV, "Invalid cross-device link", old)
        real_rename(old, new, **directories)

    (tmp_path / "source").mkdir()
    (tmp_path / "source/run").write_bytes(b"new")
    (image / "opt/thing").mkdir(parents=True)
    (image / "opt/thing/run").write_bytes(b"old")
    monkeypatch.setattr(os, "rename", rename)
    host.move_tree("/opt/thing", "/opt/aside")
    host.copy_tree(str(tmp_path / "source"), "/opt/thing")
    host.copy_tree(str(tmp_path / "source"), "/opt/thing")
    assert sorted(path.name for path in (image / "opt").iterdir()) == ["aside", "thing"]
    assert (image / "opt/aside/run").read_bytes() == b"old"
    assert (image / "opt/thing/run").read_bytes() == b"new"


def test_a_units_links_are_made_and_removed_as_systemctl_does(host: RootedHost, image: Path) -> None:
    """Enabling in an image makes the alias and the wants link; disabling leaves no trace."""
    units = image / "etc/systemd/system"
    units.mkdir(parents=True)
    (units / "thing.service").write_text("[Install]\nWantedBy=multi-user.target\nAlias=other.service\n")
    assert not host.services.state("thing.service").enabled
    if os.geteuid() != 0:
        pytest.skip("directories of root's are made by root")
    host.services.enable("thing.service")
    assert (units / "multi-user.target.wants/thing.service").is_symlink()
    assert (units / "other.service").readlink() == Path("/etc/systemd/system/thing.service")
    assert host.services.state("thing.service").enabled
    host.services.disable("thing.service")
    assert [path.name for path in units.iterdir()] == ["thing.service"]


def test_system_users_come_and_go_without_a_trace(as_root: Path) -> None:
    """An account added to an image has a free number; removed, the files are as before."""
    host = RootedHost(str(as_root))
    before = (as_root / "etc/passwd").read_bytes()
    host.add_system_user("dexrouter", home="/nonexistent", comment="mesh router")
    assert b"dexrouter:x:999:999:mesh router:/nonexistent:" in (as_root / "etc/passwd").read_bytes()
    host.remove_system_user("dexrouter")
    assert (as_root / "etc/passwd").read_bytes() == before


def test_accounts_in_another_encoding_stay_as_they_are(as_root: Path) -> None:
    """A name in Latin-1, and one with a sign at which Python would begin another line."""
    passwd = as_root / "etc/passwd"
    odd = b"joe:x:1200:1200:Jo\xeb:/home/joe:/bin/sh\nzoe:x:1201:1201:Zo\xe2\x80\xa8e:/home/zoe:/bin/sh\n"
    passwd.write_bytes(passwd.read_bytes() + odd)
    before = passwd.read_bytes()
    host = RootedHost(str(as_root))
    host.add_system_user("dexrouter", home="/nonexistent", comment="mesh router")
    assert passwd.read_bytes().startswith(before)
    assert host.accounts().uid("zoe") == 1201
    host.remove_system_user("dexrouter")
    assert passwd.read_bytes() == before


def test_no_room_for_a_look_is_said_as_such(
    host: RootedHost, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's refusals are no faults of ours: a check, a tree, the lock."""
    monkeypatch.setattr(tempfile, "tempdir", str(image / "no-such-place"))
    with pytest.raises(HostError, match="checking with sh failed"):
        PosixFiles(str(image)).check_content(b"x", ("sh", "-c", "exit 0", "{}"))
    (image / "etc/loose").symlink_to("nowhere")
    with pytest.raises(HostError, match="looking at /etc failed"):
        host.list_tree("/etc")
    (image / "file").touch()
    with pytest.raises(MachineError, match="cannot be made"), host.hold_lock("/file/lock", "me"):
        raise AssertionError("there is no such lock")


@pytest.mark.parametrize("gid", [50, 0])
def test_a_file_in_a_home_keeps_a_group_that_is_not_its_owners_first(as_root: Path, gid: int) -> None:
    """One that the person is in besides, or root's, which sudo and an editor left there."""
    (as_root / "etc/group").write_text(f"root:x:0:\njo:x:{USER}:\nstaff:x:50:jo\n")
    path = as_root / "home/jo/.mailrc"
    path.write_bytes(b"old")
    os.chown(path, USER, gid)
    host = RootedHost(str(as_root))
    info = host.stat("/home/jo/.mailrc")
    assert info is not None
    host.write("/home/jo/.mailrc", b"new", mode=0o640, owner="jo", group=info.group, as_user="jo")
    status = path.stat()
    assert (path.read_bytes(), status.st_uid, status.st_gid) == (b"new", USER, gid)
    locked = as_root / "etc/locked"
    locked.mkdir()
    os.chown(locked, 0, gid)
    locked.chmod(0o770)
    with pytest.raises(HostError, match="Permission denied"):
        host.write("/etc/locked/f", b"x", mode=0o640, owner="jo", group=info.group, as_user="jo")
