"""A whole network's traffic, decrypted layer by layer from the private keys of its nodes.

Three real nodes in a line, 152 packets on two links: link CryptoAuth, switch frame, control frame or
end-to-end CryptoAuth, data header, router message or IPv6 content.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dexrouter.crypto.keys import KeyPair, key_pair_from_private
from dexrouter.crypto.primitives import (
    box_secret,
    open_behind,
    password_secret,
    prepare_key,
    public_key_of,
    seal_behind,
)
from dexrouter.crypto.users import Credentials
from dexrouter.wire import bencode
from dexrouter.wire.control import CONTROL_WORD, parse_control
from dexrouter.wire.crypto_header import BOX_AT, CryptoHeader
from dexrouter.wire.dht import DhtMessage
from dexrouter.wire.session_frame import ContentType, parse_content_type
from dexrouter.wire.switch_header import SIZE, SwitchHeader

TRACE = json.loads((Path(__file__).parents[2] / "vectors" / "trace-abc.json").read_text())
NODES: dict[str, KeyPair] = {
    name: key_pair_from_private(bytes.fromhex(node["privateKey"])) for name, node in TRACE["nodes"].items()
}


def auth_secret(client: str) -> bytes:
    entry = next(entry for entry in TRACE["credentials"] if entry["client"] == client)
    return Credentials(entry["password"].encode()).secret


def between(kind: str, first: str, second: str) -> dict[str, Any]:
    """Find the recorded session between two nodes."""
    ends = {first, second}
    found: dict[str, Any] = next(
        entry
        for entry in TRACE["sessions"]
        if entry["kind"] == kind and {entry["initiator"], entry["responder"]} == ends
    )
    return found


def secret_of(layer: dict[str, Any], session: dict[str, Any], *, is_link: bool) -> bytes:
    """Derive the secret of one box from private keys (spec 01 §5)."""
    initiator, responder = NODES[session["initiator"]], NODES[session["responder"]]
    temp_private = bytes.fromhex(session["initiatorTempPrivate"])
    if layer["stage"] == "RUN":
        responder_temp = public_key_of(bytes.fromhex(session["responderTempPrivate"]))
        secret = box_secret(temp_private, responder_temp)
    elif layer["stage"].endswith("HELLO"):
        private = initiator.private.reveal()
        if is_link:
            secret = password_secret(private, responder.public, auth_secret(session["initiator"]))
        else:
            secret = box_secret(private, responder.public)
    else:
        secret = box_secret(responder.private.reveal(), public_key_of(temp_private))
    assert secret is not None
    return secret


def decrypt(packet: bytes, layer: dict[str, Any], session: dict[str, Any], *, is_link: bool) -> bytes:
    """Open a CryptoAuth packet, insist that it seals to itself, and take off a temporary key."""
    secret = secret_of(layer, session, is_link=is_link)
    assert secret.hex() == layer["secret"]
    key = prepare_key(secret)
    if layer["stage"] == "RUN":
        counter = int.from_bytes(packet[:4], "big")
        assert counter == layer["nonce"]
        start, nonce = 4, (counter << (32 if layer["fromInitiator"] else 0)).to_bytes(24, "little")
    else:
        start, nonce = BOX_AT, CryptoHeader.parse(packet).handshake_nonce
    content = open_behind(packet, start, nonce, key)
    assert content is not None
    assert seal_behind(packet[:start], content, nonce, key) == packet
    if layer["stage"] == "RUN":
        return content
    assert content[:32].hex() == layer["tempKey"]
    return content[32:]


def readable(value: bencode.Bencoded) -> object:
    """Give a bencoded value as the trace writes it: bytes that are no text as hex."""
    match value:
        case bytes():
            is_text = value and all(0x20 <= byte < 0x7F for byte in value)
            return value.decode() if is_text else f"hex:{value.hex()}"
        case list():
            return [readable(item) for item in value]
        case dict():
            return {key.decode(): readable(item) for key, item in value.items()}
    return value


def check_session_packet(packet: dict[str, Any], body: bytes) -> None:
    """Everything behind the switch header of a packet between two routers."""
    layer = packet["session"]
    session = between("end-to-end", layer["src"], layer["dst"])
    if layer["stage"] == "RUN":
        assert int.from_bytes(body[:4], "big") == layer["receiverHandle"]
        assert layer["receiverHandle"] == session[f"handle_of_{layer['dst']}"]
        plaintext = decrypt(body[4:], layer, session, is_link=False)
        content = plaintext
    else:
        plaintext = decrypt(body, layer, session, is_link=False)
        assert int.from_bytes(plaintext[:4], "big") == layer["senderHandle"]
        content = plaintext[4:]
    assert plaintext.hex() == packet["sessionPlaintext"]
    assert parse_content_type(content) == packet["dataHeader"]["contentType"]
    if parse_content_type(content) == ContentType.CJDHT:
        message = DhtMessage.parse(content[4:])
        decoded = bencode.decode(content[4:])
        assert readable(decoded) == packet["bencode"]
        assert bencode.decode(message.encode()) == decoded
    else:
        assert content[4:].hex() == packet["payload"]


@pytest.mark.parametrize("packet", TRACE["packets"], ids=lambda packet: packet["i"])
def test_every_packet_of_the_trace(packet: dict[str, Any]) -> None:
    """Each packet opens, layer by layer, to what the trace says is in it."""
    link = between("link", packet["src"], packet["dst"])
    frame = decrypt(bytes.fromhex(packet["udpPayload"]), packet["linkLayer"], link, is_link=True)
    assert frame.hex() == packet["frame"]
    header = SwitchHeader.parse(frame)
    assert f"{header.label:016x}" == packet["switchHeader"]["label"]
    assert header.label_shift == packet["switchHeader"]["labelShift"]
    body = frame[SIZE:]
    if body[:4] == CONTROL_WORD.to_bytes(4, "big"):
        assert parse_control(body[4:]).encode() == body[4:]
        assert body[6:8] == packet["control"]["type"].to_bytes(2, "big")
    else:
        check_session_packet(packet, body)


@pytest.mark.parametrize(
    "session", TRACE["sessions"], ids=lambda entry: entry["initiator"] + entry["responder"]
)
def test_both_ends_derive_the_session_secret(session: dict[str, str]) -> None:
    """The data secret follows from either end's temporary private key."""
    first, second = (bytes.fromhex(session[f"{end}TempPrivate"]) for end in ("initiator", "responder"))
    for private, public in ((first, public_key_of(second)), (second, public_key_of(first))):
        secret = box_secret(private, public)
        assert secret is not None
        assert secret.hex() == session["sessionSecret"]
