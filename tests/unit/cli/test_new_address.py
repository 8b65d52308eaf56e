"""`dexsetup new-address`, and what finds an address that is no more; on an image of a machine."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from dexrouter.config import genconf
from dexsetup.answers.load import load_answers
from dexsetup.cli import main
from dexsetup.detect import detect
from dexsetup.exitcodes import ExitCode
from dexsetup.host.rooted import RootedHost
from dexsetup.plan.places import ANSWERS
from dexsetup.stale import stale_lines
from dexsetup.steps.node import address_of
from person_image import person_image

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="an image with owners needs root")

SETTINGS = """\
schema = 1
[[user]]
login = "jo"
files = ["mailrc", "pinerc", "linphonerc"]
[[contact]]
name = "ann"
address = "fc00::1"
"""


@pytest.fixture
def image() -> Iterator[Path]:
    """Return a machine with a node and the person jo, whose programs are set up."""
    with person_image(SETTINGS) as place:
        assert main(["--root", str(place), "--answers", str(place / "jo.toml")]) == 0
        yield place


def address(image: Path) -> str:
    return address_of((image / "etc/cjdroute.conf").read_bytes())


def files_with(image: Path, text: str) -> list[str]:
    """Return the files that hold the text, without the node's own and the records of runs."""
    places = (image / name for name in ("home", "etc/dexsetup"))
    found = (path for place in places for path in place.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(image)) for path in found if text.encode() in path.read_bytes())


def stale(image: Path) -> list[str]:
    host = RootedHost(str(image))
    answers = load_answers((image / ANSWERS.lstrip("/")).read_bytes(), ANSWERS).answers
    own = IPv6Address(address(image))
    return [f"{one.path}:{one.line} {one.address}" for one in stale_lines(host, detect(host), answers, own)]


def test_one_command_writes_everything_anew(image: Path) -> None:
    """A new key, then one that is taken over: no file but the answers, which name it, keeps a former address.

    A line that a person keeps is found, in any spelling; friends' addresses are not meant. Undo goes back.
    """
    first = address(image)
    (image / "etc/other.conf").write_text(genconf(random.Random(7).randbytes))
    files = ["home/jo/.linphonerc", "home/jo/.mailrc", "home/jo/.pinerc"]
    assert files_with(image, first) == files
    assert main(["new-address", "--root", str(image)]) == 0
    second = address(image)
    assert second != first
    assert files_with(image, second) == files
    assert files_with(image, first) == [ANSWERS.lstrip("/")]
    assert stale(image) == []
    assert main(["new-address", "--root", str(image), "/etc/other.conf"]) == 0
    assert address(image) == address_of((image / "etc/other.conf").read_bytes())
    assert "alias ann" in (image / "home/jo/.mailrc").read_text()
    pinerc = image / "home/jo/.pinerc"
    kept = pinerc.read_text()
    pinerc.write_text(f"{kept}signature=jo@[IPv6:{IPv6Address(first).exploded.upper()}]\n")
    assert stale(image) == [f"/home/jo/.pinerc:{len(kept.splitlines()) + 1} {first}"]
    pinerc.write_text(kept)
    assert main(["undo", "--root", str(image)]) == 0
    assert address(image) == second
    assert files_with(image, second) == files


def test_without_a_node_there_is_nothing_to_replace(tmp_path: Path) -> None:
    assert main(["new-address", "--root", str(tmp_path)]) == ExitCode.MACHINE


def test_a_key_that_was_changed_by_hand_is_noticed(image: Path) -> None:
    """No record tells of it, but a sender can only be this node's own."""
    former = address(image)
    (image / "etc/cjdroute.conf").write_text(genconf(random.Random(9).randbytes))
    found = stale(image)
    assert all(line.endswith(f" {former}") for line in found)
    paths = {line.partition(":")[0] for line in found}
    assert paths == {"/home/jo/.mailrc", "/home/jo/.pinerc", "/home/jo/.linphonerc"}
