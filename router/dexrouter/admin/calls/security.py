"""`Security_*`: giving up rights (spec 07 §8.8).

The C router is told to by its other half when it starts. This one has done so by itself before it answers
(io/privileges.py), so these calls tell what is in force, and take more away where that can be done later.
Three cannot: Python reads its modules, and the router opens devices and sockets, while it runs.
"""

from __future__ import annotations

from typing import Final

from dexrouter.admin.message import Reply
from dexrouter.admin.table import INT, INT_REQUIRED, OK, TEXT, TEXT_REQUIRED, Call, CallError, Table, present

__all__ = ["TABLE"]

_HIGHEST_ID: Final = 0xFFFF_FFFE

TABLE: Final = Table()


@TABLE.function("Security_checkPermissions", needs="security")
def check_permissions(call: Call) -> Reply:
    """Tell what the process may still do."""
    permissions = present(call.context.edge.security).permissions()
    return {
        "error": "none",
        "userId": permissions.user,
        "noOpenFiles": not permissions.can_open_files,
        "seccompExists": permissions.knows_filters,
        "seccompEnforcing": permissions.is_filtered,
    }


@TABLE.function("Security_getUser", needs="security", user=TEXT)
def get_user(call: Call) -> Reply:
    """Look an account up, by default the router's own."""
    account = present(call.context.edge.security).account(
        None if call.raw("user") is None else call.text("user")
    )
    return {"error": "none", "name": account.name, "uid": account.uid, "gid": account.gid}


@TABLE.function("Security_setUser", needs="security", uid=INT_REQUIRED, keepNetAdmin=INT_REQUIRED, gid=INT)
def set_user(call: Call) -> Reply:
    """Run as another user from now on; without a group, or with group 0, the group stays."""
    uid, gid = call.integer("uid"), call.integer("gid")
    if not (0 <= uid <= _HIGHEST_ID and 0 <= gid <= _HIGHEST_ID):
        raise CallError("no such user or group")
    keep = bool(call.integer("keepNetAdmin"))
    present(call.context.edge.security).become(uid, gid or None, keep_net_admin=keep)
    return OK


@TABLE.function("Security_noforks", needs="security")
def no_forks(call: Call) -> Reply:
    """Start no process any more."""
    present(call.context.edge.security).forbid_children()
    return OK


@TABLE.function("Security_nofiles", needs="security")
def no_files(_call: Call) -> Reply:
    """Refuse: the router could not follow the network any more."""
    raise CallError("this router opens sockets and devices while it runs: confine it by its service")


@TABLE.function("Security_chroot", needs="security", root=TEXT_REQUIRED)
def chroot(_call: Call) -> Reply:
    """Refuse: modules that are not loaded yet would be out of reach."""
    raise CallError("this router reads its own files while it runs: confine it by its service")


@TABLE.function("Security_seccomp", needs="security")
def seccomp(call: Call) -> Reply:
    """Tell that a filter is in force, or that there is none to be had from the router itself."""
    if present(call.context.edge.security).permissions().is_filtered:
        raise CallError("seccomp is already enabled")
    raise CallError("this router has no filter of its own: its service brings one")


@TABLE.function("Security_setupComplete", needs="security")
def setup_complete(call: Call) -> Reply:
    """Take note, once; the router waits for nothing."""
    if call.context.is_set_up:
        raise CallError("setup is complete already")
    call.context.is_set_up = True
    return OK
