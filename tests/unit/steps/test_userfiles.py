"""The files of people's own programs: ours goes in, all else stays, and ours comes out again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexsetup.errors import AnswersError
from dexsetup.facts import Facts, FileFact, Program
from dexsetup.plan.model import Directory, FileSharing, ManagedFile, StepPlan
from dexsetup.steps.node import CONFIG
from dexsetup.steps.userfiles import UserFilesStep
from step_inputs import ADDRESS, CAROL, answers, debian, file_of, inputs, with_node

STEP = UserFilesStep()
LITERAL = f"[IPv6:{ADDRESS}]"
ALL = ("mailrc", "pinerc", "linphonerc")
HOME = "/home/carol"
MAILRC_BLOCK = f"""\
# BEGIN dexsetup
# Mail over the mesh, for s-nail. Another name or address: change the answers file, run dexsetup again.
set v15-compat
set mta=smtp://localhost:25
set smtp-auth=none
set from="Carol Smith <carol@{LITERAL}>"
# END dexsetup
"""


def home_files(**files: bytes) -> Facts:
    """Return a machine with a node, whose carol has these files (underscore for a dash)."""
    known = {
        f"{HOME}/.{name.replace('_', '-')}": FileFact(content, 0o640, "carol", "staff")
        for name, content in files.items()
    }
    return with_node(files=known)


def plan_for(facts: Facts, *programs: str, **sections: object) -> StepPlan:
    carol = {
        "login": "carol",
        "files": programs,
        **({} if "name" not in sections else {"real_name": sections.pop("name")}),
    }
    plan = STEP.plan(inputs(answers(user=(carol,), **sections), facts))
    assert plan is not None
    return plan


def text_of(plan: StepPlan, path: str) -> str:
    return (file_of(plan, path).content or b"").decode()


def test_new_files_are_the_persons_own_and_for_nobody_else_to_read() -> None:
    plan = plan_for(with_node(), *ALL)
    files = [item for item in plan.resources if isinstance(item, ManagedFile)]
    assert [file.path for file in files] == [f"{HOME}/.mailrc", f"{HOME}/.pinerc", f"{HOME}/.linphonerc"]
    for file in files:
        assert (file.mode, file.owner, file.group, file.as_user) == (0o600, "carol", "carol", "carol")
        assert (file.sharing, file.based_on) == (FileSharing.SHARED, None)
    assert plan.notes == ()


def test_the_three_programs_show_the_same_name_and_address() -> None:
    plan = plan_for(with_node(), *ALL)
    assert text_of(plan, f"{HOME}/.mailrc") == MAILRC_BLOCK
    pinerc = text_of(plan, f"{HOME}/.pinerc").splitlines()
    assert [line for line in pinerc if not line.startswith("#")] == [
        f"user-domain={LITERAL}",
        "smtp-server=localhost",
        "feature-list=quell-maildomain-warning",
        "personal-name=Carol Smith",
    ]
    linphonerc = text_of(plan, f"{HOME}/.linphonerc")
    assert f'contact="Carol Smith" <sip:carol@[{ADDRESS}]>\n' in linphonerc
    assert linphonerc.count(f"bind_address={ADDRESS}\n") == 2


def test_the_phone_gets_the_directory_that_it_does_not_make() -> None:
    plan = plan_for(with_node(), "linphonerc")
    assert plan.resources[0] == Directory(
        f"{HOME}/.local/share/linphone", 0o700, "carol", "carol", as_user="carol", keeps_rights=True
    )


def test_what_a_person_wrote_stays_and_so_do_mode_and_group() -> None:
    plan = plan_for(home_files(mailrc=b"alias bob bob@example.org\n"), "mailrc")
    file = file_of(plan, f"{HOME}/.mailrc")
    assert file.content == b"alias bob bob@example.org\n" + MAILRC_BLOCK.encode()
    assert (file.mode, file.group, file.based_on) == (0o640, "staff", b"alias bob bob@example.org\n")


def test_the_second_run_wants_what_is_there() -> None:
    """For each program, what the first run wrote is wanted again byte for byte."""
    first = plan_for(with_node(), *ALL)
    facts = home_files(**{name: file_of(first, f"{HOME}/.{name}").content or b"" for name in ALL})
    second = plan_for(facts, *ALL)
    for name in ALL:
        path = f"{HOME}/.{name}"
        assert file_of(second, path).content == file_of(first, path).content
    assert second.notes == ()


@pytest.mark.parametrize(
    "line", [b"set smtp=mail.example.org", b"set from=c@example.org", b"account work {", b" set mta=x"]
)
def test_beside_other_mail_the_settings_of_s_nail_are_an_account(line: bytes) -> None:
    """Somebody's ordinary mail keeps working; ours is asked for by name."""
    text = text_of(plan_for(home_files(mailrc=line + b"\n"), "mailrc"), f"{HOME}/.mailrc")
    assert "\naccount mesh {\n" in text
    assert text.startswith(line.decode())


