"""An image of a machine with a node and one person, for commands that are given --root."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dexrouter.config import genconf

__all__ = ["person_image"]


@contextmanager
def person_image(settings: str) -> Iterator[Path]:
    """Give a directory with a node's configuration, a home of jo's to enter, and `settings` as jo.toml."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        for directory in ("etc", "home/jo"):
            (place / directory).mkdir(parents=True)
        (place / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\njo:x:1000:1000:Jo:/home/jo:/bin/sh\n")
        (place / "etc/group").write_text("root:x:0:\njo:x:1000:\n")
        (place / "etc/cjdroute.conf").write_text(genconf(random.Random(1).randbytes))
        os.chown(place / "home/jo", 1000, 1000)
        (place / "jo.toml").write_text(settings)
        yield place
