"""Calls over the mesh with the real phones: linphone and baresip, set up by dexsetup from answers, and heard.

Two homes behind NAT, two real routers; from the mesh, nothing comes in but what dexsetup opens for calls.
Each phone plays a tone of its own: what the other one recorded tells whether it was heard. While they run,
the doctor is asked about them, and their files are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from dexsetup.exitcodes import ExitCode
from machine import NAMESPACES, OVERLAY, ROOT, TUN, needs, program
from phones import CallingHomes, Phone, running
from two_homes import ANN, BEN, Person

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(400),
    needs(
        *(ROOT, TUN, NAMESPACES, OVERLAY),
        *(program(name) for name in ("nft", "linphonec", "baresip")),
    ),
]

TONES = {ANN: 440, BEN: 880}
BARESIP_TONE = 660
CALL = r"Call \d+ with .* connected"


@pytest.fixture(scope="module")
def homes() -> Iterator[CallingHomes]:
    with CallingHomes() as street:
        street.start_public_node()
        for person in (ANN, BEN):
            street.add_home(person)
            street.give_tone(person, TONES[person])
        street.prepare_baresip(BEN, BARESIP_TONE)
        with ThreadPoolExecutor() as both:
            list(both.map(street.set_up, (ANN, BEN)))
            list(both.map(know_each_other, (street, street), (ANN, BEN)))
        for person in (ANN, BEN):
            street.guard(person)
        street.ping(ANN, BEN)
        yield street


def know_each_other(street: CallingHomes, person: Person) -> None:
    other = BEN if person is ANN else ANN
    address = street.address_of(other).upper()
    street.dexsetup(person, "contacts", "add", other.login, address, "--name", other.real_name)


def doctor_on_phone(street: CallingHomes, person: Person) -> str:
    """Return what the doctor says of the phone that runs."""
    said = street.dexsetup(person, "doctor", "--json", allowed=(0, 6))
    findings = json.loads(said.strip().splitlines()[-1])["findings"]
    return next(str(finding["text"]) for finding in findings if finding["link"] == "phone")


def ready(phone: Phone) -> None:
    """Wait for the prompt of linphone, and let it play and record files."""
    phone.wait_for("linphonec> ")
    phone.type("soundcard use files")


def play_and_record(phone: Phone, name: str) -> None:
    phone.type("play /tmp/tone.wav")
    phone.type(f"record /tmp/{name}")


def test_two_linphones_hear_each_other(homes: CallingHomes) -> None:
    """Both ways; a message arrives; no address but those of the mesh is told; only open ports are used."""
    linphone = ("linphonec", "-a", "-d", "6")
    with running(homes, ANN, *linphone) as ann, running(homes, BEN, *linphone) as ben:
        for phone in (ann, ben):
            ready(phone)
        assert "answers: 200 Ok" in doctor_on_phone(homes, ANN)
        said = homes.dexsetup(ANN, "contacts", "add", "zoe", "fc00::9", allowed=(ExitCode.MACHINE,))
        assert "linphonec of ann is running" in said
        ann.type("friend list")
        ann.wait_for(f"name: {BEN.real_name}\\s+address: sip:ben@")
        ann.type(f"call {homes.sip_address(BEN)}")
        for phone, name in ((ann, "first-ann.wav"), (ben, "first-ben.wav")):
            phone.wait_for(CALL)
            play_and_record(phone, name)
        ann.type(f"chat {homes.sip_address(BEN)} can you read this?")
        ben.wait_for(r"Message received from sip:ann@\S+: can you read this\?")
        for phone, name in ((ann, "first-ann.wav"), (ben, "first-ben.wav")):
            phone.wait_for_sound(name)
            own = homes.address_of(phone.person)
            assert phone.sockets == {(own, port) for port in ("5060", "7078", "7079")}
        ann.type("terminate")
        ann.wait_for_tone("first-ann.wav", TONES[BEN])
        ben.wait_for_tone("first-ben.wav", TONES[ANN])
        assert_nothing_but_mesh_addresses(homes, ann, ben)


def assert_nothing_but_mesh_addresses(homes: CallingHomes, *phones: Phone) -> None:
    """The other one does not learn where on the Internet somebody is, nor the address at home."""
    for phone in phones:
        assert phone.media_addresses == {homes.address_of(ANN), homes.address_of(BEN)}
        assert "m=audio 7078 " in phone.said
        assert "2001:db8" not in phone.told
        assert "192.168." not in phone.told


def test_linphone_and_baresip_hear_each_other_whoever_calls(homes: CallingHomes) -> None:
    """Both ways, in either direction; messages arrive; baresip knows the contact that dexsetup gave it."""
    with (
        running(homes, ANN, "linphonec", "-a", "-d", "6") as ann,
        running(homes, BEN, "baresip", "-s") as ben,
    ):
        ready(ann)
        ben.wait_for("baresip is ready")
        assert "Populated 1 account" in ben.said
        assert "answers: 404 Not Found (baresip" in doctor_on_phone(homes, BEN)
        ann.type(f"call {homes.sip_address(BEN)}")
        ben.wait_for("[Ii]ncoming call")
        ben.type("/accept")
        ann.wait_for(CALL)
        play_and_record(ann, "second-ann.wav")
        ann.type(f"chat {homes.sip_address(BEN)} hello baresip")
        ben.wait_for('sip:ann@.*"hello baresip"')
        ben.type("/contacts")
        ben.wait_for(f"{ANN.real_name} <sip:ann@")
        ben.type("/message hello linphone")
        ann.wait_for(r"Message received from sip:ben@\S+: hello linphone")
        ann.wait_for_sound("second-ann.wav")
        ben.wait_for_sound("*-dec.wav")
        ann.type("terminate")
        ann.wait_for_tone("second-ann.wav", BARESIP_TONE)
        ben.wait_for_tone("*-dec.wav", TONES[ANN])

        since = ben.type(f"/dial {homes.sip_address(ANN)}")
        ben.wait_for("Call established", since=since)
        play_and_record(ann, "third-ann.wav")
        ann.wait_for_sound("third-ann.wav")
        assert {port for _, port in ben.sockets} >= {"5060", "7078", "7079"}
        ben.type("/hangup")
        ann.wait_for_tone("third-ann.wav", BARESIP_TONE)
        ben.wait_for_tone("*-dec.wav", TONES[ANN])
        assert_nothing_but_mesh_addresses(homes, ann, ben)
