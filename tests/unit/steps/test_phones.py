"""The phones: which form of linphone is here, baresip beside what a person has, and the ports of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dexsetup.facts import Baresip, Facts, FileFact, Program
from dexsetup.plan.model import ManagedFile, StepPlan
from dexsetup.steps.firewall import mesh_ports
from dexsetup.steps.packages import PackagesStep
from dexsetup.steps.userfiles import UserFilesStep
from step_inputs import ADDRESS, answers, debian, file_of, inputs, with_node

HOME = "/home/carol"
DESKTOP = f"{HOME}/.config/linphone/linphonerc"
FLATPAK = f"{HOME}/.var/app/com.belledonnecommunications.linphone/config/linphone/linphonerc"
CONSOLE = f"{HOME}/.linphonerc"
LAUNCHERS = f"{HOME}/.local/share/applications"
DEBIAN_BARESIP = Baresip("/usr/lib/baresip/modules", ("account", "alsa", "contact", "g711", "menu", "opus"))
TEMPLATE_OF_BARESIP = (
    b"poll_method\t\tepoll\n#sip_listen\t0.0.0.0:5060\naudio_player\t\talsa,default\n"
    b"module_path\t\t/usr/lib/baresip/modules\nmodule\t\t\tstdio.so\n#module\topus.so\nmodule\t\t\tg711.so\n"
    b"module\t\t\talsa.so\nmodule_tmp\t\taccount.so\nmodule_app\t\tcontact.so\nmodule_app\t\tmenu.so\n"
)


def machine(
    *programs: str, version: str = "5.2.6", files: Mapping[str, bytes] | None = None, **changes: Any
) -> Facts:
    known = {path: FileFact(content, 0o600, "carol", "carol") for path, content in (files or {}).items()}
    found = {name: Program(f"/usr/bin/{name}", version) for name in programs}
    return with_node(files=known, programs=found, **changes)


def plan_for(facts: Facts, *words: str, **sections: object) -> StepPlan:
    carol = {"login": "carol", "files": words}
    plan = UserFilesStep().plan(inputs(answers(user=(carol,), **sections), facts))
    assert plan is not None
    return plan


def paths_of(plan: StepPlan) -> set[str]:
    return {item.path for item in plan.resources if isinstance(item, ManagedFile)}


def text_of(plan: StepPlan, path: str) -> str:
    return (file_of(plan, path).content or b"").decode()


@pytest.mark.parametrize(
    ("programs", "files", "expected"),
    [
        ((), {}, {CONSOLE}),
        (("linphone",), {}, {CONSOLE}),
        (("linphone-desktop",), {}, {DESKTOP, f"{LAUNCHERS}/dexsetup-linphone.desktop"}),
        (("linphone-flatpak",), {}, {FLATPAK, f"{LAUNCHERS}/dexsetup-linphone-flatpak.desktop"}),
        (("linphone",), {DESKTOP: b""}, {CONSOLE, DESKTOP, f"{LAUNCHERS}/dexsetup-linphone.desktop"}),
    ],
    ids=["none", "console", "desktop", "flatpak", "console installed and desktop used"],
)
def test_each_form_of_linphone_gets_the_file_that_it_reads(
    programs: tuple[str, ...], files: dict[str, bytes], expected: set[str]
) -> None:
    plan = plan_for(machine(*programs, files=files), "linphonerc")
    assert paths_of(plan) == expected
    for path in expected & {CONSOLE, DESKTOP, FLATPAK}:
        assert text_of(plan, path).count(f"bind_address={ADDRESS}\n") == 2


def test_the_launcher_waits_for_the_address() -> None:
    """Linphone that starts before its address is there never listens (spec 10 §4.2)."""
    plan = plan_for(machine("linphone-desktop"), "linphonerc")
    text = text_of(plan, f"{LAUNCHERS}/dexsetup-linphone.desktop")
    assert 'Exec=sh -c "dexctl wait-online --quiet --timeout 60; exec linphone"\n' in text


def test_linphone_with_an_account_gets_other_settings_and_is_told_how_to_start() -> None:
    """For each form; what the person has stays, and its account is not copied to where it could not work."""
    account = b"[proxy_0]\nreg_identity=sip:c@example.org\n"
    facts = machine("linphone", "linphone-desktop", files={CONSOLE: account, DESKTOP: account})
    plan = plan_for(facts, "linphonerc")
    mesh = f"{HOME}/.config/dexsetup-mesh"
    assert paths_of(plan) == {
        f"{CONSOLE}-mesh",
        f"{mesh}/linphone/linphonerc",
        f"{LAUNCHERS}/dexsetup-linphone.desktop",
    }
    assert "proxy_0" not in text_of(plan, f"{CONSOLE}-mesh")
    assert f"exec env XDG_CONFIG_HOME={mesh} linphone" in text_of(
        plan, f"{LAUNCHERS}/dexsetup-linphone.desktop"
    )
    assert any(f"linphonec -c {CONSOLE}-mesh" in note for note in plan.notes)
    assert any(f"env XDG_CONFIG_HOME={mesh} linphone" in note for note in plan.notes)


@pytest.mark.parametrize(("version", "is_told"), [("4.4.10-3", False), ("5.2.6", False), ("6.0.1", True)])
def test_a_linphone_that_insists_on_an_account_is_told_of(version: str, is_told: bool) -> None:
    plan = plan_for(machine("linphone-desktop", version=version), "linphonerc")
    assert any("asks for an account" in note for note in plan.notes) == is_told


def test_baresip_gets_settings_account_and_contacts() -> None:
    plan = plan_for(machine("baresip", baresip=DEBIAN_BARESIP), "baresip")
    assert paths_of(plan) == {f"{HOME}/.baresip/{name}" for name in ("config", "accounts", "contacts")}
    lines = [" ".join(line.split()) for line in text_of(plan, f"{HOME}/.baresip/config").splitlines()]
    assert [line for line in lines if not line.startswith("#")] == [
        f"sip_listen [{ADDRESS}]:5060",
        f"net_interface {ADDRESS}",
        "rtp_ports 7078-7079",
        "call_max_calls 1",
        "module_path /usr/lib/baresip/modules",
        "module stdio.so",
        "module opus.so",
        "module g711.so",
        "module alsa.so",
        "module_app account.so",
        "module_app contact.so",
        "module_app menu.so",
    ]
    account = f'"Carol Smith" <sip:carol@[{ADDRESS}]>;regint=0;answermode=manual\n'
    assert account in text_of(plan, f"{HOME}/.baresip/accounts")


def test_both_phones_send_sound_from_ports_that_the_firewall_opens() -> None:
    """And from no others: what is open and unused is open to somebody else's program."""
    plan = plan_for(machine(baresip=DEBIAN_BARESIP), "linphonerc", "baresip")
    opened = mesh_ports(("cjdns-sip",))
    assert ("7078-7079", "udp") in opened
    assert "rtp_ports 7078-7079\n" in text_of(plan, f"{HOME}/.baresip/config")
    assert "audio_rtp_port=7078\nvideo_rtp_port=9078\n" in text_of(plan, CONSOLE)


