"""Files of a machine, or of a directory that stands for one: the looking and the changing, done carefully.

Rules (house style, "the wizard engine"):
- A file is replaced: temporary file beside it (0600 from its creation), owner, mode, label, fsync, the
  target's own program has a look, rename, fsync of the directory. A reader sees the old file or the new one.
- With `as_user`, everything is done by a child that has only that user's rights, and no link is followed.
- Links in root's own directories are followed below our root only (see walk.py).
- Trees of programs (trees.py), the lock of a run (lock.py) and the look that programs have at their files
  (validation.py) are called from here, so that all of a Host's files are reached through one class.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from dexsetup.errors import HostError
from dexsetup.host.accounts import Accounts
from dexsetup.host.as_user import call_as, give_file
from dexsetup.host.base import FileInfo, FileKind, temporary_name
from dexsetup.host.lock import held_lock
from dexsetup.host.trees import copy_tree, rename_directory, tree_of
from dexsetup.host.validation import complaint_about, complaint_about_content
from dexsetup.host.walk import LinkError, parent_of

__all__ = ["PosixFiles"]

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_READ_MAX = 64 << 20
"""No file that dexsetup edits comes near it; a device or an endless file must not fill the memory."""


class PosixFiles:
    """The file half of a Host. `root` is "/" or the directory that stands for it."""

    def __init__(self, root: str = "/") -> None:
        self.root = root
        self._root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def real_path(self, path: str) -> str:
        """Return the path by which other programs on this machine reach the file."""
        return path if self.root == "/" else self.root.rstrip("/") + path

    # -- looking

    def read(self, path: str, *, as_user: str | None = None) -> bytes | None:
        """Return the content, None if there is no file."""
        if as_user is None:
            return self._read(path, follow=True)
        return self._as(as_user, lambda: self._read(path, follow=False), f"reading {path} as {as_user}")

    def stat(self, path: str) -> FileInfo | None:
        """Look at the file itself, not at what a link points to."""
        try:
            with parent_of(self._root_fd, path, follow=True) as (parent, name):
                found = os.stat(name, dir_fd=parent, follow_symlinks=False)
                target = os.readlink(name, dir_fd=parent) if stat.S_ISLNK(found.st_mode) else ""
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _host_error(f"looking at {path}", error) from error
        accounts = self.accounts()
        return FileInfo(
            kind=_kind(found.st_mode),
            mode=stat.S_IMODE(found.st_mode),
            owner=accounts.user_name(found.st_uid),
            group=accounts.group_name(found.st_gid),
            size=found.st_size,
            target=target,
        )

    def list_directory(self, path: str) -> tuple[str, ...]:
        """Return the sorted names in a directory; none for one that is not there."""
        try:
            with parent_of(self._root_fd, f"{path}/.", follow=True, resolve_last=False) as (parent, name):
                fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=parent)
                try:
                    return tuple(sorted(os.listdir(fd)))  # noqa: PTH208 - pathlib knows no open directory
                finally:
                    os.close(fd)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise _host_error(f"listing {path}", error) from error

    def list_tree(self, path: str) -> tuple[tuple[str, str, int], ...]:
        """Hash every file below a directory of root's."""
        return _tree_of(Path(self.real_path(path)), path)

    def list_source(self, path: str) -> tuple[tuple[str, str, int], ...]:
        """Hash every file below a directory of the machine that dexsetup runs on."""
        return _tree_of(Path(path), path)

    def accounts(self) -> Accounts:
        """Return the users and groups of this machine or image."""
        return Accounts.parse(self._read("/etc/passwd", follow=True), self._read("/etc/group", follow=True))

    def now(self) -> float:
        """Seconds that only go forward."""
        return time.monotonic()

    def wall_clock(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def check_content(self, content: bytes, argv: Sequence[str]) -> str:
        """Let a program look at content that is in no file yet."""
        try:
            return complaint_about_content(argv, content)
        except OSError as error:
            raise _host_error(f"checking with {argv[0]}", error) from error

    def hold_lock(self, path: str, text: str) -> AbstractContextManager[None]:
        """Hold an flock: the kernel takes it back however the process ends, so leftovers block nobody."""
        return held_lock(Path(self.real_path(path)), text)

    # -- changing

    def append(self, path: str, content: bytes) -> None:
        """Add to a journal or log, and make sure that it is on the disk."""
        try:
            with parent_of(self._root_fd, path, follow=True) as (parent, name):
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                fd = os.open(name, flags, 0o600, dir_fd=parent)
                try:
                    _write_all(fd, content)
                    os.fsync(fd)
                finally:
                    os.close(fd)
        except OSError as error:
            raise _host_error(f"writing {path}", error) from error

    def write(
        self,
        path: str,
        content: bytes,
        *,
        mode: int,
        owner: str,
        group: str,
        as_user: str | None = None,
        validate: Sequence[str] = (),
    ) -> None:
        """Replace the file atomically."""
        uid, gid = self._numbers(path, owner, group)

        def work() -> None:
            self._write(path, content, (mode, uid, gid), follow=as_user is None, validate=validate)

        self._change(f"writing {path}", work, as_user, gid)

    def remove(self, path: str, *, as_user: str | None = None) -> None:
        """Remove a file or link; one that is not there is already removed."""

        def work() -> None:
            with (
                suppress(FileNotFoundError),
                parent_of(self._root_fd, path, follow=as_user is None) as (fd, name),
            ):
                os.unlink(name, dir_fd=fd)
                _sync(fd)

        self._change(f"removing {path}", work, as_user)

    def make_directory(
        self, path: str, *, mode: int, owner: str, group: str, as_user: str | None = None
    ) -> None:
        """Make a directory, or give the one that is there this mode and owner."""
        uid, gid = self._numbers(path, owner, group)

        def work() -> None:
            with parent_of(self._root_fd, path, follow=as_user is None) as (parent, name):
                with suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=parent)
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                fd = os.open(name, flags, dir_fd=parent)
                try:
                    give_file(fd, uid, gid)
                    os.fchmod(fd, mode)
                    os.fsync(fd)
                finally:
                    os.close(fd)
                _sync(parent)
            self._relabel(path)

        self._change(f"making the directory {path}", work, as_user, gid)

    def remove_directory(self, path: str, *, as_user: str | None = None) -> None:
        """Remove an empty directory."""

        def work() -> None:
            with (
                suppress(FileNotFoundError),
                parent_of(self._root_fd, path, follow=as_user is None) as (fd, name),
            ):
                os.rmdir(name, dir_fd=fd)
                _sync(fd)

        self._change(f"removing the directory {path}", work, as_user)

    def make_link(self, path: str, target: str) -> None:
        """Make or replace a symbolic link, by rename."""

        def work() -> None:
            with parent_of(self._root_fd, path, follow=True) as (parent, name):
                fresh = temporary_name(f"/{name}")[1:]
                with suppress(FileNotFoundError):
                    os.unlink(fresh, dir_fd=parent)
                os.symlink(target, fresh, dir_fd=parent)
                os.rename(fresh, name, src_dir_fd=parent, dst_dir_fd=parent)
                _sync(parent)

        self._change(f"linking {path}", work, None)

    def copy_tree(self, source: str, path: str) -> None:
        """Copy programs to a place of root's: made beside it first, then put there by rename."""
        place, fresh = Path(self.real_path(path)), Path(self.real_path(temporary_name(path)))

        def work() -> None:
            copy_tree(Path(source), place, fresh)
            self._relabel(path, is_tree=True)

        self._change(f"copying {source} to {path}", work, None)

    def remove_tree(self, path: str) -> None:
        """Remove a directory and all that is in it."""
        place = self.real_path(path)

        def work() -> None:
            with suppress(FileNotFoundError):
                shutil.rmtree(place)

        self._change(f"removing {path}", work, None)

    def move_tree(self, path: str, to: str) -> None:
        """Rename a directory."""
        old, new = Path(self.real_path(path)), Path(self.real_path(to))
        self._change(f"moving {path} to {to}", lambda: rename_directory(old, new), None)

    # -- beneath

    def _as(
        self, login: str, work: Callable[[], bytes | None], what: str, file_gid: int | None = None
    ) -> bytes | None:
        account = self.accounts().user(login)
        if account is None:
            raise HostError(f"{what}: there is no user {login}")
        if os.geteuid() == 0 and not os.fstat(self._root_fd).st_mode & 0o001:
            raise HostError(
                f"{what}: {self.root} can be entered by root alone, so nothing below it by {login}.",
                advice=f"chmod o+x {self.root}",
            )
        try:
            return call_as(account.uid, account.gid, work, what, file_gid=file_gid)
        except OSError as error:
            raise _host_error(what, error) from error

    def _change(
        self, what: str, work: Callable[[], None], as_user: str | None, file_gid: int | None = None
    ) -> None:
        """Do it, as root or as that user, and turn the kernel's refusals into our words."""
        if as_user is None:
            try:
                work()
            except OSError as error:
                raise _host_error(what, error) from error
            return

        def child() -> None:
            work()

        self._as(as_user, child, f"{what} as {as_user}", file_gid)

    def _numbers(self, path: str, owner: str, group: str) -> tuple[int, int]:
        accounts = self.accounts()
        uid, gid = accounts.uid(owner), accounts.gid(group)
        if uid is None:
            raise HostError(f"{path} is to belong to {owner}, and there is no such user")
        if gid is None:
            raise HostError(f"{path} is to belong to the group {group}, and there is no such group")
        return uid, gid

    def _read(self, path: str, *, follow: bool) -> bytes | None:
        try:
            with parent_of(self._root_fd, path, follow=follow, resolve_last=True) as (parent, name):
                fd = os.open(name, _READ, dir_fd=parent)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except LinkError:
            raise
        except OSError as error:
            raise _host_error(f"reading {path}", error) from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise HostError(f"{path} is not a plain file")
        with os.fdopen(fd, "rb") as stream:
            content = stream.read(_READ_MAX + 1)
        if len(content) > _READ_MAX:
            raise HostError(f"{path} is larger than {_READ_MAX >> 20} MiB")
        return content

    def _write(
        self,
        path: str,
        content: bytes,
        rights: tuple[int, int, int],
        *,
        follow: bool,
        validate: Sequence[str],
    ) -> None:
        mode, uid, gid = rights
        with parent_of(self._root_fd, path, follow=follow) as (parent, name):
            fresh = temporary_name(f"/{name}")[1:]
            with suppress(FileNotFoundError):
                os.unlink(fresh, dir_fd=parent)
            fd = os.open(fresh, _CREATE, 0o600, dir_fd=parent)
            try:
                try:
                    _write_all(fd, content)
                    give_file(fd, uid, gid)
                    os.fchmod(fd, mode)
                    self._label_like(fd, parent, name)
                    os.fsync(fd)
                finally:
                    os.close(fd)
                place = self.real_path(temporary_name(path))
                if complaint := complaint_about(validate, place) if validate else "":
                    raise HostError(f"{path}: {validate[0]} does not accept the new file", why=complaint)
                os.rename(fresh, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(fresh, dir_fd=parent)
                raise
            _sync(parent)
        self._relabel(path)

    def _label_like(self, fd: int, parent: int, name: str) -> None:
        """Give the new file the security label of the one it replaces. A machine without SELinux has none."""

    def _relabel(self, path: str, *, is_tree: bool = False) -> None:
        """Give a new file the label that the policy has for its place. A machine without SELinux has none."""


def _kind(mode: int) -> FileKind:
    if stat.S_ISREG(mode):
        return FileKind.FILE
    if stat.S_ISDIR(mode):
        return FileKind.DIRECTORY
    return FileKind.LINK if stat.S_ISLNK(mode) else FileKind.OTHER


def _write_all(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


def _sync(directory_fd: int) -> None:
    """Put a rename on the disk. A directory that we may enter but not read cannot be synced: so be it."""
    try:
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory_fd)
    except PermissionError:
        return
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _tree_of(top: Path, shown: str) -> tuple[tuple[str, str, int], ...]:
    try:
        return tree_of(top)
    except OSError as error:
        raise _host_error(f"looking at {shown}", error) from error


def _host_error(what: str, error: OSError) -> HostError:
    """Say what failed, and why in the kernel's words."""
    advice = "Run it with sudo." if error.errno in {errno.EACCES, errno.EPERM} and os.geteuid() != 0 else ""
    if error.errno == errno.ENOSPC:
        advice = "Make room on that disk and start again."
    return HostError(f"{what} failed: {error.strerror or error}", why=str(error), advice=advice)
