"""Contacts: in every program that a person uses, however the address is spelled and whatever the name is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dexsetup.answers.merge import merge_answers, with_known_contacts
from dexsetup.answers.sense import mesh_address, problems_of
from dexsetup.edit import ini
from dexsetup.errors import AnswersError
from dexsetup.facts import Facts, FileFact, Program
from dexsetup.plan.model import ManagedFile, StepPlan
from dexsetup.steps.userfiles import UserFilesStep
from step_inputs import answers, file_of, inputs, with_node

HOME = "/home/carol"
JO = {"name": "jo", "address": "fc9a:0:0:1234::7", "login": "joan", "real_name": "Jo Doe"}
DIRECTION_CHANGES = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
ALL = ("mailrc", "pinerc", "linphonerc", "baresip")
NAMES = (
    "Jo Doe",
    'Jo "Q" \\ Doe',
    "Doe, Jo (X) [y] <z>; a:b@c",
    "% # $HOME `id` '",
    "שלום\u200f",
    "\N{GRINNING FACE}, Ünï",
    "日本 太郎",
    "=?utf-8?q?x?=",
)


def plan_for(*contacts: dict[str, str], facts: Facts | None = None, files: tuple[str, ...] = ALL) -> StepPlan:
    wanted = answers(user=({"login": "carol", "files": files},), contact=contacts)
    plan = UserFilesStep().plan(inputs(wanted, facts or with_node()))
    assert plan is not None
    return plan


def text_of(plan: StepPlan, name: str) -> str:
    return (file_of(plan, f"{HOME}/{name}").content or b"").decode()


def home_with(plan: StepPlan) -> Facts:
    files = {item.path: item.content for item in plan.resources if isinstance(item, ManagedFile)}
    known = {path: FileFact(content, 0o600, "carol", "carol") for path, content in files.items()}
    return with_node(files=known)


def test_a_contact_is_known_to_every_program() -> None:
    plan = plan_for(JO)
    assert 'alias jo "Jo Doe <joan@[IPv6:fc9a:0:0:1234::7]>"\n' in text_of(plan, ".mailrc")
    assert text_of(plan, ".addressbook") == "jo\tJo Doe\tjoan@[IPv6:fc9a:0:0:1234::7]\t\tdexsetup\n"
    friend = ini.present(text_of(plan, ".linphonerc").encode())["friend_0"]
    assert friend == {"url": '"Jo Doe" <sip:joan@[fc9a:0:0:1234::7]>', "pol": "accept", "subscribe": "0"}
    assert '\n"Jo Doe" <sip:joan@[fc9a:0:0:1234::7]>\n' in text_of(plan, ".baresip/contacts")


def test_linphone_with_windows_is_said_to_keep_contacts_by_itself() -> None:
    """It passes over friends in its file: linphone-desktop 4.4.10 reads its database alone."""
    facts = with_node(programs={"linphone-desktop": Program("/usr/bin/linphone", "4.4.10")})
    plan = plan_for(JO, facts=facts, files=("linphonerc",))
    assert "friend_0" not in text_of(plan, ".config/linphone/linphonerc")
    assert "linphone of carol keeps its contacts in a database: add them in its window." in plan.notes


def test_login_and_name_may_be_left_out() -> None:
    plan = plan_for({"name": "jo", "address": "fc9a::7"})
    assert 'alias jo "jo@[IPv6:fc9a::7]"\n' in text_of(plan, ".mailrc")
    assert text_of(plan, ".addressbook") == "jo\t\tjo@[IPv6:fc9a::7]\t\tdexsetup\n"
    assert '"jo" <sip:jo@[fc9a::7]>' in text_of(plan, ".linphonerc")


def test_contacts_go_only_into_programs_that_the_person_uses() -> None:
    plan = plan_for(JO, files=("mailrc",))
    assert [item.path for item in plan.resources if isinstance(item, ManagedFile)] == [f"{HOME}/.mailrc"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("fc9a:0:0:1234::7", "fc9a:0:0:1234::7"),
        ("FC9A:0000:0000:1234:0000:0000:0000:0007", "fc9a:0:0:1234::7"),
        (" [fc9a::7] ", "fc9a::7"),
        ("[IPv6:fc9a::7]", "fc9a::7"),
        ("[ipv6:FC9A::7]", "fc9a::7"),
        ("fd9a::7", ""),
        ("2001:db8::1", ""),
        ("192.0.2.1", ""),
        ("fc9a::7%eth0", ""),
        ("jo@[IPv6:fc9a::7]", ""),
        ("", ""),
    ],
)
def test_any_spelling_of_a_mesh_address_is_understood_and_nothing_else(text: str, address: str) -> None:
    assert mesh_address(text) == address


def test_what_is_wrong_with_contacts_is_said_at_once() -> None:
    wanted = answers(
        contact=(
            {"name": "a", "address": "fe80::1"},
            {"name": "b"},
            {"name": "A", "address": "fc00::1"},
            {"name": "c", "state": "absent"},
        )
    )
    assert list(problems_of(wanted)) == [
        (
            ("contact", 0, "address"),
            '"fe80::1" is not a mesh address: they begin with fc (public ones with 2 or 3)',
        ),
        (("contact", 1, "address"), "missing"),
        (("contact", 2, "name"), '"A" is named twice'),
    ]


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "\u202ebad"], ids=ascii)
def test_a_name_that_no_program_can_hold_is_a_problem(name: str) -> None:
    with pytest.raises(AnswersError, match=r"contact\[1\]\.real_name: .* cannot be written into"):
        plan_for({**JO, "real_name": name})


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_hostile_names_stay_inside_their_quotes(name: str) -> None:
    """One line per contact in each file, whatever the name; and twice is as once."""
    plan = plan_for({**JO, "real_name": name})
    usual = plan_for(JO)
    for file in (".mailrc", ".addressbook", ".linphonerc", ".baresip/contacts"):
        assert text_of(plan, file).count("\n") == text_of(usual, file).count("\n")
    again = plan_for({**JO, "real_name": name}, facts=home_with(plan))
    assert [item for item in again.resources if isinstance(item, ManagedFile)] != []
    for item in again.resources:
        if isinstance(item, ManagedFile):
            assert item.content == item.based_on


@settings(max_examples=60)
@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12))
def test_any_name_is_one_field_or_a_problem(name: str) -> None:
    """The law of all quotings: the address is where the program looks for it."""
    if set(name) & DIRECTION_CHANGES:
        with pytest.raises(AnswersError, match="real_name"):
            plan_for({**JO, "real_name": name})
        return
    plan = plan_for({**JO, "real_name": name})
    assert text_of(plan, ".addressbook").split("\t")[2] == "joan@[IPv6:fc9a:0:0:1234::7]"
    for file in (".linphonerc", ".baresip/contacts"):
        assert '" <sip:joan@[fc9a:0:0:1234::7]>\n' in text_of(plan, file)


def test_a_nickname_that_somebody_else_has_stays_with_them() -> None:
    """s-nail would send a letter to both, alpine to either."""
    files = {
        f"{HOME}/.mailrc": FileFact(b"alias Jo jo@example.org\n", 0o600, "carol", "carol"),
        f"{HOME}/.addressbook": FileFact(b"jo\tJo\tjo@example.org\n", 0o600, "carol", "carol"),
    }
    plan = plan_for(JO, facts=with_node(files=files), files=("mailrc", "pinerc"))
    assert "joan" not in text_of(plan, ".mailrc") + text_of(plan, ".addressbook")
    assert plan.notes == (
        f"{HOME}/.mailrc has another jo already, who stays.",
        f"{HOME}/.addressbook has another jo already, who stays.",
    )


def test_beside_other_mail_the_aliases_belong_to_the_account() -> None:
    """An alias to the mesh would otherwise be tried through somebody's provider."""
    known = FileFact(b"set from=c@example.org\n", 0o600, "carol", "carol")
    text = text_of(plan_for(JO, facts=with_node(files={f"{HOME}/.mailrc": known})), ".mailrc")
    assert text.index("account mesh {") < text.index("alias jo") < text.index("\n}\n")


