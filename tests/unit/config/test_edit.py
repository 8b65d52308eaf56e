"""Changes to a configuration: what is written where, and that nothing else is touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dexrouter.config import (
    BeaconMode,
    ConfigError,
    ConnectTo,
    Edit,
    add_authorized_password,
    apply_edits,
    genconf,
    load_config,
    parse,
    remove_authorized_password,
    remove_peer,
    remove_value,
    set_beacon,
    set_udp_port,
    set_value,
    upsert_peer,
)
from dexrouter.config.edit import ask_for_tunnel_addresses, give_tunnel_addresses, remove_tunnel
from dexrouter.config.jsonc import content_of, parse_strict
from dexrouter.config.model import AllowedConnection, TunnelAddress
from dexrouter.crypto.entropy import SeededEntropy

VECTORS = Path(__file__).parents[2] / "vectors" / "conf"
CASES: list[dict[str, Any]] = json.loads((VECTORS / "edit-cases.json").read_text())["cases"]
KEY = "d6bngqcv2w0u702yy5932d3k3pr2mxdukmxu4wqguuwddhd1rnx0.k"
OTHER_KEY = "m2d3dc8l3vkjulrgpvyvsbwwrukq3m9jbvz3nkt4hqn5hvdnljp0.k"
PEER = ConnectTo("203.0.113.50:7000", KEY, "secret", peer_name="bob")
GENERATED = genconf(SeededEntropy(bytes(64))).encode()


def _peer(fields: dict[str, str]) -> ConnectTo:
    return ConnectTo(
        fields["address"],
        fields["publicKey"],
        fields["password"],
        fields.get("login"),
        fields.get("peerName"),
    )


def _at(content: Any, path: str) -> Any:
    for step in path.replace("[", ".[").split("."):
        content = content[int(step[1:-1])] if step.startswith("[") else content[step]
    return content


def _is_subsequence(short: bytes, long: bytes) -> bool:
    rest = iter(long)
    return all(byte in rest for byte in short)


def edited(data: bytes, edits: tuple[Edit, ...]) -> str:
    return apply_edits(data, edits).decode()


@pytest.mark.parametrize("case", CASES, ids=[f"{n}-{case['file'][:2]}" for n, case in enumerate(CASES)])
def test_a_peer_goes_where_the_reference_expects_it(case: dict[str, Any]) -> None:
    """The vectors' demands: content, bytes kept, strict files stay strict, only four fields are written."""
    data = (VECTORS / case["file"]).read_bytes()
    peer = _peer(case["peer"])
    if case["result"].startswith("error"):
        with pytest.raises(ConfigError, match="no entry is bound to IPv6"):
            upsert_peer(data, peer)
        return
    edits = upsert_peer(data, peer)
    after = apply_edits(data, edits)
    content = content_of(parse(after).root)
    assert _at(content, case["interface"])["connectTo"] == case["expectedConnectTo"]
    before = content_of(parse(data).root)
    _at(before, case["interface"])["connectTo"] = case["expectedConnectTo"]
    assert content == before
    if case["result"] == "inserted":
        assert all(edit.start == edit.end for edit in edits)
        assert _is_subsequence(data, after)
        assert apply_edits(after, remove_peer(after, peer.address)) == data
    if parse(data).version == 2:
        parse_strict(after)
    assert upsert_peer(after, peer) == ()


def test_a_peer_in_a_generated_file_looks_as_if_written_by_hand() -> None:
    text = edited(GENERATED, upsert_peer(GENERATED, PEER))
    assert (
        "                    // }\n"
        '                    "203.0.113.50:7000": {\n'
        '                        "password": "secret",\n'
        f'                        "publicKey": "{KEY}",\n'
        '                        "peerName": "bob"\n'
        "                    }\n"
        "                }\n"
    ) in text


def test_peers_come_and_go_in_any_order() -> None:
    """Each peer that is taken out takes along just what came with it."""
    peers = [ConnectTo(f"203.0.113.{n}:7000", KEY, "secret") for n in (1, 2, 3)]
    data = GENERATED
    for peer in peers:
        data = apply_edits(data, upsert_peer(data, peer))
    for number in (1, 0, 2):
        data = apply_edits(data, remove_peer(data, peers[number].address))
    assert data == GENERATED


