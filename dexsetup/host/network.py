"""Looks at the network: is an address here, does a server greet, whom does the router know."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from dexrouter.wire.bencode import Bencoded, decode, encode
from dexrouter.wire.errors import WireError
from dexsetup import sip

__all__ = ["LiveNetwork", "admin_place", "peers_of_reply"]

_ADMIN = ("127.0.0.1", 11234)
_ADMIN_SECONDS = 2.0
_FAR = ((socket.AF_INET, "198.51.100.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses of documentation (RFC 5737, RFC 3849): they take the way of the default route."""
_ADDRESS_PREFERENCES, _PREFER_PUBLIC = 72, 2
"""linux/in6.h: IPV6_ADDR_PREFERENCES, IPV6_PREFER_SRC_PUBLIC."""
_SIP_REPEAT_SECONDS = 1.0
_DATAGRAM_MAX = 4096
_PAGES_MAX = 64
_LINE_MAX = 512
_PORT_DIGITS, _PORT_MAX = 5, 65535


class LiveNetwork:
    """The network of the machine that dexsetup runs on. `read` gives the router's configuration."""

    def __init__(self, read: Callable[[str], bytes | None], config: str = "/etc/cjdroute.conf") -> None:
        self._read = read
        self._config = config

    def address_is_bound(self, address: str) -> bool:
        """Try to bind a socket to it: an address that is still tentative does not count."""
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((address, 0))
            except OSError:
                return False
        return True

    def tcp_greeting(self, host: str, port: int, timeout: float) -> str:
        """Connect and return the first line."""
        deadline = time.monotonic() + timeout
        with socket.create_connection((host, port), timeout) as connection:
            text = b""
            while b"\n" not in text and len(text) < _LINE_MAX:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(errno.ETIMEDOUT, f"connected, but no greeting within {timeout:.0f} s")
                connection.settimeout(left)
                try:
                    chunk = connection.recv(_LINE_MAX)
                except TimeoutError as error:
                    words = f"connected, but no greeting within {timeout:.0f} s"
                    raise TimeoutError(errno.ETIMEDOUT, words) from error
                if not chunk:
                    break
                text += chunk
        return text.split(b"\n")[0].decode("utf-8", "replace").strip()

    def sip_answer(self, host: str, timeout: float) -> str:
        """Ask the phone at this IPv6 address for its abilities, again and again until the time is over."""
        token = os.urandom(8).hex()
        deadline = time.monotonic() + timeout
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asking:
            asking.connect((host, sip.PORT))
            source, port = asking.getsockname()[:2]
            while (left := deadline - time.monotonic()) > 0:
                asking.send(sip.options_request(host, source, port, token))
                asking.settimeout(min(left, _SIP_REPEAT_SECONDS))
                with suppress(TimeoutError, sip.SipError):
                    if answer := sip.answer_of(asking.recv(_DATAGRAM_MAX), token):
                        return answer
        raise TimeoutError(errno.ETIMEDOUT, f"no answer within {timeout:.0f} s")

    def uplink_addresses(self) -> tuple[str, ...]:
        """Let the kernel choose the source of a packet to the Internet. None is sent."""
        found: list[str] = []
        for family, target in _FAR:
            with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
                if family is socket.AF_INET6:
                    # One that stays, not one that was made up for a day (RFC 5014).
                    probe.setsockopt(socket.IPPROTO_IPV6, _ADDRESS_PREFERENCES, _PREFER_PUBLIC)
                probe.connect((target, 9))
                found.append(str(probe.getsockname()[0]))
        return tuple(found)

    def peer_states(self) -> tuple[tuple[str, str], ...]:
        """Ask the router page by page. No router, or one that does not answer: no peers."""
        found: list[tuple[str, str]] = []
        place = admin_place(self._read(self._config))
        family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.settimeout(_ADMIN_SECONDS)
            for page in range(_PAGES_MAX):
                request: Bencoded = {
                    b"q": b"InterfaceController_peerStats",
                    b"args": {b"page": page},
                    b"txid": b"dexsetup",
                }
                try:
                    client.connect(place)
                    client.send(encode(request))
                    peers, has_more = peers_of_reply(client.recv(65536))
                except (OSError, WireError):
                    return tuple(found)
                found.extend(peers)
                if not has_more:
                    break
        return tuple(found)


def peers_of_reply(reply: bytes) -> tuple[tuple[tuple[str, str], ...], bool]:
    """Return ((link address, state) ..., whether there is another page). Raises WireError for nonsense."""
    # Some daemons put zeros before the dictionary, to align it (spec 07).
    value = decode(reply[reply.index(b"d") :] if b"d" in reply else reply, trailing=True)
    if not isinstance(value, dict):
        raise WireError("the router's answer is not a dictionary", 0)
    entries = value.get(b"peers", [])
    peers = (entry for entry in (entries if isinstance(entries, list) else []) if isinstance(entry, dict))
    found = tuple((_text(peer.get(b"lladdr")), _text(peer.get(b"state"))) for peer in peers)
    return found, b"more" in value


def admin_place(config: bytes | None) -> tuple[str, int]:
    """Return the admin address that a configuration names, else cjdns' usual one.

    A look for the "bind" of "admin", not a parser: the file may be in any of the lax forms, and a wrong guess
    costs no more than a timeout.
    """
    text = (config or b"").decode("utf-8", "replace")
    match = re.search(r'"?admin"?\s*:\s*\{[^{}]*?"?bind"?\s*:\s*("(?:[^"\\]|\\.)*")', text)
    if match is None:
        return _ADMIN
    try:
        place = str(json.loads(match[1]))
    except ValueError:
        return _ADMIN
    host, _, port = place.rpartition(":")
    is_port = port.isdecimal() and len(port) <= _PORT_DIGITS and int(port) <= _PORT_MAX
    return (host.strip("[]"), int(port)) if host and is_port else _ADMIN


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
