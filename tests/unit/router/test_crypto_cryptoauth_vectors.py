"""CryptoAuth against traffic captured between real nodes (and crafted packets that real nodes have judged).

`replay` drives one session per recorded end: each incoming packet must be judged as the real node judged
it, and each outgoing packet must be equal byte by byte, given the recorded temporary keys and nonces.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dexrouter.crypto.cryptoauth import CryptoError, Session
from dexrouter.crypto.handshake import peek_handshake_key
from dexrouter.crypto.keys import KeyPair, PublicKey, key_pair_from_private
from dexrouter.crypto.primitives import (
    box_secret,
    open_behind,
    password_secret,
    prepare_key,
    public_key_of,
    seal_behind,
)
from dexrouter.crypto.users import AuthorizedUsers, Credentials
from dexrouter.wire.crypto_header import CryptoHeader

VECTORS = Path(__file__).parents[2] / "vectors"
CAPTURES = json.loads((VECTORS / "cryptoauth.json").read_text())["captures"]
BEACONS = json.loads((VECTORS / "beacons.json").read_text())["captures"]
ENDS = [(capture, end) for capture in CAPTURES for end in "AB" if capture["replay"].get(end)]


class RecordedEntropy:
    """Gives the random values of the packet that is to be made, told apart by their sizes."""

    def __init__(self) -> None:
        self.values: dict[int, bytes] = {}

    def expect(self, packet: dict[str, Any]) -> None:
        data = bytes.fromhex(packet["hex"])
        self.values = {}
        if packet["nonce"] > 3:
            return
        self.values[24] = data[16:40]
        if packet["auth_type"] == 0:
            self.values[9] = data[5:14]
        if packet["nonce"] in (0, 2):
            self.values[32] = bytes.fromhex(packet["sender_temp_private"])

    def __call__(self, size: int) -> bytes:
        return self.values.pop(size)


def credentials_of(entry: dict[str, str | None] | None) -> Credentials | None:
    if entry is None:
        return None
    login = entry["login"]
    return Credentials(str(entry["password"]).encode(), None if login is None else login.encode())


class RecordedEnd:
    """One end of a capture, as a session of ours."""

    def __init__(self, capture: dict[str, Any], end: str) -> None:
        self.role = capture["replay"][end]
        self.own = key_pair_from_private(bytes.fromhex(capture["nodes"][end]["private_key"]))
        self.entropy = RecordedEntropy()
        self.users = AuthorizedUsers()
        for entry in capture["users"][end]:
            credentials = credentials_of(entry)
            assert credentials is not None
            self.users.add(credentials)
        self.session: Session | None = None
        if self.role["session_created"] == "at configuration":
            other = "B" if end == "A" else "A"
            self.session = self.make(PublicKey(bytes.fromhex(capture["nodes"][other]["public_key"])), 0.0)

    def make(self, her_key: PublicKey, now: float) -> Session:
        return Session(
            own=self.own,
            her_key=her_key,
            users=self.users,
            require_auth=self.role["require_auth"],
            credentials=credentials_of(self.role["outgoing_auth"]),
            entropy=self.entropy,
            now=now,
        )

    def receive(self, data: bytes | memoryview, now: float) -> bytes | CryptoError | None:
        """Open a packet as a link does: a stranger's hello makes a session, unless it is refused."""
        if self.session is not None:
            return self.session.open(data, now, apply_timeout=True)
        key = peek_handshake_key(data)
        if key is None or data[3] > 1:
            return None
        session = self.make(key, now)
        result = session.open(data, now, apply_timeout=True)
        if not isinstance(result, CryptoError):
            self.session = session
        return result


@pytest.mark.parametrize(("capture", "end"), ENDS, ids=[f"{c['name']}-{end}" for c, end in ENDS])
def test_replay_of_a_real_end(capture: dict[str, Any], end: str) -> None:
    """Ours judges, answers and counts like the real node, and makes the same packets byte for byte."""
    node = RecordedEnd(capture, end)
    packets = {packet["i"]: packet for packet in capture["packets"]}
    for event in capture["replay"][end]["events"]:
        packet = packets[event["i"]]
        data = bytes.fromhex(packet["hex"])
        if event["ev"] == "tx":
            node.entropy.expect(packet)
            assert node.session is not None
            assert node.session.seal(bytes.fromhex(packet["plaintext"]), packet["t"]) == data, event
            assert not node.entropy.values, "all recorded random values were drawn"
        else:
            result = node.receive(memoryview(data) if event["i"] % 2 else data, packet["t"])
            if event["result"] == "OK":
                assert isinstance(result, bytes), event
                if "plaintext" in packet:
                    assert result.hex() == packet["plaintext"]
            elif event["result"] == "DROP_NO_PEER":
                assert result is None
            else:
                assert isinstance(result, CryptoError), event
                assert result.name == event["result"], event
        if "state" in event:
            assert node.session is not None
            assert (node.session.state, node.session.next_counter) == (event["state"], event["next_nonce"])


