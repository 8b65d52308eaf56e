"""Transcripts of real routers, replayed on ours: same keys, same types, same error texts, same silences.

The daemon of the transcripts stood in a mesh of four; ours stands in one like it, and the keys and addresses
in the recorded arguments are replaced by those of our mesh. Datagrams recorded as they were sent are sent as
they are, at the time of their cookie, which makes their hashes valid.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from dexrouter.admin.auth import COOKIE_UNIT
from dexrouter.admin.calls import TABLES
from dexrouter.admin.message import decode_reply
from dexrouter.crypto.keys import address_text, public_key_text
from tests.unit.admin.rig import Reply, Rig

ADMIN = json.loads((Path(__file__).parents[2] / "vectors" / "admin.json").read_text())
TRANSCRIPTS = ADMIN["transcripts"]
RAW = "(raw datagram)"

OURS = {function.name: function for table in TABLES for function in table}

SYSTEM_ERRORS = {
    "ETHInterface_new",
    "Core_initTunnel",
    "Core_initSocket",
    "Security_chroot",
    "RouteGen_commit",
}
"""Their texts are those of the operating system: only that there is an error is compared."""

ANSWERS_OFTEN = {"SearchRunner_search"}
"""Recorded is the first of several messages."""

PAGES_DIFFER = {"InterfaceController_peerStats", "NodeStore_dumpTable"}
"""How many entries there are depends on what the recording did between the calls."""

NOT_YET_KNOWN_THERE = {("v20.7", 62)}
"""The recorded daemon had not learned of the node yet."""

LISTS_DIFFER = {"Admin_availableFunctions"}
"""The order is ours."""

DONE_OTHERWISE = {
    "Admin_importFd": "a descriptor cannot come over UDP; the C router gives descriptor 0, its own input",
    "Security_nofiles": "the router opens sockets and devices while it runs",
    "Security_seccomp": "the filter is that of the service",
    "Security_setupComplete": "a second one ends the C router",
}
"""Calls that end in another error than there, or in one at all, and why."""

MAY_DIFFER = {"maintainSession", "timeOfLastUsage", "timeOfLastIn", "timeOfLastOut"}
"""Keys that one version has and another has not."""


def test_the_worked_example_of_authentication() -> None:
    """The recorded request is answered with the recorded reply, padding aside."""
    example = ADMIN["worked_auth_example"]
    rig = Rig(password=example["password"])
    rig.wall_ms = int(example["cookie"]) * COOKIE_UNIT
    (reply,) = rig.send(example["final_message"].encode("latin-1"))
    assert decode_reply(reply) == decode_reply(example["reply"].encode("latin-1"))


@pytest.mark.parametrize("version", ["v20.7", "v21.1"])
def test_functions_have_the_recorded_arguments(version: str) -> None:
    """We have every function of the table and no other, with its arguments, their types and its openness."""
    table = ADMIN["functions"][version]["table"]
    assert OURS.keys() == table.keys()
    for name, function in OURS.items():
        assert function.describe() == table[name]["args"], name
        assert function.is_open is not table[name]["auth"], name


@pytest.mark.parametrize("node", ["alpha", "beta"])
def test_raw_datagrams(node: str) -> None:
    """Malformed, odd and signed datagrams get what the real daemon gave, or silence."""
    rig = Rig(password=ADMIN["admin_passwords"][node])
    clock = 0
    for record in TRANSCRIPTS["v21.1"]:
        if record["node"] != node or record["function"] != RAW or "513 bytes" in record["note"]:
            continue
        request, expected = record["request"].encode("latin-1"), record["reply"]
        cookie = re.search(rb"6:cookie(?:10:|i)(\d{10})", request)
        # One cookie is from the future and one is stale: those stand beside a good one of the same moment.
        if cookie and clock == 0:
            clock = int(cookie[1])
        rig.wall_ms = clock * COOKIE_UNIT
        replies = rig.send(request)
        if expected is None:
            assert replies == [], record["note"]
            continue
        (reply,) = (decode_reply(one) for one in replies)
        recorded = decode_reply(expected.encode("latin-1"))
        for moving in ("cookie", "asyncEnabled"):
            if moving in recorded:
                recorded[moving] = reply[moving]
        assert reply == recorded, record["note"]


@pytest.mark.parametrize(
    ("version", "node", "least"),
    [("v21.1", "alpha", 170), ("v21.1", "beta", 160), ("v20.7", "alpha", 15), ("v20.7", "beta", 5)],
)
def test_transcripts(version: str, node: str, least: int) -> None:
    """Each recorded call of a function that we have gives a reply of the same shape with the same error."""
    rig, translate = mesh_like_the_recorded_one(version, node)
    stream = ""
    compared = 0
    for number, record in enumerate(TRANSCRIPTS[version]):
        function = record["function"]
        if record["node"] != node or function not in OURS or function in LISTS_DIFFER:
            continue
        if (version, number) in NOT_YET_KNOWN_THERE:
            continue
        arguments = translate(record["args"])
        if function == "SessionManager_sessionStats" and arguments["handle"] > 1:
            arguments["handle"] = max(rig.node.sessions.by_handle)
        if stream and re.fullmatch(r"(?!0{16})[0-9a-f]{16}", str(arguments.get("streamId"))):
            arguments["streamId"] = stream
        if record["auth"] == "none":
            replies = [rig.call_open(function, **arguments)]
        else:
            replies = rig.ask(function, **arguments)
        replies = replies or rig.later(3)
        reply = replies[0 if function in ANSWERS_OFTEN else -1]
        reply.pop("txid", None)
        stream = str(reply.get("streamId", stream))
        assert_alike(f"{number} {function}({arguments})", expectation(record), reply)
        compared += 1
        if function == "Core_exit":
            break
    assert compared >= least


def mesh_like_the_recorded_one(version: str, node: str) -> tuple[Rig, Any]:
    """Our node in the place of the named one; and the translation of recorded arguments."""
    rig = Rig(password=ADMIN["admin_passwords"][node])
    nodes = {name: rig.mesh.add() for name in ("alpha", "beta", "gamma", "delta") if name != node}
    nodes[node] = rig.node
    links = [("alpha", "beta", 0), ("alpha", "gamma", 1), ("beta", "gamma", 1), ("delta", "gamma", 0)]
    if (version, node) == ("v20.7", "beta"):
        links.reverse()  # there the labels came about in another order
    for caller, called, interface in links:
        rig.mesh.link(nodes[caller], nodes[called], interface)
        rig.mesh.run(1)
    if node == "beta":
        rig.edge.ethernet_new("v02")
    rig.mesh.run(20)
    words = {}
    for recorded in ADMIN["nodes"][version]:
        own = nodes[recorded["name"]].own
        words[recorded["key"]] = public_key_text(own.public)
        words[recorded["ip"]] = address_text(own.address)

    def translate(arguments: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(arguments)
        for old, new in words.items():
            text = text.replace(old, new)
        translated: dict[str, Any] = json.loads(text)
        return translated

    return rig, translate


def expectation(record: dict[str, Any]) -> Reply:
    """What we want to give: what was recorded, except where the real daemon died or was at fault."""
    function, recorded = record["function"], record["reply_decoded"] or {}
    if function == "ETHInterface_beginConnection" and not recorded:
        return {"error": "invalid interfaceNumber"}
    if function == "SwitchPinger_ping" and record["args"].get("path") == "foo":
        return {"error": "path was not parsable."}
    if function == "AdminLog_logMany":
        return {"error": "none"}
    if function == "Security_getUser" and "after chroot" in str(record.get("note")):
        return {"error": "Could not find user [No such file or directory]"}
    expected: Reply = dict(recorded)
    return expected


def assert_alike(what: str, expected: Reply, reply: Reply) -> None:
    """Compare errors by text, everything else by shape."""
    function = what.split()[1].partition("(")[0]
    wanted, given = dict(expected), dict(reply)
    wanted.pop("txid", None)
    if function in DONE_OTHERWISE:
        assert given.keys() == {"error"}, what
        return
    if function in SYSTEM_ERRORS:
        assert (wanted["error"] == "none") == (given["error"] == "none"), what
        return
    if function == "Core_stopTun":
        assert given["error"] in ("none", "no tun currently configured"), what
        return
    if function in PAGES_DIFFER and "error" not in wanted:
        wanted.pop("more", None)
        given.pop("more", None)
    assert given.get("error") == wanted.get("error"), what
    assert_same_shape(what, wanted, given)


def assert_same_shape(what: str, wanted: Any, given: Any) -> None:
    """Compare keys and types; of a list the first element stands for all, and an empty one for any."""
    assert type(wanted) is type(given), what
    if isinstance(wanted, dict):
        assert wanted.keys() - MAY_DIFFER == given.keys() - MAY_DIFFER, what
        for key in wanted.keys() & given.keys():
            assert_same_shape(f"{what}: {key}", wanted[key], given[key])
    elif isinstance(wanted, list) and wanted and given:
        assert_same_shape(what, wanted[0], given[0])
