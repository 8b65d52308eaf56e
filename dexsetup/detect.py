"""Finds out about a machine, without changing it: `detect(host) -> Facts`. And facts as JSON, for fixtures.

Everything comes through the Host: files it reads, programs it probes. A directory that stands for a machine
is described by its files alone, as a machine with systemd that is not running.
"""

from __future__ import annotations

import json
import re
import shlex
from base64 import b64decode, b64encode
from dataclasses import asdict
from ipaddress import IPv6Interface
from typing import Any, Literal

from dexsetup.audit import listeners
from dexsetup.errors import AnswersError, HostError
from dexsetup.facts import LOGIN, Account, Baresip, Facts, FileFact, Listener, MailServer, Program, Zone
from dexsetup.host.accounts import Accounts
from dexsetup.host.base import FileKind, FirewallState, Host
from dexsetup.networks import PUBLIC
from dexsetup.report.redact import Redactor

__all__ = ["detect", "facts_from_json", "facts_to_json"]

_FIRST_PERSON, _LAST_PERSON = 1000, 60000
"""Numbers of people's accounts (login.defs of both families); root is one as well."""
_NO_LOGIN = ("nologin", "false")
_FAMILIES: tuple[tuple[frozenset[str], Literal["debian", "fedora"]], ...] = (
    (frozenset({"debian", "ubuntu"}), "debian"),
    (frozenset({"fedora", "rhel", "centos"}), "fedora"),
)
_MAIL_PLACES = {
    "debian": ("/etc/smtpd.conf", "/etc/mailname", "/etc/aliases"),
    "fedora": ("/etc/opensmtpd/smtpd.conf", "/etc/opensmtpd/mailname", "/etc/aliases"),
    "other": ("/etc/smtpd/smtpd.conf", "/etc/smtpd/mailname", "/etc/smtpd/aliases"),
}
"""Configuration, mailname, aliases of opensmtpd (spec 10 §1.1)."""
_PROGRAMS: dict[str, tuple[str, ...]] = {
    "s-nail": ("s-nail", "--version"),
    "mailx": ("mailx", "-V"),
    "alpine": ("alpine", "-v"),
    "linphone": ("linphonec", "-v"),
    "baresip": ("baresip", "-h"),
    "cjdroute": ("cjdroute", "--version"),
    "ip": ("ip", "-V"),
    "NetworkManager": ("NetworkManager", "--version"),
}
_DPKG = ("dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Version}")
"""Says "ii" for what is installed; of what was removed, it may still know the settings."""
_LINPHONE_APP = "com.belledonnecommunications.linphone"
_WINDOWED_LINPHONES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("linphone-desktop", "/usr/bin/linphone", (*_DPKG, "linphone-desktop")),
    ("linphone-desktop", "/usr/bin/linphone", ("rpm", "-q", "--qf", "%{VERSION}", "linphone-desktop")),
    ("linphone-flatpak", _LINPHONE_APP, ("flatpak", "info", _LINPHONE_APP)),
)
"""Name among the programs, what starts it, what tells its version."""
_BARESIP_MODULES = (
    "/usr/lib/baresip/modules",
    "/usr/lib64/baresip/modules",
    "/usr/local/lib/baresip/modules",
)
_PASSING = frozenset({"temporary", "deprecated", "tentative", "dadfailed"})
"""Marks of addresses that others cannot count on."""
_THUNDERBIRD = "/usr/bin/thunderbird"
"""Looked for, not asked: it would want a display."""
_PYTHONS = ("/usr/bin/python3",)
_VERSION = re.compile(r"\d+(?:\.\d+)+[\w.-]*")


def detect(host: Host, *, program_tree: str = "") -> Facts:
    """Look at the machine. `program_tree` is the directory with dexsetup's own files, ready to be copied."""
    release = _os_release(host)
    os_id = release.get("ID", "unknown")
    family = _family(os_id, release.get("ID_LIKE", ""))
    managers: dict[str, Literal["apt", "dnf"]] = {"debian": "apt", "fedora": "dnf"}
    return Facts(
        os_id=os_id,
        os_version=release.get("VERSION_ID", ""),
        os_name=release.get("PRETTY_NAME", os_id),
        family=family,
        hostname=_hostname(host),
        is_root=not host.is_live or host.probe(["id", "-u"]).stdout.strip() == "0",
        init=_init(host),
        package_manager=managers.get(family, "none"),
        firewall=_firewall(host),
        has_tun=not host.is_live or host.stat("/dev/net/tun") is not None,
        python=next((path for path in _PYTHONS if host.stat(path) is not None), _PYTHONS[0]),
        accounts=_accounts(host),
        mail_server=_mail_server(host, family),
        programs={**_programs(host), **_linphones(host)},
        running_router=_running_router(host),
        program_tree=program_tree,
        baresip=_baresip(host),
        zones=_zones(host),
        stable_addresses=_stable_addresses(host) if host.is_live else (),
        listening=listeners(host.probe(["ss", "-H", "-lntup"]).stdout) if host.is_live else (),
    )


