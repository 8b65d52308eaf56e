"""Reading answers: strict, every problem in one run, each with its line and the nearest valid spelling."""

from __future__ import annotations

import json
import re

import pytest

from dexsetup.answers.against import problems_on
from dexsetup.answers.load import load_answers, parse_answers
from dexsetup.answers.migrate import migrate
from dexsetup.answers.model import Answers, Firewall, Mail, Node, Peer, User
from dexsetup.answers.sample import sample_answers
from dexsetup.answers.schema import schema_text
from dexsetup.detect import detect
from dexsetup.errors import AnswersError
from dexsetup.exitcodes import ExitCode
from dexsetup.facts import Account
from dexsetup.host.fake import FakeHost

KEY = "lhj54c2xnczfurpw42d0h1bvc4qquclb4dw72q50tc83ucmm9zt0.k"

BAD = f"""schema = 1
[nod]
key = "keep"
[mail]
enabel = true
on_conflict = "our"
enable = "yes"
[[peer]]
address = "example.org:26041"
public_key = "abc"
[[peer]]
pasword = "1"
public_key = "{KEY}"
[node]
udp_port = 70000
[[user]]
login = "Jo Doe"
files = "mailrc"
"""


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(AnswersError) as caught:
        parse_answers(text, "my.toml")
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value.problems


def test_every_problem_is_told_in_one_run() -> None:
    """All that is wrong is told at once, in the order of the file, each with its line and place."""
    assert [problem.split(": ", 2)[:2] for problem in problems(BAD)] == [
        ["my.toml:2", "nod"],
        ["my.toml:5", "mail.enabel"],
        ["my.toml:6", "mail.on_conflict"],
        ["my.toml:7", "mail.enable"],
        ["my.toml:9", "peer[1].address"],
        ["my.toml:10", "peer[1].public_key"],
        ["my.toml:12", "peer[2].pasword"],
        ["my.toml:15", "node.udp_port"],
        ["my.toml:17", "user[1].login"],
        ["my.toml:18", "user[1].files"],
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[mail]\nenabel = true", 'my.toml:3: mail.enabel: unknown key. Did you mean "enable"?'),
        ("[maill]\n", 'my.toml:2: maill: unknown key. Did you mean "mail"?'),
        (
            '[mail]\non_conflict = "our"',
            'my.toml:3: mail.on_conflict: must be one of stop, ours, theirs, not "our". Did you mean "ours"?',
        ),
        ("[node]\nudp_port = 0", "my.toml:3: node.udp_port: must be at least 1, not 0"),
        ("[node]\nudp_port = true", "my.toml:3: node.udp_port: must be a whole number, not true"),
        ("[[peer]]\nlogin = 'x'", "my.toml:2: peer[1].public_key: missing"),
        ("mail = 3", "my.toml:2: mail: must be a table of its own, not 3"),
    ],
)
def test_problem_names_place_and_remedy(text: str, expected: str) -> None:
    """A problem is one line that can be acted on."""
    assert problems(f"schema = 1\n{text}\n") == (expected,)


def test_a_secret_in_a_wrong_place_is_not_repeated() -> None:
    """A long text is not quoted in a message: it may be a password in the wrong line."""
    assert "hunter2" not in problems(f'schema = 1\n[node]\nkey = "{"hunter2" * 10}"\n')[0]


def test_schema_is_required_and_newer_ones_are_refused_with_both_numbers() -> None:
    """A file of a newer schema is not half understood: it is refused, and both numbers are named."""
    assert problems("[node]\n") == ("my.toml: schema: missing. The file must say: schema = 1",)
    assert problems("schema = 7\n[whatever]\n") == (
        "my.toml:1: schema: this file has schema 7; this dexsetup knows schemas up to 1",
    )


def test_what_is_no_toml_is_told_with_its_line() -> None:
    """A syntax error has file and line; text that is not UTF-8 likewise; a missing file is named."""
    assert problems("schema = 1\n[node\n")[0].startswith("my.toml:2: this is not TOML: ")
    with pytest.raises(AnswersError, match=r"my\.toml:2: not UTF-8"):
        load_answers(b"schema = 1\n\xff\n", "my.toml")
    with pytest.raises(AnswersError, match=r"my\.toml: there is no such file"):
        load_answers(None, "my.toml")


def test_same_peer_twice_is_a_problem() -> None:
    """A peer is named once."""
    peer = f'[[peer]]\npublic_key = "{KEY}"\nstate = "absent"\n'
    assert problems(f"schema = 1\n{peer}{peer}") == (
        "my.toml:6: peer[2].public_key: the same key as peer[1]: a peer is named once",
    )


