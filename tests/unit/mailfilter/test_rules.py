"""The mail filter's rules, with lines as opensmtpd 6.8 (protocol 0.6) and 7.6 (0.7) write them."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from dexsetup.mailfilter.main import main, serve
from dexsetup.mailfilter.rules import REGISTRATION, SESSIONS_MAX, MailFilter, sender_verdict

PEER = "fcbc:b27:be6f:94dd:4225:792:c988:8ace"
SESSION = "7641df9771b4ed00"
TOKEN = "1ef1c203cc576e5d"


def report(event: str, *fields: str, version: str = "0.7") -> bytes:
    return "|".join(("report", version, "1576146008.006099", "smtp-in", event, SESSION, *fields)).encode()


def ask(phase: str, text: str, version: str = "0.7") -> bytes:
    return f"filter|{version}|1576146008.006099|smtp-in|{phase}|{SESSION}|{TOKEN}|{text}".encode()


def connected(source: str, *, name: str = "host", version: str = "0.7") -> MailFilter:
    rules = MailFilter()
    assert (
        rules.receive(report("link-connect", name, "pass", source, "[fc00::1]:25", version=version)) is None
    )
    return rules


def verdict(rules: MailFilter, sender: str) -> str:
    answer = (rules.receive(ask("mail-from", sender)) or b"").decode()
    start = f"filter-result|{SESSION}|{TOKEN}|"
    assert answer.startswith(start)
    return answer.removeprefix(start)


@pytest.mark.parametrize(
    "sender",
    [
        f"ann@[IPv6:{PEER}]",
        f"<ann@[IPv6:{PEER}]>",
        f"<ann@[ipv6:{PEER.upper()}]> SIZE=300 BODY=8BITMIME",
        "ann@[IPv6:fcbc:0b27:be6f:94dd:4225:0792:c988:8ace]",
        f"ann+tag@[{PEER}]",
        "",
        "<>",
        "<> SIZE=10",
    ],
)
def test_a_sender_at_the_peers_own_address_passes(sender: str) -> None:
    """In every spelling of the address; and bounces, which have no sender."""
    assert verdict(connected(f"[{PEER}]:45400"), sender) == "proceed"


@pytest.mark.parametrize(
    "sender",
    [
        "ann@[IPv6:fc00::1]",
        "ann@example.org",
        "ann",
        "root@localhost",
        f"ann@example.org@[IPv6:{PEER}]",
        f"<ann@example.org> X=a@[IPv6:{PEER}]",
        f"@[IPv6:{PEER}]",
        f"ann@[IPv6:{PEER}].example.org",
        f"ann@[IPv6:{PEER}",
        "ann@[IPv6:not-an-address]",
        "ann@[IPv6:::::]",
    ],
)
def test_any_other_sender_is_refused_with_the_address_to_use(sender: str) -> None:
    words = verdict(connected(f"[{PEER}]:45400"), sender)
    assert words.startswith(f"reject|550 5.7.1 You are [IPv6:{PEER}]: ")


def test_an_open_bracket_is_a_syntax_error() -> None:
    assert verdict(connected(f"[{PEER}]:45400"), "<ann@x").startswith("reject|501 ")
    assert verdict(connected(f"[{PEER}]:45400"), "<ann@x>y").startswith("reject|501 ")


@pytest.mark.parametrize("source", ["127.0.0.1:4000", "[::1]:4000", "local", "unix:/run/smtpd.sock"])
def test_this_machine_itself_names_any_sender(source: str) -> None:
    """Its own people are not checked: they write through 127.0.0.1."""
    assert verdict(connected(source), "ann@example.org") == "proceed"


def test_a_host_on_the_lan_is_held_to_its_own_address() -> None:
    """It can reach the mesh address through the other interface, without the mesh vouching for it."""
    rules = connected("192.0.2.9:4000")
    assert verdict(rules, f"ann@[IPv6:{PEER}]").startswith("reject|550 5.7.1 You are [192.0.2.9]")
    assert verdict(rules, "ann@[192.0.2.9]") == "proceed"


def test_a_name_with_bars_in_it_cannot_pose_as_an_address() -> None:
    """The name of a peer is anybody's to choose: fields are counted from the end."""
    rules = connected(f"[{PEER}]:45400", name="a|b|[fc00::1]:1|[fc00::2]:25")
    assert verdict(rules, "ann@[IPv6:fc00::1]").startswith("reject|550")
    assert verdict(rules, f"ann@[IPv6:{PEER}]") == "proceed"


@pytest.mark.parametrize("source", ["", "fc00::1", "[fc00::1]", "nonsense:25", "[fc00::1]:x"])
def test_who_is_not_known_is_asked_to_try_again(source: str) -> None:
    """A source that cannot be read is nobody: refused for now, whatever the sender."""
    assert verdict(connected(source), f"ann@[IPv6:{PEER}]").startswith("reject|451 4.7.1")


