"""`AuthorizedPasswords_*`: who may connect (spec 07 §8.1)."""

from __future__ import annotations

from typing import Final

from dexrouter.admin.message import Reply
from dexrouter.admin.table import INT, OK, TEXT, TEXT_REQUIRED, Call, CallError, Table, one_page
from dexrouter.crypto.keys import Address, KeyParseError, is_mesh_address, parse_address
from dexrouter.crypto.users import Credentials, DuplicateUserError

__all__ = ["TABLE"]

USERS_PER_PAGE: Final = 16

MAX_USERS: Final = 4096
"""The C router has no limit; a script in a loop should meet one before the memory ends."""

TABLE: Final = Table()


@TABLE.function("AuthorizedPasswords_add", password=TEXT_REQUIRED, ipv6=TEXT, user=TEXT)
def add(call: Call) -> Reply:
    """Let whoever has this password connect, if asked so only from one address of the mesh."""
    users = call.context.node.users
    if len(users) >= MAX_USERS:
        raise CallError("Too many passwords.")
    credentials = Credentials(call.raw("password") or b"", call.raw("user"))
    address = None if call.raw("ipv6") is None else _address(call.text("ipv6"))
    try:
        users.add(credentials, address)
    except DuplicateUserError as error:
        raise CallError("Password already added.") from error
    return OK


@TABLE.function("AuthorizedPasswords_remove", user=TEXT_REQUIRED)
def remove(call: Call) -> Reply:
    """Forget all passwords of a user. Peers that are connected stay."""
    if not call.context.node.users.remove(call.raw("user") or b""):
        raise CallError("Unknown error.")
    return OK


@TABLE.function("AuthorizedPasswords_list", page=INT)
def list_users(call: Call) -> Reply:
    """List a page of users, the newest first. No `error` key: clients take any as a refusal."""
    users = call.context.node.users.users()[::-1]
    page, _ = one_page(users, call.integer("page"), USERS_PER_PAGE)
    return {"users": [user.login for user in page], "total": len(users)}


def _address(text: str) -> Address:
    try:
        address = parse_address(text)
    except KeyParseError as error:
        raise CallError("Invalid IPv6 Address") from error
    if not is_mesh_address(address):
        raise CallError("Invalid IPv6 Address")
    return address
