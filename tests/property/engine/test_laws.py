"""Laws of answers and engine over generated values."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dexsetup.answers.load import parse_answers
from dexsetup.answers.model import Allow, Answers, Firewall, Mail, Node, Peer, Phone, User
from dexsetup.answers.save import save_answers
from dexsetup.exitcodes import ExitCode
from dexsetup.host.fake import FakeHost
from dexsetup.plan.engine import Engine, Options
from dexsetup.plan.model import ManagedFile, Plan, StepPlan
from dexsetup.plan.undo import undo_run
from dexsetup.report.redact import Redactor
from dexsetup.secret import Secret

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
KEYS = st.text("0123456789bcdfghjklmnpqrstuvwxyz", min_size=52, max_size=52).map(lambda text: f"{text}.k")
OPTIONAL = st.none()


def section(model: type, **fields: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Build a section with any subset of its keys set."""
    return st.fixed_dictionaries({}, optional=fields).map(lambda values: model(**values))


NODES = section(
    Node,
    key=st.sampled_from(["keep", "new", "import:/etc/cjdroute.conf"]),
    udp_port=st.integers(1, 65535),
    lan_peering=st.booleans(),
    device=st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,14}", fullmatch=True),
)
PEERS = st.builds(
    lambda key, more: Peer(public_key=key, **more),
    KEYS,
    st.fixed_dictionaries(
        {},
        optional={
            "address": st.sampled_from(["192.0.2.1:26041", "[2001:db8::1]:1"]),
            "password": TEXT.map(Secret),
            "login": TEXT,
            "name": TEXT,
            "state": st.sampled_from(["present", "absent"]),
        },
    ),
)
ALLOWED = st.builds(
    lambda login, more: Allow(login=login, **more),
    st.from_regex(r"[a-z\u00e4\u4e2d'\"\[\\][ -~]{0,20}[a-z\]\U0001f600]", fullmatch=True),
    st.fixed_dictionaries(
        {},
        optional={
            "password": TEXT.map(Secret),
            "address": st.sampled_from(["192.0.2.1", "192.0.2.1:26041", "2001:db8::1", "[2001:db8::1]:1"]),
            "state": st.sampled_from(["present", "absent"]),
        },
    ),
)
USERS = st.builds(
    lambda login, more: User(login=login, **more),
    st.from_regex(r"[a-z_][a-z0-9_.-]{0,31}", fullmatch=True),
    st.fixed_dictionaries({}, optional={"real_name": TEXT, "files": st.just(("mailrc", "pinerc"))}),
)
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "node": NODES,
        "peer": st.lists(PEERS, max_size=3, unique_by=lambda peer: peer.public_key).map(tuple),
        "allow": st.lists(ALLOWED, max_size=2, unique_by=lambda one: one.login).map(tuple),
        "firewall": section(
            Firewall, enable=st.booleans(), accept_risk=st.lists(TEXT, max_size=2).map(tuple)
        ),
        "mail": section(Mail, enable=st.booleans(), relay=st.sampled_from(["mesh", "any"])),
        "phone": section(Phone, enable=st.booleans()),
        "user": st.lists(USERS, max_size=2, unique_by=lambda user: user.login).map(tuple),
    },
).map(lambda values: Answers.model_validate({"schema": 1, **values}))


@settings(max_examples=60, deadline=None)
@given(ANSWERS)
def test_loading_what_was_saved_gives_an_equal_object(answers: Answers) -> None:
    """Save, then load: equal, with the same keys set and the same secrets; and saved again the same text."""
    text = save_answers(answers)
    loaded = parse_answers(text, "saved").answers
    assert loaded == answers
    assert [peer.model_fields_set for peer in loaded.peer] == [peer.model_fields_set for peer in answers.peer]
    assert save_answers(loaded) == text


CONTENT = st.sampled_from([None, b"a\n", b"b\n", b"c", b""])
STATES = st.tuples(CONTENT, st.sampled_from([0o600, 0o644]), st.sampled_from(["root", "jo"]))
FILES = st.dictionaries(st.sampled_from(["/etc/a", "/etc/b", "/etc/new/c"]), STATES, max_size=3)


@settings(max_examples=60, deadline=None)
@given(FILES, st.lists(FILES, min_size=1, max_size=3), st.sampled_from(["ours", "theirs"]))
def test_undoing_every_run_gives_back_the_beginning(
    there: dict[str, tuple[bytes | None, int, str]],
    runs: list[dict[str, tuple[bytes | None, int, str]]],
    decision: str,
) -> None:
    """Whatever runs follow on whatever was there: reruns change nothing, and undoing all gives it back."""
    host = FakeHost()
    for path, (content, mode, owner) in there.items():
        if content is not None:
            host.put(path, content, mode=mode, owner=owner)
    before = host.snapshot()
    for number, wanted in enumerate(runs):
        resources = tuple(
            ManagedFile(path, content, mode, owner, owner, on_conflict=decision)  # type: ignore[arg-type]  # a word
            for path, (content, mode, owner) in wanted.items()
        )
        plan = Plan((StepPlan("files", "files", resources),), None)

        def engine(name: str, plan: Plan = plan) -> Engine:
            return Engine(host, lambda: plan, lambda _: None, run=name, options=Options())

        assert engine(f"20261122T14021{number}Z-3f").run().code is ExitCode.OK
        after = dict(host.nodes)
        assert engine(f"20261122T15021{number}Z-3f").run().run == ""
        assert host.nodes == after
    for _ in runs:
        undo_run(host, None, lambda _: None, Redactor())
    assert host.snapshot() == before
