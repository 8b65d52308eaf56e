"""`genconf`: a complete configuration with explanations; `cleanconf`: a configuration without them.

Rules:

- Random values are drawn in the order of the reference (protocol notes 01 §1.4): four passwords, the port,
  the key pair. Equal entropy gives an equal file, and the same secrets as the reference.
- The result is portable: any cjdns from v20 to v22 reads it, too (protocol notes 08 §1).
- The comments speak to the person who runs the node, and say what happens when a value is changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dexrouter.config.errors import DEFAULT_SOURCE
from dexrouter.config.jsonc import Array, Integer, Object, String, parse
from dexrouter.config.model import BeaconMode
from dexrouter.config.writing import write_string
from dexrouter.crypto.entropy import generate_password, generate_port
from dexrouter.crypto.keys import (
    address_text,
    generate_key_pair,
    key_pair_from_private,
    public_key_text,
)

if TYPE_CHECKING:
    from dexrouter.config.jsonc import Value
    from dexrouter.crypto.entropy import Entropy
    from dexrouter.crypto.keys import KeyPair

__all__ = ["BEACON_PORT", "cleanconf", "genconf"]

BEACON_PORT = 64512
"""The port on which every node listens for beacons; neighbours find each other only on the same one."""


@dataclass(frozen=True, slots=True)
class _Options:
    lan_peering: bool
    eth: bool
    tun_device: str | None
    admin_bind: str
    admin_password: str
    log_to_stdout: bool
    no_background: bool


def genconf(
    entropy: Entropy,
    *,
    eth: bool = False,
    private_key: bytes | None = None,
    udp_port: int | None = None,
    tun_device: str | None = None,
    lan_peering: bool = True,
    admin_bind: str = "127.0.0.1:11234",
    admin_password: str = "NONE",  # noqa: S107 - the word for "no authentication"
    log_to_stdout: bool = False,
    no_background: bool = False,
) -> str:
    """Write a new configuration.

    `private_key` is an existing identity of 32 bytes (KeyParseError if it is none) and `udp_port` a port to
    listen on; both are drawn when they are not given. Without `tun_device` the kernel names the device.
    `lan_peering` looks for neighbours on the local network, `eth` does so with Ethernet frames.
    """
    options = _Options(lan_peering, eth, tun_device, admin_bind, admin_password, log_to_stdout, no_background)
    passwords = tuple(generate_password(entropy) for _ in range(4))
    drawn_port = generate_port(entropy)
    port = drawn_port if udp_port is None else udp_port
    pair = generate_key_pair(entropy) if private_key is None else key_pair_from_private(private_key)
    sections = (
        _identity(pair),
        _passwords(pair, passwords, port),
        _admin(options),
        _interfaces(options, port),
        _router(options),
        _SECURITY,
        _process(options),
    )
    return "{\n" + ",\n\n".join(_indented(section) for section in sections) + "\n}\n"


def cleanconf(data: bytes, source: str = DEFAULT_SOURCE) -> str:
    """Write the parsed content of a file without comments, as `--cleanconf` does (protocol notes 08 §2).

    Keys keep their order and duplicates; `version` is set to 2, and put before the first key that sorts
    after it when it is new.
    """
    root = parse(data, source).root
    members = [(member.key.value, _clean(member.value, 1)) for member in root.members]
    keys = [key for key, _ in members]
    if b"version" in keys:
        members[keys.index(b"version")] = (b"version", "2")
    else:
        index = next((index for index, key in enumerate(keys) if key > b"version"), len(keys))
        members.insert(index, (b"version", "2"))
    return _clean_object(members, 0) + "\n"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.strip("\n").split("\n"))


def _identity(pair: KeyPair) -> str:
    return f"""
// Who this node is. Whoever has the private key is this node: keep a copy in a safe place, and never
// show it to anybody. Without it the address below is lost for good.
"privateKey": "{pair.private.reveal().hex()}",

