"""The answers: one declaration per question. Everything else about a question is derived from it.

The form field, the plain prompt, the check, the commented sample, the JSON Schema and the table in the
documentation all come from the declarations in this file. A section or a key that is absent is left alone on
the machine; `enable = false` removes what dexsetup put there and nothing else. Unknown keys are errors.

TOML on disk (answers/load.py, answers/save.py); secrets are literal, "file:PATH" or "env:NAME".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv6Address
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from dexsetup.facts import LOGIN
from dexsetup.secret import Secret

__all__ = [
    "SCHEMA",
    "Allow",
    "Answers",
    "Contact",
    "Entry",
    "Firewall",
    "Irc",
    "Mail",
    "Node",
    "Nodeinfo",
    "Peer",
    "Phone",
    "Public",
    "Section",
    "Tunnel",
    "User",
    "list_models",
    "question",
    "section_models",
]

SCHEMA = 1
_NAME = r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]{0,61}[^\x00-\x20\x7f])?$"
"""A name of somebody's choice: a line of text that neither begins nor ends with a space."""


def question(title: str, *, hint: str = "", default: Any = None, **constraints: Any) -> Any:
    """Declare one question: its title (the sentence a person reads) and what a good answer looks like."""
    return Field(default=default, title=title, description=hint, **constraints)


