"""Runs one function in a child process that has given up root for good, and brings its result back.

A home is hostile ground: whatever its owner may not do, root must not do for him. The child drops to the
user's own numbers (no supplementary groups) before it touches a path, and can only return bytes or the text
of an error. It never returns into the caller's code.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import NoReturn

from dexsetup.errors import HostError

__all__ = ["call_as", "give_file"]


def call_as(
    uid: int, gid: int, work: Callable[[], bytes | None], what: str, *, file_gid: int | None = None
) -> bytes | None:
    """Return what `work` returns when it is run with these rights.

    `file_gid` is the group that a file is to have: the child can give it that by `give_file`, and has no
    right of that group's in anything else. Raises HostError with the child's words; `what` names the
    operation. Without root there is nothing to give up: then the work is done here, and only for oneself.
    """
    if os.geteuid() != 0:
        if os.geteuid() != uid:
            raise HostError(f"{what}: this needs the rights of user {uid}", advice="Run it with sudo.")
        return work()
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        _child(uid, (gid, gid if file_gid is None else file_gid), work, write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as stream:
        answer = stream.read()
    os.waitpid(child, 0)
    if not answer:
        raise HostError(f"{what}: the process that works as user {uid} ended without an answer")
    message = json.loads(answer)
    if "error" in message:
        raise HostError(f"{what}: {message['error']}")
    return None if message["value"] is None else b64decode(message["value"])


def give_file(fd: int, uid: int, gid: int) -> None:
    """Let an open file belong to a user and a group, also one that the user is not in but the file was."""
    try:
        os.fchown(fd, uid, gid)
    except PermissionError:
        former = os.getegid()
        os.setegid(gid)  # possible for the one group that the child was started with, and for nobody else
        try:
            os.fchown(fd, uid, gid)
        finally:
            os.setegid(former)


def _child(uid: int, gids: tuple[int, int], work: Callable[[], bytes | None], write_end: int) -> NoReturn:
    """Give up root, work, answer, end. Nothing of the parent's (buffers, exit handlers) is run."""
    message: dict[str, str | None]
    try:
        gid, file_gid = gids
        os.setgroups([])
        os.setresgid(gid, gid, file_gid)
        os.setresuid(uid, uid, uid)
        os.umask(0o077)
        value = work()
        message = {"value": None if value is None else b64encode(value).decode()}
    except OSError as error:
        message = {"error": f"{error.strerror}" if error.strerror else str(error)}
    except HostError as error:
        message = {"error": error.what}
    except BaseException as error:  # noqa: BLE001 - the edge of a process: everything must become an answer
        message = {"error": f"{type(error).__name__}: {error}"}
    data = json.dumps(message).encode()
    try:
        while data:
            data = data[os.write(write_end, data) :]
    finally:
        os._exit(0)