def _stable_addresses(host: Host) -> tuple[str, ...]:
    """Return the public IPv6 addresses, without those made up for a day or on their way out."""
    found = []
    for line in host.probe(["ip", "-6", "-o", "addr", "show", "scope", "global"]).stdout.splitlines():
        words = line.split()
        if len(words) < 4 or words[2] != "inet6" or _PASSING & set(words[4:]):
            continue
        try:
            address = IPv6Interface(words[3]).ip
        except ValueError:
            continue
        if address in PUBLIC:
            found.append(str(address))
    return tuple(found)


def _os_release(host: Host) -> dict[str, str]:
    text = (host.read("/etc/os-release") or host.read("/usr/lib/os-release") or b"").decode(
        "utf-8", "replace"
    )
    values = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            try:
                values[name.strip()] = "".join(shlex.split(value))
            except ValueError:
                continue
    return values


def _family(os_id: str, like: str) -> Literal["debian", "fedora", "other"]:
    names = {os_id, *like.split()}
    return next((family for members, family in _FAMILIES if names & members), "other")


def _hostname(host: Host) -> str:
    if host.is_live and (name := host.probe(["uname", "-n"]).stdout.strip()):
        return name
    return (host.read("/etc/hostname") or b"").decode("utf-8", "replace").strip() or "localhost"


def _init(host: Host) -> Literal["systemd", "direct"]:
    is_systemd = not host.is_live or host.stat("/run/systemd/system") is not None
    return "systemd" if is_systemd else "direct"


def _firewall(host: Host) -> Literal["running", "stopped", "none"]:
    words: dict[str, Literal["running", "stopped", "none"]] = {"running": "running", "stopped": "stopped"}
    return words.get(str(host.firewall.state), "none")


def _accounts(host: Host) -> tuple[Account, ...]:
    """Return the people: those who log in, with a name that can be set up, and root."""
    names = Accounts.parse(host.read("/etc/passwd"), host.read("/etc/group"))
    found = []
    for user in names.users:
        is_person = _FIRST_PERSON <= user.uid < _LAST_PERSON and not user.shell.endswith(_NO_LOGIN)
        if (is_person and re.fullmatch(LOGIN, user.name)) or user.uid == 0:
            real_name = user.comment.split(",")[0].replace("&", user.name.capitalize())
            found.append(
                Account(user.name, user.uid, user.gid, names.group_name(user.gid), user.home, real_name)
            )
    return tuple(found)


def _mail_server(host: Host, family: Literal["debian", "fedora", "other"]) -> MailServer:
    config, mailname, aliases = _MAIL_PLACES[family]
    return MailServer(
        config=config,
        mailname=mailname,
        aliases=aliases,
        unit="smtpd.service" if family == "other" else "opensmtpd.service",
        package="opensmtpd",
        installed=_smtpd(host),
        port_25_holder=_port_25_holder(host),
    )


def _smtpd(host: Host) -> Program | None:
    """Ask `smtpd -h`: it prints the version and ends with 1 (spec 10 §1.1). Others have that name, too."""
    shown = host.probe(["smtpd", "-h"])
    match = re.search(r"OpenSMTPD (\d+\.\d+[\w.-]*)", shown.stdout + shown.stderr)
    return Program(_path_of(host, "smtpd"), match[1]) if match is not None else None


def _port_25_holder(host: Host) -> str:
    """Return the name of the program that listens on TCP 25; ? where only root may know it."""
    shown = host.probe(["ss", "-ltnHp", "sport = :25"])
    if not shown.stdout.strip():
        return ""
    match = re.search(r'users:\(\("([^"]+)"', shown.stdout)
    return match[1] if match is not None else "?"


def _zones(host: Host) -> tuple[Zone, ...]:
    """Return what a firewalld that runs lets in. One that refuses to say is one of which nothing is known."""
    firewall = host.firewall
    if firewall.state is not FirewallState.RUNNING:
        return ()
    found = []
    try:
        uplink, default = firewall.zone_of_uplink(), firewall.default_zone()
        for name in firewall.zones_in_use():
            openings, members = firewall.zone_openings(name), firewall.zone_members(name)
            if openings is not None:
                interfaces = tuple(sorted(members[1])) if members is not None else ()
                found.append(
                    Zone(name, interfaces, openings[1], openings[0], name == uplink, name == default)
                )
    except HostError:
        return ()
    return tuple(found)


