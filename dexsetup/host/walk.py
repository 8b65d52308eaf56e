"""Walks a path component by component from an open directory, so that nothing outside of it is ever reached.

Rules:
- Every step is an openat with O_NOFOLLOW. A symbolic link is either refused (`follow=False`: homes, where a
  person may have put it to make root write elsewhere) or resolved by us below the same root directory, so
  that an absolute link in an image stays in the image.
- What is returned is an open parent directory (good for openat, not for reading) and the last name: whoever
  works on these two cannot be led astray by a directory that is exchanged for a link in between.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from dexsetup.errors import HostError

__all__ = ["LinkError", "parent_of"]

_LINKS_MAX = 40
"""As the kernel's own limit (MAXSYMLINKS)."""
_PATH_ONLY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class LinkError(HostError):
    """A symbolic link stands where none may be."""


class _Walker:
    """An open chain of directories, from the root to where we are."""

    def __init__(self, root_fd: int) -> None:
        self.chain = [os.dup(root_fd)]

    def close(self) -> None:
        for fd in self.chain:
            os.close(fd)

    def restart(self) -> None:
        while len(self.chain) > 1:
            os.close(self.chain.pop())

    def enter(self, name: str) -> None:
        if name == "..":
            if len(self.chain) > 1:
                os.close(self.chain.pop())
            return
        self.chain.append(os.open(name, _PATH_ONLY, dir_fd=self.chain[-1]))

    def link_target(self, name: str) -> str | None:
        status = os.stat(name, dir_fd=self.chain[-1], follow_symlinks=False)
        return os.readlink(name, dir_fd=self.chain[-1]) if stat.S_ISLNK(status.st_mode) else None


@contextmanager
def parent_of(
    root_fd: int, path: str, *, follow: bool, resolve_last: bool = False
) -> Iterator[tuple[int, str]]:
    """Give (descriptor of the parent directory, last name) of an absolute path below `root_fd`.

    With `resolve_last` a link at the end is resolved as well. Raises FileNotFoundError or NotADirectoryError
    as openat does, and LinkError for a link that must not be followed.
    """
    todo = [part for part in path.split("/") if part not in {"", "."}]
    if not todo:
        raise HostError(f"{path} is not the path of a file")
    walker = _Walker(root_fd)
    links = 0
    try:
        while True:
            name = todo.pop(0)
            if not todo and (not resolve_last or name == ".."):
                break
            try:
                target = None if name == ".." else walker.link_target(name)
            except FileNotFoundError:
                if todo:
                    raise
                break
            if target is None:
                if not todo:
                    break
                walker.enter(name)
                continue
            links += 1
            if not follow:
                raise LinkError(f"{path}: {name} is a symbolic link (to {target}), and it is not followed")
            if links > _LINKS_MAX:
                raise LinkError(f"{path}: too many symbolic links")
            if target.startswith("/"):
                walker.restart()
            todo = [part for part in target.split("/") if part not in {"", "."}] + todo
            if not todo:
                raise HostError(f"{path} is a link to the root directory")
        yield walker.chain[-1], name
    finally:
        walker.close()
