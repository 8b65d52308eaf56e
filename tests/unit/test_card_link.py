"""A link that a person pastes may be anything."""

from __future__ import annotations

import pytest

from dexsetup.card import read_card
from dexsetup.errors import AnswersError


def test_bytes_that_are_no_text_are_refused() -> None:
    """A terminal hands them on as lone surrogates, which no file, screen or link can take."""
    link = b"dex:fc00::7?name=J\xf6&user=jo".decode("utf-8", "surrogateescape")
    with pytest.raises(AnswersError, match="no UTF-8 text"):
        read_card(link)
    assert read_card("dex:fc00::7?name=J%F6&user=jo").name == "J\ufffd"


def test_a_device_behind_the_address_is_refused() -> None:
    """It would be shown as part of the mail address."""
    with pytest.raises(AnswersError, match="fc00::7%eth0 is not an address of the mesh"):
        read_card("dex:fc00::7%eth0?name=Jo")
