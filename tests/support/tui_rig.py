"""A wizard over a machine in memory, driven by keys: what the tests of the screens and the pictures share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from dexrouter.config import ConnectTo
from dexsetup.commands.session import Flags
from dexsetup.host.base import Completed, UnitState
from dexsetup.host.fake import FakeHost
from dexsetup.probe import Answer, Result
from dexsetup.steps.base import Draws
from dexsetup.ui.app import Wizard
from dexsetup.ui.desk import Desk
from dexsetup.ui.pulse import Letter, PeerLine, Pulse
from step_inputs import DRAWN, SECRET

__all__ = [
    "GOLDENS",
    "TREE",
    "Driver",
    "debian_host",
    "desk_for",
    "drive",
    "fake_prober",
    "picture",
    "two_peers",
]

GOLDENS = Path(__file__).resolve().parent.parent / "golden" / "tui"
TREE = "/tree"
_PASSWD = "root:x:0:0:root:/root:/bin/bash\njo:x:1000:1000:{name},,,:/home/jo:/bin/bash\n"
_SECONDS = 15.0


class _Greets(dict[tuple[str, int], str]):
    """A mail server at whatever address the node has."""

    def get(self, key: tuple[str, int], default: Any = None) -> Any:
        del default
        return f"220 {key[0]} ESMTP"


def debian_host(*, name: str = "Jo Doe", uid: int = 0, files: dict[str, bytes] | None = None) -> FakeHost:
    """Return a Debian with systemd, opensmtpd and one person, on which everything that is started works."""
    host = FakeHost(
        {
            "/etc/os-release": b'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
            "/etc/hostname": b"host-a\n",
            "/etc/passwd": _PASSWD.format(name=name).encode(),
            "/etc/group": b"root:x:0:\njo:x:1000:\n",
            "/usr/sbin/smtpd": b"",
            "/usr/bin/python3": b"",
            "/dev/net/tun": b"",
            "/run/systemd/system/here": b"",
            **(files or {}),
        }
    )
    host.users.add("jo")
    host.put("/home/jo/.profile", b"", owner="jo")
    host.programs[("id", "-u")] = Completed(("id", "-u"), 0, f"{uid}\n", "")
    host.programs[("uname", "-n")] = Completed(("uname", "-n"), 0, "host-a\n", "")
    host.programs[("smtpd", "-h")] = Completed(("smtpd", "-h"), 1, "", "version: OpenSMTPD 6.8.0p2\n")
    host.packages.present |= {"iproute2", "s-nail", "opensmtpd", "alpine"}
    host.services.units["opensmtpd.service"] = UnitState(exists=True, enabled=True, active=True)
    host.firewall.openings["public"] = (("ssh", ("22/tcp",)),)
    host.programs[("ss", "-H", "-lntup")] = Completed(
        ("ss",), 0, 'tcp LISTEN 0 128 *:22 *:* users:(("sshd",))\n', ""
    )
    host.network.any_address_is_bound = True
    host.network.greetings = _Greets()
    host.network.peers = (("139.162.119.37:22237", "ESTABLISHED"),)
    host.sources[TREE] = {"bin/dexrouter": b"#!", "lib/dexrouter/__init__.py": b""}
    return host


def fake_prober(
    peers: Iterable[ConnectTo], *, report: Callable[[Result], None], is_stopped: Callable[[], bool]
) -> tuple[Result, ...]:
    """Let every fifth peer answer, the others not."""
    del is_stopped
    results = []
    for number, peer in enumerate(peers):
        if number % 5 == 1:
            results.append(Result(peer, Answer.OK, 20 + 7 * number, 21))
        else:
            results.append(Result(peer, Answer.SILENT))
        report(results[-1])
    return tuple(results)


def silent_ear(report: Any, is_stopped: Callable[[], bool], *, own_address: str) -> tuple[str, ...]:
    """Hear nobody on the local network."""
    del report, is_stopped, own_address
    return ()


def desk_for(host: FakeHost, *, answers: str = "", prober: Any = fake_prober, ear: Any = silent_ear) -> Desk:
    """Return a desk at that machine whose key is drawn the same every time."""
    desk = Desk(Flags(), host=host, prober=prober, ear=ear, answers=answers)
    desk.session.__dict__["draws"] = Draws(DRAWN, SECRET)
    return desk


def picture(wizard: Wizard) -> str:
    """Return what stands on the screen, as text."""
    strips = wizard.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips) + "\n"


class Driver:
    """Keys in, state and text out."""

    def __init__(self, wizard: Wizard, pilot: Pilot[Any]) -> None:
        self.wizard = wizard
        self.pilot = pilot

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something holds."""
        deadline = asyncio.get_running_loop().time() + _SECONDS
        while not condition():
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"not within {_SECONDS} s; on the screen:\n{picture(self.wizard)}")
            await self.pilot.pause(0.01)
        await self.pilot.pause()

    async def opened(self) -> None:
        """Wait for the survey and the first plan."""
        await self.until(lambda: self.wizard.survey is not None)
        await self.planned()

    async def planned(self) -> None:
        """Wait until the plan is that of the draft."""
        await self.until(lambda: self.wizard.planning.looked is not None and self.wizard.planning.is_current)

    async def ran(self) -> None:
        """Wait for the end of a run."""
        running = self.wizard.running
        await self.until(lambda: running.view is not None and not running.is_applying)

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Type a text into what has the keyboard."""
        for character in text:
            await self.pilot.press(character)
        await self.pilot.pause()

    async def at(self, step: str) -> None:
        """Wait until a page is there and has the keyboard."""
        wizard = self.wizard
        await self.until(lambda: wizard.step == step and wizard.page.step == step)
        await self.until(lambda: wizard.focused is not None and wizard.page in wizard.focused.ancestors)

    async def go(self, number: int, step: str) -> None:
        """Jump to a page by its number."""
        self.wizard.screen.set_focus(None)
        await self.press(str(number))
        await self.at(step)

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return picture(self.wizard)


def drive(
    desk: Desk,
    play: Callable[[Driver], Awaitable[None]],
    *,
    size: tuple[int, int] = (80, 24),
    page: str = "",
    is_ascii: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Wizard:
    """Run the wizard at a window of this size and let `play` have the keyboard."""
    wizard = Wizard(lambda: desk, page=page, is_ascii=is_ascii, clock=clock)

    async def run() -> None:
        async with wizard.run_test(size=size) as pilot:
            await play(Driver(wizard, pilot))

    asyncio.run(run())
    return wizard


def two_peers(wizard: Wizard) -> None:
    """Let Home show two peers and a letter that waits, and stop looking."""
    wizard.watching.is_looking = True
    minute = tuple(float(n % 7) for n in range(60))
    wizard.watching.pulse = Pulse(
        wizard.address,
        True,
        (
            PeerLine("139.162.119.37:22237", "trnsz-jp", "ESTABLISHED", False, 3.2, 1.0, 27, 0, 900, minute),
            PeerLine("192.0.2.77:40000", "outer", "UNRESPONSIVE", True, 0.0, 0.0, None, 9, 91, (0.0,) * 60),
        ),
        (Letter("ann@[IPv6:fc00::1]", "pending", 400, "Network error on destination MXs"),),
        "",
    )
    wizard.renew()
