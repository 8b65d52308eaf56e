"""Starts a router, measures it, ends it: run inside a place, prints one line of JSON.

    python started_router.py ADDRESS DEVICE COMMAND...

How long from the start of the program until its address can be bound, and the processor time of that; then
SIGTERM, and how it ended. Processes that it has left behind are killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


def can_bind(address: str) -> bool:
    """Whether a program could listen at the address now."""
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as attempt, contextlib.suppress(OSError):
        attempt.bind((address, 0))
        return True
    return False


def family(pid: int) -> list[int]:
    """Give a process and all that come from it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [pid, *(one for child in children for one in family(int(child)))]


def processor_seconds(pid: int) -> float:
    """Processor time of a process and of those of its children that it has waited for."""
    times = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:15]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Start, wait, end, report."""
    address, device, *command = sys.argv[1:]
    with Path("/dev/null").open("wb") as nowhere:
        start = time.monotonic()
        router = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=nowhere, stderr=subprocess.PIPE)
        while not can_bind(address) and router.poll() is None and time.monotonic() - start < 20.0:
            time.sleep(0.002)
        bindable = time.monotonic() - start
        processor = sum(map(processor_seconds, family(router.pid)))
        time.sleep(0.3)
        memory = Path(f"/proc/{router.pid}/statm").read_text(encoding="ascii").split()[1]
        others = family(router.pid)[1:]
        ending = time.monotonic()
        router.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            router.wait(timeout=20)
        ending = time.monotonic() - ending
        for pid in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _, said = router.communicate(timeout=20)
    report = {
        "bindable": bindable,
        "resident_mib": int(memory) * 4096 / 2**20,
        "processor": processor,
        "ending": ending,
        "status": router.returncode,
        "device_left": Path("/sys/class/net", device).exists(),
        "said": said.decode(errors="replace"),
    }
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
