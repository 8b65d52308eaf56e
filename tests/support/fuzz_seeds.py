"""Where fuzzing begins: a few good inputs of targets that would be long in finding one by themselves.

Recorded messages of real routers where there are some (tests/vectors), else what people write.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

__all__ = ["seeds_for"]

_VECTORS: Final = Path(__file__).parents[1] / "vectors"
_KEY: Final = "d6bngqcv2w0u702yy5932d3k3pr2mxdukmxu4wqguuwddhd1rnx0.k"
_CONFIG: Final = """{
    // a comment
    "privateKey": "3bb0fc66a6b74a9686755679173c90977463be6d18a392ded53aec4ecf7e9c11",
    "authorizedPasswords": [ {"password": "p1", "user": "u", "ipv6": "fc00::1"}, ],
    "admin": {"bind": "127.0.0.1:11234", "password": "NONE"},
    "interfaces": {
        "UDPInterface": [ {"bind": "0.0.0.0:1", "beacon": 2, "beaconDevices": ["all"], "connectTo": {
            "192.0.2.1:1": {"password": "x", "publicKey": "KEY", "peerName": "y"} }} ],
        "ETHInterface": [ {"bind": "eth0", "beacon": 0, "connectTo": {}} ]
    },
    "router": {"interface": {"type": "TUNInterface", "tunDevice": "tun0"},
        "ipTunnel": {"allowedConnections": [ {"publicKey": "KEY", "ip4Address": "10.0.0.2", "ip4Prefix": 0} ],
            "outgoingConnections": ["KEY"]}},
    "security": [ {"setuser": "nobody", "keepNetAdmin": 1} ],
    "version": 2
}""".replace("KEY", _KEY)

_LETTER: Final = """report|0.7|1|smtp-in|link-connect|s1|localhost|pass|[fc00::1]:25|[fc00::2]:25
filter|0.7|1|smtp-in|mail-from|s1|t1|<a@[IPv6:fc00::1]>
filter|0.7|1|smtp-in|data-line|s1|t1|From: "a@[IPv6:fc00::1]"
"""

_TEXTS: Final[dict[str, tuple[str, ...]]] = {
    "address-book": ("jo\tJo Doe\tjo@[IPv6:fc00::7]\n", "#x\nlist\tA list\t(a@b,\n c@d)\n"),
    "admin": ("d1:q4:ping4:txid2:abe", "d4:argsd4:pagei0ee1:q29:Admin_availableFunctions4:txid1:xe"),
    "alpine": ("# note\nfeature-list=a,\n\tb,\n c\nmine=\nuser-domain=x\n",),
    "answers": (
        '[peers]\nmode = "public"\n[[peers.list]]\naddress = "192.0.2.1:1"\n',
        '[mail]\nenable = true\n[firewall]\nallow = ["mail"]\n',
    ),
    "block": ("first\n# >>> dexsetup\nset x=y\n# <<< dexsetup\nlast\n",),
    "config": (_CONFIG,),
    "edit": (_CONFIG,),
    "link": ("name=Jo&user=jo", f"user=jo&peer=192.0.2.1:1&key={_KEY}&password=p&login=l"),
    "linphone": ('[sip]\nx=0\n[friend_0]\n# section made by dexsetup\nurl="Jo" <sip:jo@[fc00::8]>\n',),
    "mail-filter": (_LETTER,),
    "paste": (f'"192.0.2.1:1": {{"login": "l", "password": "p", "publicKey": "{_KEY}"}},',),
    "texts": (f"v21.0000.0000.0000.0015.{_KEY}", _KEY, "fc3b:e60e:d799:e71a:36f4:64ea:58d2:7fa7"),
    "unit": ("[Unit]\nAfter=a b\nAfter=\n[Service]\nExecStart=/x \\\n  y\n; note\n",),
}


def _read(name: str) -> Any:
    return json.loads((_VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def _announcements() -> Iterable[str]:
    return (one["announcement_hex"] for one in _read("announce")["announcements"][:8])


def _dht() -> Iterable[str]:
    return (one["content_hex"] for one in _read("dht")["messages"][:12])


def _control() -> Iterable[str]:
    return (one["ctrl_hex"] for one in _read("dht")["ctrl"][:12])


def _iptunnel() -> Iterable[str]:
    return (one["content_hex"] for one in _read("iptunnel")["messages"][:6])


_RECORDED: Final[dict[str, Callable[[], Iterable[str]]]] = {
    "announcement": _announcements,
    "bencode": _dht,
    "control": _control,
    "dht": _dht,
    "iptunnel": _iptunnel,
}


def seeds_for(target: str) -> list[bytes]:
    """Give the good inputs of a target, of which there may be none."""
    recorded = _RECORDED.get(target, tuple)()
    return [*map(bytes.fromhex, recorded), *(text.encode() for text in _TEXTS.get(target, ()))]
