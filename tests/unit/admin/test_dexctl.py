"""The control program: what it prints, and its exit status."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest

from dexrouter.admin.message import Value, decode_reply, encode
from dexrouter.cli.control import build_parser, main
from dexrouter.cli.ctl.completion import SHELLS, script_for
from dexrouter.cli.ctl.online import kernel_addresses
from dexrouter.crypto.entropy import SeededEntropy
from dexrouter.crypto.keys import address_short, address_text, generate_key_pair, public_key_text
from tests.unit.admin.rig import Rig
from tests.unit.admin.served import serve, serve_rig

ROOT = Path(__file__).parents[3]

IF_INET6 = """\
00000000000000000000000000000001 01 80 10 80       lo
fc3be60ed799e71a36f464ea58d27fa7 07 08 00 80     tun0
fc3be60ed799e71a36f464ea58d27fa8 08 40 00 80     tun1
fd000000000000000000000000000001 02 08 00 80     eth0
fe80000000000000021122fffe334455 02 40 20 80     eth0
"""

Dexctl = Callable[..., tuple[int, str, str]]


@pytest.fixture
def line(rig: Rig) -> Rig:
    """Our node, one beside it, and one behind that."""
    middle, far = rig.mesh.add(), rig.mesh.add()
    rig.mesh.link(rig.node, middle, 0, "neighbour \x1b[31m")
    rig.mesh.link(far, middle, 0)
    rig.mesh.run(15)
    return rig


@pytest.fixture
def dexctl(line: Rig, capsys: pytest.CaptureFixture[str]) -> Iterator[Dexctl]:
    """Run the program against the line: status, output, errors."""
    with serve_rig(line) as access:

        def run(*arguments: str, password: str = access.password) -> tuple[int, str, str]:
            where = ["-a", access.host, "-p", str(access.port), "-P", password]
            status = main([*where, *arguments])
            captured = capsys.readouterr()
            return status, captured.out, captured.err

        yield run


def alone(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(list(arguments))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_peers_as_a_table(dexctl: Dexctl) -> None:
    """What a terminal would act upon in a name is not printed."""
    status, out, _ = dexctl("peers", password="wrong, and not needed")
    heading, row = out.splitlines()
    assert status == 0
    assert heading.split() == ["STATE", "IN", "kb/s", "OUT", "kb/s", "LOST", "CALL", "NAME", "LINK"]
    assert row.startswith("ESTABLISHED ")
    assert row.endswith("192.0.2.2:33000")
    assert "\x1b" not in out
    assert len(heading) <= 80


def test_peers_in_the_line_format_of_cjdns(dexctl: Dexctl, line: Rig) -> None:
    """As peerStats prints it, so that scripts go on working."""
    key = public_key_text(line.mesh.nodes[1].own.public)
    status, out, _ = dexctl("peers", "--raw")
    assert status == 0
    assert out.startswith(f"192.0.2.2:33000 v21.0000.0000.0000.0013.{key} ESTABLISHED in ")
    assert out.rstrip().endswith('kb/s "neighbour \N{REPLACEMENT CHARACTER}[31m"')


def test_losses_are_in_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Two spaces before each, only those that are not zero, as in the line that the article prints."""
    peer: dict[str, Value] = {
        "addr": "v21.0000.0000.0000.0013.x.k",
        "lladdr": "192.0.2.1:1",
        "state": "ESTABLISHED",
        "recvKbps": 6,
        "sendKbps": 15,
        "lostPackets": 8,
        "duplicates": 0,
        "receivedOutOfRange": 0,
        "user": "outer",
    }

    def answer(datagram: bytes, _source: object) -> list[bytes]:
        return [encode({"peers": [peer], "total": 1, "txid": decode_reply(datagram)["txid"]})]

    with serve(answer, "NONE") as access:
        status, out, _ = alone(capsys, "-p", str(access.port), "-a", access.host, "-P", "x", "peers", "--raw")
    assert (status, out) == (
        0,
        '192.0.2.1:1 v21.0000.0000.0000.0013.x.k ESTABLISHED in 6kb/s out 15kb/s  LOS 8 "outer"\n',
    )


