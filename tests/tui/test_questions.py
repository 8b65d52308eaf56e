"""Forms out of the declarations: which kind of field each question becomes."""

from __future__ import annotations

import pytest

from dexsetup.ui.questions import Kind, question_for


@pytest.mark.parametrize(
    ("section", "key", "kind"),
    [
        ("node", "key", Kind.CHOICE),
        ("node", "backend", Kind.CHOICE),
        ("node", "udp_port", Kind.NUMBER),
        ("node", "lan_peering", Kind.CHOICE),
        ("node", "device", Kind.TEXT),
        ("peer", "password", Kind.SECRET),
        ("firewall", "ssh", Kind.TICK),
        ("user", "login", Kind.TEXT),
        ("user", "files", Kind.TICKS),
    ],
)
def test_each_question_becomes_the_field_that_fits(section: str, key: str, kind: Kind) -> None:
    assert question_for(section, key).kind is kind


def test_the_key_is_one_of_two_words_or_a_file() -> None:
    """What only a command writes into the answers is no choice on a screen."""
    question = question_for("node", "key")
    assert [option.value for option in question.options] == ["keep", "new"]
    assert question.prefix == "import:"