def test_an_empty_address_book_of_somebody_without_contacts_is_left_alone() -> None:
    known = FileFact(b"", 0o600, "carol", "carol")
    plan = plan_for(facts=with_node(files={f"{HOME}/.addressbook": known}), files=("pinerc",))
    assert [item.path for item in plan.resources if isinstance(item, ManagedFile)] == [f"{HOME}/.pinerc"]


def test_a_contact_that_is_no_longer_wanted_is_gone_everywhere() -> None:
    before = plan_for(JO, {"name": "al", "address": "fc00::1"})
    after = plan_for({"name": "al", "address": "fc00::1"}, facts=home_with(before))
    for file in (".mailrc", ".addressbook", ".linphonerc", ".baresip/contacts"):
        assert "al@[" in text_of(after, file)
        assert "joan" not in text_of(after, file)
    none = plan_for(facts=home_with(before))
    assert file_of(none, f"{HOME}/.addressbook").content is None


# -- over what was applied before


def test_contacts_stay_that_new_answers_do_not_mention() -> None:
    last = answers(user=({"login": "carol", "files": ("mailrc",)},), contact=(JO,))
    new = answers(mail={}, user=({"login": "carol"},))
    assert with_known_contacts(last, new, {"carol"}).contact == last.contact
    assert merge_answers(last, new).contact == last.contact


def test_contacts_alone_are_for_the_users_from_before() -> None:
    """But not in a program whose subject is switched off, nor for an account that is gone."""
    users = ({"login": "carol", "files": ("mailrc", "baresip")}, {"login": "gone", "files": ("mailrc",)})
    last = answers(user=users, phone={"enable": False}, contact=({"name": "al", "address": "fc00::1"},))
    planned = with_known_contacts(last, answers(contact=(JO,)), {"carol"})
    assert [(user.login, user.files) for user in planned.user] == [("carol", ("mailrc",))]
    assert [contact.name for contact in planned.contact] == ["al", "jo"]
    assert (planned.mail, planned.phone) == (None, None)


def test_an_absent_contact_is_forgotten() -> None:
    last = answers(contact=(JO, {"name": "al", "address": "fc00::1"}))
    new = answers(contact=({"name": "JO", "state": "absent"},))
    assert [one.name for one in merge_answers(last, new).contact] == ["al"]
    assert [one.name for one in with_known_contacts(last, new, set()).contact] == ["al"]