@pytest.mark.parametrize("view", ["peers", "sessions", "nodes"])
def test_views_as_json(dexctl: Dexctl, view: str) -> None:
    """Everything that the router told."""
    status, out, _ = dexctl(view, "--json")
    entries = json.loads(out)
    assert status == 0
    assert entries
    assert all("addr" in entry for entry in entries)


def test_sessions_and_nodes_as_tables(dexctl: Dexctl, line: Rig) -> None:
    """One line for each, within 80 columns."""
    far = address_text(line.mesh.nodes[2].own.address)
    for view in ("sessions", "nodes"):
        status, out, _ = dexctl(view)
        assert status == 0
        assert far in out
        assert max(map(len, out.splitlines())) <= 80
    assert len(dexctl("sessions", "--raw")[1].splitlines()) == len(line.node.sessions.by_handle)


def test_a_wrong_password_is_a_sentence(dexctl: Dexctl) -> None:
    """Status 1."""
    status, out, error = dexctl("sessions", password="wrong")
    assert (status, out) == (1, "")
    assert error.startswith("dexctl: 127.0.0.1:")
    assert error.endswith("refuses the password (from the command line).\n")


def test_ping(dexctl: Dexctl, line: Rig) -> None:
    """By address and by label; without an answer status 1, for nonsense status 2."""
    far = address_short(line.mesh.nodes[2].own.address)
    status, out, _ = dexctl("ping", "-c", "1", far)
    assert status == 0
    assert " v21 0 ms\n1 sent, 1 answered; shortest 0 ms" in out
    assert dexctl("ping", "-c", "1", "0000.0000.0000.0013")[0] == 0
    status, out, _ = dexctl("ping", "-c", "1", "fc00::1")
    assert status == 1
    assert out == f"1: {'fc00' + ':0000' * 6 + ':0001'}: no path is known\n1 sent, 0 answered\n"
    assert dexctl("ping", "-c", "1", "nonsense")[0] == 2


def test_traceroute(dexctl: Dexctl, line: Rig) -> None:
    """Our own node, the one between, the target, each with its label."""
    addresses = [address_text(node.own.address) for node in line.mesh.nodes]
    status, out, _ = dexctl("traceroute", addresses[2])
    assert status == 0
    assert [row.split()[1] for row in out.splitlines()] == ["ADDRESS", *addresses]
    assert out.count("0 ms") == 3
    assert dexctl("traceroute", "fc00::1")[0] == 1


def test_call(dexctl: Dexctl) -> None:
    """The reply as JSON; its status is that of the reply."""
    status, out, _ = dexctl("call", "AuthorizedPasswords_add", "--password=7", "--user=x y")
    assert (status, json.loads(out)) == (0, {"error": "none"})
    status, out, _ = dexctl("call", "AuthorizedPasswords_remove", "--user=nobody")
    assert (status, json.loads(out)) == (1, {"error": "Unknown error."})
    assert json.loads(dexctl("call", "NodeStore_dumpTable", "--page=0")[1])["count"] == 3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["Core_nodeinfo"], "The router has no function Core_nodeinfo. Did you mean Core_nodeInfo?"),
        (["xyz"], '"dexctl call" lists what there is.'),
        (["AuthorizedPasswords_list", "--page=x"], '"page" is of type Int; write it as JSON.'),
        (["AuthorizedPasswords_list", "--page=true"], '"page" is of type Int.'),
        (["AuthorizedPasswords_list", "--pages=1"], 'There is no argument "pages"; there is page Int.'),
        (["Core_pid", "--x=1"], 'There is no argument "x"; there is none at all.'),
        (["AuthorizedPasswords_list", "page"], 'Write arguments as --NAME=VALUE, not "page".'),
    ],
)
def test_calls_that_make_no_sense(dexctl: Dexctl, words: list[str], sentence: str) -> None:
    """Status 2 and what would make sense."""
    status, out, error = dexctl("call", *words)
    assert (status, out) == (2, "")
    assert error.rstrip().endswith(sentence)