@pytest.mark.parametrize(
    ("modules", "driver"),
    [(("alsa", "pulse"), "pulse"), (("pipewire", "pulse"), "pipewire"), (("opus",), "")],
)
def test_baresip_plays_through_what_is_there(modules: tuple[str, ...], driver: str) -> None:
    facts = machine(baresip=Baresip("/usr/lib64/baresip/modules", modules))
    text = text_of(plan_for(facts, "baresip"), f"{HOME}/.baresip/config")
    found = [name for name in ("pipewire", "pulse", "alsa") if f"{name}.so" in text]
    assert found == ([driver] if driver else [])


@pytest.mark.parametrize("family", ["debian", "fedora"])
def test_what_is_written_before_baresip_is_installed_is_wanted_afterwards_too(family: str) -> None:
    """The first run installs it; the second one, which sees its modules, changes nothing."""
    first = plan_for(machine(family=family), "baresip")
    path = "/usr/lib64/baresip/modules" if family == "fedora" else "/usr/lib/baresip/modules"
    names = ("account", "alsa", "pipewire", "pulse") if family == "fedora" else ("account", "alsa", "pulse")
    files = {name: file_of(first, name).content or b"" for name in paths_of(first)}
    second = plan_for(machine("baresip", family=family, baresip=Baresip(path, names), files=files), "baresip")
    assert {name: file_of(second, name).content for name in paths_of(second)} == files


