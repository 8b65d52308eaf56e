"""The request that asks a phone whether it is there, and the answers of the phones that were tried."""

from __future__ import annotations

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexsetup import sip
from dexsetup.host.network import LiveNetwork
from dexsetup.sip import SipError, answer_of, options_request

LINPHONE = (
    b"SIP/2.0 200 Ok\r\nVia: SIP/2.0/UDP [fc9a::7]:33143;branch=z9hG4bKdex1;rport\r\n"
    b"From: <sip:dexsetup@[fc9a::7]>;tag=dex1\r\nTo: <sip:[fc9a::7]>;tag=L4RnT\r\nCall-ID: dex1\r\n"
    b"CSeq: 1 OPTIONS\r\n\r\n"
)
BARESIP = (
    b"SIP/2.0 404 Not Found\r\nVia: SIP/2.0/UDP [fc9a::7]:48090;branch=z9hG4bKdex1;rport=48090\r\n"
    b"Call-ID: dex1\r\nCSeq: 1 OPTIONS\r\nServer: baresip v1.0.0 (x86_64/linux)\r\nContent-Length: 0\r\n\r\n"
)


def test_the_request_names_where_the_answer_goes() -> None:
    text = options_request("fc9a::7", "fc9a::8", 4711, "dex1").decode()
    assert text.startswith(
        "OPTIONS sip:[fc9a::7] SIP/2.0\r\nVia: SIP/2.0/UDP [fc9a::8]:4711;branch=z9hG4bKdex1;"
    )
    assert text.endswith("Content-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("datagram", "answer"),
    [
        (LINPHONE, "200 Ok"),
        (BARESIP, "404 Not Found (baresip v1.0.0 (x86_64/linux))"),
        (LINPHONE.replace(b"200 Ok", b"100 Trying"), ""),
    ],
    ids=["linphone 5.1", "baresip 1.0", "to come"],
)
def test_an_answer_in_words(datagram: bytes, answer: str) -> None:
    assert answer_of(datagram, "dex1") == answer


@given(st.binary(max_size=200))
def test_anything_else_is_no_answer(datagram: bytes) -> None:
    """The law: words or SipError; and an answer to somebody else's request is none."""
    with pytest.raises(SipError):
        answer_of(datagram, "dex1")
    with pytest.raises(SipError):
        answer_of(LINPHONE[: len(datagram)], "dex2")


def test_a_phone_is_asked_again_and_strange_datagrams_are_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first request is lost, and somebody sends rubbish: the second one is answered."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as phone:
        phone.bind(("::1", 0))
        monkeypatch.setattr(sip, "PORT", phone.getsockname()[1])
        monkeypatch.setattr("dexsetup.host.network._SIP_REPEAT_SECONDS", 0.05)

        def answer() -> None:
            phone.recv(2000)
            request, sender = phone.recvfrom(2000)
            token = request.split(b"z9hG4bK")[1].split(b";")[0]
            phone.sendto(b"rubbish", sender)
            phone.sendto(BARESIP.replace(b"dex1", token), sender)

        thread = threading.Thread(target=answer)
        thread.start()
        assert LiveNetwork(lambda _: None).sip_answer("::1", 10.0).startswith("404 Not Found (baresip")
        thread.join()
        with pytest.raises(TimeoutError, match="no answer within"):
            LiveNetwork(lambda _: None).sip_answer("::1", 0.1)
    with pytest.raises(ConnectionRefusedError):
        LiveNetwork(lambda _: None).sip_answer("::1", 1.0)
