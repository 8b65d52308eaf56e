"""Mail between mesh addresses: opensmtpd, its configuration and the name that it gives itself.

The configuration lets in letters for the named users alone, relays for nobody, and by default sends to mesh
addresses alone (spec 10 §1.2). Letters pass a filter of ours (dexsetup/mailfilter), which opensmtpd starts
from the root-owned copy of the programs; a unit beside it sends letters that wait as soon as the recipient's
machine is there (dexsetup/mailqueue). A file that somebody else wrote is not replaced unless a person
decided so.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address

from dexsetup.answers.model import Answers, Mail
from dexsetup.facts import Facts, Program
from dexsetup.plan.model import ManagedFile, Resource, Risk, StepPlan, Tree, Unit, UnitActive
from dexsetup.plan.places import PROGRAMS
from dexsetup.steps.base import Inputs
from dexsetup.steps.boot import drop_in_path, resolver_path
from dexsetup.steps.node import CONFIG, file_content, service_address, wanted_node

__all__ = ["QUEUE_UNIT", "MailStep", "mail_literal", "mail_spellings"]

_CONFIG_TEMPLATE = "opensmtpd/smtpd.conf.j2"
_OLD_CONFIG_TEMPLATE = "opensmtpd/smtpd-old.conf.j2"
_NAME_TEMPLATE = "opensmtpd/mailname.j2"
_OURS = b"Written by dexsetup"
_OLDEST = (5, 7)
_OLDEST_WITH_ACTIONS = (6, 4)
"""Before it, rules are one line of `accept` each (spec 10 §1.1); tried with 6.0.3."""
_OLDEST_WITH_FILTERS = (6, 6)
_FILTER = f"{PROGRAMS}/bin/dex-mailfilter"
QUEUE_UNIT = "dexsetup-mailqueue.service"
_QUEUE_TEMPLATE = f"units/{QUEUE_UNIT}.j2"
_QUEUE_FILE = f"/etc/systemd/system/{QUEUE_UNIT}"
_QUEUE_GROUPS = {"debian": "opensmtpq", "fedora": "smtpq", "other": "smtpq"}
"""The group that opensmtpd's package makes for its queue (spec 10 §1.1)."""
_QUEUE_PROGRAM = f"{PROGRAMS}/bin/dex-mailqueue"
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}))*")


def mail_literal(address: str) -> str:
    """Return the address as it stands behind the @ of a letter's address."""
    return f"[IPv6:{address}]"


def mail_spellings(address: str) -> tuple[str, ...]:
    """Return every spelling of the address that others write: opensmtpd compares them as text."""
    value = IPv6Address(address)
    unpadded = ":".join(f"{int(group, 16):x}" for group in value.exploded.split(":"))
    forms = dict.fromkeys((str(value), unpadded, value.exploded))
    return tuple(text for form in forms for text in (f"[IPv6:{form}]", f"[{form}]"))


class MailStep:
    """See the module docstring."""

    name = "mail"
    title = "Mail server"

    def reads(self, answers: Answers, facts: Facts) -> tuple[str, ...]:
        """Name the node's configuration, which has the address, and the mail server's."""
        return (CONFIG, facts.mail_server.config) if answers.mail is not None else ()

    def plan(self, inputs: Inputs) -> StepPlan | None:
        """Want opensmtpd to serve this node's address, or want our files gone when mail is switched off."""
        mail, facts = inputs.answers.mail, inputs.facts
        if mail is None:
            return None
        if not mail.enable:
            return _switched_off(facts)
        address, is_public = service_address(inputs), bool(inputs.answers.public_address)
        units = (facts.mail_server.unit,) if is_public else (facts.mail_server.unit, QUEUE_UNIT)
        return StepPlan(
            name=self.name,
            title=MailStep.title,
            resources=_resources(inputs, mail, address),
            verifications=tuple(UnitActive(unit) for unit in units),
            needs=("packages", "router", "boot"),
            risks=(_risk(inputs.answers, address),),
            notes=_notes(inputs.answers, mail, facts),
            unavailable=_reason_against(facts, is_public=is_public),
            address=address,
        )


def _risk(answers: Answers, address: str) -> Risk:
    if answers.public_address:
        return Risk(
            "public-mail",
            f"Everybody on the Internet can reach port 25 of [{address}] and leave letters of up to 20 MB "
            f"for {_people(answers)}. Letters travel in plain text for whoever carries them, the address "
            "tells where you are, and many providers shut port 25.",
        )
    return Risk(
        "mesh-mail",
        f"Everybody on the mesh can reach port 25 of [{address}] and leave letters of up to 20 MB for "
        f"{_people(answers)}. Port 25 on other addresses stays as it is.",
    )


