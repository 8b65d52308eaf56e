"""One run at a time: a lock file that the kernel gives back however the process ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dexsetup.errors import LockedError, MachineError

__all__ = ["held_lock"]


@contextmanager
def held_lock(place: Path, text: str) -> Iterator[None]:
    """Hold an flock on a file, whose content is `text`. Raises `LockedError` with the words of who holds it.

    The file goes with the lock, and so does its directory if it was made for it.
    """
    directory = place.parent
    is_ours = not directory.exists()
    try:
        if is_ours:
            directory.mkdir(0o755)
        fd = _locked(place)
    except OSError as error:
        raise MachineError(
            f"The lock {place}, which keeps a second run out, cannot be made.",
            why=str(error),
            done="Nothing was changed.",
        ) from error
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, text.encode(), 0)
        yield
    finally:
        place.unlink(missing_ok=True)
        os.close(fd)
        if is_ours:
            with suppress(OSError):  # somebody uses it by now
                directory.rmdir()


def _locked(place: Path) -> int:
    """Open and lock a file, which its last holder may remove between the two."""
    while True:
        fd = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if os.path.samestat(place.stat(), os.fstat(fd)):
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
