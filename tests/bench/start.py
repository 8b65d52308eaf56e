"""`./dex bench`: how long a router takes to start, ours and, with CJDROUTE, the reference one.

    start.py [--rounds N]

From the start of the program until its mesh address can be bound, as wall-clock and as processor time; the
least of the rounds, because all that a busy machine can do to a start is to lengthen it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Final

from routers import MAKES

from dexrouter.crypto.keys import address_text, generate_key_pair
from machine import NAMESPACES, ROOT, TUN
from neighbourhood import Place

_ROOT: Final = Path(__file__).resolve().parents[2]
_STARTED: Final = _ROOT / "tests" / "support" / "started_router.py"
_DEVICE: Final = "mesh0"


def main() -> int:
    """Measure and print; gives the exit status."""
    parser = argparse.ArgumentParser(description="Measure the start of a router.")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    rounds = parser.parse_args().rounds
    lacking = [need.what for need in (ROOT, TUN, NAMESPACES) if not need.is_met()]
    if lacking:
        sys.stderr.write(f"start: this machine lacks {', '.join(lacking)}\n")
        return 3
    sys.stdout.write(f"start until the address can be bound, the least of {rounds}\n")
    for make in MAKES:
        program = make.program()
        if program is None or make.name == "yggdrasil":
            continue
        command = [program, "--nobg"]
        if make.name == "dexrouter":
            command = ["env", f"PYTHONPATH={_ROOT / 'router'}", program, "-m", "dexrouter.cli.daemon"]
        reports = [_start(command) for _ in range(rounds)]
        wall, processor = (min(report[what] for report in reports) for what in ("bindable", "processor"))
        sys.stdout.write(f"{make.name:<12}{wall:7.2f} s{processor:8.2f} s of processor time\n")
    return 0


def _start(command: list[str]) -> dict[str, float]:
    key = generate_key_pair(random.Random(os.urandom(8)).randbytes)
    config = {
        "privateKey": key.private.reveal().hex(),
        "publicKey": "",
        "admin": {"bind": "127.0.0.1:11234", "password": "NONE"},
        "authorizedPasswords": [],
        "interfaces": {"UDPInterface": [{"bind": "0.0.0.0:4001"}]},
        "router": {
            "interface": {"type": "TUNInterface", "tunDevice": _DEVICE},
            "supernodes": [],
            "ipTunnel": {"allowedConnections": [], "outgoingConnections": []},
        },
        "security": [{"setuser": 0}, {"chroot": 0}, {"noforks": 0}, {"seccomp": 0}, {"setupComplete": 1}],
        "noBackground": 1,
        "version": 2,
    }
    with tempfile.TemporaryDirectory(prefix="dex-start-") as directory:
        path = Path(directory, "cjdroute.conf")
        config["pipe"] = str(Path(directory, "pipe"))
        path.write_text(json.dumps(config))
        shell = ["sh", "-c", 'conf=$1; shift; exec "$@" <"$conf"', "sh", str(path), *command]
        place = Place("start")
        try:
            run = place.run(sys.executable, str(_STARTED), address_text(key.address), _DEVICE, *shell)
        finally:
            place.close()
    report: dict[str, float] = json.loads(run)
    return report


if __name__ == "__main__":
    raise SystemExit(main())
