"""The mail and boot steps: whose letters are taken, what is refused, what switching off removes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dexsetup.facts import FileFact, Program
from dexsetup.plan.model import ManagedFile, Tree, Unit, UnitActive
from dexsetup.steps.boot import BootStep
from dexsetup.steps.mail import MailStep, mail_spellings
from step_inputs import ADDRESS, OPENSMTPD, answers, debian, file_of, inputs, with_node

MAIL = MailStep()
USERS = ({"login": "carol"}, {"login": "dave"})
DROP_IN = "/etc/systemd/system/opensmtpd.service.d/10-dexsetup.conf"
QUEUE = "dexsetup-mailqueue.service"
RESOLVER = "/etc/dexsetup/smtpd-resolv.conf"


def smtpd_conf(**sections: object) -> str:
    plan = MAIL.plan(inputs(answers(**sections), debian()))
    return (file_of(plan, "/etc/smtpd.conf").content or b"").decode()


@pytest.mark.parametrize(
    ("address", "spellings"),
    [
        (
            "fc9a:0:0:1234::7",
            (
                "fc9a:0:0:1234::7",
                "fc9a:0:0:1234:0:0:0:7",
                "fc9a:0000:0000:1234:0000:0000:0000:0007",
            ),
        ),
        ("fcbc:1b27:1be6:194d:1422:1792:1988:18ac", ("fcbc:1b27:1be6:194d:1422:1792:1988:18ac",)),
    ],
    ids=["all_differ", "all_the_same"],
)
def test_every_spelling_of_the_address_is_there_once(address: str, spellings: tuple[str, ...]) -> None:
    """With and without the IPv6: mark, in the order shortest first."""
    assert mail_spellings(address) == tuple(
        text for form in spellings for text in (f"[IPv6:{form}]", f"[{form}]")
    )


def test_mail_wants_name_configuration_and_server() -> None:
    plan = MAIL.plan(inputs(answers(mail={}, user=USERS), debian()))
    assert plan is not None
    name, config, queue, unit, queue_unit = plan.resources
    assert isinstance(name, ManagedFile)
    assert isinstance(config, ManagedFile)
    assert (name.path, name.content) == ("/etc/mailname", f"[IPv6:{ADDRESS}]\n".encode())
    assert (config.path, config.mode, config.foreign, config.on_conflict) == (
        "/etc/smtpd.conf",
        0o644,
        "ask",
        "stop",
    )
    assert config.validate == ("/usr/sbin/smtpd", "-n", "-f", "{}")
    assert unit == Unit(
        "opensmtpd.service",
        restart_on=("/etc/smtpd.conf", "/etc/mailname", DROP_IN, RESOLVER, "/opt/dexsetup"),
    )
    assert isinstance(queue, ManagedFile)
    assert queue.path == f"/etc/systemd/system/{QUEUE}"
    assert b"\nAfter=opensmtpd.service cjdns-wait-online.service\n" in (queue.content or b"")
    assert b"\nGroup=opensmtpq\n" in (queue.content or b"")
    assert queue_unit == Unit(QUEUE, restart_on=(queue.path, "/opt/dexsetup"))
    assert plan.verifications == (UnitActive("opensmtpd.service"), UnitActive(QUEUE))
    assert plan.needs == ("packages", "router", "boot")
    assert plan.unavailable == ""


def test_letters_are_taken_for_the_named_users_and_postmaster_alone() -> None:
    """In every spelling of the address."""
    text = smtpd_conf(mail={}, user=USERS)
    (line,) = [line for line in text.splitlines() if line.startswith("table meshusers")]
    named = {word.strip('",').partition("@")[0] for word in line.split() if "@" in word}
    assert named == {"carol", "dave", "postmaster"}
    assert line.count("carol@") == len(mail_spellings(ADDRESS))
    assert "match tag MESH from any for rcpt-to <meshusers>" in text
    assert text.rstrip().endswith("match from any reject")


def test_letters_pass_the_filter_on_every_listener_where_opensmtpd_has_filters() -> None:
    """They came with 6.6: before, the plan says what is missing without them."""
    old = debian(mail_server=replace(OPENSMTPD, installed=Program("/usr/sbin/smtpd", "6.4.2p1")))
    plan = MAIL.plan(inputs(answers(mail={}, user=USERS), old))
    assert plan is not None
    assert "filter" not in (file_of(plan, "/etc/smtpd.conf").content or b"").decode()
    assert plan.notes[0].startswith("This opensmtpd has no filters")
    lines = smtpd_conf(mail={}).splitlines()
    assert 'filter "dexsetup" proc-exec "/opt/dexsetup/bin/dex-mailfilter"' in lines
    listeners = [line for line in lines if line.startswith("listen on")]
    assert len(listeners) == 3
    assert all(line.endswith(' filter "dexsetup"') for line in listeners)


@pytest.mark.parametrize(
    ("sections", "is_brought"),
    [({}, True), ({"node": {"backend": "cjdns"}}, True), ({"node": {}}, False)],
    ids=["mail_alone", "the_distributions_router", "a_router_of_ours"],
)
def test_mail_brings_the_filters_program_where_no_router_of_ours_does(
    sections: dict[str, object], is_brought: bool
) -> None:
    plan = MAIL.plan(inputs(answers(mail={}, **sections), with_node()))
    assert plan is not None
    assert any(isinstance(item, Tree) for item in plan.resources) == is_brought


def test_the_risk_names_the_people_and_the_port() -> None:
    plan = MAIL.plan(inputs(answers(mail={}, user=USERS), debian()))
    assert plan is not None
    (risk,) = plan.risks
    assert risk.name == "mesh-mail"
    assert ADDRESS in risk.text
    assert "carol, dave, postmaster" in risk.text


def test_letters_leave_for_the_mesh_alone_unless_asked_otherwise() -> None:
    mesh, anywhere = smtpd_conf(mail={}), smtpd_conf(mail={"relay": "any"})
    assert 'match from local for domain regex "^\\[ipv6:fc" action "mesh_out"' in mesh
    assert 'match from local for any action "mesh_out"' not in mesh
    assert 'match from local for any action "mesh_out"' in anywhere


def test_an_odd_host_name_is_left_out_rather_than_written() -> None:
    plan = MAIL.plan(inputs(answers(mail={}), debian(hostname='a" } include "/etc/shadow')))
    assert b"shadow" not in (file_of(plan, "/etc/smtpd.conf").content or b"")


def test_without_users_letters_are_for_postmaster_and_the_plan_says_so() -> None:
    plan = MAIL.plan(inputs(answers(mail={}), debian()))
    assert plan is not None
    assert plan.notes[0].startswith("No user is named")


@pytest.mark.parametrize(
    ("version", "start"),
    [
        ("5.7.3p2", "accept tagged MESH from any for domain <meshnames> recipient <meshusers> "),
        ("6.0.3p1", "accept tagged MESH from any for domain <meshnames> recipient <meshusers> "),
        ("6.4.0p1", "match tag MESH from any for rcpt-to <meshusers> "),
        ("7.6.0p1", "match tag MESH from any for rcpt-to <meshusers> "),
    ],
)
def test_the_version_decides_between_the_two_grammars(version: str, start: str) -> None:
    """Before 6.4 a rule is one line that begins with accept; either lets in letters for named users alone."""
    server = replace(OPENSMTPD, installed=Program("/usr/sbin/smtpd", version))
    plan = MAIL.plan(inputs(answers(mail={}, user=USERS), debian(mail_server=server)))
    lines = (file_of(plan, "/etc/smtpd.conf").content or b"").decode().splitlines()
    rules = [line for line in lines if line.startswith(("accept ", "match "))]
    assert rules[0].startswith(start)
    assert not any(" from any " in rule for rule in rules[1:] if "reject" not in rule)


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (replace(OPENSMTPD, port_25_holder="master"), "master listens on port 25 already"),
        (replace(OPENSMTPD, installed=Program("/usr/sbin/smtpd", "5.4.6p1")), "older than 5.7"),
        (replace(OPENSMTPD, port_25_holder="smtpd"), ""),
        (replace(OPENSMTPD, installed=None), ""),
        (replace(OPENSMTPD, installed=Program("/usr/sbin/smtpd", "10.1p1")), ""),
    ],
    ids=["another_server", "too_old", "opensmtpd_itself", "not_yet_installed", "two_digits"],
)
def test_what_stands_against_mail_is_said_in_a_sentence(server: object, words: str) -> None:
    plan = MAIL.plan(inputs(answers(mail={}), debian(mail_server=server)))
    assert plan is not None
    assert words in plan.unavailable
    assert bool(words) == bool(plan.unavailable)


def test_the_person_decides_about_a_file_of_somebody_else() -> None:
    plan = MAIL.plan(inputs(answers(mail={"on_conflict": "ours"}), debian()))
    assert file_of(plan, "/etc/smtpd.conf").on_conflict == "ours"


def test_mail_is_left_alone_unless_the_answers_name_it() -> None:
    wanted = inputs(answers(node={}), debian())
    assert MAIL.plan(wanted) is None
    assert BootStep().plan(wanted) is None
    assert MAIL.reads(wanted.answers, wanted.facts) == ()


def test_switching_mail_off_wants_our_files_gone_and_the_server_as_it_was() -> None:
    ours = FileFact(b"# Written by dexsetup from its answers file.\n", 0o644, "root", "root")
    wanted = inputs(answers(mail={"enable": False}), with_node(files={"/etc/smtpd.conf": ours}))
    plan, boot = MAIL.plan(wanted), BootStep().plan(wanted)
    assert plan is not None
    assert boot is not None
    assert plan.resources == (
        Unit(QUEUE, enabled=False, active=False),
        ManagedFile(f"/etc/systemd/system/{QUEUE}", None),
        ManagedFile("/etc/smtpd.conf", None),
        ManagedFile("/etc/mailname", None),
        Unit(
            "opensmtpd.service",
            enabled=False,
            active=False,
            restart_on=("/etc/smtpd.conf", "/etc/mailname", DROP_IN, RESOLVER),
            as_before=True,
        ),
    )
    assert boot.resources == (ManagedFile(DROP_IN, None), ManagedFile(RESOLVER, None))
    assert plan.risks == ()


def test_switching_mail_off_does_not_stop_a_server_that_somebody_else_set_up() -> None:
    theirs = FileFact(b"listen on localhost\n", 0o644, "root", "root")
    plan = MAIL.plan(inputs(answers(mail={"enable": False}), with_node(files={"/etc/smtpd.conf": theirs})))
    assert plan is not None
    units = [item.name for item in plan.resources if isinstance(item, Unit)]
    assert units == [QUEUE]


def test_the_drop_in_waits_for_the_address_and_hides_a_dead_name_server() -> None:
    """The resolver settings are only in the way of mail that goes to the ordinary Internet."""
    mesh = BootStep().plan(inputs(answers(mail={}), debian()))
    anywhere = BootStep().plan(inputs(answers(mail={"relay": "any"}), debian()))
    drop_in = (file_of(mesh, DROP_IN).content or b"").decode()
    assert "\nWants=cjdns-wait-online.service\nAfter=cjdns-wait-online.service\n" in drop_in
    assert f"\nBindReadOnlyPaths={RESOLVER}:/etc/resolv.conf\n" in drop_in
    assert b"BindReadOnlyPaths" not in (file_of(anywhere, DROP_IN).content or b"")
    assert file_of(anywhere, RESOLVER).content is None
    assert (file_of(mesh, RESOLVER).content or b"").endswith(b"\nlookup file\n")


def test_a_thunderbird_that_is_here_is_spoken_of() -> None:
    """It is not set up, and what a person would have to do is said."""
    plan = MAIL.plan(
        inputs(answers(mail={}, user=USERS), debian(programs={"thunderbird": Program("/x", "")}))
    )
    assert plan is not None
    assert any("localhost, port 25" in note for note in plan.notes)
    without = MAIL.plan(inputs(answers(mail={}, user=USERS), debian()))
    assert without is not None
    assert without.notes == plan.notes[:-1]
