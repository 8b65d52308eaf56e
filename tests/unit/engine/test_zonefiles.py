"""The files that firewalld writes for a zone: given back byte for byte, unless somebody changed the zone."""

from __future__ import annotations

import pytest

from dexsetup.host.fake import FakeHost
from dexsetup.plan.handlers.context import Context
from dexsetup.plan.handlers.zonefiles import give_back_zone, keep_zone
from dexsetup.plan.journal import Journal

OWN = "/etc/firewalld/zones/public.xml"
OLD = f"{OWN}.old"
BEFORE = b'<zone>\n  <service name="ssh"/>\n  <!-- mine -->\n  <forward/>\n</zone>\n'
WITH_PORT = b'<zone><service name="ssh"/><port port="4000" protocol="udp"/><forward/></zone>'
WITHOUT_PORT = b'<?xml version="1.0"?>\n<zone>\n  <forward/>\n  <service name="ssh"/>\n</zone>\n'
ELSE = b'<zone><service name="ssh"/><service name="http"/><forward/></zone>'


def machine() -> FakeHost:
    """Return a machine on which firewalld keeps its distribution's zone."""
    return FakeHost({"/usr/lib/firewalld/zones/public.xml": BEFORE, "/etc/firewalld/firewalld.conf": b""})


def changed(host: FakeHost, after_undo: bytes) -> None:
    """Let firewalld add a port and take it away again; then give back what was kept before."""
    host.put("/etc/firewalld/zones/.keep", b"")
    context = Context(host, {}, journal=Journal(host, "20261122T140211Z-3f"))
    kept = keep_zone("public", context)
    host.put(OLD, host.read(OWN) or WITH_PORT)
    host.put(OWN, WITH_PORT)
    host.put(OWN, after_undo)
    give_back_zone("public", kept, context)


def test_a_zone_that_only_the_distribution_had_has_no_file_again() -> None:
    host = machine()
    changed(host, WITHOUT_PORT)
    assert (host.read(OWN), host.read(OLD)) == (None, None)


@pytest.mark.parametrize("old", [None, b"<zone/>"])
def test_a_zone_of_the_machine_s_own_has_its_bytes_and_rights_again(old: bytes | None) -> None:
    host = machine()
    host.put(OWN, BEFORE, mode=0o600)
    if old is not None:
        host.put(OLD, old)
    changed(host, WITHOUT_PORT)
    assert (host.read(OWN), host.read(OLD)) == (BEFORE, old)
    info = host.stat(OWN)
    assert info is not None
    assert info.mode == 0o600


def test_what_somebody_else_changed_in_the_zone_stays() -> None:
    host = machine()
    changed(host, ELSE)
    assert host.read(OWN) == ELSE


def test_the_journal_of_an_older_version_kept_no_files() -> None:
    host = machine()
    host.put(OWN, WITHOUT_PORT)
    give_back_zone("public", None, Context(host, {}))
    assert host.read(OWN) == WITHOUT_PORT
