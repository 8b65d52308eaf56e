"""What is fuzzed of the wizard: what people paste, what strangers' mail servers send, what homes hold.

As in fuzz_targets.py: a target returns for any bytes; whatever comes out of it is a finding.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Final

from dexsetup.answers.load import load_answers
from dexsetup.card import card_link, read_card
from dexsetup.edit import EditError, apply_edits, ini, keyline, marked_block
from dexsetup.edit.addressbook import Entry, nicknames, with_entries
from dexsetup.edit.friends import with_friends
from dexsetup.errors import AnswersError
from dexsetup.host.unitfile import UnitFile
from dexsetup.mailfilter.rules import MailFilter, mended
from fuzz_targets import Target

__all__ = ["TARGETS"]

_SIP: Final = "sip:jo@[fc00::7]"
_KEYS: Final = {"mine": "value", "feature-list": "an-item"}
_SECTIONS: Final[Mapping[str, Mapping[str, str]]] = {"sip": {"x": "1"}, "new": {"y": "2"}}


def _answers(data: bytes) -> None:
    """A file of answers; the schema's number is given, so that bytes get behind it."""
    for content in (data, b"schema = 1\n" + data):
        with contextlib.suppress(AnswersError):
            load_answers(content, "answers.toml")


def _link(data: bytes) -> None:
    """A friend's link; what could be read can be written and read again."""
    text = data.decode("utf-8", "surrogateescape")
    for link in (text, f"dex:{text}", f"dex:fc00::7?{text}"):
        with contextlib.suppress(AnswersError):
            card = read_card(link)
            if card.peer is None:
                assert read_card(card_link(card)).address == card.address


def _mail_filter(data: bytes) -> None:
    """Lines of the mail server, and a letter's own lines among them."""
    rules = MailFilter()
    for line in data.split(b"\n"):
        answer = rules.receive(line)
        assert answer is None or all(part.startswith(b"filter-") for part in answer.split(b"\n"))
        assert mended(mended(line)) == mended(line)
    assert rules.receive(b"filter|0.7|1|smtp-in|data-line|s|t|x|y") == b"filter-dataline|s|t|x|y"


def _alpine(data: bytes) -> None:
    """A pinerc: edited twice is edited once, and what was set can be read."""
    once = apply_edits(data, keyline.edits(data, _KEYS, ["feature-list"]))
    assert not keyline.edits(once, _KEYS, ["feature-list"])
    assert keyline.present(once)["mine"] == "value"
    keyline.removal(once, _KEYS, ["feature-list"])


def _linphone(data: bytes) -> None:
    """A linphonerc, and the friends in it."""
    once = apply_edits(data, ini.edits(data, _SECTIONS))
    assert not ini.edits(once, _SECTIONS)
    assert ini.present(once)["new"]["y"] == "2"
    ini.removal(once, _SECTIONS)
    friends = {_SIP: f'"Jo" <{_SIP}>'}
    known = with_friends(data, friends)
    assert with_friends(known, friends) == known
    with_friends(known, {})


def _address_book(data: bytes) -> None:
    """An address book of alpine."""
    wanted = {"jo": Entry("Jo", "jo@[IPv6:fc00::7]")}
    once = with_entries(data, wanted)
    assert with_entries(once, wanted) == once
    nicknames(with_entries(once, {}))


def _block(data: bytes) -> None:
    """A file with a block of ours; a last line that goes on is refused."""
    with contextlib.suppress(EditError):
        _set_block(data)


def _set_block(data: bytes) -> None:
    once = apply_edits(data, marked_block.edits(data, "set x=y"))
    assert not marked_block.edits(once, "set x=y")
    assert marked_block.present(apply_edits(once, marked_block.removal(once))) in (
        None,
        marked_block.present(data),
    )


def _unit(data: bytes) -> None:
    """A unit file of systemd."""
    unit = UnitFile("x.service", "/x.service")
    unit.add_text(data.decode("utf-8", "replace"))
    for section, key in tuple(unit.values):
        with contextlib.suppress(ValueError):
            unit.words(section, key)
        unit.last(section, key)


TARGETS: Final[dict[str, Target]] = {
    "address-book": _address_book,
    "alpine": _alpine,
    "answers": _answers,
    "block": _block,
    "link": _link,
    "linphone": _linphone,
    "mail-filter": _mail_filter,
    "unit": _unit,
}
