"""Gives up what the running router does not need (architecture: "holds only what it needs").

Started as root, the router makes its devices and binds its ports, and then becomes another user that keeps
CAP_NET_ADMIN (addresses and routes of its device) and, if it speaks Ethernet, CAP_NET_RAW. Under systemd it
was never root and has these from the start. In either case it can gain nothing any more (no_new_privs).

A step that the system does not permit (a container, a sandbox) is said in the log and left out: a router with
too many rights is better than none.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import pwd
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dexrouter.io.log import event

__all__ = [
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "OWN_USER",
    "Wanted",
    "become",
    "drop_privileges",
    "forbid_children",
    "user_for",
]

_log = logging.getLogger(__name__)

CAP_NET_ADMIN: Final = 12
CAP_NET_RAW: Final = 13

OWN_USER: Final = "dexrouter"
"""The account made for the router, preferred to what the configuration names if it is there."""

_PR_SET_KEEPCAPS: Final = 8
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_CAPABILITY_VERSION_3: Final = 0x20080522
_LAST_CAPABILITY: Final = Path("/proc/sys/kernel/cap_last_cap")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to become."""

    user: str | None
    """None: stay the user that started it."""
    capabilities: frozenset[int]
    no_children: bool


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def user_for(configured: str | None) -> str | None:
    """Choose the account: the router's own if the machine has it, else the configured one; None: stay."""
    if configured is None:
        return None
    try:
        pwd.getpwnam(OWN_USER)
    except KeyError:
        return configured
    return OWN_USER


def drop_privileges(wanted: Wanted, *, owned: tuple[Path, ...] = ()) -> None:
    """Become what is wanted; directories of `owned` go along to the new user."""
    if os.geteuid() == 0 and wanted.user is not None:
        try:
            account = pwd.getpwnam(wanted.user)
        except KeyError:
            _log.warning(event("privileges", user=wanted.user, error="no such user", effect="stays root"))
        else:
            _become(account, wanted.capabilities, owned)
    try:
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    except OSError as error:
        _log.warning(event("privileges", error=error.strerror, effect="new privileges are not ruled out"))
    if wanted.no_children and os.geteuid() != 0:
        # Root is not bound by this limit. A sandbox may forbid to set limits, and has its own then.
        with contextlib.suppress(OSError, ValueError):
            forbid_children()


def forbid_children() -> None:
    """Start no process any more. Raises OSError."""
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def become(uid: int, gid: int, capabilities: frozenset[int]) -> None:
    """Run as another user that keeps these capabilities. Raises OSError."""
    _drop_bounds(capabilities)
    _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    _set_capabilities(capabilities)


def _become(account: pwd.struct_passwd, capabilities: frozenset[int], owned: tuple[Path, ...]) -> None:
    try:
        for directory in owned:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _give(directory, account)
        become(account.pw_uid, account.pw_gid, capabilities)
    except OSError as error:
        who = f"{os.geteuid()}:{os.getegid()}"
        _log.warning(event("privileges", user=account.pw_name, error=error.strerror, effect=f"stays {who}"))
        return
    _log.info(event("privileges", user=account.pw_name, capabilities=len(capabilities)))


def _give(directory: Path, account: pwd.struct_passwd) -> None:
    """Hand a directory and the files in it over, without following links."""
    for path in (directory, *directory.iterdir()):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def _drop_bounds(kept: frozenset[int]) -> None:
    last = int(_LAST_CAPABILITY.read_text(encoding="ascii"))
    for capability in range(last + 1):
        if capability not in kept:
            _prctl(_PR_CAPBSET_DROP, capability)


def _set_capabilities(kept: frozenset[int]) -> None:
    mask = sum(1 << capability for capability in kept)
    data = (_Data * 2)(_Data(mask & 0xFFFF_FFFF, mask & 0xFFFF_FFFF, 0), _Data(mask >> 32, mask >> 32, 0))
    header = _Header(_CAPABILITY_VERSION_3, 0)
    _check(_libc().capset(ctypes.byref(header), ctypes.byref(data)))


def _prctl(option: int, argument: int) -> None:
    _check(_libc().prctl(option, ctypes.c_ulong(argument), 0, 0, 0))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
