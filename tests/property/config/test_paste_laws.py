"""Laws of the pasted-peer reader: it never fails, and what the editor writes it reads."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dexrouter.config import ConnectTo, apply_edits, genconf, parse_peers, upsert_peer
from dexrouter.crypto.entropy import SeededEntropy

KEY = "d6bngqcv2w0u702yy5932d3k3pr2mxdukmxu4wqguuwddhd1rnx0.k"
GENERATED = genconf(SeededEntropy(bytes(64))).encode()
PIECES = [
    *('"', "“", "{", "}", ":", ",", "[", "]", "\\", "//", "/*", "*/", "\n", " ", "&nbsp;", "x", "5"),
    *('"1.2.3.4:5"', '"a": {', '"publicKey": ', f'"{KEY}"', '"password"', "\u00a0", "[::1]:7"),
]
latin = st.text(st.characters(max_codepoint=0xFF), min_size=1, max_size=8)


@settings(max_examples=200)
@given(st.text(max_size=50) | st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_any_text_gives_peers_and_problems(text: str) -> None:
    """Whatever is pasted, each peer that comes out of it is complete, and each problem has its reason."""
    pasted = parse_peers(text)
    assert all(peer.password and peer.public_key == KEY and peer.endpoint.port for peer in pasted.peers)
    assert all(problem.why and problem.index for problem in pasted.problems)


@settings(max_examples=60)
@given(latin, st.none() | latin, st.none() | latin)
def test_an_entry_of_a_configuration_can_be_pasted_elsewhere(
    password: str, login: str | None, name: str | None
) -> None:
    """A whole configuration pasted gives the peers that are in force, and not the ones in its comments."""
    peer = ConnectTo("203.0.113.7:1", KEY, password, login, name)
    text = apply_edits(GENERATED, upsert_peer(GENERATED, peer)).decode()
    pasted = parse_peers(text)
    assert pasted.problems == ()
    assert [found.address for found in pasted.peers] == [peer.address]
    if all((value or "").isascii() for value in (password, login, name)):
        assert pasted.peers == (peer,)
