"""Quoting, one function per target: a value goes in, out comes what the target's own parser reads as it.

Rules, the same for all of them:

* Control characters (line ends, tabs, NUL), line and paragraph separators and lone surrogates are refused:
  no target's syntax here carries them, and a name with a line end in it is a mistake or an attack.
* The characters that turn the direction of what follows (U+202A to U+202E, U+2066 to U+2069) are refused
  too: with them a line of configuration reads as something that it is not. The plain marks (U+200E, U+200F)
  are ordinary parts of names written from right to left and stay.
* What a target cannot carry raises UnquotableError, with a sentence; nothing is dropped silently. Only a
  display name is adapted where the mail program cannot carry it (mail_display_name says how): that is how a
  name looks, not what the machine does.

Each grammar was tried with the program itself: opensmtpd 6.8 and 7.6, s-nail 14.9.24, systemd 252, linphone
5.1, baresip 1.0; alpine's reader was read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

__all__ = [
    "FILTERS",
    "UnquotableError",
    "mail_display_name",
    "mailrc_string",
    "pinerc_value",
    "plain_name",
    "sip_contact_name",
    "sip_display_name",
    "smtpd_path",
    "smtpd_string",
    "systemd_path",
    "systemd_string",
]

_DIRECTION_CHANGES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_RFC5322_SPECIALS = '()<>[]:;@\\,."'
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_BARE_PATH = re.compile(r"[A-Za-z0-9/_.:@-]+")


class UnquotableError(ValueError):
    """A value that its target program has no way to write down. The text names value, target and reason."""


def _checked(value: str, target: str) -> str:
    """Return the value if it is plain text of one line, whatever its language."""
    for character in value:
        if unicodedata.category(character) in _REFUSED_CATEGORIES:
            raise UnquotableError(
                f"{value!r} cannot be written into {target}: it contains the control character "
                f"U+{ord(character):04X}"
            )
        if character in _DIRECTION_CHANGES:
            raise UnquotableError(
                f"{value!r} cannot be written into {target}: it contains U+{ord(character):04X}, which makes "
                "the rest of the line read in another order"
            )
    return value


def smtpd_string(value: str) -> str:
    r"""Quote for smtpd.conf: "..." with \" inside.

    A backslash is refused: before a blank or at the end it means different things in different versions.
    """
    _checked(value, "smtpd.conf")
    if "\\" in value:
        raise UnquotableError(f"{value!r} cannot be written into smtpd.conf: it contains a backslash")
    return '"' + value.replace('"', '\\"') + '"'


def _bare(value: str, target: str) -> str:
    if not _BARE_PATH.fullmatch(value):
        raise UnquotableError(
            f"{value!r} cannot be written into {target}: only letters, digits and / _ . : @ - can stand "
            "there without quotes"
        )
    return value


def smtpd_path(value: str) -> str:
    """Check a path or address that stands without quotes in smtpd.conf (`file:PATH`, `listen on ADDRESS`)."""
    return _bare(value, "smtpd.conf")


def systemd_path(value: str) -> str:
    """Check a path in a unit setting that knows no quotes (`BindReadOnlyPaths=`, `StandardInput=file:`)."""
    return _bare(value, "a unit file")


def systemd_string(value: str) -> str:
    r"""Quote one word of a command line of a unit: "..." with \\ and \", and % and $ doubled."""
    _checked(value, "a unit file")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def mailrc_string(value: str) -> str:
    r"""Quote for s-nail's .mailrc with v15-compat set: shell-like "..." with \ before \ " $ and backquote."""
    _checked(value, ".mailrc")
    return '"' + re.sub(r'([\\"$`])', r"\\\1", value) + '"'


def mail_display_name(value: str) -> str:
    r"""Return a name as it can stand before <address> in s-nail's `from`.

    s-nail writes a wrong header for some names, so these are adapted: " becomes ' and \ becomes / and the
    marks of an encoded word =? and ?= are pulled apart. In a name with letters beyond ASCII, s-nail cannot
    carry the signs that RFC 5322 reserves ( ( ) < > [ ] : ; @ , . ): each becomes a blank. A name of ASCII
    letters that holds such signs is put into quotes and keeps them.
    """
    _checked(value, ".mailrc")
    name = value.replace('"', "'").replace("\\", "/").replace("=?", "= ?").replace("?=", "? =")
    if not name.isascii():
        name = "".join(" " if character in _RFC5322_SPECIALS else character for character in name)
        name = " ".join(part for part in name.split(" ") if part)
    name = name.strip(" ")
    if name and any(character in _RFC5322_SPECIALS for character in name):
        return f'"{name}"'
    return name


def pinerc_value(value: str) -> str:
    r"""Write a value of .pinerc that is not a list: alpine reads to the end of the line and expands $NAME.

    A $ is doubled, which alpine reads as one. A first " would be taken for a quote, blanks at the ends would
    be cut off, a first ~ is somebody's home, and \$ has a reading of its own: these are refused.
    """
    _checked(value, ".pinerc")
    if value != value.strip(" ") or value.startswith(('"', "~")) or "\\$" in value:
        raise UnquotableError(
            f'{value!r} cannot be written into .pinerc: a value there cannot begin with " or ~, '
            "nor begin or end with a blank, nor hold a backslash before a $"
        )
    return value.replace("$", "$$")


def plain_name(value: str) -> str:
    """Check a name of letters, digits, _ . and -: of an interface or a service, between quotes or without."""
    if not _PLAIN_NAME.fullmatch(value):
        raise UnquotableError(f"{value!r} cannot be the name of an interface or a service")
    return value


def sip_contact_name(value: str) -> str:
    r"""Quote a contact's name for linphone's friends and for baresip, which read less than RFC 3261 allows.

    baresip shows an escape as it stands, and linphone 5.1 loses a friend whose name holds a comma or a
    backslash: " becomes ' and \\ becomes / and a comma a blank.
    """
    _checked(value, "a SIP address")
    name = value.replace('"', "'").replace("\\", "/").replace(",", " ")
    return f'"{" ".join(part for part in name.split(" ") if part)}"'


def sip_display_name(value: str) -> str:
    r"""Quote a display name of a SIP address (RFC 3261 §25.1 quoted-string): \ before \ and "."""
    _checked(value, "a SIP address")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


FILTERS: dict[str, Callable[[str], str]] = {
    function.__name__: function
    for function in (
        mail_display_name,
        mailrc_string,
        pinerc_value,
        plain_name,
        sip_contact_name,
        sip_display_name,
        smtpd_path,
        smtpd_string,
        systemd_path,
        systemd_string,
    )
}
"""By the name that templates use."""
