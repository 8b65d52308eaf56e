"""A machine as facts, and inputs for the steps: what every test here starts from."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from dexrouter.config import genconf
from dexsetup.answers.model import Answers
from dexsetup.facts import Account, Facts, FileFact, MailServer, Program
from dexsetup.plan.model import ManagedFile, StepPlan
from dexsetup.render.jinja import JinjaRenderer
from dexsetup.steps.base import Draws, Inputs
from dexsetup.steps.node import CONFIG, address_of

CAROL = Account("carol", 1000, 1000, "carol", "/home/carol", "Carol Smith")
DAVE = Account("dave", 1001, 100, "users", "/home/dave", "")
OPENSMTPD = MailServer(
    config="/etc/smtpd.conf",
    mailname="/etc/mailname",
    aliases="/etc/aliases",
    unit="opensmtpd.service",
    package="opensmtpd",
    installed=Program("/usr/sbin/smtpd", "6.8.0p2"),
)
RENDERER = JinjaRenderer()
SPARE_KEY = "b465hml7z3g1vj22ktqdrc3z17mwjxl44cg0mj903n9vycxzqpv0.k"
OTHER_KEY = "jg035j9hup776kwz1k4n0bwpggxp1qmts6t715x53g8vutxktzz0.k"


def config(seed: int = 1, **options: Any) -> bytes:
    """Return a generated cjdroute.conf that is the same every time."""
    return genconf(random.Random(seed).randbytes, **options).encode()


DRAWN = config(1)
ADDRESS = address_of(DRAWN)
SECRET = bytes(range(32))


def debian(files: Mapping[str, FileFact] | None = None, **changes: Any) -> Facts:
    """Return a Debian 12 with systemd, two people and opensmtpd, and no node yet."""
    values: dict[str, Any] = {
        "os_id": "debian",
        "os_version": "12",
        "os_name": "Debian GNU/Linux 12 (bookworm)",
        "family": "debian",
        "hostname": "host-a",
        "is_root": True,
        "init": "systemd",
        "package_manager": "apt",
        "firewall": "running",
        "has_tun": True,
        "python": "/usr/bin/python3",
        "accounts": (CAROL, DAVE),
        "mail_server": OPENSMTPD,
        "programs": {},
        "running_router": "none",
        "program_tree": "/var/cache/dexsetup/program/tree",
        "files": {CONFIG: FileFact(None)} if files is None else dict(files),
    }
    return Facts(**{**values, **changes})


def with_node(content: bytes = DRAWN, **changes: Any) -> Facts:
    """Return the same machine with a node."""
    files = {CONFIG: FileFact(content, 0o600, "root", "root"), **changes.pop("files", {})}
    return debian(files, running_router="embedded", **changes)


def answers(**sections: Any) -> Answers:
    """Return answers of these sections."""
    return Answers.model_validate({"schema": 1, **sections})


def inputs(wanted: Answers, facts: Facts) -> Inputs:
    """Return a step's inputs with the usual draws."""
    return Inputs(wanted, facts, Draws(DRAWN, SECRET), RENDERER)


def peer(key: str = SPARE_KEY, address: str = "192.0.2.1:2000", **values: Any) -> dict[str, Any]:
    """Return a peer as an answers file has it."""
    return {"public_key": key, "address": address, "password": "word", **values}


def file_of(plan: StepPlan | None, path: str) -> ManagedFile:
    """Return the one file of that path that the plan wants."""
    assert plan is not None
    (found,) = [item for item in plan.resources if isinstance(item, ManagedFile) and item.path == path]
    return found
