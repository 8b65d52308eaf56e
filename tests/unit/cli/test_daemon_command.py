"""The command line of `dexrouter`, without starting a router (spec 08 §7)."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dexrouter import PROTOCOL_VERSION, __version__
from dexrouter.cli.bench import bench
from dexrouter.cli.daemon import main
from dexrouter.config import load_config

ROUTER = Path(__file__).resolve().parents[3] / "router"


class Input:
    """A standard input with these bytes."""

    def __init__(self, data: bytes, *, is_terminal: bool = False) -> None:
        self.buffer = io.BytesIO(data)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def generated(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["--genconf", *options]) == 0
    return capsys.readouterr().out


def test_the_version_tells_that_of_the_protocol_too(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--version", "-v"):
        assert main([option]) == 0
        assert capsys.readouterr().out == (
            f"dexrouter {__version__}\nCjdns protocol version: {PROTOCOL_VERSION}\n"
        )


def test_a_benchmark_tells_both_figures(capsys: pytest.CaptureFixture[str]) -> None:
    """In the form of cjdroute's, and neither is nothing."""
    assert bench(0.01) == 0
    crypto, relay = capsys.readouterr().out.splitlines()
    found = re.fullmatch(r"Benchmark salsa20/poly1305 in \d+ms\. (\d+) kilobits per second", crypto)
    passed = re.fullmatch(r"Benchmark Switching in \d+ms\. (\d+) packets per second", relay)
    assert found is not None
    assert passed is not None
    assert int(found[1]) > 1000
    assert int(passed[1]) > 100


def test_a_generated_configuration_is_good_and_never_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = generated(capsys), generated(capsys)
    assert one != other
    config = load_config(one.encode())
    assert config.private_key.reveal() != load_config(other.encode()).private_key.reveal()
    assert config.udp_interfaces


def test_ethernet_is_generated_when_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert "ETHInterface" in generated(capsys, "--eth")


def test_equal_seeds_give_equal_configurations(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 bytes on standard input; what follows them is not read."""
    texts = []
    for seed in (b"s" * 64, b"s" * 64 + b"more", b"t" * 64):
        monkeypatch.setattr(sys, "stdin", Input(seed))
        assert main(["--genconf-seed"]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != texts[2]


def test_a_short_seed_is_refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Input(b"s" * 63))
    assert main(["--genconf-seed"]) == 255
    taken = capsys.readouterr()
    assert taken.out == ""
    assert "there were 63" in taken.err


def test_cleaning_leaves_the_values_and_takes_the_comments(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = generated(capsys)
    monkeypatch.setattr(sys, "stdin", Input(text.encode()))
    assert main(["--cleanconf"]) == 0
    clean = capsys.readouterr().out
    assert "//" not in clean.replace("://", "")
    assert json.loads(clean)["publicKey"] in text
    assert load_config(clean.encode()).private_key.reveal() == load_config(text.encode()).private_key.reveal()


def test_checking_says_that_a_good_file_is_good(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "cjdroute.conf"
    path.write_text(generated(capsys), encoding="utf-8")
    assert main(["--check", "--config", str(path)]) == 0
    assert capsys.readouterr().out.endswith(f"{path}: configuration OK\n")


@pytest.mark.parametrize("option", ["--check", "--cleanconf"])
@pytest.mark.parametrize("data", [b"", b"not json", b"{", b"\xff\xfe", b"[]", b'{"privateKey": "zz"'])
def test_a_file_that_makes_no_sense_is_a_sentence_and_status_255(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, option: str, data: bytes
) -> None:
    monkeypatch.setattr(sys, "stdin", Input(data))
    assert main([option]) == 255
    taken = capsys.readouterr()
    assert taken.out == ""
    assert taken.err.startswith("dexrouter: ")
    assert "Traceback" not in taken.err


@pytest.mark.parametrize(
    ("path", "why"), [("/nonexistent/cjdroute.conf", "No such file"), ("/", "Is a directory")]
)
def test_a_file_that_cannot_be_read_is_named(capsys: pytest.CaptureFixture[str], path: str, why: str) -> None:
    assert main(["--config", path]) == 255
    assert f"cannot read {path}: {why}" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--no-such-option"], ["--config"], ["surplus"]])
def test_a_bad_command_line_ends_with_255(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 255
    assert "usage: dexrouter" in capsys.readouterr().err


def test_help_is_shown_when_asked_for_and_when_a_person_types_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    monkeypatch.setattr(sys, "stdin", Input(b"", is_terminal=True))
    assert main([]) == 0
    assert capsys.readouterr().out.count("usage: dexrouter") == 2


def run(*options: str, data: bytes | None) -> subprocess.CompletedProcess[bytes]:
    """Run the real program; without data its standard input is closed."""
    command = [sys.executable, "-m", "dexrouter.cli.daemon", *options]
    if data is None:
        command = ["sh", "-c", '"$@" <&-', "sh", *command]
    environment = {**os.environ, "PYTHONPATH": str(ROUTER)}
    return subprocess.run(command, input=data, capture_output=True, env=environment, timeout=60, check=False)


def test_a_configuration_comes_from_standard_input_as_well() -> None:
    made = run("--genconf", data=b"")
    assert made.returncode == 0
    checked = run("--check", data=made.stdout)
    assert (checked.returncode, checked.stdout) == (0, b"standard input: configuration OK\n")


def test_a_closed_standard_input_is_an_empty_configuration() -> None:
    done = run("--check", data=None)
    assert done.returncode == 255
    assert b"Traceback" not in done.stderr


def test_offloads_are_shown_with_the_reason_against_each(capsys: pytest.CaptureFixture[str]) -> None:
    """Whether this machine has them or not, root or not: a line for each, and status 0."""
    assert main(["--show-offloads"]) == 0
    shown = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert any(name.startswith("UDP") for name in shown)
    assert any(name.startswith("TUN") for name in shown)
    assert all(shown.values())
