"""Files of a machine, or of a directory that stands for one: the looking and the changing, done carefully.

Rules (house style, "the wizard engine"):
- A file is replaced: temporary file beside it (0600 from its creation), owner, mode, label, fsync, the
  target's own program has a look, rename, fsync of the directory. A reader sees the old file or the new one.
- With `as_user`, everything is done by a child that has only that user's rights, and no link is followed.
- Links in root's own directories are followed below our root only (see walk.py).
"""

# Calls relative to an open directory are the point here, and pathlib has none; others follow their style.
# ruff: noqa: PTH101, PTH102, PTH104, PTH106, PTH108, PTH110, PTH116, PTH118, PTH120, PTH123, PTH208

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from dexsetup.errors import HostError, LockedError
from dexsetup.host.accounts import Accounts
from dexsetup.host.as_user import call_as
from dexsetup.host.base import FileInfo, FileKind, temporary_name
from dexsetup.host.walk import LinkError, parent_of

__all__ = ["PosixFiles"]

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_READ_MAX = 64 << 20
"""No file that dexsetup edits comes near it; a device or an endless file must not fill the memory."""
_VALIDATE_SECONDS = 30.0


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
                    return tuple(sorted(os.listdir(fd)))
                finally:
                    os.close(fd)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise _host_error(f"listing {path}", error) from error

    def list_tree(self, path: str) -> tuple[tuple[str, str, int], ...]:
        """Hash every file below a directory of root's."""
        top = self.real_path(path)
        return tree_of(top)

    def list_source(self, path: str) -> tuple[tuple[str, str, int], ...]:
        """Hash every file below a directory of the machine that dexsetup runs on."""
        return tree_of(path)

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
        if shutil.which(argv[0], path=_program_path()) is None:
            return ""
        with tempfile.TemporaryDirectory(prefix="dexsetup-") as directory:
            place = os.path.join(directory, "content")
            with os.fdopen(os.open(place, _CREATE, 0o600), "wb") as stream:
                stream.write(content)
            return _validate(argv, place)

    @contextmanager
    def hold_lock(self, path: str, text: str) -> Iterator[None]:
        """Hold an flock: the kernel takes it back however the process ends, so leftovers block nobody."""
        place = self.real_path(path)
        directory = os.path.dirname(place)
        is_ours = not os.path.exists(directory)
        if is_ours:
            os.mkdir(directory, 0o755)
        fd = _locked(place)
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, text.encode(), 0)
            yield
        finally:
            os.unlink(place)
            os.close(fd)
            if is_ours:
                os.rmdir(directory)

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

        self._change(f"writing {path}", work, as_user)

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
                    os.fchown(fd, uid, gid)
                    os.fchmod(fd, mode)
                    os.fsync(fd)
                finally:
                    os.close(fd)
                _sync(parent)
            self._relabel(path)

        self._change(f"making the directory {path}", work, as_user)

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
        fresh = self.real_path(temporary_name(path))
        old = f"{fresh}-old"
        place = self.real_path(path)

        def work() -> None:
            for leftover in (fresh, old):
                shutil.rmtree(leftover, ignore_errors=True)
            shutil.copytree(source, fresh, symlinks=False)
            _own_tree(fresh)
            _sync_file_system(fresh)
            if os.path.lexists(place):
                _rename_directory(place, old)
            _rename_directory(fresh, place)
            shutil.rmtree(old, ignore_errors=True)
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
        self._change(
            f"moving {path} to {to}",
            lambda: _rename_directory(self.real_path(path), self.real_path(to)),
            None,
        )

    # -- beneath

    def _as(self, login: str, work: Callable[[], bytes | None], what: str) -> bytes | None:
        account = self.accounts().user(login)
        if account is None:
            raise HostError(f"{what}: there is no user {login}")
        if os.geteuid() == 0 and not os.fstat(self._root_fd).st_mode & 0o001:
            raise HostError(
                f"{what}: {self.root} can be entered by root alone, so nothing below it by {login}.",
                advice=f"chmod o+x {self.root}",
            )
        try:
            return call_as(account.uid, account.gid, work, what)
        except OSError as error:
            raise _host_error(what, error) from error

    def _change(self, what: str, work: Callable[[], None], as_user: str | None) -> None:
        """Do it, as root or as that user, and turn the kernel's refusals into our words."""
        if as_user is None:
            try:
                work()
            except OSError as error:
                raise _host_error(what, error) from error
            return

        def child() -> None:
            work()

        self._as(as_user, child, f"{what} as {as_user}")

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
                    os.fchown(fd, uid, gid)
                    os.fchmod(fd, mode)
                    self._label_like(fd, parent, name)
                    os.fsync(fd)
                finally:
                    os.close(fd)
                if complaint := _validate(validate, self.real_path(temporary_name(path))) if validate else "":
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


