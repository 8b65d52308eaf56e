"""Log streams: who gets which record, and for how long."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from dexrouter.admin.log import MAX_SUBSCRIPTIONS, MAX_WAITING
from tests.unit.admin.rig import Rig

LOGGER = logging.getLogger("dexrouter")
OTHER = ("127.0.0.1", 50001)


@pytest.fixture(autouse=True)
def level() -> Iterator[None]:
    """The router's log is at INFO, and is given back as it was."""
    before = LOGGER.level
    LOGGER.setLevel(logging.INFO)
    yield
    LOGGER.setLevel(before)


@pytest.fixture
def log_rig(rig: Rig) -> Iterator[Rig]:
    """A server that lets go of the log at the end."""
    yield rig
    rig.server.close()


def messages(rig: Rig) -> list[object]:
    return [reply["message"] for reply in rig.later(0.1)]


def test_a_record_is_sent_with_place_level_and_time(log_rig: Rig) -> None:
    """Its `txid` is that of the subscription."""
    stream = log_rig.call("AdminLog_subscribe", level="INFO")["streamId"]
    LOGGER.getChild("x").warning("the %s is up", "peer")
    (record,) = log_rig.later(0.1)
    assert record["message"] == "the peer is up"
    assert (record["level"], record["streamId"], record["txid"]) == ("WARN", stream, "t")
    assert record["file"] == "test_log.py"
    assert isinstance(record["time"], int)
    assert isinstance(record["line"], int)


def test_a_subscription_gets_its_level_and_all_above(log_rig: Rig) -> None:
    """The logger passes less important records only while somebody wants them."""
    stream = log_rig.call("AdminLog_subscribe", level="DEBUG")["streamId"]
    LOGGER.log(5, "keys")
    LOGGER.debug("debug")
    LOGGER.error("error")
    assert messages(log_rig) == ["debug", "error"]
    assert LOGGER.level == logging.DEBUG
    assert log_rig.call("AdminLog_unsubscribe", streamId=stream) == {"error": "none"}
    assert LOGGER.level == logging.INFO
    LOGGER.error("unheard")
    assert messages(log_rig) == []


def test_records_are_chosen_by_file_and_line(log_rig: Rig) -> None:
    """The file by its base name, the line exactly."""
    log_rig.call("AdminLog_subscribe", level="INFO", file="some/where/test_log.py", line=1)
    LOGGER.error("another line")
    assert messages(log_rig) == []
    log_rig.call("AdminLog_subscribe", level="INFO", file="test_log.py")
    LOGGER.error("any line")
    assert messages(log_rig) == ["any line"]


def test_the_test_records_come_before_the_reply(log_rig: Rig) -> None:
    """As the real daemon does it."""
    log_rig.call("AdminLog_subscribe")
    replies = log_rig.ask("AdminLog_logMany", count=2)
    assert [reply.get("message", reply.get("error")) for reply in replies] == [
        "This is message number [0] of total [2]",
        "This is message number [1] of total [2]",
        "none",
    ]
    assert "out of range" in str(log_rig.call("AdminLog_logMany", count=1 << 60)["error"])


def test_text_is_sent_as_ascii(log_rig: Rig) -> None:
    """Old clients count characters where bytes are meant."""
    log_rig.call("AdminLog_subscribe", level="INFO")
    LOGGER.info("gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n")
    assert messages(log_rig) == ["gr\\xfcn"]


def test_a_subscription_dies_with_its_caller(log_rig: Rig) -> None:
    """After 30 seconds of silence; a message of any kind keeps it."""
    log_rig.call("AdminLog_subscribe", level="INFO")
    log_rig.later(29)
    log_rig.call("ping")
    log_rig.later(29)
    LOGGER.info("still there")
    assert messages(log_rig) == ["still there"]
    log_rig.later(31)
    assert log_rig.call("AdminLog_subscriptions") == {"entries": []}


def test_each_subscriber_gets_its_own_stream(log_rig: Rig) -> None:
    """Nobody gets another's records."""
    log_rig.call("AdminLog_subscribe", level="ERROR")
    log_rig.ask("AdminLog_subscribe", OTHER, level="INFO")
    LOGGER.info("for the other")
    sent = log_rig.server.poll(log_rig.mesh.now, log_rig.wall_ms)
    assert [source for source, _ in sent] == [OTHER]


def test_the_number_of_subscriptions_is_bounded(log_rig: Rig) -> None:
    """As with the C router, to 64."""
    for _ in range(MAX_SUBSCRIPTIONS):
        assert log_rig.call("AdminLog_subscribe")["error"] == "none"
    assert log_rig.call("AdminLog_subscribe")["error"] == "Max subscribers reached."


def test_records_that_nobody_collects_are_dropped_and_counted(log_rig: Rig) -> None:
    """The count is in the list of subscriptions."""
    log_rig.call("AdminLog_subscribe", level="INFO")
    for _ in range(MAX_WAITING + 3):
        LOGGER.info("flood")
    log_rig.later(0.1)
    entries = log_rig.call("AdminLog_subscriptions")["entries"]
    assert isinstance(entries, list)
    assert [entry["dropped"] for entry in entries] == [3]