@pytest.mark.parametrize("line", [b"user-domain=example.org", b"smtp-server=mail.example.org:587"])
def test_beside_other_mail_alpine_gets_a_file_of_its_own(line: bytes) -> None:
    before = line + b"\n# mine\n"
    plan = plan_for(home_files(pinerc=before), "pinerc")
    (file,) = plan.resources
    assert isinstance(file, ManagedFile)
    assert file.path == f"{HOME}/.pinerc-mesh"
    assert b"# mine\n" in (file.content or b"")
    assert f"user-domain={LITERAL}".encode() in (file.content or b"")
    assert "alpine -p /home/carol/.pinerc-mesh" in plan.notes[0]


def test_an_account_of_a_telephone_company_keeps_its_file() -> None:
    plan = plan_for(home_files(linphonerc=b"[proxy_0]\nreg_identity=sip:c@example.org\n"), "linphonerc")
    assert file_of(plan, f"{HOME}/.linphonerc-mesh").content
    assert "linphonec -c" in plan.notes[0]


@pytest.mark.parametrize(
    "server", ["localhost", "localhost/novalidate-cert/notls", "127.0.0.1", "[::1]:25", "LOCALHOST:25"]
)
def test_a_server_that_is_this_machine_already_is_left_as_it_is_spelled(server: str) -> None:
    plan = plan_for(home_files(pinerc=f"smtp-server={server}\n".encode()), "pinerc")
    assert f"smtp-server={server}\n" in text_of(plan, f"{HOME}/.pinerc")


def test_an_old_mesh_address_is_replaced() -> None:
    """The node got another key: ours is recognised by its form."""
    old = b"user-domain=[IPv6:fc00:1::2]\nsmtp-server=localhost\n"
    text = text_of(plan_for(home_files(pinerc=old), "pinerc"), f"{HOME}/.pinerc")
    assert f"user-domain={LITERAL}\n" in text
    assert "fc00:1::2" not in text


def test_a_name_that_alpine_has_already_gives_way_to_an_answer_alone() -> None:
    before = home_files(pinerc=b"personal-name=Caro\n")
    assert "personal-name=Caro\n" in text_of(plan_for(before, "pinerc"), f"{HOME}/.pinerc")
    named = plan_for(before, "pinerc", name="Carol the First")
    assert "personal-name=Carol the First\n" in text_of(named, f"{HOME}/.pinerc")


def test_what_a_running_program_would_overwrite_waits_for_its_end() -> None:
    """Alpine and linphone write their settings when they end; s-nail and baresip do not."""
    plan = plan_for(with_node(), *ALL, "baresip")
    running = {item.path: item.unless_running for item in plan.resources if isinstance(item, ManagedFile)}
    assert running[f"{HOME}/.pinerc"] == ("alpine",)
    assert running[f"{HOME}/.linphonerc"] == ("linphonec", "linphone-daemon")
    assert running[f"{HOME}/.mailrc"] == running[f"{HOME}/.baresip/config"] == ()


@pytest.mark.parametrize("program", ALL)
@pytest.mark.parametrize("name", ["a\nb", "a\x00b", "\u202ebad"], ids=ascii)
def test_a_name_in_the_answers_that_cannot_be_written_is_a_problem(program: str, name: str) -> None:
    with pytest.raises(AnswersError, match=r"user\[1\].real_name: .* cannot be written into"):
        plan_for(with_node(), program, name=name)


def test_a_name_of_the_account_that_cannot_be_written_is_left_out() -> None:
    """Nobody chose it for this, so it does not stop the run."""
    odd = replace(CAROL, real_name="C\x07arol")
    plan = plan_for(with_node(accounts=(odd,)), *ALL)
    assert f'set from="carol@{LITERAL}"' in text_of(plan, f"{HOME}/.mailrc")
    assert "personal-name" not in text_of(plan, f"{HOME}/.pinerc")
    assert f"contact=<sip:carol@[{ADDRESS}]>" in text_of(plan, f"{HOME}/.linphonerc")
    assert all("is left out" in note for note in plan.notes)


@pytest.mark.parametrize(
    "name", ['Jo "Q" \\ Doe', "a ] # % $HOME `id`", "שלום\u200f", "\N{GRINNING FACE}, Ünï", ""]
)
def test_hostile_names_stay_inside_their_quotes(name: str) -> None:
    """One line per setting, whatever the name."""
    plan = plan_for(with_node(), *ALL, name=name)
    assert text_of(plan, f"{HOME}/.mailrc").count("\n") == MAILRC_BLOCK.count("\n")
    assert f"<sip:carol@[{ADDRESS}]>\n" in text_of(plan, f"{HOME}/.linphonerc")
    assert text_of(plan, f"{HOME}/.pinerc").count("personal-name=") == (1 if name else 0)


