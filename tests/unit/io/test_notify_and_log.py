"""What the service manager and the log are told."""

from __future__ import annotations

import io
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dexrouter.io.errors import StartError
from dexrouter.io.log import event, set_up_log
from dexrouter.io.notify import notify


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    root = logging.getLogger("dexrouter")
    kept = (root.handlers[:], root.level, root.propagate)
    yield root.getChild("test")
    root.handlers[:], level, root.propagate = kept[0], kept[1], kept[2]
    root.setLevel(level)


def test_systemd_is_told_at_the_socket_that_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(5.0)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        assert notify("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_an_abstract_socket_begins_with_an_at_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("")
        name = manager.getsockname()
        manager.settimeout(5.0)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name[1:].decode())
        assert notify("STOPPING=1")
        assert manager.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("address", [None, "", "relative", "/nonexistent/notify", "@nobody listens here"])
def test_nobody_listening_is_no_error(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not notify("READY=1")


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({}, "peer"),
        ({"state": "ESTABLISHED", "n": 3}, "peer state=ESTABLISHED n=3"),
        ({"address": "[fd77::2]:4002"}, "peer address=[fd77::2]:4002"),
        ({"name": "two words"}, "peer name='two words'"),
        ({"name": ""}, "peer name=''"),
        ({"name": "a\nb=c"}, "peer name='a\\nb=c'"),
        ({"name": "a=b"}, "peer name='a=b'"),
        ({"name": "\x1b[31mred"}, "peer name='\\x1b[31mred'"),
    ],
)
def test_an_event_is_one_line_of_keys_and_values(values: dict[str, object], line: str) -> None:
    """A name that a stranger chose cannot forge a line or colour a terminal."""
    assert event("peer", **values) == line


def test_a_line_has_time_and_level(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    stream = io.StringIO()
    set_up_log(logging.INFO, stream)
    logger.info("one\ntwo")
    logger.debug("not said")
    time, level, text = stream.getvalue().rstrip("\n").split(" ", 2)
    assert (level, text) == ("INFO", "one\\ntwo")
    assert len(time) == len("2026-01-01T00:00:00+0000")


def test_under_systemd_a_line_begins_with_its_priority(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1234")
    stream = io.StringIO()
    set_up_log(logging.DEBUG, stream)
    logger.warning("careful")
    logger.info("started")
    logger.debug("details")
    assert stream.getvalue() == "<4>careful\n<6>started\n<7>details\n"


def test_a_fault_is_one_line_too(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    stream = io.StringIO()
    set_up_log(logging.INFO, stream)
    try:
        raise ValueError("what happened")
    except ValueError:
        logger.exception("fault")
    (line,) = stream.getvalue().splitlines()
    assert "what happened" in line


def test_a_start_error_says_what_happened_and_then_what_to_do() -> None:
    assert str(StartError("cannot bind")) == "cannot bind"
    assert str(StartError("cannot bind", advice="Stop the other.")) == "cannot bind\n  Stop the other."
