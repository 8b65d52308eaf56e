"""What becomes of a datagram before a function is called: reading, authentication, who is known."""

from __future__ import annotations

from hashlib import sha256

import pytest

from dexrouter.admin.auth import COOKIE_UNIT, COOKIE_WINDOW, cookie_at, sign
from dexrouter.admin.message import MAX_REQUEST, TOO_BIG, decode_reply, encode
from tests.unit.admin.rig import CLIENT, PASSWORD, Rig

REFUSED = "No functions matched your request, try Admin_availableFunctions()"


def signed(rig: Rig, *, password: str = PASSWORD, age: int = 0, function: str = "ping") -> bytes:
    cookie = cookie_at(rig.wall_ms) - age
    return sign(function, {}, password=password.encode(), cookie=cookie, txid="t1")


def error(replies: list[bytes]) -> object:
    (reply,) = replies
    return decode_reply(reply).get("error")


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"hello",
        b"de",
        b"l4:pinge",
        b"d1:qi4ee",
        b"d1:q4:pingeXX",
        b"d1:q4:ping",
        b"d1:q" * 100,
        b"\xff" * 64,
    ],
)
def test_what_is_no_request_gets_no_reply(rig: Rig, datagram: bytes) -> None:
    """Silence for everything that is not a bencoded dictionary with a function name."""
    assert rig.send(datagram) == []


def test_a_request_of_the_largest_size_is_taken_and_a_larger_one_is_not(rig: Rig) -> None:
    """2048 bytes are answered, one more gets the fixed error without a transaction id."""
    head, tail = b"d1:q4:ping1:z1993:", b"e"
    largest = head + bytes(MAX_REQUEST - len(head) - len(tail)) + tail
    largest = largest.replace(b"1993", str(MAX_REQUEST - len(head) - len(tail)).encode())
    assert len(largest) == MAX_REQUEST
    assert rig.send(largest) == [b"d1:q4:ponge"]
    assert rig.send(largest + b" ") == [TOO_BIG]


def test_the_cookie_is_the_time_in_units_of_1024_ms(rig: Rig) -> None:
    """Unix time 1795366957 gives the cookie that a real daemon gave then."""
    rig.wall_ms = 1_795_366_957_500
    assert rig.send(b"d1:q6:cookie4:txid3:xyze") == [b"d6:cookie10:17532880444:txid3:xyze"]


@pytest.mark.parametrize(
    ("age", "is_accepted"), [(0, True), (COOKIE_WINDOW, True), (COOKIE_WINDOW + 1, False), (-1, False)]
)
def test_a_cookie_is_good_for_20_units_and_never_before_its_time(
    rig: Rig, age: int, is_accepted: bool
) -> None:
    """The window is closed on both sides."""
    assert error(rig.send(signed(rig, age=age))) == (None if is_accepted else "Auth failed.")


def test_a_cookie_may_be_used_again_until_it_is_too_old(rig: Rig) -> None:
    """The same datagram is accepted twice, and refused 21 units later."""
    datagram = signed(rig)
    assert error(rig.send(datagram)) is None
    assert error(rig.send(datagram)) is None
    rig.wall_ms += (COOKIE_WINDOW + 1) * COOKIE_UNIT
    assert error(rig.send(datagram)) == "Auth failed."


def test_a_wrong_password_is_refused_even_where_none_is_asked_for(open_rig: Rig) -> None:
    """A signed request must be signed correctly; unsigned ones pass where the password is NONE."""
    assert error(open_rig.send(signed(open_rig, password="wrong"))) == "Auth failed."
    assert error(open_rig.send(signed(open_rig, password="NONE"))) is None
    assert "users" in open_rig.call_open("AuthorizedPasswords_list")


def test_any_changed_byte_spoils_the_signature(rig: Rig) -> None:
    """The hash covers the function, the arguments and the cookie."""
    datagram = signed(rig, function="AuthorizedPasswords_list")
    for position in range(len(datagram)):
        changed = bytearray(datagram)
        changed[position] ^= 1
        for reply in rig.send(bytes(changed)):
            assert decode_reply(reply)["error"] in ("Auth failed.", REFUSED, "Request too big.")


def test_the_hash_is_that_of_the_protocol_notes(rig: Rig) -> None:
    """Built by hand: the hash of password and cookie, replaced by the hash of the whole."""
    cookie = str(cookie_at(rig.wall_ms))
    inner = sha256((PASSWORD + cookie).encode()).hexdigest()
    message = f"d2:aq4:ping4:argsde6:cookie{len(cookie)}:{cookie}4:hash64:{inner}1:q4:auth4:txid2:xee"
    message = message.replace("xee", "xe") + "e"
    outer = sha256(message.encode()).hexdigest()
    assert rig.send(message.replace(inner, outer).encode()) == [b"d1:q4:pong4:txid2:xee"]