def tree_of(top: str) -> tuple[tuple[str, str, int], ...]:
    """Return (path below top, SHA-256, permission bits) of every file, sorted; links are followed."""
    found = []
    for directory, names, files in os.walk(top, followlinks=True):
        names.sort()
        for file in files:
            place = os.path.join(directory, file)
            with open(place, "rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            executable = os.stat(place).st_mode & 0o111
            found.append((os.path.relpath(place, top), digest, 0o755 if executable else 0o644))
    return tuple(sorted(found))


def _locked(place: str) -> int:
    """Open and lock a file, which its last holder may remove between the two."""
    while True:
        fd = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.exists(place) and os.path.samestat(os.stat(place), os.fstat(fd)):
                return fd
        except BlockingIOError as error:
            holder = os.pread(fd, 200, 0).decode("utf-8", "replace").strip()
            os.close(fd)
            raise LockedError(
                "Another run of dexsetup is under way.",
                why=holder,
                done="Nothing was changed.",
                advice="Wait until it has ended, then start again.",
            ) from error
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _own_tree(top: str) -> None:
    """Make everything below root's own and writable by nobody else."""
    for directory, _, files in os.walk(top):
        os.chmod(directory, 0o755)  # noqa: S103 - programs of a service: readable by all
        _chown(directory)
        for file in files:
            place = os.path.join(directory, file)
            os.chmod(place, 0o755 if os.stat(place).st_mode & 0o111 else 0o644)
            _chown(place)


def _chown(place: str) -> None:
    if os.geteuid() == 0:
        os.chown(place, 0, 0)


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


def _rename_directory(old: str, new: str) -> None:
    """Rename a directory, also where the file system cannot: one of an image's lower layer (overlay).

    Then it is copied whole before the old one goes, so a crash leaves one of them, or both.
    """
    try:
        os.rename(old, new)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy = f"{new}.copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(old, copy, symlinks=True)
        _sync_file_system(copy)
        os.rename(copy, new)
        shutil.rmtree(old)


def _sync_file_system(place: str) -> None:
    """Put a whole tree on the disk at once: thousands of single calls take many seconds."""
    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(fd) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), place)
    finally:
        os.close(fd)


def _program_path() -> str:
    """Where programs of root are: a caller's PATH often lacks the sbin directories."""
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _validate(argv: Sequence[str], place: str) -> str:
    """Return what the program has against the file, or nothing."""
    program = shutil.which(argv[0], path=_program_path())
    if program is None:
        return ""
    command = [program, *(part.replace("{}", place) for part in argv[1:])]
    try:
        done = subprocess.run(  # noqa: S603 - the command is a constant of a step
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_VALIDATE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"{argv[0]} did not end within {_VALIDATE_SECONDS:.0f} s"
    if done.returncode == 0:
        return ""
    words = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
    return words.replace(place, "the new file") or f"{argv[0]} ended with status {done.returncode}"


def _host_error(what: str, error: OSError) -> HostError:
    """Say what failed, and why in the kernel's words."""
    advice = "Run it with sudo." if error.errno in {errno.EACCES, errno.EPERM} and os.geteuid() != 0 else ""
    if error.errno == errno.ENOSPC:
        advice = "Make room on that disk and start again."
    return HostError(f"{what} failed: {error.strerror or error}", why=str(error), advice=advice)