// Both follow from the private key and stand here to be handed out; changing them changes nothing.
"publicKey": "{public_key_text(pair.public)}",
"ipv6": "{address_text(pair.address)}"
"""


def _passwords(pair: KeyPair, passwords: tuple[str, ...], port: int) -> str:
    return f"""
// Who may call us. Each entry is a password and the name under which its user is listed.
// Give every friend an entry of their own: then one of them can be taken away without the others.
"authorizedPasswords": [
    {{ "password": "{passwords[0]}", "user": "default-login" }}

    // Three more passwords that nobody has yet. To hand one out, put a comma behind the last entry
    // above and take the slashes away.
    // {{ "password": "{passwords[1]}", "user": "friend-1" }}
    // {{ "password": "{passwords[2]}", "user": "friend-2" }}
    // {{ "password": "{passwords[3]}", "user": "friend-3" }}

    // What to send to a friend who wants to call this node. Put your public address in front of the
    // port, and the name of their entry and its password into it.
    // "YOUR-PUBLIC-ADDRESS:{port}": {{
    //     "login": "default-login",
    //     "password": "{passwords[0]}",
    //     "publicKey": "{public_key_text(pair.public)}",
    //     "peerName": "what they want to call you"
    // }}
]
"""


def _admin(options: _Options) -> str:
    return f"""
// The door for tools that look into the running router and change its settings.
"admin": {{
    // Keep it on this machine: whoever reaches this port can steer the router.
    "bind": {write_string(options.admin_bind)},

    // NONE lets every program on this machine in. Any other word has to be known to the tools as well.
    "password": {write_string(options.admin_password)}
}}
"""


def _interfaces(options: _Options, port: int) -> str:
    beacon = BeaconMode.SEND if options.lan_peering else BeaconMode.OFF
    return f"""
// How packets reach other nodes.
"interfaces": {{
    // Over the internet or a local network, in UDP. One entry for each version of IP.
    "UDPInterface": [
        {{
            // Where to listen. This is the port to open in a firewall if others are to call us.
            "bind": "0.0.0.0:{port}",

            // Priority marking of our packets, 0 to 63. Leave it out unless your network uses it.
            // "dscp": 46,

            // Neighbours on the same local network find each other without credentials.
            // 0: do not look for any. 1: answer those who call out. 2: call out as well.
            "beacon": {int(beacon)},
            // Where to call out: "all", or names of devices, as in [ "eth0", "wlan0" ].
            "beaconDevices": [ "all" ],
            // Has to be the same on all nodes of the local network, and different from the port above.
            "beaconPort": {BEACON_PORT},

            // Nodes to call at an IPv4 address. Paste what their owners sent you, entries separated
            // by commas. An entry begins with "address:port"; names of hosts do not work. For example:
            "connectTo": {{
                // "203.0.113.7:41000": {{
                //     "login": "the name they have for you, if they gave one",
                //     "password": "from them",
                //     "publicKey": "52-LETTERS-AND-DIGITS.k",
                //     "peerName": "what you call them"
                // }}
            }}
        }},
        {{
            "bind": "[::]:{port}",

            // Nodes to call at an IPv6 address.
            "connectTo": {{
                // "[2001:db8::7]:41000": {{ the same as above }}
            }}
        }}
    ],

    // Directly in Ethernet frames, without IP: for cables and radio links between nodes.
    // The name decides whether it is on: "ETHInterface" is, any other is not.
    "{"ETHInterface" if options.eth else "_disabled_ETHInterface"}": [
        {{
            // A device, or "all" for every one. With "all", connectTo has no effect.
            "bind": "all",

            // As above: 0 nothing, 1 answer, 2 call out as well.
            "beacon": 2,

            // Nodes to call, by the address of their network card: "aa:bb:cc:dd:ee:ff".
            "connectTo": {{
            }}
        }}
    ]
}}
"""


def _router(options: _Options) -> str:
    if options.tun_device is None:
        device = """"type": "TUNInterface"

        // The name of the network device; without it the system picks one.
        // "tunDevice": "cjdns0\""""
    else:
        device = f""""type": "TUNInterface",

        // The name of the network device.
        "tunDevice": {write_string(options.tun_device)}"""
    return f"""
// What happens to packets that are meant for this machine, and how paths are found.
"router": {{
    // Route servers to ask for paths, by public key. None: the routers search by themselves.
    "supernodes": [
    ],

    // Where the mesh comes out: a network device of this machine with the address above.
    "interface": {{
        {device}
    }},

    // In place of a device, a socket for a program of yours. Exchange the two names to use it.
    "_disabled_interface": {{
        "type": "SocketInterface",
        "socketFullPath": "/var/run/cjdns.sock"
    }},

    // Ordinary internet addresses through the mesh, between nodes that agree on it.
    "ipTunnel": {{
        // To whom we give addresses, and which. For example:
        // {{ "publicKey": "THEIR-KEY.k", "ip4Address": "10.66.0.2", "ip4Prefix": 0, "ip4Alloc": 32 }}
        // Alloc is the size of the block that they get, Prefix the size of the network that they
        // reach through us; 0 is the whole internet.
        "allowedConnections": [
        ],

        // From whom we want addresses, by public key.
        "outgoingConnections": [
        ]
    }}
}}
"""


