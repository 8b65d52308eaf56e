"""Letters and answers between the mail programs that people use, in each pair, over the mesh.

Two homes behind NAT with real dexrouter, opensmtpd, our filter and queue; s-nail, GNU mail and alpine (in a
terminal), with the settings that dexsetup writes. And letters that wait for a machine that is away.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from machine import NAMESPACES, OVERLAY, ROOT, TUN, needs, program
from mail_clients import CLIENTS, alpine_of
from neighbourhood import wait_until
from two_homes import ANN, BEN, Person, TwoHomes

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(400),
    needs(ROOT, TUN, NAMESPACES, OVERLAY, program("nft"), program("tmux"), program("smtpd")),
    needs(program("s-nail"), program("mail.mailutils"), program("alpine")),
]

PROGRAMS = 'files = ["mailrc", "mailutils", "pinerc"]'
OWN_SETTINGS = "".join(f"own-setting-{number}=value {number}\n" for number in range(3000))


@pytest.fixture(scope="module")
def scenario() -> Iterator[TwoHomes]:
    with TwoHomes() as two_homes:
        two_homes.start_public_node()
        for person in (ANN, BEN):
            home = two_homes.add_home(person)
            answers = two_homes.answers_for(person).replace('files = ["mailrc"]', PROGRAMS)
            home.write("/root/answers.toml", answers, mode="0600")
        two_homes.home_of(BEN).run("sh", "-c", "cat > ~/.pinerc", stdin=OWN_SETTINGS, login=BEN.login)
        for person in (ANN, BEN):
            two_homes.set_up(person)
        two_homes.ping(ANN, BEN)
        yield two_homes


def new_mail(scenario: TwoHomes, person: Person) -> None:
    """Take what lies in the mailbox away."""
    scenario.home_of(person).run("rm", "-f", f"/var/mail/{person.login}")


def headers(letter: str) -> list[str]:
    return letter.partition("\n\n")[0].replace("\n\t", " ").splitlines()


@pytest.mark.parametrize(("first", "second"), list(itertools.product(CLIENTS, repeat=2)))
def test_a_letter_and_its_answer(first: str, second: str, scenario: TwoHomes) -> None:
    """Ann writes with the first program, Ben answers with the second, and it finds its way."""
    for person in (ANN, BEN):
        new_mail(scenario, person)
    ann, ben = (scenario.mail_address(person) for person in (ANN, BEN))
    subject, text, answer = f"From {first}", f"written with {first}", f"answered with {second}"
    CLIENTS[first].write(scenario.home_of(ANN), ANN.login, ben, subject, text)
    scenario.wait_for_letter(BEN, text)
    lines = headers(shown := scenario.mailbox(BEN))
    assert [line for line in lines if line.startswith("From:") and line.endswith((ann, f"<{ann}>"))], shown
    assert any(line in {f"To: {ben}", f"To: <{ben}>"} for line in lines), lines
    CLIENTS[second].answer(scenario.home_of(BEN), BEN.login, answer)
    scenario.wait_for_letter(ANN, answer)
    lines = headers(shown := scenario.mailbox(ANN))
    assert f"Subject: Re: {subject}" in lines
    assert [line for line in lines if line.startswith("From:") and line.endswith((ben, f"<{ben}>"))], shown


def test_alpine_shows_the_answer(scenario: TwoHomes) -> None:
    """The letter that came back can be read on the screen, with the sender's name."""
    new_mail(scenario, ANN)
    CLIENTS["s-nail"].write(
        scenario.home_of(BEN), BEN.login, scenario.mail_address(ANN), "To read", "hello Ann"
    )
    scenario.wait_for_letter(ANN, "hello Ann")
    with alpine_of(scenario.home_of(ANN), ANN.login) as window:
        window.press("i")
        window.shows("Ben Birch", "To read")
        window.press("Enter")
        window.shows("From: Ben Birch", "hello Ann")


def test_a_pinerc_of_thousands_of_settings_keeps_them_all(scenario: TwoHomes) -> None:
    """Ours are added to three thousand, and alpine reads and writes the file."""
    with alpine_of(scenario.home_of(BEN), BEN.login):
        pass
    lines = scenario.home_of(BEN).read(f"/home/{BEN.login}/.pinerc").splitlines()
    assert set(OWN_SETTINGS.splitlines()) <= set(lines)
    assert f"user-domain=[IPv6:{scenario.address_of(BEN)}]" in lines