def test_accounts_that_are_not_there_and_names_given_twice_are_told_at_once() -> None:
    wanted = answers(user=({"login": "nobody1"}, {"login": "carol"}, {"login": "carol"}))
    with pytest.raises(AnswersError) as caught:
        STEP.plan(inputs(wanted, with_node()))
    assert caught.value.problems == (
        'user[1].login: there is no account "nobody1" on this machine',
        'user[3].login: "carol" is named twice',
    )


def test_a_link_in_a_home_is_refused_with_the_reason_and_nothing_else_is_wanted() -> None:
    facts = with_node(files={f"{HOME}/.mailrc": FileFact(None, problem="it is a symbolic link")})
    plan = plan_for(facts, "mailrc", "pinerc")
    assert plan.unavailable == "/home/carol/.mailrc is left alone: it is a symbolic link."
    assert plan.resources == ()


def test_every_file_that_is_edited_is_asked_for() -> None:
    wanted = answers(user=({"login": "carol", "files": ("pinerc",)}, {"login": "nobody1"}))
    paths = (f"{HOME}/.pinerc", f"{HOME}/.pinerc-mesh", f"{HOME}/.addressbook")
    assert STEP.reads(wanted, debian()) == (CONFIG, *paths)


def test_without_users_nothing_is_wanted() -> None:
    assert STEP.plan(inputs(answers(node={}), debian())) is None


OFF = {"mail": {"enable": False}, "phone": {"enable": False}}


def test_switched_off_what_was_put_in_comes_out_and_the_rest_stays() -> None:
    """The bytes from before, for each of the three; a file that held nothing else goes."""
    theirs = {
        "mailrc": b"set hold\n",
        "pinerc": b"# mine\nsort-key=date\n",
        "linphonerc": b"[net]\nmtu=1300\n",
    }
    on = plan_for(home_files(**theirs), *ALL)
    facts = home_files(**{name: file_of(on, f"{HOME}/.{name}").content or b"" for name in ALL})
    off = plan_for(facts, *ALL, **OFF)
    for name in ALL:
        assert file_of(off, f"{HOME}/.{name}").content == theirs[name]
    alone = plan_for(with_node(), *ALL)
    facts = home_files(**{name: file_of(alone, f"{HOME}/.{name}").content or b"" for name in ALL})
    for name in ALL:
        assert file_of(plan_for(facts, *ALL, **OFF), f"{HOME}/.{name}").content is None


def test_switched_off_a_file_of_ours_beside_theirs_goes() -> None:
    theirs = b"user-domain=example.org\n"
    on = plan_for(home_files(pinerc=theirs), "pinerc")
    mesh = file_of(on, f"{HOME}/.pinerc-mesh").content or b""
    off = plan_for(home_files(pinerc=theirs, pinerc_mesh=mesh), "pinerc", **OFF)
    assert file_of(off, f"{HOME}/.pinerc").content == theirs
    assert file_of(off, f"{HOME}/.pinerc-mesh").content is None


def test_switched_off_what_is_not_ours_is_not_touched() -> None:
    theirs = {
        "mailrc": b"set from=c@example.org\n",
        "pinerc": b"smtp-server=localhost\nfeature-list=quell-maildomain-warning\n",
        "linphonerc": b"[sip]\nguess_hostname=0\n",
    }
    off = plan_for(home_files(**theirs), *ALL, **OFF)
    assert {file_of(off, f"{HOME}/.{name}").content for name in ALL} == set(theirs.values())


def test_switched_off_on_a_machine_without_a_node_nothing_is_made() -> None:
    plan = STEP.plan(inputs(answers(user=({"login": "carol", "files": ALL},), **OFF), debian()))
    assert plan is not None
    assert (plan.resources, plan.address) == ((), None)


@given(st.binary(max_size=200).filter(lambda data: b"dexsetup" not in data))
def test_removing_gives_back_any_mailrc_that_does_not_go_on(data: bytes) -> None:
    """The law of the block, seen through the step: on, then off, and the bytes are those from before."""
    if data.rstrip(b"\n").endswith(b"\\") or not data:
        return
    on = plan_for(home_files(mailrc=data), "mailrc")
    off = plan_for(home_files(mailrc=file_of(on, f"{HOME}/.mailrc").content or b""), "mailrc", **OFF)
    assert file_of(off, f"{HOME}/.mailrc").content == data