@pytest.mark.parametrize(
    "function", ["AuthorizedPasswords_list", "Core_exit", "NoSuchFunction", "auth", "PING"]
)
def test_what_does_not_exist_and_what_is_forbidden_look_the_same(rig: Rig, function: str) -> None:
    """Nobody learns without the password which functions there are beyond the list."""
    (reply,) = rig.send(encode({"q": function, "txid": "a"}))
    expected = "Auth failed." if function == "auth" else REFUSED
    assert decode_reply(reply) == {"error": expected, "txid": "a"}
    assert not rig.edge.has_exited


def test_a_signed_request_for_a_cookie_is_refused(rig: Rig) -> None:
    """`cookie` is no function."""
    assert error(rig.send(signed(rig, function="cookie"))) == REFUSED


def test_arguments_are_checked_before_the_call(rig: Rig) -> None:
    """Missing or of a wrong type: required ones refuse the call, optional ones count as absent."""
    text = "Entry [user] is required and must be of type [String]"
    assert rig.call("AuthorizedPasswords_remove")["error"] == text
    assert rig.call("AuthorizedPasswords_remove", user=5)["error"] == text
    assert rig.call("AuthorizedPasswords_list", page="1", nonsense=[])["total"] == 3


def test_functions_are_listed_in_pages_of_eight_until_an_empty_one(rig: Rig) -> None:
    """`more` stands on full pages; the listed functions are those that can be called."""
    listed: dict[str, object] = {}
    for page in range(100):
        reply = rig.call_open("Admin_availableFunctions", page=page)
        functions = reply["availableFunctions"]
        assert isinstance(functions, dict)
        assert ("more" in reply) == (len(functions) == 8)
        listed |= functions
        if not functions:
            break
    assert "InterfaceController_peerStats" in listed
    assert rig.call_open("Admin_availableFunctions", page=-1)["availableFunctions"] == {}


def test_functions_that_the_edge_cannot_do_are_missing(rig: Rig, bare_rig: Rig) -> None:
    """They are not in the list, and calling them is calling what does not exist."""

    def names(one: Rig) -> set[str]:
        pages = (one.call_open("Admin_availableFunctions", page=page) for page in range(20))
        return {name for reply in pages for name in dict(reply["availableFunctions"])}  # type: ignore[arg-type]

    gone = names(rig) - names(bare_rig)
    assert {"Core_exit", "UDPInterface_new", "ETHInterface_beginConnection", "Core_initTunnel"} <= gone
    for name in gone:
        assert bare_rig.call(name) == {"error": REFUSED}


def test_a_caller_is_known_for_30_seconds_after_its_last_message(rig: Rig) -> None:
    """Authentication makes known, any message keeps known, silence ends it."""
    assert rig.call_open("Admin_asyncEnabled") == {"asyncEnabled": 0}
    rig.call("ping")
    for _ in range(4):
        rig.later(29)
        assert rig.call_open("Admin_asyncEnabled") == {"asyncEnabled": 1}
    rig.later(31)
    assert rig.call_open("Admin_asyncEnabled") == {"asyncEnabled": 0}


def test_where_no_password_is_set_everybody_is_known(open_rig: Rig) -> None:
    """So clients that do not sign can follow the log, as with v22."""
    assert open_rig.call_open("Admin_asyncEnabled") == {"asyncEnabled": 1}


def test_the_table_of_known_callers_is_bounded(rig: Rig) -> None:
    """The one that was silent for longest gives way."""
    for port in range(1000, 1100):
        rig.ask("ping", ("127.0.0.1", port))
        rig.later(0.01)

    def is_known(port: int) -> object:
        (reply,) = rig.send(b"d1:q18:Admin_asyncEnablede", ("127.0.0.1", port))
        return decode_reply(reply)["asyncEnabled"]

    assert [is_known(port) for port in (1000, 1035, 1036, 1099)] == [0, 0, 1, 1]


def test_the_next_deadline_is_that_of_the_first_caller_to_be_forgotten(rig: Rig) -> None:
    """Nothing is due while nobody is known."""
    assert rig.server.next_deadline() is None
    rig.send(signed(rig), CLIENT)
    assert rig.server.next_deadline() == rig.mesh.now + 30
