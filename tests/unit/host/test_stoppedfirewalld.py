"""firewalld while it is stopped: what its files say, and what is handed to firewall-offline-cmd."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dexsetup.errors import HostError
from dexsetup.host import zonexml
from dexsetup.host.base import Completed, FirewallState, ProgressSink
from dexsetup.host.stoppedfirewalld import StoppedFirewalld

PUBLIC = b"""<?xml version="1.0" encoding="utf-8"?>
<zone>
  <short>Public</short>
  <service name="ssh"/>
  <port port="4000-4010" protocol="udp"/>
  <rule family="ipv6">
    <destination address="fc00::/8"/>
    <drop/>
  </rule>
  <forward/>
</zone>
"""
TO_MESH = 'rule family="ipv6" destination address="fc00::/8" drop'
FROM_MESH = 'rule family="ipv6" source address="fc00::/8" drop'
OWN, DISTRIBUTIONS = f"{zonexml.ZONES}/", f"{zonexml.DISTRIBUTION_ZONES}/"


class Machine:
    """Files by path, and the commands that were run."""

    def __init__(self, files: dict[str, bytes], status: int = 0) -> None:
        self.files = files
        self.status = status
        self.seen: list[str] = []

    def __call__(
        self, argv: Sequence[str], /, *, timeout: float, progress: ProgressSink | None = None
    ) -> Completed:
        assert (timeout > 0, progress) == (True, None)
        self.seen.append(" ".join(argv))
        return Completed(tuple(argv), self.status, "", "INVALID_ZONE: nowhere")

    def names(self, directory: str) -> list[str]:
        return [path.rpartition("/")[2] for path in self.files if path.startswith(f"{directory}/")]

    def firewall(self, uplink: str = "eth0") -> StoppedFirewalld:
        return StoppedFirewalld(self, lambda: uplink, self.files.get, self.names)


def test_what_is_kept_is_read_from_the_zone_file() -> None:
    """Ports also in ranges, rules whatever the order of their words; nothing is so now, as nothing runs."""
    machine = Machine({f"{DISTRIBUTIONS}public.xml": PUBLIC})
    firewall = machine.firewall()
    assert firewall.state is FirewallState.STOPPED
    assert firewall.is_open("public", 4000, "udp") == (False, True)
    assert firewall.is_open("public", 4010, "udp") == (False, True)
    assert firewall.is_open("public", 4011, "udp") == (False, False)
    assert firewall.is_open("public", 4000, "tcp") == (False, False)
    assert firewall.is_open("nowhere", 4000, "udp") == (False, False)
    assert firewall.has_rule("public", TO_MESH) == (False, True)
    assert firewall.has_rule("public", FROM_MESH) == (False, False)
    assert firewall.zone_members("public") is None
    assert firewall.zone_openings("public") is None
    firewall.reload("cjdns")
    firewall.release_interface("public", "eth0")
    assert machine.seen == []


def test_the_machines_own_version_of_a_zone_counts() -> None:
    machine = Machine({f"{DISTRIBUTIONS}public.xml": PUBLIC, f"{OWN}public.xml": b"<zone/>"})
    assert machine.firewall().has_rule("public", TO_MESH) == (False, False)


@pytest.mark.parametrize(
    ("uplink", "settings", "uplinks_zone", "zones"),
    [
        ("eth0", b"# comment\nDefaultZone=FedoraWorkstation\n", "home", ("FedoraWorkstation", "home")),
        ("eth1", b"DefaultZone=public\n", "public", ("public",)),
        ("", b"Lockdown=no\nDefaultZone=\n", "public", ("public",)),
    ],
)
def test_the_zone_of_the_uplink_is_where_it_is_bound_else_the_default_one(
    uplink: str, settings: bytes, uplinks_zone: str, zones: tuple[str, ...]
) -> None:
    bound = b'<zone><interface name="eth0"/></zone>'
    machine = Machine({"/etc/firewalld/firewalld.conf": settings, f"{OWN}home.xml": bound})
    firewall = machine.firewall(uplink)
    assert firewall.zone_of_uplink() == uplinks_zone
    assert firewall.zones_in_use() == zones


def test_changes_are_firewalld_s_own_to_write_and_only_lasting_ones_are() -> None:
    machine = Machine({})
    firewall = machine.firewall()
    firewall.open_port("public", 26041, "udp")
    firewall.close_port("public", 26041, "udp", permanently=False)
    firewall.close_port("public", 26041, "udp")
    firewall.add_rule("public", "rule drop")
    firewall.remove_rule("public", "rule drop")
    assert machine.seen == [
        "firewall-offline-cmd --zone=public --add-port=26041/udp",
        "firewall-offline-cmd --zone=public --remove-port=26041/udp",
        "firewall-offline-cmd --zone=public --add-rich-rule=rule drop",
        "firewall-offline-cmd --zone=public --remove-rich-rule=rule drop",
    ]
    with pytest.raises(HostError, match="failed") as caught:
        Machine({}, status=112).firewall().add_rule("nowhere", "rule drop")
    assert "INVALID_ZONE" in caught.value.why


def test_two_files_mean_the_same_whatever_their_order_and_layout() -> None:
    """A file that is no XML means itself; none means none."""
    turned = b'<zone><forward/><service name="ssh"/><short> Public </short></zone>'
    straight = b'<zone>\n <short>Public</short>\n <service name="ssh"/>\n <forward/>\n</zone>\n'
    assert zonexml.meaning(turned) == zonexml.meaning(straight)
    assert zonexml.meaning(straight) != zonexml.meaning(PUBLIC)
    assert zonexml.meaning(b"<zone") == b"<zone"
    assert zonexml.meaning(None) is None
    assert zonexml.interfaces(b"<zone") == frozenset()
    assert not zonexml.has_port(b'<zone><port port="a-b" protocol="udp"/></zone>', 1, "udp")
