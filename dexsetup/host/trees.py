"""Trees of programs, which root owns: compared by hash, copied beside their place, put there by rename.

A crash leaves the old tree or the new one, whole; what lies beside it then is cleared away the next time.
Errors are the kernel's own (`OSError`): who calls knows what was to be done.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import shutil
from pathlib import Path

__all__ = ["copy_tree", "rename_directory", "tree_of"]


def tree_of(top: Path) -> tuple[tuple[str, str, int], ...]:
    """Return (path below top, SHA-256, permission bits) of every file, sorted; links are followed."""
    found = []
    for directory, names, files in os.walk(top, followlinks=True):
        names.sort()
        for file in files:
            place = Path(directory, file)
            with place.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            found.append((str(place.relative_to(top)), digest, _rights(place)))
    return tuple(sorted(found))


def copy_tree(source: Path, place: Path, fresh: Path) -> None:
    """Copy programs to a place of root's, made first as `fresh`, a path beside it."""
    old = fresh.with_name(f"{fresh.name}-old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(source, fresh, symlinks=False)
    _own_tree(fresh)
    _sync_file_system(fresh)
    if os.path.lexists(place):  # a link that leads nowhere is there, too
        rename_directory(place, old)
    rename_directory(fresh, place)
    shutil.rmtree(old, ignore_errors=True)


def rename_directory(old: Path, new: Path) -> None:
    """Rename a directory, also where the file system cannot: one of an image's lower layer (overlay).

    Then it is copied whole before the old one goes, so a crash leaves one of them, or both.
    """
    try:
        old.rename(new)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy = new.with_name(f"{new.name}.copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(old, copy, symlinks=True)
        _sync_file_system(copy)
        copy.rename(new)
        shutil.rmtree(old)


def _own_tree(top: Path) -> None:
    """Make everything below root's own and writable by nobody else."""
    for directory, _, files in os.walk(top):
        _own(Path(directory), 0o755)
        for file in files:
            place = Path(directory, file)
            _own(place, _rights(place))


def _own(place: Path, rights: int) -> None:
    place.chmod(rights)
    if os.geteuid() == 0:
        os.chown(place, 0, 0)


def _rights(place: Path) -> int:
    """Permission bits of a program or of what it reads: all may read, root alone may write."""
    return 0o755 if place.stat().st_mode & 0o111 else 0o644


def _sync_file_system(place: Path) -> None:
    """Put a whole tree on the disk at once: thousands of single calls take many seconds."""
    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(fd) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(place))
    finally:
        os.close(fd)