def test_planning_is_a_function() -> None:
    """The same answers on the same facts give an equal plan."""
    wanted = inputs(
        answers(node={}, mail={}, user=({"login": "carol", "files": ALL},)),
        home_files(pinerc=b"x=y\n"),
    )
    assert STEP.plan(wanted) == STEP.plan(wanted)


def test_gnu_mail_gets_its_settings_into_the_file_that_it_shares_with_s_nail() -> None:
    """One block for both: GNU mail speaks SMTP with the mesh address as the sender."""
    alone = text_of(plan_for(with_node(), "mailutils"), f"{HOME}/.mailrc")
    assert "set sendmail=smtp://localhost:25\n" in alone
    assert f'set return-address="carol@{LITERAL}"\n' in alone
    assert "v15-compat" not in alone
    plan = plan_for(with_node(), "mailrc", "mailutils")
    both = text_of(plan, f"{HOME}/.mailrc")
    assert both.count("# BEGIN dexsetup") == 1
    assert both.index("set sendmail=") < both.index("set mta=")
    assert [note for note in plan.notes if "old name" in note]
    assert plan_for(with_node(), "mailrc").notes == ()


def test_gnu_mail_that_serves_other_mail_is_left_as_it_is() -> None:
    """It has no accounts, so there is no place for ours beside it."""
    facts = home_files(mailrc=b"set sendmail=smtp://mail.example.org\n")
    plan = plan_for(facts, "mailutils", "mailrc")
    text = text_of(plan, f"{HOME}/.mailrc")
    assert text.startswith("set sendmail=smtp://mail.example.org\n")
    assert "localhost" not in text.partition("account mesh {")[0]
    assert "return-address" not in text
    assert any("GNU mail is left as it is" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("command", "programs", "words"),
    [
        ("/usr/bin/bsd-mailx", ("mailrc",), "which cannot send to mesh addresses: write with s-nail"),
        ("/usr/bin/bsd-mailx", ("mailutils",), "by the name mail.mailutils"),
        ("/usr/bin/mail.mailutils", ("mailrc",), "name mailutils among the files"),
    ],
)
def test_the_plan_says_which_command_cannot_write_to_the_mesh(
    command: str, programs: tuple[str, ...], words: str
) -> None:
    """The command mail is whatever the distribution's alternatives say."""
    plan = plan_for(with_node(programs={"mail": Program(command, "")}), *programs)
    assert any(words in note for note in plan.notes)


@pytest.mark.parametrize(
    ("content", "problem", "advice"),
    [
        (
            b"# BEGIN dexsetup\nset x\n",
            'the marks "# BEGIN dexsetup" and "# END dexsetup" do not make one block (lines 1).',
            "Take out all of them but one pair, then try again.",
        ),
        (
            b"set x=\\",
            "the last line ends with a backslash, so anything added would become part of it.",
            "Finish that line, then try again.",
        ),
    ],
)
def test_a_file_that_cannot_be_edited_is_named_with_what_to_do(
    content: bytes, problem: str, advice: str
) -> None:
    """Whose file it is, and what is wrong in it: half a block tells nobody where it stands."""
    plan = plan_for(home_files(mailrc=content), "mailrc")
    assert plan.unavailable == f"{HOME}/.mailrc is left alone: {problem} {advice}"
    assert plan.resources == ()


def test_a_line_that_is_not_finished_does_not_keep_ours_from_going() -> None:
    """Only a new block would become part of it."""
    plan = plan_for(home_files(mailrc=b"set x=\\"), "mailrc", mail={"enable": False})
    assert plan.unavailable == ""


def test_blanks_beyond_ascii_at_the_end_of_a_name_are_part_of_it() -> None:
    """A name copied from a web page ends in U+00A0; it goes in, and comes out again."""
    name = "Carol\u00a0"
    plan = plan_for(with_node(), *ALL, name=name)
    pinerc = file_of(plan, f"{HOME}/.pinerc").content or b""
    assert f"personal-name={name}\n".encode() in pinerc
    off = plan_for(home_files(pinerc=pinerc), "pinerc", name=name, mail={"enable": False})
    assert file_of(off, f"{HOME}/.pinerc").content is None


def test_a_friend_with_a_number_that_is_none_harms_nobody() -> None:
    """Python refuses to read a number of five thousand digits; linphone never wrote it."""
    friend = b"[friend_" + b"9" * 5000 + b"]\nurl=x\n"
    plan = plan_for(
        home_files(linphonerc=friend), "linphonerc", contact=({"name": "jo", "address": "fc00::7"},)
    )
    content = file_of(plan, f"{HOME}/.linphonerc").content or b""
    assert friend in content
    assert b"[friend_0]" in content