_SECURITY = """
// What the router gives up as soon as it is running, so that a fault in it cannot harm the machine.
"security": [
    // Become this user. keepNetAdmin 1 keeps the right to set up network devices, which the IP tunnel
    // and new Ethernet devices need. 0 in place of the name: stay the user that started it.
    { "setuser": "nobody", "keepNetAdmin": 1 },

    // See only the files below this directory. 0: see all.
    { "chroot": "/var/run/" },

    // 1: open no files at all any more. Too strict for most.
    { "nofiles": 0 },

    // 1: start no programs.
    { "noforks": 1 },

    // 1: let the kernel refuse system calls that a router does not need.
    { "seccomp": 1 },

    // 1: begin work when all of the above is done. Leave it.
    { "setupComplete": 1 }
]
"""


def _process(options: _Options) -> str:
    log_to = '"logTo": "stdout"' if options.log_to_stdout else '// "logTo": "stdout"'
    return f"""
// Where the log goes: to tools that ask for it, or with logTo to the standard output.
"logging": {{
    {log_to}
}},

// 1: stay in the foreground.
"noBackground": {int(options.no_background)},

// The socket between the two halves of the reference router; a second one needs another name here.
"pipe": "cjdroute.sock",

// The grammar of this file. With 2, a missing or surplus comma is an error, and it says where.
"version": 2
"""


def _clean(value: Value, depth: int) -> str:
    if isinstance(value, String):
        return _clean_string(value.value)
    if isinstance(value, Integer):
        return str(value.value)
    if isinstance(value, Object):
        return _clean_object([(m.key.value, _clean(m.value, depth + 1)) for m in value.members], depth)
    return _clean_array(value, depth)


def _clean_object(members: list[tuple[bytes, str]], depth: int) -> str:
    inner = "  " * (depth + 1)
    lines = ",\n".join(f"{inner}{_clean_string(key)} : {text}" for key, text in members)
    return "{\n" + lines + "\n" + "  " * depth + "}"


def _clean_array(value: Array, depth: int) -> str:
    inner = "  " * (depth + 1)
    lines = ",\n".join(f"{inner}{_clean(item, depth + 1)}" for item in value.items)
    return "[\n" + lines + "\n" + "  " * depth + "]"


def _clean_string(value: bytes) -> str:
    plain = range(32, 126)
    return (
        '"'
        + "".join(chr(byte) if byte in plain and byte not in b'"\\' else f"\\x{byte:02X}" for byte in value)
        + '"'
    )