def test_the_list_of_functions(dexctl: Dexctl, line: Rig) -> None:
    """Required arguments first, with a star."""
    _, out, _ = dexctl("call")
    assert "AuthorizedPasswords_add(password* String, ipv6 String, user String)" in out
    assert len(out.splitlines()) == len(line.server.functions)


def test_without_a_router_each_view_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1."""
    for command in ("peers", "sessions", "nodes", "call"):
        status, out, error = alone(capsys, "-a", "127.0.0.1", "-p", "1", "-P", "x", command)
        assert (status, out, error) == (1, "", "dexctl: No router listens at 127.0.0.1:1.\n")


def test_a_bad_command_line_has_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    """As all programs of this project."""
    for words in (
        ["peers", "--nonsense"],
        ["nonsense"],
        [],
        ["wait-online", "-t", "nan"],
        ["peers", "--raw", "--json"],
    ):
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 2
    capsys.readouterr()


def test_the_log_is_followed_until_interrupted(rig: Rig) -> None:
    """Each record as a line; the subscription is ended."""

    def answer(datagram: bytes, source: tuple[str, int]) -> list[bytes]:
        replies = rig.send(datagram, source)
        if b"AdminLog_subscribe" in datagram:
            logging.getLogger("dexrouter").warning("a peer is gone \x1b[2J")
            replies += [reply for _, reply in rig.server.poll(rig.mesh.now, rig.wall_ms)]
        return replies

    with serve(answer, rig.password) as access:
        # Whoever runs the tests in the background may have them ignore the interrupt.
        command = ["env", "--default-signal=INT", sys.executable, "-m", "dexrouter.cli.control"]
        command += ["-a", access.host, "-p", str(access.port)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "router")}
        with subprocess.Popen(
            [*command, "-P", access.password, "log"], stdout=subprocess.PIPE, text=True, env=environment
        ) as program:
            assert program.stdout is not None
            line = program.stdout.readline()
            program.send_signal(signal.SIGINT)
            assert program.wait(20) == 0
    assert line[9:].startswith("WARN test_dexctl.py:")
    assert line.rstrip().endswith(" a peer is gone \N{REPLACEMENT CHARACTER}[2J")
    assert rig.call("AdminLog_subscriptions") == {"entries": []}


def test_key_tools(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What one makes the other reads."""
    status, out, _ = alone(capsys, "genkey")
    private, address, public = out.split()
    assert status == 0
    assert (len(private), len(address), len(public)) == (64, 39, 54)
    status, out, _ = alone(capsys, "key2ip6", public)
    short = out.strip()
    assert short == address_short(bytes.fromhex(address.replace(":", "")))
    monkeypatch.setattr("sys.stdin", StringIO(f"{private}\n"))
    assert alone(capsys, "priv2pub") == (0, f"{public} {short}\n", "")
    for bad in ("", "00" * 31, "00" * 32):
        monkeypatch.setattr("sys.stdin", StringIO(bad))
        assert alone(capsys, "priv2pub")[0] == 1
    assert len(alone(capsys, "genpass")[1].strip()) == 31