def test_nothing_is_written_under_a_running_alpine(scenario: TwoHomes) -> None:
    """It would write its own view over ours when it ends: the run refuses, and says what to close."""
    home = scenario.home_of(ANN)
    path = f"/home/{ANN.login}/.pinerc"
    renamed = scenario.answers_for(ANN).replace('files = ["mailrc"]', f'{PROGRAMS}\nreal_name = "Ann Alder"')
    home.write("/root/renamed.toml", renamed, mode="0600")
    with alpine_of(home, ANN.login):
        before = home.read(path)
        said = scenario.dexsetup(ANN, "--answers", "/root/renamed.toml", allowed=tuple(range(1, 10)))
        assert "alpine of ann is running" in said
        assert home.read(path) == before
    scenario.dexsetup(ANN, "--answers", "/root/renamed.toml")
    assert "personal-name=Ann Alder" in home.read(path).splitlines()


def is_waiting(scenario: TwoHomes, person: Person) -> bool:
    """Whether the person's server has given up on a letter for now."""
    return "|pending|" in scenario.home_of(person).run("smtpctl", "show", "queue")


def end(scenario: TwoHomes, person: Person, unit: str) -> None:
    """End a service of the person's machine, which nothing but a set-up starts again."""
    home = scenario.home_of(person)
    pid = f"import json; print(json.load(open('/run/dexsetup/{unit}.json'))['pid'])"
    home.run("sh", "-c", f'kill "$(python3 -c "{pid}")"')
    wait_until(
        lambda: not home.succeeds("pgrep", "-f", f"supervise.py .*{unit}"), what=f"{unit} ends", seconds=30
    )


def test_letters_that_wait_leave_as_soon_as_the_other_machine_is_there(scenario: TwoHomes) -> None:
    """By itself opensmtpd would try again after some minutes; Ben's server was away, then Ann's own mesh."""
    ben = scenario.mail_address(BEN)
    end(scenario, BEN, "opensmtpd.service")
    CLIENTS["s-nail"].write(scenario.home_of(ANN), ANN.login, ben, "Wait", "for Ben's server")
    wait_until(lambda: is_waiting(scenario, ANN), what="the letter waits", seconds=30)
    scenario.set_up(BEN)
    scenario.wait_for_letter(BEN, "for Ben's server", seconds=120)

    end(scenario, ANN, "dexrouter.service")
    CLIENTS["s-nail"].write(scenario.home_of(ANN), ANN.login, ben, "Wait", "for Ann's mesh")
    assert ben in scenario.home_of(ANN).run("smtpctl", "show", "queue")
    scenario.set_up(ANN)
    scenario.wait_for_letter(BEN, "for Ann's mesh", seconds=120)


def test_a_new_address_is_one_command(scenario: TwoHomes) -> None:
    """Key, server and programs carry the new one, letters and answers go on, and nothing names the former."""
    home, former = scenario.home_of(ANN), scenario.address_of(ANN)
    scenario.dexsetup(ANN, "new-address")
    assert scenario.address_of(ANN) not in {"", former}
    places = ("/etc/cjdroute.conf", "/etc/smtpd.conf", "/etc/mailname", f"/home/{ANN.login}")
    # Letters that were written before keep the address that they were written from.
    looking = ("grep", "-rlF", "--exclude-dir=mail", former)
    assert home.run(*looking, *places, allowed=(1,)) == ""
    assert "still carries" not in scenario.dexsetup(ANN, "verify")
    scenario.ping(ANN, BEN)
    new_mail(scenario, BEN)
    CLIENTS["s-nail"].write(home, ANN.login, scenario.mail_address(BEN), "Moved", "from my new address")
    scenario.wait_for_letter(BEN, "from my new address")
    CLIENTS["alpine"].answer(scenario.home_of(BEN), BEN.login, "to your new address")
    scenario.wait_for_letter(ANN, "to your new address")

    home.run("sh", "-c", f"echo 'signature=ann@[IPv6:{former}]' >> ~/.pinerc", login=ANN.login)
    said = scenario.dexsetup(ANN, "verify", allowed=(6,))
    assert f"/home/{ANN.login}/.pinerc:" in said
    assert f"still carries {former}" in said
    home.run("sed", "-i", "/^signature=/d", f"/home/{ANN.login}/.pinerc", login=ANN.login)
