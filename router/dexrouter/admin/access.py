"""Where a router's admin API is, and the password for it: from a command line, or the usual files.

In this order: what is given outright, the configuration that is named, `~/.cjdnsadmin` (JSON, as all cjdns
tools read it), `/etc/cjdroute.conf`, and at last cjdns' default, 127.0.0.1:11234 without a password.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

__all__ = [
    "DEFAULT_CONFIG",
    "DEFAULT_HOST",
    "DEFAULT_PORT",
    "Access",
    "AccessError",
    "access_from_config",
    "find_access",
]

DEFAULT_CONFIG: Final = Path("/etc/cjdroute.conf")
DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 11234
NO_PASSWORD: Final = "NONE"  # noqa: S105 - the word for "no password"
_HIGHEST_PORT: Final = 65535


class AccessError(Exception):
    """A file does not tell how to reach the router; the text is a sentence with the file's name."""


@dataclass(frozen=True, slots=True)
class Access:
    """Address and password of an admin API."""

    host: str = DEFAULT_HOST
    """Numeric, an IPv6 address without brackets."""
    port: int = DEFAULT_PORT
    password: str = field(default=NO_PASSWORD, repr=False)
    origin: str = "the default"
    """Where this was found, for messages."""

    @property
    def where(self) -> str:
        """Address and port, as people write them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def find_access(
    config: Path | None = None,
    *,
    host: str | None = None,
    port: int | None = None,
    password: str | None = None,
    home: Path | None = None,
) -> Access:
    """Find out how to reach the router. Raises AccessError for a file that is named, or `~/.cjdnsadmin`.

    A `/etc/cjdroute.conf` that may not be read or is broken is passed over: some functions need no password.
    """
    if config is not None:
        access = access_from_config(config)
    else:
        access = _from_cjdnsadmin((home or Path.home()) / ".cjdnsadmin") or _from_system() or Access()
    given = {"host": host, "port": port, "password": password}
    changes = {name: value for name, value in given.items() if value is not None}
    if password is not None:
        changes["origin"] = "the command line"
    return replace(access, **changes)  # type: ignore[arg-type]  # the values are those of the fields


def access_from_config(path: Path) -> Access:
    """Read address and password out of a cjdroute.conf. Raises AccessError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AccessError(f"Cannot read {path}: {error.strerror}.") from error
    from dexrouter.config import ConfigError, load_config  # noqa: PLC0415 - most runs do without the parser

    try:
        admin = load_config(data, str(path)).admin
    except ConfigError as error:
        raise AccessError(str(error)) from error
    if admin.password is None:
        raise AccessError(f"{path} has no admin password, so the router has one that nobody knows.")
    return Access(admin.bind.host, admin.bind.port, admin.password, str(path))


def _from_system() -> Access | None:
    try:
        return access_from_config(DEFAULT_CONFIG)
    except AccessError:
        return None


def _from_cjdnsadmin(path: Path) -> Access | None:
    try:
        text = path.read_text("utf-8")
    except OSError:
        return None
    except UnicodeDecodeError as error:
        raise AccessError(f"{path} is not UTF-8 text.") from error
    try:
        values = json.loads(text)
    except ValueError as error:
        raise AccessError(f"{path} is not JSON: {error}.") from error
    if not isinstance(values, dict):
        raise AccessError(f"{path} does not hold a JSON object.")
    host, port = values.get("addr", DEFAULT_HOST), values.get("port", DEFAULT_PORT)
    password = values.get("password")
    if not isinstance(host, str) or not isinstance(port, int) or not 0 < port <= _HIGHEST_PORT:
        raise AccessError(f'{path}: "addr" must be an address and "port" a number.')
    if password is None and isinstance(values.get("config"), str):
        return access_from_config(Path(values["config"]).expanduser())
    if not isinstance(password, str):
        raise AccessError(f'{path}: "password" is missing.')
    return Access(host.strip("[]"), port, password, str(path))