def test_a_key_takes_out_all_its_entries() -> None:
    """One node is often called at an IPv4 and an IPv6 address."""
    data = (VECTORS / "05-edited-peers-v2.conf").read_bytes()
    after = load_config(apply_edits(data, remove_peer(data, KEY)))
    assert [[peer.public_key for peer in udp.connect_to] for udp in after.udp_interfaces] == [[OTHER_KEY], []]


def test_an_unknown_peer_is_not_taken_out() -> None:
    assert remove_peer(GENERATED, KEY) == ()
    assert remove_peer(b"{}", "203.0.113.1:1") == ()


def test_an_ethernet_peer_is_taken_out_by_its_card() -> None:
    data = b'{"interfaces": {"ETHInterface": {"connectTo": {"01:02:03:04:05:06": {"password": "x"}}}}}'
    assert edited(data, remove_peer(data, "01:02:03:04:05:06")) == (
        '{"interfaces": {"ETHInterface": {"connectTo": {}}}}'
    )


def test_the_same_address_in_another_spelling_is_replaced() -> None:
    old = f'"[2001:db8:0::7]:5": {{"password": "old", "publicKey": "{KEY}"}}'
    udp = f'{{"bind": "[::]:1", "connectTo": {{{old}}}}}'
    data = f'{{"interfaces": {{"UDPInterface": {udp}}}}}'.encode()
    peer = ConnectTo("[2001:db8::7]:5", KEY, "new")
    assert edited(data, upsert_peer(data, peer)) == data.decode().replace(
        f'{{"password": "old", "publicKey": "{KEY}"}}', f'{{ "password": "new", "publicKey": "{KEY}" }}'
    )


def test_an_entry_that_was_there_twice_is_there_once_after_a_replacement() -> None:
    """The daemon would use both, and the old password with them."""
    entry = '"203.0.113.50:7000": {"password": "old", "publicKey": "x"}'
    data = f'{{"interfaces": {{"UDPInterface": {{"connectTo": {{ {entry}, "a": 1, {entry} }}}}}}}}'.encode()
    after = edited(data, upsert_peer(data, PEER))
    assert after.count("203.0.113.50:7000") == 1
    assert '"password": "secret"' in after
    assert '"a": 1 }' in after


def test_connect_to_is_made_when_there_is_none_and_goes_with_its_last_peer() -> None:
    data = (
        b'{\n  "interfaces": {\n    "UDPInterface": [\n      {\n        "bind": "0.0.0.0:1"\n'
        b"      }\n    ]\n  }\n}\n"
    )
    first = apply_edits(data, upsert_peer(data, PEER))
    assert first.decode() == (
        '{\n  "interfaces": {\n    "UDPInterface": [\n      {\n        "bind": "0.0.0.0:1",\n'
        '        "connectTo": { /* made for what is in it, goes with the last of it */\n'
        '            "203.0.113.50:7000": {\n'
        '                "password": "secret",\n'
        f'                "publicKey": "{KEY}",\n'
        '                "peerName": "bob"\n'
        "            }\n"
        "        }\n"
        "      }\n    ]\n  }\n}\n"
    )
    second = apply_edits(first, upsert_peer(first, ConnectTo("203.0.113.51:1", OTHER_KEY, "p")))
    one_left = apply_edits(second, remove_peer(second, KEY))
    assert apply_edits(one_left, remove_peer(one_left, OTHER_KEY)) == data


def test_a_dictionary_that_was_made_stays_when_somebody_wrote_into_it() -> None:
    data = b'{"interfaces": {"UDPInterface": {"bind": "0.0.0.0:1"}}}'
    after = apply_edits(data, upsert_peer(data, PEER))
    by_hand = after.replace(b" of it */ ", b" of it */ /* my note */ ")
    assert b"my note" in apply_edits(by_hand, remove_peer(by_hand, KEY))


