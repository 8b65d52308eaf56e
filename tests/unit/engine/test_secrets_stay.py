"""The canary: a planted secret is searched in every sink. None may hold it."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path

import pytest

from dexsetup.answers.load import parse_answers
from dexsetup.answers.secrets import resolve_secrets, secrets_of
from dexsetup.commands.crash import write_report
from dexsetup.host.base import FileKind
from dexsetup.host.fake import FakeHost
from dexsetup.plan.build import plan_to_json
from dexsetup.plan.engine import Engine
from dexsetup.plan.model import FileSharing, ManagedFile, Plan, StepPlan, Unit
from dexsetup.plan.undo import undo_run
from dexsetup.report.console import Console, Style
from dexsetup.report.jsonl import JsonLines
from dexsetup.report.log import RunLog
from dexsetup.report.redact import Redactor
from dexsetup.secret import Secret

CANARY = 'tweety "quoted" \\ k\u00e4nguru'
RUN = "20261122T140211Z-3f"
PRIVATE = "c0ffee" * 10 + "abcd"
KEY = "lhj54c2xnczfurpw42d0h1bvc4qquclb4dw72q50tc83ucmm9zt0.k"


def test_no_sink_holds_the_canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Console, JSON lines, log, journal, state, plan, report: a password and a key appear in none of them."""
    monkeypatch.setattr("dexsetup.commands.crash.REPORTS", str(tmp_path))
    host = FakeHost({"/run/secrets/peer": CANARY.encode(), "/etc/systemd/system/r.service": b"[Service]\n"})
    text = f'schema = 1\n[[peer]]\npublic_key = "{KEY}"\npassword = "file:/run/secrets/peer"\n'
    answers = parse_answers(text, "my.toml").answers
    redactor = Redactor(secrets_of(resolve_secrets(answers, host, {})))
    before = f'{{ "privateKey": "{PRIVATE}" }}\n'.encode()
    content = before + f"{json.dumps({'password': CANARY})}\n{CANARY}\n".encode()
    host.put("/etc/cjdroute.conf", before)
    file = ManagedFile(
        "/etc/cjdroute.conf", content, 0o600, sharing=FileSharing.SHARED, based_on=before, secret=True
    )
    leak = ManagedFile("/etc/other", f"set x={CANARY}\n".encode())
    plan = Plan(
        (StepPlan("peers", "Peers", (file, leak, Unit("r.service")), notes=(f"note {CANARY}",)),), None
    )
    host.services.refuses_to_start["r.service"] = f"cannot use {CANARY} or {PRIVATE}"
    out, err, lines = io.StringIO(), io.StringIO(), io.StringIO()
    console = Console(out, err, redactor, Style(), clock=host.now, shows_diffs=True)
    listeners = (console, JsonLines(lines, redactor, host.wall_clock), RunLog(host, RUN, redactor))
    events = []

    def listen(event: object) -> None:
        events.append(event)
        for listener in listeners:
            listener(event)  # type: ignore[arg-type]  # every event is one

    Engine(host, lambda: plan, listen, run=RUN, redactor=redactor).run()
    undo_run(host, None, listen, redactor)
    try:
        raise ValueError(CANARY, PRIVATE)
    except ValueError as error:
        report = write_report(error, ["--answers", CANARY], redactor, 0.0)
    sinks = {
        "stdout": out.getvalue(),
        "stderr": err.getvalue(),
        "json": lines.getvalue(),
        "plan": plan_to_json(plan, redactor),
        "report": report.read_text(),
        "repr": repr(file) + repr(answers),
        **{
            path: node.content.decode()
            for path, node in host.nodes.items()
            if path.startswith("/var/lib/dexsetup/") and "before-" not in path and node.kind is FileKind.FILE
        },
    }
    assert {"/var/lib/dexsetup/runs/20261122T140211Z-3f/log", "stdout"} <= set(sinks)
    for name, said in sinks.items():
        for form in (CANARY, json.dumps(CANARY)[1:-1], "tweety", PRIVATE):
            assert form not in said, name
        assert said or name in {"stdout", "stderr"}


def test_a_secret_shows_itself_nowhere() -> None:
    """repr, str, format and pickle say *** or refuse; only reveal tells."""
    secret = Secret("sesame")
    assert f"{secret}{secret!r}{secret:>9}" == "***" * 3
    assert secret.reveal() == "sesame"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"privateKey": "abc def",', '"privateKey": "***",'),
        ("privateKey: 'abc'", "privateKey: '***'"),
        ("password = hunter2", "password = ***"),
        ('{"password":"a\\"b", "login":"x"}', '{"password":"***", "login":"x"}'),
        (f"key {'0f' * 32} end", "key *** end"),
        ('"publicKey": "x.k"', '"publicKey": "x.k"'),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, expected: str) -> None:
    """The files that we handle are masked by shape, also where nobody told us the secret."""
    assert Redactor().text(text) == expected