def _resources(inputs: Inputs, mail: Mail, address: str) -> tuple[Resource, ...]:
    facts, renderer = inputs.facts, inputs.renderer
    server = facts.mail_server
    literal, spellings = mail_literal(address), mail_spellings(address)
    logins = (*dict.fromkeys(user.login for user in inputs.answers.user), "postmaster")
    program = server.installed.path if server.installed is not None else "/usr/sbin/smtpd"
    has_filters = _is_new_enough(server.installed, _OLDEST_WITH_FILTERS)
    template = (
        _CONFIG_TEMPLATE if _is_new_enough(server.installed, _OLDEST_WITH_ACTIONS) else _OLD_CONFIG_TEMPLATE
    )
    config = ManagedFile(
        path=server.config,
        content=renderer.render(
            template,
            address=address,
            literal=literal,
            aliases=server.aliases,
            own_domains=spellings,
            recipients=[f"{login}@{spelling}" for login in logins for spelling in spellings],
            local_names=[facts.hostname] if _HOSTNAME.fullmatch(facts.hostname) else [],
            relay=mail.relay,
            is_public=bool(inputs.answers.public_address),
            mail_filter=_FILTER if has_filters else "",
        ),
        validate=(program, "-n", "-f", "{}"),
        template=f"{template} {renderer.version(template)}",
        on_conflict=mail.on_conflict,
        foreign="ask",
    )
    name = ManagedFile(
        path=server.mailname,
        content=renderer.render(_NAME_TEMPLATE, literal=literal),
        template=f"{_NAME_TEMPLATE} {renderer.version(_NAME_TEMPLATE)}",
        on_conflict=mail.on_conflict,
    )
    changes = (config.path, name.path, drop_in_path(facts), resolver_path(), PROGRAMS)
    programs = (Tree(PROGRAMS, source=facts.program_tree),) if _brings_programs(inputs) else ()
    if inputs.answers.public_address:
        # Only the mesh's machines are asked whether they are there; others have opensmtpd's own patience.
        no_queue = (Unit(QUEUE_UNIT, enabled=False, active=False), ManagedFile(_QUEUE_FILE, None))
        return (*programs, name, config, *no_queue, Unit(server.unit, restart_on=changes))
    queue = ManagedFile(
        path=_QUEUE_FILE,
        content=renderer.render(
            _QUEUE_TEMPLATE,
            server=server.unit,
            program=_QUEUE_PROGRAM,
            group=_QUEUE_GROUPS[facts.family],
        ),
        template=f"{_QUEUE_TEMPLATE} {renderer.version(_QUEUE_TEMPLATE)}",
    )
    return (
        *programs,
        name,
        config,
        queue,
        Unit(server.unit, restart_on=changes),
        Unit(QUEUE_UNIT, restart_on=(queue.path, PROGRAMS)),
    )


def _brings_programs(inputs: Inputs) -> bool:
    """Whether the filter's program comes with mail: the router step brings it along with a router of ours."""
    node = wanted_node(inputs.answers, inputs.facts)
    is_brought = node is not None and node.backend == "embedded"
    return not is_brought and bool(inputs.facts.program_tree)


def _switched_off(facts: Facts) -> StepPlan:
    server = facts.mail_server
    files = (
        ManagedFile(_QUEUE_FILE, None),
        ManagedFile(server.config, None),
        ManagedFile(server.mailname, None),
    )
    is_ours = _OURS in (file_content(facts, server.config) or b"")
    changes = (server.config, server.mailname, drop_in_path(facts), resolver_path())
    given_back = Unit(server.unit, enabled=False, active=False, restart_on=changes, as_before=True)
    return StepPlan(
        name=MailStep.name,
        title=MailStep.title,
        resources=(
            Unit(QUEUE_UNIT, enabled=False, active=False),
            *files,
            *((given_back,) if is_ours else ()),
        ),
        notes=(f"{server.unit} runs, or does not, as before the mesh. Letters in its queue stay there.",)
        if is_ours
        else (),
    )


def _people(answers: Answers) -> str:
    logins = tuple(dict.fromkeys(user.login for user in answers.user))
    return ", ".join((*logins, "postmaster"))


def _notes(answers: Answers, mail: Mail, facts: Facts) -> tuple[str, ...]:
    notes = []
    if not _is_new_enough(facts.mail_server.installed, _OLDEST_WITH_FILTERS):
        notes.append(
            "This opensmtpd has no filters (they came with 6.6): anybody on the mesh can forge a sender, and "
            "letters from alpine cannot be answered with s-nail."
        )
    if not answers.user:
        notes.append("No user is named in the answers: letters from the mesh are taken for postmaster alone.")
    if mail.relay == "any":
        notes.append(
            "Letters may also leave for the ordinary Internet. Large providers refuse letters from addresses "
            "like this one, and each look-up of a name can delay mail when the network is away."
        )
    if "thunderbird" in facts.programs:
        notes.append(
            "Thunderbird is not set up: its server for outgoing mail would be localhost, port 25, without "
            "encryption or password, but it no longer reads this machine's mailbox, and whether it takes "
            "an address like this was not tried. s-nail and alpine do both."
        )
    return tuple(notes)


def _reason_against(facts: Facts, *, is_public: bool) -> str:
    server = facts.mail_server
    if is_public and not _is_new_enough(server.installed, _OLDEST_WITH_ACTIONS):
        return "Mail at a public address needs opensmtpd 6.4 or later: update it first."
    if server.port_25_holder not in {"", "?", "smtpd", "opensmtpd"}:
        return (
            f"{server.port_25_holder} listens on port 25 already, and two mail servers cannot share it: stop "
            "it and switch it off first, or leave mail out of the answers."
        )
    if server.installed is not None and not _is_new_enough(server.installed, _OLDEST):
        return (
            f"opensmtpd {server.installed.version} is older than 5.7, the oldest that dexsetup can "
            "configure: update it first."
        )
    return ""


def _is_new_enough(program: Program | None, oldest: tuple[int, int]) -> bool:
    """Whether its version is the oldest one or newer; one that is yet to be installed is."""
    found = re.search(r"(\d+)\.(\d+)", program.version) if program is not None else None
    return found is None or (int(found[1]), int(found[2])) >= oldest