INCOMING = [c for c in CAPTURES if c["replay"]["A"]["require_auth"] and c["packets"][0]["nonce"] < 2]


@pytest.mark.parametrize("capture", INCOMING, ids=lambda capture: capture["name"])
def test_an_authenticated_user_is_named(capture: dict[str, Any]) -> None:
    """A session that came in with credentials knows whose they were."""
    node = RecordedEnd(capture, "A")
    first = capture["packets"][0]
    assert isinstance(node.receive(bytes.fromhex(first["hex"]), first["t"]), bytes)
    login = capture["users"]["A"][0]["login"]
    assert node.session is not None
    assert node.session.user == (b"Anon #0" if login is None else login.encode())


def passwords_of(capture: dict[str, Any]) -> list[bytes]:
    """All passwords that were in use on a link, beacon passwords included."""
    texts = [user["password"].encode() for users in capture.get("users", {}).values() for user in users]
    return texts + [bytes.fromhex(b["decoded"]["password"]) for b in capture.get("beacons", [])]


def names_of(capture: dict[str, Any]) -> dict[bytes, bytes]:
    """Map what a packet may name to the auth secret behind it."""
    names = {Credentials(password).lookup: Credentials(password).secret for password in passwords_of(capture)}
    for users in capture.get("users", {}).values():
        for user in users:
            credentials = credentials_of(user)
            assert credentials is not None
            names[credentials.lookup] = credentials.secret
    return names


def secret_of(packet: dict[str, Any], pairs: dict[str, KeyPair], names: dict[bytes, bytes]) -> bytes | None:
    """Derive the box secret of a packet from the private keys of both ends (spec 01 §5)."""
    sender = pairs[packet["from"]]
    receiver = pairs["B" if packet["from"] == "A" else "A"]
    if packet["nonce"] > 3:
        their_temp = public_key_of(bytes.fromhex(packet["receiver_temp_private"]))
        return box_secret(bytes.fromhex(packet["sender_temp_private"]), their_temp)
    public: bytes = receiver.public
    if packet["nonce"] > 1:
        public = public_key_of(bytes.fromhex(packet["receiver_temp_private"]))
    private = sender.private.reveal()
    if packet["auth_type"] == 0:
        return box_secret(private, public)
    lookup = bytes.fromhex(packet["hex"])[4:12]
    return password_secret(private, public, names[lookup])


@pytest.mark.parametrize("capture", CAPTURES + BEACONS, ids=lambda capture: capture["name"])
def test_every_packet_decrypts_and_encrypts(capture: dict[str, Any]) -> None:
    """Each captured packet opens with the secret derived from the private keys, and seals to itself."""
    nodes = capture["nodes"].items()
    pairs = {end: key_pair_from_private(bytes.fromhex(node["private_key"])) for end, node in nodes}
    names = names_of(capture)
    for packet in capture["packets"]:
        if packet["kind"] == "crafted":
            continue
        data = bytes.fromhex(packet["hex"])
        secret = secret_of(packet, pairs, names)
        assert secret is not None
        assert secret.hex() == packet["secret"], packet["i"]
        plaintext = bytes.fromhex(packet["plaintext"])
        if packet["nonce"] > 3:
            shift = 32 if packet["sender_is_initiator"] else 0
            start, nonce = 4, (packet["nonce"] << shift).to_bytes(24, "little")
        else:
            head = CryptoHeader.parse(data)
            assert head.encode() == data[:72]
            assert head.public_key == pairs[packet["from"]].public
            start, nonce = 72, head.handshake_nonce
            plaintext = bytes.fromhex(packet["sender_temp_public"]) + plaintext
        key = prepare_key(secret)
        assert open_behind(data, start, nonce, key) == plaintext
        assert seal_behind(data[:start], plaintext, nonce, key) == data


@pytest.mark.parametrize("capture", BEACONS, ids=lambda capture: capture["name"])
def test_beacon_credentials(capture: dict[str, Any]) -> None:
    """A beacon's password opens the door that the sender of the beacon keeps for local peers."""
    first = next(packet for packet in capture["packets"] if packet["nonce"] in (0, 1))
    end = "B" if first["from"] == "A" else "A"
    users = AuthorizedUsers()
    for password in set(passwords_of(capture)):
        users.add(Credentials(password, b"Local Peers"))
    data = bytes.fromhex(first["hex"])
    key = peek_handshake_key(data)
    assert key is not None
    session = Session(
        own=key_pair_from_private(bytes.fromhex(capture["nodes"][end]["private_key"])),
        her_key=key,
        users=users,
        require_auth=True,
        credentials=None,
        entropy=bytes,
        now=0.0,
    )
    result = session.open(data, 0.0, apply_timeout=True)
    assert isinstance(result, bytes)
    assert result.hex() == first["plaintext"]
    assert session.user == b"Local Peers"