def test_what_is_no_key_is_refused_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1."""
    status, out, error = alone(capsys, "key2ip6", "abc")
    assert (status, out, error) == (1, "", 'dexctl: "abc" is no public key: it is too short.\n')


def test_mesh_addresses_of_the_kernel_are_those_with_prefix_8() -> None:
    """As cjdns-online takes them."""
    found = kernel_addresses(IF_INET6)
    assert [(str(one.address), one.device) for one in found] == [
        ("fc3b:e60e:d799:e71a:36f4:64ea:58d2:7fa7", "tun0")
    ]


def test_waiting_ends_at_the_timeout_with_what_is_missing(dexctl: Dexctl, line: Rig) -> None:
    """Our test node has no device: its address cannot be bound."""
    own = address_short(line.node.own.address)
    status, out, error = dexctl("wait-online", "--timeout", "0.3")
    assert (status, out, error) == (
        1,
        "",
        f"dexctl: The address {own} cannot be bound: no device has it yet.\n",
    )


def test_the_completion_script_knows_every_command_and_is_bash(tmp_path: Path) -> None:
    """It is made from the help texts."""
    script = script_for("bash")
    for command in build_parser()[1]:
        assert f"            {command}) words=" in script
    assert "--peer" in script
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    test = script + (
        "COMP_WORDS=(dexctl -p 1 wait-online --p); COMP_CWORD=4; _dexctl; echo ${COMPREPLY[*]}\n"
        "COMP_WORDS=(dexctl s); COMP_CWORD=1; _dexctl; echo ${COMPREPLY[*]}\n"
    )
    result = subprocess.run([bash, "-euc", test], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert result.stdout == "--peer\nsessions\n"


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_each_shell_has_a_script_with_every_command(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    """With what follows each, and how to use it."""
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"dexctl completion {shell}" in script.splitlines()[0]
    for command in build_parser()[1]:
        assert command in script
    assert "--peer" in script
    assert not {"@TOP@", "@COMMANDS@"} & set(script.split())


def test_help_does_not_load_the_router() -> None:
    """It answers at once: no cryptography, no sockets."""
    code = (
        "import sys; from dexrouter.cli.control import build_parser; build_parser()[0].format_help();"
        "heavy = ('nacl', 'socket', 'dexrouter.core', 'dexrouter.crypto');"
        "print([name for name in heavy if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "router")}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert result.stdout == "[]\n"


@pytest.mark.system
def test_waiting_ends_when_the_address_can_be_bound(tmp_path: Path) -> None:
    """In a network namespace of its own, without any router: the kernel's word is enough."""
    tools = [shutil.which(name) for name in ("unshare", "ip", "sh")]
    if os.geteuid() != 0 or None in tools:
        pytest.skip("needs root, unshare and ip")
    control = f"{sys.executable} -m dexrouter.cli.control wait-online"
    script = (
        "ip link set lo up\n"
        f"{control} --exit && exit 9\n"
        "(sleep 0.5; ip -6 addr add fc12::34/8 dev lo) &\n"
        f"{control} --timeout 20 && {control} -x -i && {control} -x -q && {control} -x --peer"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "router"), "HOME": str(tmp_path)}
    result = subprocess.run(
        ["unshare", "--net", "sh", "-c", script], capture_output=True, text=True, check=False, env=environment
    )
    if "unshare" in result.stderr:
        pytest.skip(f"no network namespaces here: {result.stderr.strip()}")
    assert result.stdout == "fc12::34\nlo\n"
    assert result.returncode == 1
    no_device, no_router = result.stderr.splitlines()
    assert no_device.startswith("dexctl: No device has an address in fc00::/8.")
    assert no_router == "dexctl: No router listens at 127.0.0.1:11234."


def test_reload_tells_a_running_router_of_peers_and_passwords_that_are_new(
    dexctl: Dexctl, line: Rig, tmp_path: Path
) -> None:
    """Twice told is once told; who is known is left alone; a file that is none is a sentence."""
    stranger = generate_key_pair(SeededEntropy(bytes([9]) * 64))
    passwords = [{"password": "another password", "user": "friend-of-alpha"}, {"password": "c"}]
    calls = {
        f"192.0.2.{number}:33000": {"publicKey": public_key_text(public), "password": "x", "login": "y"}
        for number, public in ((2, line.mesh.nodes[1].own.public), (9, stranger.public))
    }
    config = tmp_path / "cjdroute.conf"
    values = {
        "privateKey": bytes(stranger.private.reveal()).hex(),
        "authorizedPasswords": [*passwords, {"password": "another for jo", "user": "jo"}],
        "admin": {"bind": "127.0.0.1:1", "password": "NONE"},
        "interfaces": {"UDPInterface": [{"bind": "0.0.0.0:33000", "connectTo": calls}]},
    }
    config.write_text(json.dumps(values))
    status, out, error = dexctl("--config", str(config), "reload")
    assert (status, error) == (0, "")
    assert out.splitlines() == ["password of jo", "peer 192.0.2.9:33000"]
    assert dexctl("--config", str(config), "reload") == (0, "", "")
    calls["nowhere"] = {"publicKey": public_key_text(stranger.public), "password": "x"}
    config.write_text(json.dumps(values))
    assert dexctl("--config", str(config), "reload")[0] == 1
