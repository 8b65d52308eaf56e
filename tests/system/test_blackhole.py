"""The route at which packets end, in a real kernel: of this very prefix and metric, and no other."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence

import pytest

from dexsetup.errors import HostError
from dexsetup.host import blackholes
from dexsetup.host.base import Completed, ProgressSink
from dexsetup.host.commands import run_command
from machine import PRIVATE_NETWORK, ROOT, needs, program

pytestmark = [pytest.mark.system, needs(ROOT, PRIVATE_NETWORK, program("ip"))]


class Kernel:
    """A network namespace of its own, and the commands in it."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo ready; exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n"

    def __call__(
        self, argv: Sequence[str], /, *, timeout: float, progress: ProgressSink | None = None
    ) -> Completed:
        """Run a command there."""
        inside = ["nsenter", f"--target={self._holder.pid}", "--net", "--", *argv]
        return run_command(inside, timeout=timeout, progress=progress)

    def routes(self) -> list[str]:
        """Return the routes at which packets end."""
        shown = self(["ip", "-6", "route", "show", "type", "blackhole"], timeout=20).stdout
        return [line.split(" pref ")[0].strip() for line in shown.splitlines()]

    def close(self) -> None:
        """Let it go."""
        self._holder.communicate()


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    """Make a namespace, and take it down."""
    made = Kernel()
    yield made
    made.close()


def test_only_the_very_route_is_found_added_and_taken_away(kernel: Kernel) -> None:
    """Another metric or a narrower prefix is somebody else's, before and after."""
    kernel(["ip", "-6", "route", "add", "blackhole", "fc00::/8", "metric", "700"], timeout=20)
    kernel(["ip", "-6", "route", "add", "blackhole", "fc12::/16", "metric", "500"], timeout=20)
    others = kernel.routes()
    assert len(others) == 2
    assert blackholes.has_blackhole(kernel, "fc00::/8", 500) is False
    for _ in range(2):
        blackholes.add_blackhole(kernel, "fc00::/8", 500)
        assert blackholes.has_blackhole(kernel, "fc00::/8", 500) is True
    assert "blackhole fc00::/8 dev lo metric 500" in kernel.routes()
    blackholes.remove_blackhole(kernel, "fc00::/8", 500)
    assert blackholes.has_blackhole(kernel, "fc00::/8", 500) is False
    assert kernel.routes() == others


def test_what_the_kernel_refuses_is_said_in_its_words(kernel: Kernel) -> None:
    """Nobody has to guess which route of which command it was."""
    with pytest.raises(HostError) as caught:
        blackholes.remove_blackhole(kernel, "fc00::/8", 500)
    assert caught.value.what == "ip -6 route del blackhole fc00::/8 metric 500 failed."
    assert "No such process" in caught.value.why


def test_without_the_program_nobody_can_say() -> None:
    """Then the router's own unit is trusted with the route."""

    def no_program(argv: Sequence[str], /, *, timeout: float, progress: object = None) -> Completed:
        del timeout, progress
        return Completed(tuple(argv), 127, "", "ip: not found")

    assert blackholes.has_blackhole(no_program, "fc00::/8", 500) is None
