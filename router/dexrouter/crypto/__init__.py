"""Keys, addresses and CryptoAuth: thin over libsodium, named after the protocol's own words."""

from __future__ import annotations
