"""What the admin API may know of and do to the rights of the process (admin/edge.py)."""

from __future__ import annotations

import os
import pwd
import resource
from pathlib import Path

from dexrouter.admin.edge import Account, EdgeError, Permissions
from dexrouter.io.privileges import CAP_NET_ADMIN, CAP_NET_RAW, become, forbid_children

__all__ = ["Confinement"]


class Confinement:
    """The rights of this process."""

    def __init__(self, *, uses_ethernet: bool) -> None:
        """`uses_ethernet`: raw sockets go on to be opened."""
        self._uses_ethernet = uses_ethernet

    def permissions(self) -> Permissions:
        """Tell what is in force."""
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        filters = [line.split()[1] for line in lines if line.startswith("Seccomp:")]
        return Permissions(
            user=os.geteuid(),
            can_open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 0,
            knows_filters=bool(filters),
            is_filtered=filters not in ([], ["0"]),
        )

    def account(self, name: str | None) -> Account:
        """Look an account up. Raises EdgeError."""
        try:
            found = pwd.getpwuid(os.geteuid()) if name is None else pwd.getpwnam(name)
        except (KeyError, ValueError) as error:
            raise EdgeError("Could not find user [No such file or directory]") from error
        return Account(found.pw_name, found.pw_uid, found.pw_gid)

    def become(self, uid: int, gid: int | None, *, keep_net_admin: bool) -> None:
        """Run as another user. Raises EdgeError."""
        gid = os.getegid() if gid is None else gid
        if (uid, gid) == (os.geteuid(), os.getegid()):
            return
        capabilities = {CAP_NET_ADMIN} if keep_net_admin else set()
        if self._uses_ethernet:
            capabilities.add(CAP_NET_RAW)
        try:
            become(uid, gid, frozenset(capabilities))
        except OSError as error:
            raise EdgeError(f"user {uid}, group {gid}: {error.strerror}") from error

    def forbid_children(self) -> None:
        """Start no process any more. Raises EdgeError."""
        try:
            forbid_children()
        except (OSError, ValueError) as error:
            raise EdgeError(f"setrlimit: {error}") from error