def test_a_good_file_gives_the_object_that_it_says() -> None:
    """What is left out is not set; what is there is what was written."""
    text = f'schema = 1\n[node]\nudp_port = 26041\n[mail]\n[[peer]]\npublic_key = "{KEY}"\nstate = "absent"\n'
    answers = parse_answers(text, "my.toml").answers
    assert answers == Answers(
        schema=1, node=Node(udp_port=26041), mail=Mail(), peer=(Peer(public_key=KEY, state="absent"),)
    )
    assert answers.firewall is None


def test_sample_is_valid_as_it_stands_and_with_everything_switched_on() -> None:
    """The commented sample loads, and every example in it is a good answer."""
    assert parse_answers(sample_answers(), "sample").answers == Answers(schema=1, node=Node())
    whole = re.sub(r"(?m)^# (?=[a-z_]+ = |\[)", "", sample_answers())
    answers = parse_answers(whole, "sample").answers
    assert answers.user[0] == User(
        login="jo", real_name="Jo Doe", files=("mailrc", "mailutils", "pinerc", "linphonerc", "baresip")
    )
    assert answers.contact[0].login == "jo"
    assert answers.firewall == Firewall(enable=True, accept_risk=("mesh-mail",))
    assert answers.peer[0].public_key == KEY


def test_schema_describes_every_section() -> None:
    """The JSON Schema has the sections, and refuses unknown keys as the loader does."""
    schema = json.loads(schema_text())
    assert {"schema", "node", "peer", "firewall", "mail", "phone", "user"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False


def test_older_schemas_are_brought_up_step_by_step() -> None:
    """Each step of a migration is taken in order and told."""
    table = {
        1: lambda values: {**values, "node": {"port": values["port"]}},
        2: lambda values: {**values, "node": {"udp_port": values["node"]["port"]}},
    }
    values, notes = migrate({"schema": 1, "port": 5}, table, to=3)
    assert (values["schema"], values["node"]) == (3, {"udp_port": 5})
    assert len(notes) == 2


def test_people_who_do_not_exist_are_named_with_the_nearest_who_does() -> None:
    """A login that the machine does not have is a problem of the answers."""
    host = FakeHost({"/etc/passwd": b"jane:x:1000:1000::/home/jane:/bin/sh\n"})
    facts = detect(host)
    assert facts.accounts == (Account("jane", 1000, 1000, "1000", "/home/jane", ""),)
    found = problems_on(Answers(schema=1, user=(User(login="jan"),)), facts)
    assert found == ('user[1].login: there is no account "jan" on this machine. Did you mean "jane"?',)


@pytest.mark.parametrize(
    ("section", "key"),
    [
        (f'[[peer]]\npublic_key = "{KEY}"\naddress = "[fe80::1%eth0]:1"', "peer[1].address"),
        ('[[allow]]\nlogin = "a"\naddress = "fe80::1%eth0"', "allow[1].address"),
        (f'[[tunnel]]\npublic_key = "{KEY}"\nip6 = "fe80::1%eth0/64"', "tunnel[1].ip6"),
    ],
)
def test_a_device_behind_an_address_is_refused(section: str, key: str) -> None:
    """It means something on one machine alone; in the configuration or on a friend's card it is wrong."""
    (problem,) = problems(f"schema = 1\n{section}\n")
    assert f"{key}: " in problem
    assert "names a device behind the %" in problem


def test_digits_of_other_scripts_are_no_port() -> None:
    """Python would read them as a number, the router does not."""
    (problem,) = problems(f'schema = 1\n[[peer]]\npublic_key = "{KEY}"\naddress = "192.0.2.1:\u0662"\n')
    assert "is not an address with a port" in problem


def test_a_byte_order_mark_and_line_ends_of_windows_are_no_problem() -> None:
    """Some editors put them there."""
    content = b"\xef\xbb\xbfschema = 1\r\n[mail]\r\nenable = true\r\n"
    assert load_answers(content, "my.toml").answers == Answers(schema=1, mail=Mail(enable=True))


def test_lines_are_counted_as_an_editor_does() -> None:
    """A text may hold signs at which Python would begin another line."""
    (problem,) = problems('schema = 1\n[nodeinfo]\nname = "a\u2028b"\nfle = "/x"\n')
    assert problem.startswith("my.toml:4: nodeinfo.fle: ")


def test_a_login_may_hold_a_dot() -> None:
    """Many accounts have one."""
    answers = parse_answers('schema = 1\n[[user]]\nlogin = "jo.doe"\n', "x").answers
    assert answers.user[0].login == "jo.doe"