def test_a_connection_is_forgotten_when_it_ends() -> None:
    rules = connected(f"[{PEER}]:45400")
    rules.receive(report("link-disconnect"))
    assert len(rules) == 0
    assert verdict(rules, "").startswith("reject|451")


def test_no_more_connections_are_remembered_than_the_bound() -> None:
    """The oldest goes first."""
    rules = MailFilter()
    for number in range(SESSIONS_MAX + 5):
        line = f"report|0.7|1|smtp-in|link-connect|{number:x}|n|pass|[fc00::1]:1|[fc00::2]:25"
        rules.receive(line.encode())
    assert len(rules) == SESSIONS_MAX
    assert b"451" in (rules.receive(b"filter|0.7|1|smtp-in|mail-from|0|t|") or b"")
    assert b"proceed" in (
        rules.receive(f"filter|0.7|1|smtp-in|mail-from|{SESSIONS_MAX:x}|t|".encode()) or b""
    )


@pytest.mark.parametrize(
    ("version", "ids"),
    [("0.4", f"{TOKEN}|{SESSION}"), ("0.5", f"{SESSION}|{TOKEN}"), ("0.7", f"{SESSION}|{TOKEN}"),
     ("1.0", f"{SESSION}|{TOKEN}"), ("9" * 5000, f"{SESSION}|{TOKEN}"), ("x", f"{SESSION}|{TOKEN}")],
    ids=["0.4", "0.5", "0.7", "1.0", "endless", "unreadable"],
)  # fmt: skip
def test_the_order_of_the_answer_is_that_of_the_protocols_version(version: str, ids: str) -> None:
    rules = connected(f"[{PEER}]:1", version=version)
    assert rules.receive(ask("mail-from", "", version)) == f"filter-result|{ids}|proceed".encode()
    assert rules.receive(ask("data-line", "a|b", version)) == f"filter-dataline|{ids}|a|b".encode()


LETTER = (
    ('From: Ann <ann@"[IPv6:fc00::1]">', "From: Ann <ann@[IPv6:fc00::1]>"),
    ('To: ben@"[IPv6:fc00::2]",', "To: ben@[IPv6:fc00::2],"),
    ('\tcarol@"[ipv6:fc00::3]", dave@"[IPv6:fc00::4]"', "\tcarol@[ipv6:fc00::3], dave@[IPv6:fc00::4]"),
    ('Resent-Sender : x@"[IPv6:fc00::5]"', "Resent-Sender : x@[IPv6:fc00::5]"),
    ('Subject: write to ben@"[IPv6:fc00::2]"', None),
    (' or to carol@"[IPv6:fc00::3]"', None),
    ('Cc: "a|b" <x@"[IPv6:fc00::5]">', 'Cc: "a|b" <x@[IPv6:fc00::5]>'),
    ('Reply-To: "x@\\"[IPv6:fc00::5]\\"" <y@example.org>', None),
    ("", None),
    ('To: ben@"[IPv6:fc00::2]"', None),
    (".", None),
)


def test_quotes_are_taken_off_in_headers_that_hold_addresses_and_nowhere_else() -> None:
    """Folded lines belong to their header; other headers and the text of the letter stay as they are."""
    rules = connected("127.0.0.1:4000")
    assert verdict(rules, "<>") == "proceed"
    for given, expected in LETTER:
        answer = (rules.receive(ask("data-line", given)) or b"").decode()
        assert answer == f"filter-dataline|{SESSION}|{TOKEN}|{given if expected is None else expected}"


def letter_through(rules: MailFilter, sender: str, *lines: str) -> list[str]:
    """Send a letter through the rules; gives its lines as they come out."""
    assert verdict(rules, sender) == "proceed"
    answers = [(rules.receive(ask("data-line", line)) or b"").decode().split("\n") for line in lines]
    start = f"filter-dataline|{SESSION}|{TOKEN}|"
    assert all(line.startswith(start) for answer in answers for line in answer)
    return [line.removeprefix(start) for answer in answers for line in answer]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("To: b@x", "", "hi", "."), ("To: b@x", f"From: ann@[IPv6:{PEER}]", "", "hi", ".")),
        (("To: b@x", "."), ("To: b@x", f"From: ann@[IPv6:{PEER}]", ".")),
        (("", "From: me", "."), (f"From: ann@[IPv6:{PEER}]", "", "From: me", ".")),
        (("FROM : Ann <a@x>", "To: b@x", "", "."), None),
        (("To: b@x,", " c@x", "from:", "", "."), None),
        (("this is no header", "", "."), None),
    ],
    ids=["in_the_header", "no_text", "no_header", "has_one", "has_one_later", "not_a_header"],
)
def test_a_letter_of_this_machine_without_a_from_gets_one(
    given: tuple[str, ...], expected: tuple[str, ...] | None
) -> None:
    """GNU mail leaves that to the server; whoever answers needs it."""
    for source in ("127.0.0.1:4000", "[::1]:4000"):
        lines = letter_through(connected(source), f"<ann@[IPv6:{PEER}]> SIZE=163", *given)
        assert lines == list(given if expected is None else expected)