@pytest.mark.parametrize(
    ("peer", "what"),
    [
        (ConnectTo("nyc.example.org:1", KEY, "p"), "is a host name"),
        (ConnectTo("203.0.113.1:0", KEY, "p"), "has port 0"),
        (ConnectTo("[ff02::1]:7", KEY, "p"), "no address that can be called"),
        (ConnectTo("[fc12::1]:7", KEY, "p"), "inside the mesh"),
        (ConnectTo("203.0.113.1:1", "short", "p"), "is too short"),
        (ConnectTo("203.0.113.1:1", KEY, ""), "has no password"),
    ],
)
def test_a_peer_that_is_not_in_order_is_not_written(peer: ConnectTo, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        upsert_peer(GENERATED, peer)


def test_a_file_that_is_not_understood_is_not_edited() -> None:
    data = (VECTORS / "07-missing-commas-version-2.conf").read_bytes()
    with pytest.raises(ConfigError, match=r"^/etc/cjdroute.conf:5:9: "):
        upsert_peer(data, PEER, "/etc/cjdroute.conf")


def test_without_any_interface_the_error_says_what_to_add() -> None:
    with pytest.raises(ConfigError, match=r'Add an entry with "bind": "0.0.0.0:PORT"'):
        upsert_peer(b"{}", PEER)
    with pytest.raises(ConfigError, match="no place for beacons"):
        set_beacon(b'{"interfaces": {"UDPInterface": [{"bind": "[::]:1"}]}}', BeaconMode.SEND)


def test_connect_to_of_the_wrong_type_is_an_error_with_its_place() -> None:
    with pytest.raises(ConfigError, match="expected a dictionary here") as caught:
        upsert_peer(b'{"interfaces": {"UDPInterface": [{"connectTo": 7}]}}', PEER)
    assert caught.value.path == "interfaces.UDPInterface[0].connectTo"
    assert caught.value.column == 48


def test_odd_texts_are_written_with_escapes() -> None:
    """Quotation marks, backslashes, control characters, bytes that are no UTF-8; letters stay letters."""
    peer = ConnectTo("203.0.113.50:7000", KEY, "a\udcffb", 'quo"te\\', "Zoë\n\u202e")
    after = apply_edits(GENERATED, upsert_peer(GENERATED, peer))
    assert rb'"login": "quo\x22te\x5C"' in after
    assert rb'"password": "a\xFFb"' in after
    assert '"peerName": "Zoë\\x0A\\xE2\\x80\\xAE"'.encode() in after
    assert load_config(after).udp_interfaces[0].connect_to == (peer,)


def test_the_tun_device_is_set_changed_and_taken_out() -> None:
    named = apply_edits(GENERATED, set_value(GENERATED, "router.interface.tunDevice", "cjdns0"))
    assert b'"type": "TUNInterface",\n' in named
    assert b'\n            "tunDevice": "cjdns0"\n        },' in named
    assert set_value(named, "router.interface.tunDevice", "cjdns0") == ()
    renamed = apply_edits(named, set_value(named, "router.interface.tunDevice", "mesh0"))
    assert renamed == named.replace(b'"cjdns0"\n        }', b'"mesh0"\n        }')
    assert apply_edits(renamed, remove_value(renamed, "router.interface.tunDevice")) == GENERATED
    assert remove_value(GENERATED, "router.interface.tunDevice") == ()


def test_dictionaries_on_the_way_are_made_and_go_again() -> None:
    data = b'{\n\t"version": 2\n}'
    made = apply_edits(data, set_value(data, "router.interface.type", "TUNInterface"))
    mark = "/* made for what is in it, goes with the last of it */"
    assert made.decode() == (
        f'{{\n\t"version": 2,\n\t"router": {{ {mark}\n\t\t"interface": {{ {mark}\n'
        '\t\t\t"type": "TUNInterface"\n\t\t}\n\t}\n}'
    )
    assert apply_edits(made, remove_value(made, "router.interface.type")) == data


@pytest.mark.parametrize(
    "path", ["security[9].setuser", "security[0].x[1]", "privateKey[0]", "admin[1].bind"]
)
def test_entries_that_do_not_exist_are_not_made(path: str) -> None:
    with pytest.raises(ConfigError, match="there is no such entry"):
        set_value(GENERATED, path, 1)
    assert remove_value(GENERATED, path) == ()


def test_one_dictionary_counts_as_the_first_of_its_list() -> None:
    data = b'{"a": {"b": 1}}'
    assert edited(data, set_value(data, "a[0].b", 2)) == '{"a": {"b": 2}}'
    listed = b'{"a": [{"b": 1}]}'
    assert edited(listed, set_value(listed, "a[0].b", {"c": [1, "x", []], "d": {}})) == (
        '{"a": [{"b": { "c": [ 1, "x", [] ], "d": {} }}]}'
    )


@pytest.mark.parametrize("path", ["", ".", "a.", "a[x]", "[0]", "a..b"])
def test_a_path_that_is_none_is_a_fault_of_the_caller(path: str) -> None:
    with pytest.raises(ValueError, match="is no path"):
        set_value(GENERATED, path, 1)


def test_a_change_that_breaks_the_file_is_refused() -> None:
    """Version 2 forbids what an older file may hold."""
    with pytest.raises(ConfigError, match="the change would make the file unreadable"):
        set_value(b'{"a": 1 "b": 2}', "version", 2)


def test_a_change_that_would_hit_more_than_it_should_is_refused() -> None:
    """Taking the key out of this file would let the two slashes meet and hide the rest of the line."""
    with pytest.raises(ConfigError, match="more than it should"):
        remove_value(b'{/"a": 1/ "b": 2\n}', "a")


def test_a_comma_behind_a_comment_goes_with_its_entry_and_the_comment_stays() -> None:
    data = b'{ "a": 1 /* one */ ,\n  "b": 2 /* two */ }'
    assert edited(data, remove_value(data, "a")) == '{ /* one */ \n  "b": 2 /* two */ }'
    assert edited(data, remove_value(data, "b")) == '{ "a": 1 /* one */ \n  /* two */ }'


def test_the_udp_port_changes_in_every_entry_and_addresses_stay() -> None:
    after = load_config(apply_edits(GENERATED, set_udp_port(GENERATED, 4321)))
    assert [str(udp.bind) for udp in after.udp_interfaces] == ["0.0.0.0:4321", "[::]:4321"]
    data = b'{"interfaces": {"UDPInterface": [{}, {"bind": "192.0.2.1:5"}]}}'
    assert edited(data, set_udp_port(data, 6)) == (
        '{"interfaces": {"UDPInterface": [{ "bind": "0.0.0.0:6"}, {"bind": "192.0.2.1:6"}]}}'
    )


def test_beacons_are_switched_in_the_ipv4_entry_with_what_they_need() -> None:
    off = apply_edits(GENERATED, set_beacon(GENERATED, BeaconMode.OFF))
    assert off == GENERATED.replace(b'"beacon": 2', b'"beacon": 0', 1)
    assert set_beacon(off, BeaconMode.OFF) == ()
    data = b'{"interfaces": {"UDPInterface": [{"bind": "[::]:1"}, {"bind": "0.0.0.0:1", "beacon": 0}]}}'
    assert edited(data, set_beacon(data, BeaconMode.ACCEPT)) == (
        '{"interfaces": {"UDPInterface": [{"bind": "[::]:1"}, {"bind": "0.0.0.0:1", "beacon": 1,'
        ' "beaconDevices": [ "all" ], "beaconPort": 64512}]}}'
    )


def test_passwords_are_added_changed_and_taken_out() -> None:
    added = apply_edits(GENERATED, add_authorized_password(GENERATED, "for-jo", "jo"))
    assert b'"user": "default-login" },\n' in added
    assert b'        { "password": "for-jo", "user": "jo" }\n    ],' in added
    assert add_authorized_password(added, "for-jo", "jo") == ()
    changed = apply_edits(added, add_authorized_password(added, "better", "jo"))
    assert changed == added.replace(b"for-jo", b"better")
    assert apply_edits(changed, remove_authorized_password(changed, "jo")) == GENERATED
    assert remove_authorized_password(GENERATED, "jo") == ()


def test_a_list_of_passwords_is_made_and_goes_again() -> None:
    data = b'{\n    "version": 2\n}\n'
    made = apply_edits(data, add_authorized_password(data, "p"))
    assert b'    "authorizedPasswords": [ /* made for what is in it, goes with the last of it */\n' in made
    assert add_authorized_password(made, "p") == ()
    two = apply_edits(made, add_authorized_password(made, "q", "jo"))
    assert [entry.password for entry in _passwords(two)] == ["p", "q"]
    back = apply_edits(two, remove_authorized_password(two, "jo"))
    assert back == made
    assert apply_edits(back, remove_value(back, "authorizedPasswords")) == data


def _passwords(data: bytes) -> tuple[Any, ...]:
    head = b'{"privateKey": "6c8250eb2579a98ff58c7799ffa18a6f3861eb2be2088744e04765d37c0cd20f", '
    return load_config(head + b'"admin": {"bind": "127.0.0.1:1"}, ' + data[1:]).authorized_passwords


def test_passwords_that_are_no_list_are_an_error() -> None:
    with pytest.raises(ConfigError, match="expected a list here"):
        add_authorized_password(b'{"authorizedPasswords": 1}', "p")


def test_edits_may_come_in_any_order_but_not_overlap() -> None:
    assert (
        apply_edits(b"abcd", [Edit(3, 4, b"D"), Edit(1, 1, b"x"), Edit(1, 1, b"y"), Edit(0, 1, b"")])
        == b"xybcD"
    )
    with pytest.raises(ValueError, match="overlaps"):
        apply_edits(b"abcd", [Edit(0, 2, b""), Edit(1, 3, b"")])
    with pytest.raises(ValueError, match="lies outside"):
        apply_edits(b"abcd", [Edit(4, 5, b"")])


GIVEN = AllowedConnection(KEY, TunnelAddress("10.66.0.7", 0, 32), TunnelAddress("2001:db8:77::4", 64, 128))


def test_a_file_without_a_place_for_the_tunnel_gets_one() -> None:
    bare = b'{"privateKey": "' + b"1" * 64 + b'"}'
    asked = apply_edits(bare, ask_for_tunnel_addresses(bare, KEY))
    assert content_of(parse(asked).root) == {
        "privateKey": "1" * 64,
        "router": {"ipTunnel": {"outgoingConnections": [KEY]}},
    }
    emptied: Any = content_of(parse(apply_edits(asked, remove_tunnel(asked, KEY))).root)
    assert emptied["router"]["ipTunnel"]["outgoingConnections"] == []


def test_addresses_through_the_tunnel_are_given_and_asked_for_and_taken_back() -> None:
    """Both ways round; a second time changes nothing; taken out, the file is what it was."""
    data = GENERATED
    given = apply_edits(data, give_tunnel_addresses(data, GIVEN))
    assert give_tunnel_addresses(given, GIVEN) == ()
    both = apply_edits(given, ask_for_tunnel_addresses(given, OTHER_KEY))
    assert ask_for_tunnel_addresses(both, OTHER_KEY) == ()
    content: Any = content_of(parse(both).root)
    tunnel = content["router"]["ipTunnel"]
    assert [entry["ip4Address"] for entry in tunnel["allowedConnections"]] == ["10.66.0.7"]
    assert tunnel["outgoingConnections"] == [OTHER_KEY]
    less = apply_edits(both, remove_tunnel(both, KEY))
    assert OTHER_KEY.encode() in less
    assert b"10.66.0.7" not in less
    assert apply_edits(less, remove_tunnel(less, OTHER_KEY)) == data
    assert remove_tunnel(data, KEY) == ()


def test_a_node_that_has_addresses_through_the_tunnel_gets_the_new_ones() -> None:
    given = apply_edits(GENERATED, give_tunnel_addresses(GENERATED, GIVEN))
    other = AllowedConnection(KEY, TunnelAddress("10.66.0.9", 24, 32))
    changed = apply_edits(given, give_tunnel_addresses(given, other))
    assert load_config(changed).ip_tunnel.allowed == (other,)
