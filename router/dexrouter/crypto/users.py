"""Credentials: what a session presents, and whom a node lets in (spec 01 §4).

Passwords and logins are byte strings, taken as they stand. A packet names its credentials by 8 bytes: auth
type and seven bytes of a hash. Both ways of naming (by password, by login) lead to the same user; where
several users have the same name, the one added first is found.

The table has no capacity of its own: only the operator and the node itself add to it, never a packet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from typing import Final

from dexrouter.crypto.keys import Address

__all__ = ["AUTH_NONE", "AuthorizedUsers", "Credentials", "DuplicateUserError", "User"]

AUTH_NONE: Final = 0
AUTH_PASSWORD: Final = 1
AUTH_LOGIN: Final = 2

_LOOKUP_HASH: Final = slice(1, 8)
"""The first byte of the hash gives way to the auth type."""


class DuplicateUserError(ValueError):
    """The same login with the same password is known already."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a session presents in each of its handshake packets. `repr` does not show the password."""

    password: bytes = field(repr=False)
    login: bytes | None = None

    @property
    def secret(self) -> bytes:
        """The 32 byte auth secret."""
        return sha256(self.password).digest()

    @property
    def lookup(self) -> bytes:
        """The 8 bytes that name these credentials in a packet: by login if there is one, else by password."""
        return _password_lookup(self.password) if self.login is None else _login_lookup(self.login)


@dataclass(frozen=True, slots=True)
class User:
    """One entry of the list of those who may connect."""

    login: bytes
    secret: bytes = field(repr=False)
    """The auth secret; the password itself is not kept."""

    by_password: bytes = field(repr=False)
    by_login: bytes
    address: Address | None
    """If given, the only address that may use these credentials."""

    def allows(self, address: Address) -> bool:
        """Whether a node with this address may use the entry; an address that begins with 0 binds nobody."""
        return self.address is None or self.address[0] == 0 or self.address == address


class AuthorizedUsers:
    """The users of a node, in the order in which they were added."""

    __slots__ = ("_by_lookup", "_users")

    def __init__(self) -> None:
        self._users: list[User] = []
        self._by_lookup: dict[bytes, User] = {}

    def __len__(self) -> int:
        return len(self._users)

    def add(self, credentials: Credentials, address: Address | None = None) -> bytes:
        """Let a user in; the result is the login, which is made up for an entry that has none.

        Raises `DuplicateUserError` for a login and password that are both known.
        """
        login = credentials.login
        if login is None:
            login = self._new_login()
        user = User(
            login, credentials.secret, _password_lookup(credentials.password), _login_lookup(login), address
        )
        if any(known.login == login and known.secret == user.secret for known in self._users):
            raise DuplicateUserError("this login with this password is known already")
        self._users.append(user)
        self._index(user)
        return login

    def _new_login(self) -> bytes:
        """Make up a login (spec 01 §4): the number of entries so far, or the next one that nobody has."""
        taken = {user.login for user in self._users}
        numbers = count(len(self._users))
        return next(login for number in numbers if (login := b"Anon #%d" % number) not in taken)

    def remove(self, login: bytes) -> int:
        """Forget all entries with a login; the result is their number. Running sessions are not touched."""
        kept = [user for user in self._users if user.login != login]
        removed = len(self._users) - len(kept)
        self._users = kept
        self._by_lookup = {}
        for user in kept:
            self._index(user)
        return removed

    def users(self) -> tuple[User, ...]:
        """All entries, in the order in which they were added."""
        return tuple(self._users)

    def lookup(self, name: bytes) -> User | None:
        """Find whom the 8 bytes of a packet name, auth type first."""
        return self._by_lookup.get(name)

    def _index(self, user: User) -> None:
        self._by_lookup.setdefault(user.by_password, user)
        self._by_lookup.setdefault(user.by_login, user)


def _password_lookup(password: bytes) -> bytes:
    return bytes((AUTH_PASSWORD,)) + sha256(sha256(password).digest()).digest()[_LOOKUP_HASH]


def _login_lookup(login: bytes) -> bytes:
    return bytes((AUTH_LOGIN,)) + sha256(login).digest()[_LOOKUP_HASH]