def test_beside_settings_that_baresip_made_itself_ours_come_first_and_load_nothing_twice() -> None:
    """Of several values of a key baresip takes the first; an account that is loaded twice answers twice."""
    path = f"{HOME}/.baresip/config"
    facts = machine("baresip", baresip=DEBIAN_BARESIP, files={path: TEMPLATE_OF_BARESIP})
    text = text_of(plan_for(facts, "baresip"), path)
    assert text.startswith("# BEGIN dexsetup\n")
    assert text.endswith("# END dexsetup\n" + TEMPLATE_OF_BARESIP.decode())
    ours = text.partition("# END dexsetup")[0]
    assert [line.split()[1] for line in ours.splitlines() if line.startswith("module")] == ["opus.so"]


@pytest.mark.parametrize(
    ("name", "line"),
    [("accounts", b"<sip:c@example.org>;auth_pass=x\n"), ("config", b"sip_listen\t192.0.2.1:5060\n")],
)
def test_beside_an_account_baresip_gets_a_directory_of_its_own(name: str, line: bytes) -> None:
    path = f"{HOME}/.baresip/{name}"
    plan = plan_for(machine("baresip", files={path: line}), "baresip")
    assert paths_of(plan) == {f"{HOME}/.baresip-mesh/{name}" for name in ("config", "accounts", "contacts")}
    (note,) = plan.notes
    assert note.startswith(f"{HOME}/.baresip/config is used otherwise and stays as it is")
    assert note.endswith(f"for the mesh: baresip -f {HOME}/.baresip-mesh")


def test_switched_off_baresip_has_again_what_it_had() -> None:
    path = f"{HOME}/.baresip/config"
    on = plan_for(machine(files={path: TEMPLATE_OF_BARESIP}), "baresip")
    files = {name: file_of(on, name).content or b"" for name in paths_of(on)}
    off = plan_for(machine(files=files), "baresip", phone={"enable": False})
    assert {name: file_of(off, name).content for name in paths_of(off)} == {
        path: TEMPLATE_OF_BARESIP,
        f"{HOME}/.baresip/accounts": None,
        f"{HOME}/.baresip/contacts": None,
    }


def test_switched_off_the_launcher_goes() -> None:
    facts = machine("linphone-desktop")
    off = plan_for(facts, "linphonerc", phone={"enable": False})
    assert file_of(off, f"{LAUNCHERS}/dexsetup-linphone.desktop").content is None


@pytest.mark.parametrize(
    ("family", "packages"),
    [("debian", {"baresip-core"}), ("fedora", {"baresip", "baresip-opus", "baresip-pipewire"})],
)
def test_baresip_is_installed_from_the_distribution(family: str, packages: set[str]) -> None:
    wanted = answers(user=({"login": "carol", "files": ("baresip",)},))
    plan = PackagesStep().plan(inputs(wanted, debian(family=family)))
    assert plan is not None
    (resource,) = plan.resources
    assert packages <= set(resource.names)  # type: ignore[union-attr]  # it is a PackageSet
    assert plan.notes == ()
