"""The replay window and the user list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dexrouter.crypto.keys import Address
from dexrouter.crypto.replay import ReplayWindow
from dexrouter.crypto.users import AuthorizedUsers, Credentials, DuplicateUserError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "cryptoauth.json").read_text())


@pytest.mark.parametrize("sequence", VECTORS["replay_protector"], ids=lambda entry: str(len(entry["steps"])))
def test_replay_window(sequence: dict[str, Any]) -> None:
    """Every step of four long sequences ends in the state of the real window."""
    window = ReplayWindow()
    window.restart(sequence["initial_base"])
    for counter, accepted, base, bits, duplicates, lost, out_of_range in sequence["steps"]:
        assert window.check(counter) == bool(accepted), counter
        assert window.base == base
        assert window.bits == int(bits, 16)
        assert (window.duplicates, window.lost, window.out_of_range) == (duplicates, lost, out_of_range)


def test_restart_keeps_the_counts() -> None:
    """A restart forgets which packets were seen, clearing also forgets how many were late."""
    window = ReplayWindow()
    assert window.check(5)
    assert not window.check(5)
    window.restart(100)
    assert not window.check(99)
    assert (window.duplicates, window.out_of_range) == (1, 1)
    window.clear()
    assert (window.base, window.duplicates, window.out_of_range) == (0, 0, 0)


@pytest.mark.parametrize("entry", VECTORS["auth_derivation"], ids=lambda entry: str(entry["login"]))
def test_credentials(entry: dict[str, str]) -> None:
    """Login and password give the reference's auth secret and both of its challenges."""
    password = entry["password"].encode()
    by_password = Credentials(password)
    assert by_password.secret.hex() == entry["secret"]
    assert by_password.lookup.hex() + "00000000" == entry["challenge_type1"]
    if entry["login"] is not None:
        by_login = Credentials(password, entry["login"].encode())
        assert by_login.secret.hex() == entry["secret"]
        assert by_login.lookup.hex() + "00000000" == entry["challenge_type2"]


def test_a_user_is_found_by_login_and_by_password() -> None:
    """Whoever knows the password may leave the login out; the first of equal names wins."""
    users = AuthorizedUsers()
    users.add(Credentials(b"first", b"alice"))
    users.add(Credentials(b"second", b"alice"))
    for name, password in ((Credentials(b"first"), b"first"), (Credentials(b"x", b"alice"), b"first")):
        found = users.lookup(name.lookup)
        assert found is not None
        assert found.secret == Credentials(password).secret
    assert users.lookup(Credentials(b"third").lookup) is None


def test_logins_are_made_up() -> None:
    """An entry without login is named by the number of entries before it, but as no other one is."""
    users = AuthorizedUsers()
    assert users.add(Credentials(b"beacon", b"Local Peers")) == b"Local Peers"
    assert users.add(Credentials(b"a")) == b"Anon #1"
    assert users.add(Credentials(b"b")) == b"Anon #2"
    assert [user.login for user in users.users()] == [b"Local Peers", b"Anon #1", b"Anon #2"]
    users.remove(b"Anon #1")
    assert users.add(Credentials(b"c")) == b"Anon #3"


def test_duplicates_are_refused() -> None:
    """The same login with the same password is one entry too many; with another password it is not."""
    users = AuthorizedUsers()
    users.add(Credentials(b"a", b"alice"))
    with pytest.raises(DuplicateUserError):
        users.add(Credentials(b"a", b"alice"))
    users.add(Credentials(b"b", b"alice"))
    assert len(users) == 2


def test_removed_users_are_not_found() -> None:
    """Removing a login removes all of its entries and uncovers those which they hid."""
    users = AuthorizedUsers()
    users.add(Credentials(b"same", b"alice"))
    users.add(Credentials(b"same", b"bob"))
    assert users.remove(b"alice") == 1
    assert users.remove(b"alice") == 0
    found = users.lookup(Credentials(b"same").lookup)
    assert found is not None
    assert found.login == b"bob"


def test_bound_addresses() -> None:
    """An entry bound to an address lets no other in, unless the address begins with a zero byte."""
    users = AuthorizedUsers()
    bound, other, nobody = (Address(bytes((first,)) + bytes(15)) for first in (0xFC, 0xFD, 0))
    users.add(Credentials(b"a", b"a"), bound)
    users.add(Credentials(b"b", b"b"), nobody)
    first, second = users.users()
    assert (first.allows(bound), first.allows(other), second.allows(other)) == (True, False, True)


def test_passwords_are_not_shown() -> None:
    """Neither credentials nor the list of users print a password or what would serve as one."""
    users = AuthorizedUsers()
    credentials = Credentials(b"hunter2-canary", b"alice")
    users.add(credentials)
    shown = f"{credentials!r} {users.users()!r}"
    assert "canary" not in shown
    assert str(credentials.secret)[2:-1] not in shown
