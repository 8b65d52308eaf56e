"""What Home shows: the router's peers, the mail queue and the services, looked at again and again.

It reads the admin API (peerStats is open to everybody on the machine; pings need the password of
cjdroute.conf) and asks smtpctl for the queue. Rates are differences between two looks. Times are seconds of a
monotonic clock that is given.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from dexrouter.admin.access import Access
from dexrouter.admin.client import AdminClient, AdminError
from dexsetup.errors import MachineError
from dexsetup.host.base import Host

__all__ = ["Letter", "PeerLine", "Pulse", "Watcher", "queue_of", "sparkline"]

_BARS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_MINUTE = 60
_ADMIN_SECONDS = 0.8
_PING_EVERY = 4.0
_QUEUE_EVERY = 5.0
_QUEUE_SECONDS = 60.0
"""Long on purpose: a smtpctl that is killed while opensmtpd answers it takes opensmtpd down (6.8.0p2)."""
_PEERS_MOST = 256
_UNNAMED = "outer"
"""What both routers call a peer without a name."""
_KEY_PART, _KEY_LETTERS = 5, 12
"""Where the key stands in a node name, v21.LABEL.KEY.k, whose label has four parts; and how much is shown."""
_QUEUE_FIELDS = 14


@dataclass(frozen=True, slots=True)
class PeerLine:
    """One peer, as the router sees it now."""

    address: str
    name: str
    state: str
    is_incoming: bool
    in_kbps: float
    out_kbps: float
    rtt_ms: int | None
    lost: int
    """Packets lost since the link's session began."""
    received: int
    minute: tuple[float, ...]
    """Traffic of both ways in kbit/s, one value a second, the latest last."""

    @property
    def is_local(self) -> bool:
        """Whether its address is one of the local network."""
        host = self.address.rpartition(":")[0].strip("[]")
        try:
            return ip_address(host).is_private
        except ValueError:
            return True  # a hardware address

    @property
    def loss_percent(self) -> float:
        """Packets lost of those that were sent to us."""
        total = self.received + max(0, self.lost)
        return 100.0 * max(0, self.lost) / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter that waits, as `smtpctl show queue` tells it."""

    recipient: str
    state: str
    next_seconds: int | None
    error: str


@dataclass(frozen=True, slots=True)
class Pulse:
    """One look."""

    address: str
    is_router_there: bool
    peers: tuple[PeerLine, ...]
    letters: tuple[Letter, ...]
    said: str
    """Why the router could not be asked; empty if it was."""


class Watcher:
    """Looks once a second and remembers a minute. Not for two threads at once."""

    def __init__(self, host: Host, access: Access, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._access = access
        self._clock = clock
        self._client: AdminClient | None = None
        self._before: dict[str, tuple[float, int, int]] = {}
        self._minutes: dict[str, deque[float]] = {}
        self._rtts: dict[str, int] = {}
        self._pinged: dict[str, float] = {}
        self._labels: dict[str, str] = {}
        """By link address: the label out of the peer's node name, v21.LABEL.KEY.k."""
        self._queue: tuple[float, tuple[Letter, ...]] = (float("-inf"), ())
        self._address = ""

    def look(self) -> Pulse:
        """Look once."""
        try:
            client = self._client = self._client or AdminClient(self._access, _ADMIN_SECONDS)
            peers = self._peers(client)
        except AdminError as error:
            self.close()
            return Pulse(self._address, False, (), self._letters(), str(error))
        return Pulse(self._address, True, peers, self._letters(), "")

    def close(self) -> None:
        """Close the socket."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _peers(self, client: AdminClient) -> tuple[PeerLine, ...]:
        if not self._address:
            reply = client.ask("Core_nodeInfo", signed=False)
            self._address = str(reply.get("myIp6", ""))
        found: list[PeerLine] = []
        for entry in client.pages("InterfaceController_peerStats", "peers", signed=False):
            if isinstance(entry, Mapping) and len(found) < _PEERS_MOST:
                found.append(self._line(entry))
        self._ping(client, found)
        known = {line.address for line in found}
        for gone in set(self._minutes) - known:
            del self._minutes[gone]
            self._before.pop(gone, None)
            self._rtts.pop(gone, None)
            self._pinged.pop(gone, None)
        return tuple(found)

    def _line(self, entry: Mapping[str, object]) -> PeerLine:
        address = str(entry.get("lladdr", ""))
        now = self._clock()
        bytes_in, bytes_out = _number(entry, "bytesIn"), _number(entry, "bytesOut")
        then, in_before, out_before = self._before.get(address, (now, bytes_in, bytes_out))
        seconds = max(now - then, 0.001)
        in_kbps = max(0, bytes_in - in_before) * 8 / 1000 / seconds
        out_kbps = max(0, bytes_out - out_before) * 8 / 1000 / seconds
        self._before[address] = (now, bytes_in, bytes_out)
        minute = self._minutes.setdefault(address, deque(maxlen=_MINUTE))
        minute.append(in_kbps + out_kbps)
        state = str(entry.get("state", ""))
        node = str(entry.get("addr", "")).split(".")
        self._labels[address] = ".".join(node[1:5])
        if state != "ESTABLISHED":
            self._rtts.pop(address, None)
        return PeerLine(
            address=address,
            name=_name(entry, node),
            state=state,
            is_incoming=bool(_number(entry, "isIncoming")),
            in_kbps=in_kbps,
            out_kbps=out_kbps,
            rtt_ms=self._rtts.get(address),
            lost=_number(entry, "lostPackets"),
            received=_number(entry, "receivedPackets"),
            minute=tuple(minute),
        )

    def _ping(self, client: AdminClient, peers: Iterable[PeerLine]) -> None:
        """Ping the one peer that was not pinged for the longest time: a look must stay short."""
        now = self._clock()
        waiting = [
            line.address
            for line in peers
            if line.state == "ESTABLISHED"
            and now - self._pinged.get(line.address, float("-inf")) >= _PING_EVERY
        ]
        if not waiting:
            return
        address = min(waiting, key=lambda one: self._pinged.get(one, float("-inf")))
        self._pinged[address] = now
        try:
            reply = client.ask("SwitchPinger_ping", {"path": self._labels[address], "timeout": 500})
        except AdminError:
            return
        milliseconds = reply.get("ms")
        if reply.get("result") == "pong" and isinstance(milliseconds, int):
            self._rtts[address] = milliseconds

    def _letters(self) -> tuple[Letter, ...]:
        at, letters = self._queue
        if self._clock() - at >= _QUEUE_EVERY:
            try:
                letters = queue_of(
                    self._host.probe(["smtpctl", "show", "queue"], timeout=_QUEUE_SECONDS).stdout
                )
            except MachineError:
                letters = ()
            self._queue = (self._clock(), letters)
        return letters


def queue_of(text: str) -> tuple[Letter, ...]:
    """Read what `smtpctl show queue` prints: one letter a line, fields between bars (smtpctl(8))."""
    letters = []
    for line in text.splitlines():
        fields = line.split("|", _QUEUE_FIELDS - 1)
        if len(fields) < _QUEUE_FIELDS:
            continue
        seconds = int(fields[12]) if fields[12].isdecimal() and fields[11] == "pending" else None
        letters.append(Letter(fields[6], fields[11], seconds, fields[13]))
    return tuple(letters)


def sparkline(values: Iterable[float], width: int) -> str:
    """Return the last values as bars, the greatest one full."""
    shown = list(values)[-width:]
    most = max(shown, default=0.0)
    if most <= 0:
        return _BARS[0] * len(shown)
    return "".join(_BARS[min(len(_BARS) - 1, int(value / most * (len(_BARS) - 1) + 0.5))] for value in shown)


def _name(entry: Mapping[str, object], node: Sequence[str]) -> str:
    """Return what a peer is called; one that we call and gave no name, by the first letters of its key."""
    name = str(entry.get("user", ""))
    is_named = name not in {"", _UNNAMED} or _number(entry, "isIncoming")
    return name if is_named or len(node) <= _KEY_PART else node[_KEY_PART][:_KEY_LETTERS]


def _number(entry: Mapping[str, object], key: str) -> int:
    value = entry.get(key, 0)
    return value if isinstance(value, int) else 0
