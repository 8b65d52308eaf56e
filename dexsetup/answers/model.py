"""The answers: one declaration per question. Everything else about a question is derived from it.

The form field, the plain prompt, the check, the commented sample, the JSON Schema and the table in the
documentation all come from the declarations in this file. A section or a key that is absent is left alone on
the machine; `enable = false` removes what dexsetup put there and nothing else. Unknown keys are errors.

TOML on disk (answers/load.py, answers/save.py); secrets are literal, "file:PATH" or "env:NAME".
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dexsetup.secret import Secret

__all__ = [
    "SCHEMA",
    "Allow",
    "Answers",
    "Contact",
    "Firewall",
    "Mail",
    "Node",
    "Peer",
    "Phone",
    "Section",
    "User",
    "question",
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


class Node(Section):
    """The mesh node: its key, its port, who it finds by itself."""

    key: str = question(
        "Which key shall the node have?",
        hint="keep: the present one, or a new one where there is none. new. import:/path/to/cjdroute.conf",
        default="keep",
        pattern=r"^(keep|new|import:/.+)$",
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
        hint="Left out: as it is now, and yes for a new node.",
    )
    device: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,14}$")] | None = question(
        "What shall the mesh interface be called?",
        hint="Left out: the present name, and cjdns0 for a new node.",
    )


class Peer(Section):
    """A node to connect to, or (state absent) to forget."""

    public_key: str = question("Its public key", hint="54 characters, ends in .k", default=...)
    address: str | None = question("Where it listens", hint="192.0.2.1:26041 or [2001:db8::1]:26041")
    password: Secret | None = question("The password it gave out", hint='literal, "file:PATH" or "env:NAME"')
    login: str | None = question("The login it gave out with the password")
    name: str | None = question("What you call it")
    state: Literal["present", "absent"] = question("Keep it or remove it", default="present")


class Allow(Section):
    """Somebody who may call this node, or (state absent) no longer may."""

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


class User(Section):
    """A person on this machine whose programs are set up."""

    login: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")] = question(
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


class Contact(Section):
    """Somebody whom the mail and phone programs of the users shall know by a short name."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")] = question(
        "Short name", hint="letters, digits, _ . and -: what you write in place of the address", default=...
    )
    address: str | None = question("Mesh address", hint="fc.., in any spelling")
    login: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}$")] | None = question(
        "Login there, for letters and calls", hint="Left out: the short name."
    )
    real_name: str | None = question("Name")
    state: Literal["present", "absent"] = question("Keep or remove", default="present")


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
