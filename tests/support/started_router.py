"""Starts a router, measures it, ends it: run inside a place, prints one line of JSON.

    python started_router.py ADDRESS DEVICE COMMAND...

How long from the start of the program until its address can be bound; then SIGTERM, and how it ended.
"""

from __future__ import annotations

import contextlib
import json
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


def main() -> None:
    """Start, wait, end, report."""
    address, device, *command = sys.argv[1:]
    with Path("/dev/null").open("wb") as nowhere:
        start = time.monotonic()
        router = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=nowhere, stderr=subprocess.PIPE)
        while not can_bind(address) and router.poll() is None and time.monotonic() - start < 20.0:
            time.sleep(0.002)
        bindable = time.monotonic() - start
        time.sleep(0.3)
        memory = Path(f"/proc/{router.pid}/statm").read_text(encoding="ascii").split()[1]
        ending = time.monotonic()
        router.send_signal(signal.SIGTERM)
        _, said = router.communicate(timeout=20)
    report = {
        "bindable": bindable,
        "resident_mib": int(memory) * 4096 / 2**20,
        "ending": time.monotonic() - ending,
        "status": router.returncode,
        "device_left": Path("/sys/class/net", device).exists(),
        "said": said.decode(errors="replace"),
    }
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
