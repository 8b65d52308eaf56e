"""The list of public peers: complete, usable as it stands, and searchable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dexrouter.config import ConnectTo, Family, apply_edits, genconf, load_config, upsert_peer
from dexrouter.crypto.entropy import SeededEntropy
from dexrouter.crypto.keys import address_of, address_text, parse_public_key
from dexsetup import public_peers

DATA = Path(public_peers.__file__).parent / "data" / "public-peers.json"
PEERS = public_peers.load()


def test_all_entries_are_there_with_numbers_that_stay() -> None:
    """55 entries in 39 files; a number names the same node in every release."""
    assert [peer.number for peer in PEERS.peers] == list(range(1, 56))
    assert len({peer.file for peer in PEERS.peers}) == 39
    assert {number: PEERS.peers[number - 1].peer_name for number in (1, 2, 55)} == {
        1: "deavmiNode",
        2: "trnsz-jp",
        55: "h.sp.yetanothernerd.xyz",
    }


def test_every_entry_can_be_put_into_a_configuration() -> None:
    """Addresses are numeric, keys belong to the network and to the mesh address that is shown."""
    data = genconf(SeededEntropy(bytes(64))).encode()
    for peer in PEERS.peers:
        assert address_text(address_of(parse_public_key(peer.public_key))) == peer.mesh_address
        data = apply_edits(data, upsert_peer(data, peer.connect_to()))
    by_family = {udp.bind.family: udp.connect_to for udp in load_config(data).udp_interfaces}
    for family, written in by_family.items():
        assert {peer.address for peer in written} == {peer.address for peer in PEERS.select(family=family)}


def test_only_what_a_router_understands_goes_into_a_configuration() -> None:
    """The longest entries of the list have made the reference abort when pasted whole."""
    (peer, _) = PEERS.find("yk3music-irvine")
    assert dict(peer.other)["organization"] == "Yk3 Music"
    assert peer.connect_to() == ConnectTo(
        "68.96.83.151:60405",
        "kllz76rusmyk3748yz3tgnv9xhtv08nd2nss31fjuwkgwf9hvys0.k",
        "98b31ngx6mw2zcd4jwqycrkcp7jnc31",
        None,
        "yk3music-irvine",
    )


def test_attribution_is_kept() -> None:
    """Whoever shows an entry can show whom it belongs to, and whoever shows the list where it comes from."""
    raw: list[dict[str, Any]] = json.loads(DATA.read_text())["peers"]
    for entry, peer in zip(raw, PEERS.peers, strict=True):
        assert (entry.get("contact"), entry.get("gpg"), entry.get("location")) == (
            peer.contact,
            peer.gpg,
            peer.location,
        )
    (peer,) = PEERS.find("igel-amersfoort")
    assert peer.attribution == "igel-amersfoort, contact Igel@hyperboria.ca, gpg A84DFFE62B451511"
    assert PEERS.find(1)[0].attribution == "deavmiNode"
    assert PEERS.attribution.startswith(
        "Public peers from https://github.com/hyperboria/peers (2024-02-21, AGPL-3.0)."
    )
    assert "no separate licence file" in PEERS.source.licence
    assert PEERS.source.commit.startswith("96946652")
    assert PEERS.source.warning


@pytest.mark.parametrize(
    ("place", "count"),
    [
        ("eu", 33),
        ("Europe", 33),
        ("NA", 19),
        ("north america", 19),
        ("us", 12),
        ("USA", 12),
        ("United States", 12),
        ("gb", 5),
        ("united-kingdom", 5),
        ("Frankfurt", 3),
        ("frankfurt", 3),
        ("New York", 2),
        ("orange county", 2),
        ("kiev", 3),
        ("atlantis", 0),
        ("!", 0),
        ("", 55),
    ],
)
def test_a_place_is_a_code_or_a_name_in_any_spelling(place: str, count: int) -> None:
    assert len(PEERS.select(place)) == count


def test_peers_of_one_family_can_be_asked_for() -> None:
    """A machine without IPv6 has no use for the others."""
    four, six = PEERS.select(family=Family.IPV4), PEERS.select(family=Family.IPV6)
    assert len(four) + len(six) == 55
    assert all("[" not in peer.address for peer in four)
    assert all(peer.address.startswith("[") for peer in six)


def test_an_entry_is_found_by_number_name_or_key() -> None:
    (second,) = PEERS.find(2)
    assert PEERS.find("2") == PEERS.find(" TRNSZ-JP ") == PEERS.find(second.public_key) == (second,)
    assert [peer.family for peer in PEERS.find("h.sabsare.geek")] == [Family.IPV4, Family.IPV6]
    assert PEERS.find(0) == PEERS.find("56") == PEERS.find("nobody") == PEERS.find("") == ()


def test_places_read_as_words() -> None:
    assert PEERS.find("dallas") == ()
    assert PEERS.find("trnsz")[0].place == "Texas, United States"
    assert PEERS.find("trnsz-jp")[0].place == "Japan"
    assert PEERS.find("yk3music-irvine")[0].place == "Orange-county, California, United States"


def test_passwords_do_not_show_in_a_repr() -> None:
    """They are public, but logs are copied about without that knowledge."""
    assert PEERS.peers[0].password not in repr(PEERS.peers[0])
