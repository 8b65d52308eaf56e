"""Quoting for each target, with names as people have them and as attackers would choose them."""

from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexsetup.render.filters import (
    FILTERS,
    UnquotableError,
    mail_display_name,
    mailrc_string,
    pinerc_value,
    sip_contact_name,
    sip_display_name,
    smtpd_path,
    smtpd_string,
    systemd_path,
    systemd_string,
)

RIGHT_TO_LEFT = "שלום\u200f"
HARMLESS = (
    "",
    "Jo Doe",
    'Jo "Q" Doe',
    "O'Neil",
    "a ] b [ c",
    "# not a comment",
    "50 % of $HOME and `ls`",
    RIGHT_TO_LEFT,
    "\N{GRINNING FACE} Ünï",
    "Doe, Jo (x) <y> @ ; : .",
)
REFUSED = (
    "Jo\nDoe",
    "Jo\rDoe",
    "Jo\x00Doe",
    "Jo\tDoe",
    "Jo\x85Doe",
    "Jo\u2028Doe",
    "Jo\ud800Doe",
    "Jo\u202eeoD",
    "Jo\u2066Doe",
)
QUOTING = (
    smtpd_string,
    mailrc_string,
    pinerc_value,
    sip_contact_name,
    sip_display_name,
    systemd_string,
    mail_display_name,
)

plain_text = st.text(
    st.characters(
        exclude_categories=("Cc", "Cs", "Zl", "Zp"),
        exclude_characters="\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    ),
    max_size=40,
)


@pytest.mark.parametrize("quote", QUOTING)
@pytest.mark.parametrize("value", REFUSED, ids=ascii)
def test_what_no_line_can_hold_is_refused_with_a_sentence(quote: object, value: str) -> None:
    """Line ends, control characters and changes of direction never reach a file, nor are they dropped."""
    assert callable(quote)
    with pytest.raises(UnquotableError, match=r"cannot be written into .*: it contains"):
        quote(value)


@pytest.mark.parametrize("quote", [smtpd_string, mailrc_string, sip_display_name, systemd_string])
@pytest.mark.parametrize("value", HARMLESS, ids=ascii)
def test_a_quoted_value_is_one_string_on_one_line(quote: object, value: str) -> None:
    """Every quote inside is escaped, so the string ends where it should."""
    assert callable(quote)
    quoted = quote(value)
    assert re.fullmatch(r'"(?:[^"\\]|\\.)*"', quoted), quoted


def test_the_empty_value_is_an_empty_string() -> None:
    assert smtpd_string("") == mailrc_string("") == sip_display_name("") == systemd_string("") == '""'
    assert pinerc_value("") == mail_display_name("") == ""


def test_smtpd_refuses_a_backslash() -> None:
    """Its meaning before a blank and at the end of a string differs between versions."""
    assert smtpd_string('a "b" $c %{user} #') == '"a \\"b\\" $c %{user} #"'
    with pytest.raises(UnquotableError, match="backslash"):
        smtpd_string("a\\b")


@pytest.mark.parametrize("check", [smtpd_path, systemd_path])
@pytest.mark.parametrize("value", ["", "/a b", '/a"', "/a;b", "/a\n", "/a#", "/%h", "a,b"])
def test_a_bare_word_with_anything_odd_is_refused(check: object, value: str) -> None:
    """Where a target has no quotes, only plain paths and addresses pass."""
    assert callable(check)
    with pytest.raises(UnquotableError, match="without quotes"):
        check(value)


def test_plain_paths_and_addresses_stand_bare() -> None:
    assert smtpd_path("fc02:fefe::5678") == "fc02:fefe::5678"
    assert systemd_path("/etc/dexsetup/smtpd-resolv.conf") == "/etc/dexsetup/smtpd-resolv.conf"


def test_systemd_doubles_what_it_would_expand() -> None:
    assert systemd_string('/opt/a "b" \\ 100% $X') == '"/opt/a \\"b\\" \\\\ 100%% $$X"'


def test_mailrc_escapes_what_its_double_quotes_expand() -> None:
    assert mailrc_string('a "b" \\ $x `y` \'z') == '"a \\"b\\" \\\\ \\$x \\`y\\` \'z"'


@given(plain_text)
def test_mailrc_quoting_is_undone_by_a_shell_like_reader(value: str) -> None:
    """The rules are those of a POSIX double-quoted string, for which shlex is an independent reader."""
    inside = mailrc_string(value)[1:-1]
    reread = re.sub(r'\\([\\"$`])', r"\1", inside)
    assert reread == value
    if not set(value) & set("$`"):
        assert shlex.split(mailrc_string(value)) == [value]


@given(plain_text)
def test_sip_quoting_is_undone_by_dropping_backslashes(value: str) -> None:
    assert re.sub(r"\\(.)", r"\1", sip_display_name(value)[1:-1]) == value


def test_a_dollar_in_pinerc_is_doubled() -> None:
    """Alpine would take $HOME for a variable; $$ is a $."""
    assert pinerc_value("A$AP $HOME") == "A$$AP $$HOME"


@pytest.mark.parametrize("value", ['"Jo"', "~jo", " Jo", "Jo ", "a\\$b"])
def test_pinerc_refuses_what_alpine_reads_as_something_else(value: str) -> None:
    with pytest.raises(UnquotableError, match="cannot begin with"):
        pinerc_value(value)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Jo Doe", "Jo Doe"),
        ("Doe, Jo", '"Doe, Jo"'),
        ("J. R. Doe", '"J. R. Doe"'),
        ('Jo "Q" Doe', "Jo 'Q' Doe"),
        ("a\\b", "a/b"),
        ("=?utf-8?q?x?=", "= ?utf-8?q?x? ="),
        ("Ünï, J. (X)", "Ünï J X"),
        (RIGHT_TO_LEFT, RIGHT_TO_LEFT),
        (" Jo ", "Jo"),
        (".,;", '".,;"'),
        ("é.,;", "é"),
    ],
)
def test_a_display_name_is_adapted_to_what_the_mail_program_can_carry(name: str, shown: str) -> None:
    """The table of what s-nail 14.9.24 writes a right header for."""
    assert mail_display_name(name) == shown


@given(plain_text)
def test_an_adapted_display_name_never_ends_the_phrase_early(value: str) -> None:
    """Whatever the name: either one quoted string, or no character that RFC 5322 reserves."""
    name = mail_display_name(value)
    quoted = re.fullmatch(r'"[^"\\]*"', name)
    assert quoted or not set(name) & set('()<>[]:;@\\,."')


def test_every_filter_is_there_by_its_own_name() -> None:
    assert all(function.__name__ == name for name, function in FILTERS.items())


@given(plain_text)
def test_the_name_of_a_contact_is_one_quoted_string_without_escapes(name: str) -> None:
    """What linphone loses and baresip shows as it stands is not in it."""
    quoted = sip_contact_name(name)
    assert quoted[0] == quoted[-1] == '"'
    assert not set(quoted[1:-1]) & set('"\\,')


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ('Jo "Q" \\ Doe', "Jo 'Q' / Doe"),
        ("Doe, Jo", "Doe Jo"),
        (RIGHT_TO_LEFT, RIGHT_TO_LEFT),
        ("a; b <c>", "a; b <c>"),
    ],
    ids=ascii,
)
def test_the_name_of_a_contact_is_kept_as_far_as_the_phones_can_read_it(name: str, shown: str) -> None:
    assert sip_contact_name(name) == f'"{shown}"'
