"""`dexsetup contacts`, on an image of a machine with one person."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dexsetup.answers.load import load_answers
from dexsetup.cli import main
from dexsetup.contacts import contact_of, read_contact
from dexsetup.errors import AnswersError
from dexsetup.plan.places import ANSWERS
from person_image import person_image

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="an image with owners needs root")
SETTINGS = 'schema = 1\n[[user]]\nlogin = "jo"\nfiles = ["mailrc", "pinerc"]\n'


@pytest.fixture
def image() -> Iterator[Path]:
    """Return a machine with a node and the person jo."""
    with person_image(SETTINGS) as place:
        yield place


def read(image: Path, name: str) -> str:
    return (image / "home/jo" / name).read_text()


@NEEDS_ROOT
def test_contacts_come_and_go(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Added in another spelling, listed, changed, removed; the answers remember; undo takes each one back."""
    root = ("--root", str(image))
    assert main([*root, "--answers", str(image / "jo.toml")]) == 0
    before = read(image, ".mailrc")
    assert main(["contacts", "add", *root, "ann", "[IPv6:FC00::0:1]", "--name", "Ann Ash"]) == 0
    assert 'alias ann "Ann Ash <ann@[IPv6:fc00::1]>"\n' in read(image, ".mailrc")
    assert read(image, ".addressbook") == "ann\tAnn Ash\tann@[IPv6:fc00::1]\t\tdexsetup\n"
    assert main(["contacts", "add", *root, "ann", "fc00::1", "--name", "Ann Ash"]) == 0
    assert "Nothing to do" in capsys.readouterr().out
    assert main(["contacts", "add", *root, "ben", "dex:fc00::2?name=Ben%20Birch&user=bb"]) == 0
    capsys.readouterr()
    assert main(["contacts", "list", *root]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["ann", "ann", "fc00::1", "Ann", "Ash"],
        ["ben", "bb", "fc00::2", "Ben", "Birch"],
    ]
    assert main([*root, "--answers", str(image / "jo.toml")]) == 0
    assert "alias ben" in read(image, ".mailrc")
    assert main(["contacts", "remove", *root, "ANN"]) == 0
    assert "ann" not in read(image, ".mailrc") + read(image, ".addressbook")
    content = (image / ANSWERS.lstrip("/")).read_bytes()
    assert [one.name for one in load_answers(content, ANSWERS).answers.contact] == ["ben"]
    assert main(["undo", *root]) == 0
    assert "alias ann" in read(image, ".mailrc")
    for _ in range(2):
        assert main(["undo", *root]) == 0
    assert read(image, ".mailrc") == before
    assert not (image / "home/jo/.addressbook").exists()


@NEEDS_ROOT
def test_contacts_are_listed_as_json(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ("--root", str(image))
    answers = image / "jo.toml"
    answers.write_text(f'{SETTINGS}[[contact]]\nname = "ann"\naddress = "fc00::1"\n')
    assert main([*root, "--answers", str(answers)]) == 0
    capsys.readouterr()
    assert main(["contacts", "list", *root, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "name": "ann",
        "address": "fc00::1",
        "login": "ann",
        "real_name": None,
    }


@NEEDS_ROOT
def test_without_users_there_is_no_place_for_a_contact(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = ("--root", str(image))
    assert main(["contacts", "add", *root, "ann", "fc00::1"]) == 2
    assert "nowhere to put a contact" in capsys.readouterr().err
    assert main(["contacts", "remove", *root, "ann"]) == 2
    assert main(["contacts", "list", *root]) == 0
    assert "There are no contacts yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("jo", "a contact is a short name and an address"),
        ("jo fd00::1", '"fd00::1" is not a mesh address'),
        ("jo@x fc00::1", '"jo@x" is not what is expected here'),
        ("jo dex:2001:db8::1", "is not an address of the mesh"),
    ],
)
def test_what_is_no_contact_is_refused_with_the_reason(text: str, problem: str) -> None:
    with pytest.raises(AnswersError, match=r".") as caught:
        read_contact(text)
    assert problem in "; ".join(caught.value.problems)


def test_what_is_typed_goes_before_what_a_link_says() -> None:
    link = "dex:fc00::2?name=Ben&user=bb"
    assert read_contact(f"b {link}").real_name == "Ben"
    contact = contact_of("b", link, login="ben", real_name="Benny")
    assert (contact.login, contact.real_name, contact.address) == ("ben", "Benny", "fc00::2")