@pytest.mark.parametrize("sender", ["<>", '<"ann b"@x>', "<ann,ben@x>", "<ann@x\r>"])
def test_a_sender_that_cannot_stand_in_a_header_is_not_put_there(sender: str) -> None:
    assert letter_through(connected("127.0.0.1:4000"), sender, "To: b@x", "") == ["To: b@x", ""]


def test_a_report_of_the_data_that_comes_late_changes_nothing() -> None:
    """A report is not waited for: it may overtake lines of the letter, or be overtaken."""
    rules = connected("127.0.0.1:4000")
    assert letter_through(rules, "<ann@x>", "To: b@x", "", "From here on it is text") == [
        "To: b@x",
        "From: ann@x",
        "",
        "From here on it is text",
    ]
    rules.receive(report("tx-data", "c0ffee", "ok"))
    line = 'To: ben@"[IPv6:fc00::2]"'
    assert (rules.receive(ask("data-line", line)) or b"").decode().endswith(line)


def test_a_letter_of_another_machine_gets_no_from() -> None:
    """What others forgot is not made up here."""
    rules = connected(f"[{PEER}]:45400")
    assert letter_through(rules, f"ann@[IPv6:{PEER}]", "To: b@x", "") == ["To: b@x", ""]


def test_a_letter_of_a_connection_that_is_not_known_passes_unchanged() -> None:
    """Every line is answered, or the letter would wait for ever."""
    line = 'To: ben@"[IPv6:fc00::2]"'
    assert (MailFilter().receive(ask("data-line", line)) or b"").decode().endswith(f"|{line}")


def test_each_letter_of_a_connection_has_a_header_of_its_own() -> None:
    rules = connected("127.0.0.1:4000")
    for _ in range(2):
        assert verdict(rules, "<>") == "proceed"
        assert (rules.receive(ask("data-line", 'To: b@"[IPv6:fc00::2]"')) or b"").endswith(
            b"b@[IPv6:fc00::2]"
        )
        for line in ("", "text", "."):
            rules.receive(ask("data-line", line))


def test_what_was_not_registered_proceeds_and_what_is_not_of_the_protocol_is_passed_over() -> None:
    """A question always has an answer; anything else has none."""
    rules = MailFilter()
    assert (rules.receive(ask("helo", "x")) or b"").endswith(b"|proceed")
    assert rules.receive(b"filter|0.7|1|smtp-out|mail-from|s|t|x") is None
    for line in (
        b"",
        b"config|ready",
        b"report|",
        b"filter|",
        b"report|0.7|1|smtp-in|timeout|s",
        b"\xff" * 99,
    ):
        assert rules.receive(line) is None


def test_a_verdict_says_whether_it_accepts() -> None:
    assert sender_verdict(None, b"a@b").is_accepted
    assert not sender_verdict(None, b"<a@b").is_accepted


def test_it_introduces_itself_when_asked_to_and_ends_with_its_input() -> None:
    """Nothing is written before `config|ready`."""
    target = io.BytesIO()
    serve(io.BytesIO(b"config|smtp-session-timeout|300\nconfig|ready\n"), target)
    assert target.getvalue().splitlines() == list(REGISTRATION)
    silent = io.BytesIO()
    serve(io.BytesIO(b"config|smtp-session-timeout|300\n"), silent)
    assert silent.getvalue() == b""


def test_arguments_are_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 2
    assert "opensmtpd" in capsys.readouterr().err


def test_it_outlives_rubbish_and_ends_quietly_when_nobody_listens(checkout: Path) -> None:
    """As a process: bytes that are no text, a line of a megabyte, and a reader that goes away."""
    script = [
        sys.executable,
        "-c",
        "import sys; from dexsetup.mailfilter.main import main; sys.exit(main([]))",
    ]
    rubbish = (
        b"config|ready\n\xff\xfe\0|\n" + b"filter|" + b"|" * 2_000_000 + b"\n" + ask("data-line", "x") + b"\n"
    )
    done = subprocess.run(
        script, input=rubbish, check=True, capture_output=True, env={"PYTHONPATH": str(checkout)}
    )
    assert done.stdout.endswith(f"filter-dataline|{SESSION}|{TOKEN}|x\n".encode())
    assert done.stderr == b""
    with subprocess.Popen(
        script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(checkout)},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(b"config|ready\n")
        process.stdin.close()
        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == b""
