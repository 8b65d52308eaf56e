"""Names and numbers of users and groups, read from the machine's (or the image's) own passwd and group files.

Not through the C library: an image has its own users, and the library would answer for the machine that
builds it.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AccountLine", "Accounts"]


@dataclass(frozen=True, slots=True)
class AccountLine:
    """One line of /etc/passwd."""

    name: str
    uid: int
    gid: int
    comment: str
    home: str
    shell: str


@dataclass(frozen=True, slots=True)
class Accounts:
    """A parsed pair of passwd and group. Lines that make no sense are passed over, as the C library does."""

    users: tuple[AccountLine, ...]
    groups: tuple[tuple[str, int], ...]

    @classmethod
    def parse(cls, passwd: bytes | None, group: bytes | None) -> Accounts:
        """Read the two files; a missing one is empty."""
        users = []
        for line in (passwd or b"").decode("utf-8", "replace").split("\n"):
            parts = line.split(":")
            if len(parts) == 7 and parts[2].isdecimal() and parts[3].isdecimal():
                name, _, uid, gid, comment, home, shell = parts
                users.append(AccountLine(name, int(uid), int(gid), comment, home, shell))
        groups = []
        for line in (group or b"").decode("utf-8", "replace").split("\n"):
            parts = line.split(":")
            if len(parts) == 4 and parts[2].isdecimal():
                groups.append((parts[0], int(parts[2])))
        return cls(tuple(users), tuple(groups))

    def user(self, name: str) -> AccountLine | None:
        """Return the account of that name."""
        return next((user for user in self.users if user.name == name), None)

    def uid(self, name: str) -> int | None:
        """Return the number of a user; a name of digits is its own number."""
        if (user := self.user(name)) is not None:
            return user.uid
        if name == "root":
            return 0
        return int(name) if name.isdecimal() else None

    def gid(self, name: str) -> int | None:
        """Return the number of a group; a name of digits is its own number."""
        for group, number in self.groups:
            if group == name:
                return number
        if name == "root":
            return 0
        return int(name) if name.isdecimal() else None

    def user_name(self, uid: int) -> str:
        """Return the name of a user number, or the number in digits."""
        known = next((user.name for user in self.users if user.uid == uid), None)
        return known or ("root" if uid == 0 else str(uid))

    def group_name(self, gid: int) -> str:
        """Return the name of a group number, or the number in digits."""
        known = next((name for name, number in self.groups if number == gid), None)
        return known or ("root" if gid == 0 else str(gid))
