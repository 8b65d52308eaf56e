"""The client against our server, and against servers that misbehave; and where it finds the address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dexrouter.admin.access import Access, AccessError, find_access
from dexrouter.admin.client import (
    AdminClient,
    AuthenticationError,
    CallFailedError,
    NoAnswerError,
)
from dexrouter.admin.message import TOO_BIG, decode_reply, encode
from dexrouter.config import genconf
from dexrouter.crypto.entropy import SeededEntropy
from tests.unit.admin.rig import Rig
from tests.unit.admin.served import serve, serve_rig


@pytest.fixture
def access(rig: Rig) -> Iterator[Access]:
    """Where the rig's server is."""
    with serve_rig(rig) as found:
        yield found


def test_a_signed_call(access: Access, rig: Rig) -> None:
    """With arguments; the transaction id is not part of the reply."""
    with AdminClient(access) as client:
        assert client.call("AuthorizedPasswords_add", {"password": "p", "user": "new"}) == {"error": "none"}
        assert "new" in list(client.pages("AuthorizedPasswords_list", "users"))
    assert rig.node.users.users()[-1].login == b"new"


def test_an_open_call_needs_no_password(access: Access) -> None:
    """`signed=False` asks for no cookie, either."""
    with AdminClient(replace(access, password="wrong")) as client:
        assert client.call("Core_nodeInfo", signed=False)["version"] == 21


def test_a_wrong_password_is_its_own_error(access: Access) -> None:
    """The sentence names where the password came from."""
    with (
        AdminClient(replace(access, password="wrong")) as client,
        pytest.raises(AuthenticationError, match=r"refuses the password \(from the test\)"),
    ):
        client.call("ping")


def test_an_error_of_the_router_is_raised_with_its_text(access: Access) -> None:
    """`ask` gives the same reply without raising."""
    with AdminClient(access) as client:
        with pytest.raises(CallFailedError, match=r"AuthorizedPasswords_remove: Unknown error\.") as caught:
            client.call("AuthorizedPasswords_remove", {"user": "nobody"})
        assert caught.value.text == "Unknown error."
        assert client.ask("AuthorizedPasswords_remove", {"user": "nobody"}) == {"error": "Unknown error."}


def test_pages_are_read_to_their_end(access: Access, rig: Rig) -> None:
    """Dictionaries as pairs, lists with `more`, lists with only a total, empty ones."""
    for number in range(40):
        rig.call("AuthorizedPasswords_add", password=str(number), user=str(number))
    with AdminClient(access) as client:
        functions = list(client.pages("Admin_availableFunctions", "availableFunctions", signed=False))
        assert len(functions) == len(rig.server.functions)
        assert len(list(client.pages("AuthorizedPasswords_list", "users"))) == 43
        assert len(list(client.pages("InterfaceController_interfaces", "ifaces"))) == 2
        assert list(client.pages("InterfaceController_peerStats", "peers", signed=False)) == []


def test_nobody_there_is_a_sentence(access: Access) -> None:
    """Not a traceback, and at once."""
    with (
        AdminClient(replace(access, port=1)) as client,
        pytest.raises(NoAnswerError, match="No router listens"),
    ):
        client.call("ping")


def test_silence_ends_at_the_timeout() -> None:
    """A socket that never answers."""
    with (
        serve(lambda _datagram, _source: [], "NONE") as access,
        AdminClient(access, timeout=0.05) as client,
        pytest.raises(NoAnswerError, match=r"within 0\.05 s"),
    ):
        client.call("ping", signed=False)


def test_answers_to_somebody_else_are_passed_over() -> None:
    """Garbage, other transaction ids and replies without one do not disturb."""

    def answer(datagram: bytes, _source: object) -> list[bytes]:
        txid = decode_reply(datagram)["txid"]
        return [b"garbage", b"d1:q4:ponge", b"d1:q4:pong4:txid1:xe", encode({"q": "pong", "txid": txid})]

    with serve(answer, "NONE") as access, AdminClient(access) as client:
        assert client.call("ping", signed=False) == {"q": "pong"}


def test_what_comes_for_a_subscription_while_something_else_is_asked_is_kept() -> None:
    """No line of the log is lost to the question that keeps the subscription alive."""
    subscribed: list[str] = []

    def answer(datagram: bytes, _source: tuple[str, int]) -> list[bytes]:
        txid = str(decode_reply(datagram)["txid"])
        if b"AdminLog_subscribe" in datagram:
            subscribed.append(txid)
        lines = [encode({"message": word, "txid": subscribed[0]}) for word in ("one", "two")]
        return [*lines, encode({"q": "pong", "txid": txid})]

    with serve(answer, "NONE") as access, AdminClient(access) as client:
        txid = client.send("AdminLog_subscribe", signed=False)
        assert client.receive(txid) == {"message": "one"}
        assert client.call("ping", signed=False) == {"q": "pong"}
        found = [client.receive(txid) for _ in range(4)]
    assert found == [{"message": "two"}, {"q": "pong"}, {"message": "one"}, {"message": "two"}]


def test_a_request_that_is_too_big_for_the_router_is_said_so() -> None:
    """That error comes without a transaction id."""
    with (
        serve(lambda _datagram, _source: [TOO_BIG], "NONE") as access,
        AdminClient(access) as client,
        pytest.raises(CallFailedError, match="too big"),
    ):
        client.call("ping", signed=False)


def test_the_usual_file_of_cjdns_tools_is_read(tmp_path: Path) -> None:
    """Address, port and password; what is given outright goes before it."""
    text = json.dumps({"addr": "::1", "port": 4711, "password": "p", "config": "/x"})
    (tmp_path / ".cjdnsadmin").write_text(text)
    found = find_access(home=tmp_path)
    assert (found.host, found.port, found.password, found.where) == ("::1", 4711, "p", "[::1]:4711")
    assert find_access(home=tmp_path, port=5, password="q").password == "q"
    assert "password" not in repr(found)


def test_a_configuration_is_read_for_its_admin_section(tmp_path: Path) -> None:
    """Also when `.cjdnsadmin` only names it."""
    conf = tmp_path / "cjdroute.conf"
    conf.write_text(genconf(SeededEntropy(bytes(64))))
    assert find_access(conf).port == 11234
    assert find_access(conf).origin == str(conf)
    (tmp_path / ".cjdnsadmin").write_text(json.dumps({"config": str(conf)}))
    assert find_access(home=tmp_path).password == find_access(conf).password


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is not JSON"),
        ("[]", "does not hold a JSON object"),
        ('{"port": 0, "password": "x"}', '"port" a number'),
        ('{"port": "11234", "password": "x"}', '"port" a number'),
        ("{}", '"password" is missing'),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    """With what is wrong with it."""
    (tmp_path / ".cjdnsadmin").write_text(text)
    with pytest.raises(AccessError, match=complaint) as caught:
        find_access(home=tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_named_configuration_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """Nothing else is tried then."""
    with pytest.raises(AccessError, match="No such file"):
        find_access(tmp_path / "nothing.conf")