class Section(BaseModel):
    """A table of the answers file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Entry(Section):
    """A table that may stand there several times. One key finds it again in other answers."""

    identified_by: ClassVar[str]

    @property
    def identity(self) -> str:
        """The value of that key."""
        return str(getattr(self, self.identified_by))

    @property
    def is_wanted(self) -> bool:
        """Whether it is to be there, and not to be removed."""
        return getattr(self, "state", "present") == "present"


class Node(Section):
    """The mesh node: its key, its port, who it finds by itself."""

    key: str = question(
        "Which key shall the node have?",
        hint="keep: the present one, else a new one. Or new, import:/FILE",
        default="keep",
        pattern=r"^(keep|new|replace:fc[0-9a-f:]{2,37}|import:/.+)$",
    )
    backend: Literal["embedded", "cjdns"] = question(
        "Which router shall run?",
        hint="embedded: dexsetup's own. cjdns: the distribution's C router.",
        default="embedded",
    )
    udp_port: Annotated[int, Field(ge=1, le=65535)] | None = question(
        "On which UDP port shall peers reach this node?",
        hint="Left out: the present one, else a free random one.",
    )
    lan_peering: bool | None = question(
        "Shall it find neighbours on the local network by itself?",
        hint="Left out: unchanged, and yes for a new node.",
    )
    device: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,14}$")] | None = question(
        "What shall the mesh interface be called?",
        hint="Left out: the present name, and cjdns0 for a new node.",
    )


class Peer(Entry):
    """A node to connect to, or (state absent) to forget."""

    identified_by: ClassVar[str] = "public_key"

    public_key: str = question("Its public key", hint="54 characters, ends in .k", default=...)
    address: str | None = question("Where it listens", hint="192.0.2.1:26041 or [2001:db8::1]:26041")
    password: Secret | None = question("The password it gave out", hint='literal, "file:PATH" or "env:NAME"')
    login: str | None = question("The login it gave out with the password")
    name: str | None = question("What you call it")
    state: Literal["present", "absent"] = question("Keep it or remove it", default="present")


class Allow(Entry):
    """Somebody who may call this node, or (state absent) no longer may."""

    identified_by: ClassVar[str] = "login"

    login: Annotated[str, Field(pattern=_NAME)] = question(
        "Who it is: the login that goes with the password", hint="a name of your choice", default=...
    )
    password: Secret | None = question(
        "The password for them alone",
        hint='Left out: the one they have, else a new random one. literal, "file:PATH" or "env:NAME"',
    )
    address: str | None = question(
        "Where they reach this node",
        hint="192.0.2.1:26041, or without a port. Left out: this machine's own address towards the Internet.",
    )
    state: Literal["present", "absent"] = question("Let them call, or no longer", default="present")


class Firewall(Section):
    """What is let in."""

    enable: bool = question("Shall the router's port be opened in the firewall?", default=True)
    ssh: bool = question("Shall ssh be reachable from the mesh?", default=False)
    guard: bool = question(
        "Where there is no firewalld, shall a small nftables table let in only what was chosen?",
        default=False,
    )
    accept_risk: tuple[str, ...] = question("Risks you have read and accept, by name", default=())


class Mail(Section):
    """Mail between mesh addresses, by opensmtpd."""

    enable: bool = question("Shall this machine send and receive mail over the mesh?", default=True)
    relay: Literal["mesh", "any"] = question(
        "Where may letters from here go?",
        hint="mesh: only to mesh addresses. any: also to the ordinary Internet, by MX lookup.",
        default="mesh",
    )
    on_conflict: Literal["stop", "ours", "theirs"] = question(
        "If smtpd.conf was written or edited by somebody else?",
        hint="stop and say so, take ours (theirs is kept beside it), or leave theirs",
        default="stop",
    )


class Phone(Section):
    """Calls between mesh addresses."""

    enable: bool = question("Shall calls be set up for the users named below?", default=True)


class User(Entry):
    """A person on this machine whose programs are set up."""

    identified_by: ClassVar[str] = "login"

    login: Annotated[str, Field(pattern=f"^{LOGIN}$")] = question(
        "Login", hint="the name of an account on this machine", default=...
    )
    real_name: str | None = question(
        "Name that letters and calls show", hint="Left out: the one in the account."
    )
    files: tuple[Literal["mailrc", "mailutils", "pinerc", "linphonerc", "baresip"], ...] = question(
        "Which programs",
        hint="mailrc: s-nail. mailutils: GNU mail. pinerc: alpine. linphonerc: linphone. baresip.",
        default=("mailrc",),
    )


class Contact(Entry):
    """Somebody whom the mail and phone programs of the users shall know by a short name."""

    identified_by: ClassVar[str] = "name"

    @property
    def identity(self) -> str:
        """The short name; mail programs do not tell its capitals from small letters."""
        return self.name.lower()

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")] = question(
        "Short name", hint="letters, digits, _ . and -: what you write in place of the address", default=...
    )
    address: str | None = question("Mesh address", hint="fc.., in any spelling")
    login: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}$")] | None = question(
        "Login there, for letters and calls", hint="Left out: the short name."
    )
    real_name: str | None = question("Name")
    state: Literal["present", "absent"] = question("Keep or remove", default="present")


class Tunnel(Entry):
    """A node that gives this one Internet addresses through the mesh, or (with ip4, ip6) gets some of it."""

    identified_by: ClassVar[str] = "public_key"

    public_key: str = question("Its public key", hint="54 characters, ends in .k", default=...)
    ip4: str | None = question(
        "The IPv4 address that it gets from here",
        hint="10.66.0.2, or 10.66.0.2/24 with the network that it reaches through here; else the Internet",
    )
    ip6: str | None = question(
        "The IPv6 address that it gets from here",
        hint="2001:db8:77::4 or 2001:db8:77::4/64. Without ip4 and ip6, the other node gives addresses.",
    )
    state: Literal["present", "absent"] = question("Keep it or remove it", default="present")


class Nodeinfo(Section):
    """What this node tells about itself: /nodeinfo.json, for a web server of yours."""

    enable: bool = question("Shall a file about this node be written for your web server?", default=True)
    file: Annotated[str, Field(pattern=r"^(/[^/\x00-\x1f]+)+/nodeinfo\.json$")] = question(
        "Where the web server finds it", default="/var/www/html/nodeinfo.json"
    )
    name: str | None = question("Who runs this node")
    contact: str | None = question(
        "How to reach them", hint="A mail address. Left out: that of the first user here."
    )


class Public(Section):
    """Mail and calls at a public IPv6 address of this machine, in place of the mesh."""

    enable: bool = question(
        "Shall mail and calls go to a public IPv6 address, not to the mesh's?", default=True
    )
    address: str = question(
        "Which address of this machine?",
        hint="one that stays, and that others reach: 2001:db8::5",
        default=...,
    )


class Irc(Section):
    """The chat of the mesh as a bookmark in HexChat, for the users named below."""

    enable: bool = question("Shall the mesh's chat server be among HexChat's networks?", default=True)


class Answers(Section):
    """A whole answers file."""

    schema_: Literal[1] = Field(default=..., alias="schema", title="Version of this format")
    node: Node | None = None
    peer: tuple[Peer, ...] = ()
    allow: tuple[Allow, ...] = ()
    firewall: Firewall | None = None
    mail: Mail | None = None
    phone: Phone | None = None
    user: tuple[User, ...] = ()
    contact: tuple[Contact, ...] = ()
    tunnel: tuple[Tunnel, ...] = ()
    nodeinfo: Nodeinfo | None = None
    irc: Irc | None = None
    public: Public | None = None

    @property
    def public_address(self) -> str:
        """The public address that letters and calls go to, as RFC 5952 writes it; "" if it is the mesh's."""
        is_used = self.public is not None and self.public.enable
        return str(IPv6Address(self.public.address)) if self.public is not None and is_used else ""


def section_models() -> Mapping[str, type[Section]]:
    """Return what may stand there once, by name, in the order of the file."""
    return {name: model for name, model in _models() if not issubclass(model, Entry)}


def list_models() -> Mapping[str, type[Entry]]:
    """Return what may stand there several times, by name, in the order of the file."""
    return {name: model for name, model in _models() if issubclass(model, Entry)}


def _models() -> Iterator[tuple[str, type[Section]]]:
    for name, field in Answers.model_fields.items():
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, Section):
                yield name, part
