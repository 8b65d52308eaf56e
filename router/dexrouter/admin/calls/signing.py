"""`Sign_*`: signatures by the node's key, for programs that prove who they speak for (spec 07 §8.7)."""

from __future__ import annotations

from typing import Final

from dexrouter.admin.message import Reply
from dexrouter.admin.table import TEXT_REQUIRED, Call, CallError, Table
from dexrouter.crypto import base32
from dexrouter.crypto.keys import address_of, address_text, is_mesh_address, public_key_text
from dexrouter.crypto.signing import RANDOM_SIZE, is_signed_by, node_key_of, sign, signing_key_of

__all__ = ["TABLE"]

MAX_HASH: Final = 64
_KEY_LENGTH: Final = 52
_SIGNATURE_LENGTH: Final = 103

TABLE: Final = Table()


@TABLE.function("Sign_sign", msgHash=TEXT_REQUIRED)
def sign_hash(call: Call) -> Reply:
    """Sign a hash, or anything else as short: signing key and signature in base32, `_` between them."""
    message = call.raw("msgHash") or b""
    if len(message) > MAX_HASH:
        raise CallError("msgHash too long, max 64 bytes")
    private = call.context.node.own.private.reveal()
    signature = sign(private, message, call.context.entropy(RANDOM_SIZE))
    text = f"{base32.encode(signing_key_of(private))}_{base32.encode(signature)}"
    return {"error": "none", "signature": text}


@TABLE.function("Sign_checkSig", is_open=True, msgHash=TEXT_REQUIRED, signature=TEXT_REQUIRED)
def check_signature(call: Call) -> Reply:
    """Tell who has signed."""
    key_text, underscore, signature_text = call.text("signature").partition("_")
    if not underscore:
        raise CallError("malformed signature, missing separator")
    signing_key = _decode(key_text, _KEY_LENGTH)
    key = None if signing_key is None else node_key_of(signing_key)
    if signing_key is None or key is None:
        raise CallError("malformed signature, failed to decode pubkey")
    signature = _decode(signature_text, _SIGNATURE_LENGTH)
    if signature is None:
        raise CallError("malformed signature, failed to decode signature")
    message = call.raw("msgHash") or b""
    address = address_of(key)
    if not is_signed_by(signing_key, message, signature) or not is_mesh_address(address):
        raise CallError("invalid signature")
    return {"error": "none", "pubkey": public_key_text(key), "ipv6": address_text(address)}


def _decode(text: str, length: int) -> bytes | None:
    if len(text) != length:
        return None
    try:
        return base32.decode(text)
    except base32.Base32Error:
        return None
