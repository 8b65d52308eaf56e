"""Friends of linphone: numbered sections, and the program stops at the first number that is missing."""

from __future__ import annotations

from dexsetup.edit.friends import with_friends

JO, ANN = "sip:jo@[fc00::7]", "sip:ann@[fc00::8]"
BOTH = {JO: f'"Jo" <{JO}>', ANN: f'"Ann" <{ANN}>'}


def test_who_stays_moves_up_when_another_goes() -> None:
    """No number is left out."""
    both = with_friends(b"", BOTH)
    one = with_friends(both, {ANN: BOTH[ANN]})
    assert b"[friend_0]" in one
    assert b"[friend_1]" not in one
    assert with_friends(one, {}) == b""


def test_a_section_that_somebody_has_added_to_keeps_its_number() -> None:
    """It stays, so those behind it do; the same again changes nothing."""
    odd = with_friends(b"", BOTH).replace(b"subscribe=0\n", b"subscribe=0\n# a note\n", 1)
    once = with_friends(odd, {ANN: BOTH[ANN]})
    assert once.count(b"[friend_0]") == once.count(b"[friend_1]") == 1
    assert b"# a note" in once
    assert BOTH[JO].encode() not in once
    assert with_friends(once, {ANN: BOTH[ANN]}) == once


def test_a_friend_of_ours_goes_whatever_somebody_has_made_of_it() -> None:
    """Also with bytes in it that we would not write."""
    odd = with_friends(b"", BOTH).replace(b"Jo", b"J\x15\xff", 1)
    assert with_friends(odd, {}) == b""


def test_a_friend_of_ours_goes_with_every_value_that_somebody_has_written_twice() -> None:
    """At once, so that the same again changes nothing."""
    odd = with_friends(b"", BOTH).replace(b"url=", b"url=other\nurl=", 1)
    assert with_friends(odd, {}) == b""