def _programs(host: Host) -> dict[str, Program]:
    found = {}
    for name, argv in _PROGRAMS.items():
        shown = host.probe(list(argv))
        if shown.status == 127:
            continue
        version = _VERSION.search(shown.stdout + shown.stderr)
        found[name] = Program(_path_of(host, argv[0]), version[0] if version is not None else "")
    if (mail := _mail_command(host)) is not None:
        found["mail"] = mail
    if host.stat(_THUNDERBIRD) is not None:
        found["thunderbird"] = Program(_THUNDERBIRD, "")
    return found


def _mail_command(host: Host) -> Program | None:
    """Return what the command `mail` is where several packages bring one: asking it would tell little."""
    info = host.stat("/etc/alternatives/mailx")
    return Program(info.target, "") if info is not None and info.kind is FileKind.LINK else None


def _linphones(host: Host) -> dict[str, Program]:
    """Return linphone's forms with windows: asked of their packages, as they need a display."""
    found = {}
    for name, path, argv in _WINDOWED_LINPHONES:
        shown = host.probe(list(argv))
        version = _VERSION.search(shown.stdout)
        is_removed = argv[0] == _DPKG[0] and not shown.stdout.startswith("ii")
        if shown.status == 0 and version is not None and not is_removed:
            found[name] = Program(path, version[0])
    return found


def _baresip(host: Host) -> Baresip | None:
    for path in _BARESIP_MODULES:
        names = tuple(name.removesuffix(".so") for name in host.list_directory(path) if name.endswith(".so"))
        if names:
            return Baresip(path, names)
    return None


def _path_of(host: Host, program: str) -> str:
    for directory in ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"):
        path = f"{directory}/{program}"
        if host.stat(path) is not None:
            return path
    return program


def _running_router(host: Host) -> Literal["none", "embedded", "cjdns"]:
    """Ask the service manager. One that says nothing to this user is one of which nothing is known."""
    try:
        ours = host.services.state("dexrouter.service")
        if ours.active or (not host.is_live and ours.enabled):
            return "embedded"
        return "cjdns" if host.is_live and host.services.state("cjdns.service").active else "none"
    except HostError:
        return "none"


# -- as JSON


def facts_to_json(facts: Facts, *, redactor: Redactor | None = None) -> str:
    """Return the facts as JSON text. With a redactor, people, places and what files hold are left out."""
    value = asdict(facts)
    value["files"] = {path: _file_to_json(file) for path, file in facts.files.items()}
    if redactor is not None:
        value["files"] = {}
        value["hostname"] = "host"
        value["stable_addresses"] = []
        value["accounts"] = [_anonymous(account, index) for index, account in enumerate(facts.accounts)]
        return redactor.text(json.dumps(value, indent=2, sort_keys=True)) + "\n"
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def _anonymous(account: Account, index: int) -> dict[str, Any]:
    if account.uid == 0:
        return asdict(account)
    login = f"user{index}"
    return {
        **asdict(account),
        "login": login,
        "group": login,
        "home": f"/home/{login}",
        "real_name": f"User {index}",
    }


def _file_to_json(file: FileFact) -> dict[str, Any]:
    content = None if file.content is None else b64encode(file.content).decode()
    return {**asdict(file), "content": content}


def facts_from_json(text: str, name: str = "facts") -> Facts:
    """Return the facts of a recorded machine. Raises AnswersError for a text that is none."""
    try:
        value = json.loads(text)
        server = value["mail_server"]
        installed = server["installed"]
        value["mail_server"] = MailServer(
            **{**server, "installed": Program(**installed) if installed else None}
        )
        modules = value.get("baresip")
        if modules:
            value["baresip"] = Baresip(modules["module_path"], tuple(modules["modules"]))
        value["zones"] = tuple(_zone_from_json(zone) for zone in value.get("zones", ()))
        value["listening"] = tuple(Listener(**one) for one in value.get("listening", ()))
        value["stable_addresses"] = tuple(value.get("stable_addresses", ()))
        value["accounts"] = tuple(Account(**account) for account in value["accounts"])
        value["programs"] = {key: Program(**program) for key, program in value["programs"].items()}
        value["files"] = {path: _file_from_json(file) for path, file in value["files"].items()}
        return Facts(**value)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AnswersError((f"{name}: these are not facts of a machine: {error}",)) from error


def _zone_from_json(value: dict[str, Any]) -> Zone:
    openings = tuple((name, tuple(ports)) for name, ports in value["openings"])
    return Zone(**{**value, "interfaces": tuple(value["interfaces"]), "openings": openings})


def _file_from_json(value: dict[str, Any]) -> FileFact:
    content = value["content"]
    return FileFact(**{**value, "content": None if content is None else b64decode(content)})
