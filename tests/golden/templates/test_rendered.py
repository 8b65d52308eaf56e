"""What people find on their machine, as text: one file per template and variant in expected/.

DEX_WRITE_GOLDEN=1 writes them anew; the difference is then looked at like any other change.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dexsetup.render.jinja import JinjaRenderer
from dexsetup.steps.userprograms import Contact

EXPECTED = Path(__file__).parent / "expected"
ADDRESS = "fc9a:0:0:1234::7"
LITERAL = f"[IPv6:{ADDRESS}]"
SPELLINGS = [LITERAL, f"[{ADDRESS}]", "[IPv6:fc9a:0:0:1234:0:0:0:7]", "[fc9a:0:0:1234:0:0:0:7]"]
SMTPD = {
    "address": ADDRESS,
    "literal": LITERAL,
    "aliases": "/etc/aliases",
    "own_domains": SPELLINGS,
    "recipients": [f"{login}@{spelling}" for login in ("carol", "postmaster") for spelling in SPELLINGS],
    "local_names": ["host-a.example"],
    "relay": "mesh",
    "mail_filter": "/opt/dexsetup/bin/dex-mailfilter",
    "is_public": False,
}
PUBLIC = {**SMTPD, "address": "2001:db8::5", "literal": "[IPv6:2001:db8::5]", "is_public": True}
CONTACT = Contact("jo", 'Jo "Q" Doe', "joan", "fc00::7")
BARESIP = {
    "address": ADDRESS,
    "module_path": "/usr/lib/baresip/modules",
    "modules": [("module", "opus"), ("module", "alsa"), ("module_app", "account")],
}
ROUTER = {
    "program": "/opt/dexsetup/bin/dexrouter",
    "config": "/etc/cjdroute.conf",
    "user": "dexrouter",
    "capabilities": ["CAP_NET_ADMIN"],
    "ethernet": False,
    "alias": "cjdns.service",
}
MAILRC = {
    "names": "s-nail",
    "s_nail": True,
    "gnu": False,
    "mailbox": f"carol@{LITERAL}",
    "sender": f"carol@{LITERAL}",
    "account": "",
    "contacts": [],
}
CASES: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("smtpd.conf", "opensmtpd/smtpd.conf.j2", SMTPD),
    ("smtpd.conf.relay-any", "opensmtpd/smtpd.conf.j2", {**SMTPD, "relay": "any", "local_names": []}),
    ("smtpd.conf.public", "opensmtpd/smtpd.conf.j2", PUBLIC),
    ("smtpd.conf.no-filters", "opensmtpd/smtpd.conf.j2", {**SMTPD, "mail_filter": ""}),
    ("smtpd-old.conf", "opensmtpd/smtpd-old.conf.j2", {**SMTPD, "mail_filter": ""}),
    (
        "smtpd-old.conf.relay-any",
        "opensmtpd/smtpd-old.conf.j2",
        {**SMTPD, "mail_filter": "", "relay": "any", "local_names": []},
    ),
    ("mailname", "opensmtpd/mailname.j2", {"literal": LITERAL}),
    ("smtpd-resolv.conf", "opensmtpd/smtpd-resolv.conf.j2", {}),
    (
        "nodeinfo.json",
        "nodeinfo/nodeinfo.json.j2",
        {
            "public_key": "b465hml7z3g1vj22ktqdrc3z17mwjxl44cg0mj903n9vycxzqpv0.k",
            "literal": f"[{ADDRESS}]",
            "name": 'Jo "the ☎" </script>',
            "contact": f"jo@{LITERAL}",
            "services": [
                {"name": "mail", "uri": f"mailto:jo@{LITERAL}"},
                {"name": "calls", "uri": f"sip:jo@[{ADDRESS}]"},
            ],
        },
    ),
    (
        "nodeinfo.json.bare",
        "nodeinfo/nodeinfo.json.j2",
        {"public_key": "k", "literal": "[fc00::1]", "name": "", "contact": "", "services": []},
    ),
    ("hexchat.network", "hexchat/network.j2", {"name": "Mesh", "server": "irc.fc00.io"}),
    (
        "10-dexsetup.conf",
        "opensmtpd/10-dexsetup.conf.j2",
        {"resolver": "/etc/dexsetup/smtpd-resolv.conf", "awaited": ""},
    ),
    ("10-dexsetup.conf.relay-any", "opensmtpd/10-dexsetup.conf.j2", {"resolver": "", "awaited": ""}),
    (
        "10-dexsetup.conf.public",
        "opensmtpd/10-dexsetup.conf.j2",
        {"resolver": "", "awaited": "network-online.target"},
    ),
    ("mailrc", "mailrc/mailrc.j2", {**MAILRC, "sender": f'"Doe, Jo" <carol@{LITERAL}>'}),
    ("mailrc.gnu", "mailrc/mailrc.j2", {**MAILRC, "names": "GNU mail", "s_nail": False, "gnu": True}),
    ("mailrc.both", "mailrc/mailrc.j2", {**MAILRC, "names": "s-nail and GNU mail", "gnu": True}),
    ("mailrc.account", "mailrc/mailrc.j2", {**MAILRC, "account": "mesh", "contacts": [CONTACT]}),
    ("pinerc", "pinerc/pinerc.j2", {"literal": LITERAL, "real_name": "A$AP Ünï"}),
    ("pinerc.nameless", "pinerc/pinerc.j2", {"literal": LITERAL, "real_name": ""}),
    (
        "addressbook",
        "pinerc/addressbook.j2",
        {"contacts": [("jo", '"Doe, Jo"', "joan@[IPv6:fc00::7]"), ("al", "", "al@[IPv6:fc00::8]")]},
    ),
    ("baresip.config", "baresip/config.j2", BARESIP),
    ("baresip.config.beside", "baresip/config.j2", {"address": ADDRESS, "module_path": "", "modules": []}),
    (
        "baresip.accounts",
        "baresip/accounts.j2",
        {"address": ADDRESS, "login": "carol", "real_name": 'Jo "Q"'},
    ),
    (
        "baresip.accounts.nameless",
        "baresip/accounts.j2",
        {"address": ADDRESS, "login": "jo", "real_name": ""},
    ),
    ("baresip.contacts", "baresip/contacts.j2", {"contacts": [('Jo "Q" Doe', "sip:joan@[fc00::7]")]}),
    (
        "dexsetup-linphone.desktop",
        "linphonerc/dexsetup-linphone.desktop.j2",
        {"command": "env XDG_CONFIG_HOME=/home/carol/.config/dexsetup-mesh linphone"},
    ),
    ("linphonerc", "linphonerc/linphonerc.j2", {"address": ADDRESS, "login": "carol", "real_name": 'Jo "Q"'}),
    ("linphonerc.nameless", "linphonerc/linphonerc.j2", {"address": ADDRESS, "login": "jo", "real_name": ""}),
    ("dexrouter.service", "units/dexrouter.service.j2", ROUTER),
    ("zone.xml", "firewalld/zone.xml.j2", {"device": "cjdns0", "services": ["smtp", "cjdns-sip"]}),
    ("cjdns-sip.xml", "firewalld/cjdns-sip.xml.j2", {"ports": [("5060", "udp"), ("7078-7079", "udp")]}),
    ("90-dexsetup.conf", "networkmanager/90-dexsetup.conf.j2", {"device": "cjdns0"}),
    (
        "guard.nft",
        "nftables/guard.nft.j2",
        {"device": "cjdns0", "ports": [("25", "tcp"), ("7078-7079", "udp")]},
    ),
    (
        "dexsetup-mailqueue.service",
        "units/dexsetup-mailqueue.service.j2",
        {
            "server": "opensmtpd.service",
            "program": "/opt/dexsetup/bin/dex-mailqueue",
            "group": "opensmtpq",
        },
    ),
    ("dexsetup-guard.service", "units/dexsetup-guard.service.j2", {}),
    (
        "dexrouter.service.ethernet",
        "units/dexrouter.service.j2",
        {**ROUTER, "ethernet": True, "capabilities": ["CAP_NET_ADMIN", "CAP_NET_RAW"]},
    ),
    ("dexrouter.service.no-alias", "units/dexrouter.service.j2", {**ROUTER, "alias": ""}),
    (
        "cjdns-wait-online.service",
        "units/cjdns-wait-online.service.j2",
        {"program": "/opt/dexsetup/bin/dexctl", "router": "dexrouter.service"},
    ),
    (
        "cjdns.service",
        "units/cjdns.service.j2",
        {"program": "/usr/bin/cjdroute", "config": "/etc/cjdroute.conf"},
    ),
    (
        "10-dexsetup.conf.cjdns",
        "cjdns/10-dexsetup.conf.j2",
        {"program": "/opt/dexsetup/bin/dexctl", "config": "/etc/cjdroute.conf"},
    ),
)


@pytest.mark.parametrize(("name", "template", "values"), CASES, ids=[case[0] for case in CASES])
def test_a_rendered_file_reads_as_recorded(name: str, template: str, values: Mapping[str, Any]) -> None:
    """A change of a template is seen in review as the change of a file that people have."""
    rendered = JinjaRenderer().render(template, **values)
    recorded = EXPECTED / name
    if os.environ.get("DEX_WRITE_GOLDEN"):
        recorded.parent.mkdir(exist_ok=True)
        recorded.write_bytes(rendered)
    assert rendered == recorded.read_bytes()


def test_every_template_has_a_golden() -> None:
    """A new template without a recorded result is noticed."""
    templates = Path(__file__).parents[3] / "templates"
    assert {path.relative_to(templates).as_posix() for path in templates.rglob("*.j2")} == {
        template for _, template, _ in CASES
    }
