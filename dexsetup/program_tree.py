"""The files that a root-owned copy of these programs consists of, gathered from the running installation.

A service of root's never runs code that a user can write. So the router's unit does not point into a checkout
or a virtual environment, but into /opt/dexsetup: a copy of dexsetup, dexrouter, the templates and the
third-party packages that they need, with a launcher for each program. This module gathers that copy in a
staging directory; the engine compares and installs it (a Tree).

    bin/dexrouter bin/dexctl bin/dexsetup     launchers, started by the system's own Python
    bin/dex-mailfilter                        what opensmtpd asks about letters (dexsetup/mailfilter)
    bin/dex-mailqueue                         sends letters that wait (dexsetup/mailqueue)
    lib/dexsetup lib/dexrouter                these programs; the templates in lib/dexsetup/templates
    lib/<package> lib/<package>.dist-info     third-party packages, found through importlib.metadata

Rules: the same installation gives the same bytes and modes; no tests, nothing that names the place where the
installation was. Every module comes with its bytecode: nobody may write it later, and without it the router
takes two seconds to start instead of a third of one. Gathering anew costs some seconds, when a source file
changed; a look at an unchanged installation costs a tenth of one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path, PurePosixPath

from dexsetup.errors import MachineError
from dexsetup.plan.places import PROGRAMS
from dexsetup.render.jinja import templates_directory

__all__ = ["STAGING", "SYSTEM_PYTHON", "Source", "gather", "prepare", "requirements"]

STAGING = Path("/var/cache/dexsetup/program")
"""Where root gathers: a place that only root can write."""
_FRESH = "tree-"
SYSTEM_PYTHON = "/usr/bin/python3"
"""What starts the programs of the copy."""

_REQUIRED = ("jinja2", "pydantic", "pynacl", "pyroute2", "tomlkit")
_OPTIONAL = ("textual", "segno")
"""The screens of the wizard. Without them the copy can do everything that needs no screen."""
_LAUNCHERS = {
    "dexsetup": ("dexsetup.cli", True),
    "dexrouter": ("dexrouter.cli.daemon", False),
    "dexctl": ("dexrouter.cli.control", False),
}
"""Name: module with `main`, and whether it sees the distribution's packages (the firewall bindings)."""
_PLAIN_LAUNCHERS = {
    "dex-mailfilter": "dexsetup.mailfilter.main",
    "dex-mailqueue": "dexsetup.mailqueue.main",
}
"""Programs without third-party packages: any Python can run them, also the next one."""
_LEFT_OUT_DIRECTORIES = frozenset({"__pycache__", "tests", "test"})
_KEPT_METADATA = ("METADATA", "entry_points.txt", "top_level.txt", "WHEEL")
_REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9._-]+)\s*(?:\[([^\]]*)\])?[^;]*(?:;\s*(.*))?$")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")

_PLAIN_LAUNCHER = '''\
#!{python} -IS
"""Starts {name} from the files beside this one. Written by dexsetup; replaced when dexsetup is updated."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "lib"))
from {module} import main

sys.exit(main())
'''
_LAUNCHER = '''\
#!{python} -IS
"""Starts {name} from the files beside this one. Written by dexsetup; replaced when dexsetup is updated."""
import os
import sys

if sys.version_info[:2] != ({major}, {minor}):
    sys.stderr.write(
        "{name}: this copy was made for Python {major}.{minor}, and {python} is now Python "
        "%d.%d.\\nRun dexsetup again from where you installed it: it makes a new copy.\\n"
        % sys.version_info[:2]
    )
    sys.exit(3)
tree = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
sys.path.insert(0, os.path.join(tree, "lib"))
{system_paths}
from {module} import main

sys.exit(main())
'''
_SYSTEM_PATHS = """\
for place in (
    "/usr/lib/python3/dist-packages",
    "/usr/lib64/python{major}.{minor}/site-packages",
    "/usr/lib/python{major}.{minor}/site-packages",
):
    if os.path.isdir(place):
        sys.path.append(place)
"""


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the copy: where it comes from, or what it holds."""

    path: str
    """Below the tree."""
    origin: Path | None = None
    content: bytes = b""
    mode: int = 0o644

    def stamp(self) -> str:
        """Return a line that changes when the file does."""
        if self.origin is None:
            return f"{self.path} {hashlib.sha256(self.content).hexdigest()} {self.mode:o}"
        info = self.origin.stat()
        return f"{self.path} {info.st_size} {info.st_mtime_ns} {self.mode:o}"

    def read(self) -> bytes:
        """Return the bytes."""
        return self.content if self.origin is None else self.origin.read_bytes()


def prepare(staging: Path, *, python: str = SYSTEM_PYTHON) -> Path:
    """Return a directory that holds the copy, gathered below `staging` if it is not there or has changed.

    When this runs from an installed copy already, that copy is the answer: it is what it would gather.
    Raises MachineError if the packages here were built for another Python than `python`, if a package does
    not say which files it has, if somebody else can write where they are gathered, or if there is no room.
    """
    installed = _installed_tree()
    if installed is not None:
        return installed
    sources = gather(python=python)
    try:
        stamp = hashlib.sha256("\n".join(source.stamp() for source in sources).encode()).hexdigest()
        staging.mkdir(mode=0o755, parents=True, exist_ok=True)
        _check_staging(staging)
        with (staging / "lock").open("w") as lock:
            # One at a time: another one's half-gathered copy looks like something that a crash has left.
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _gathered(staging, sources, stamp, python)
    except OSError as error:
        raise MachineError(
            f"The programs could not be gathered in {staging}.", why=str(error), done="Nothing was changed."
        ) from error


def _check_staging(staging: Path) -> None:
    """Refuse a directory in which others can put files: below /tmp anybody may have made it before us."""
    info = staging.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid() or info.st_mode & 0o022:
        raise MachineError(
            f"{staging} is no directory that you alone can write, so the programs are not gathered there.",
            done="Nothing was changed.",
            advice=f"Look whose it is, and remove it: ls -ld {staging}",
        )


def _gathered(staging: Path, sources: Sequence[Source], stamp: str, python: str) -> Path:
    """Return the copy, made anew if it is not that of the stamp."""
    tree, mark = staging / "tree", staging / "tree.stamp"
    if tree.is_dir() and mark.is_file() and mark.read_text() == stamp:
        return tree
    for leftover in staging.glob(f"{_FRESH}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    # A name that no lower layer of an overlay knows: such a directory could not be renamed.
    fresh = Path(tempfile.mkdtemp(prefix=_FRESH, dir=staging))
    fresh.chmod(0o755)
    for source in sources:
        target = fresh / source.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read())
        target.chmod(source.mode)
    _compile(fresh / "lib", python)
    mark.unlink(missing_ok=True)
    shutil.rmtree(tree, ignore_errors=True)
    fresh.rename(tree)
    mark.write_text(stamp)
    return tree


def _compile(library: Path, python: str) -> None:
    """Put the bytecode beside every module.

    It is valid whatever the times of the files are, and says that its module lies where it will lie. One
    process in a fixed order with a fixed hash seed: so the same sources give the same bytes.
    """
    try:
        subprocess.run(  # noqa: S603 - the path of an interpreter, not a shell's line
            [
                *(python, "-I", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash"),
                *("-s", str(library), "-p", f"{PROGRAMS}/lib", str(library)),
            ],
            capture_output=True,
            check=False,
            env={"PYTHONHASHSEED": "0"},
            timeout=300,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise MachineError("The programs could not be compiled.", why=str(error)) from error


def gather(*, python: str = SYSTEM_PYTHON) -> tuple[Source, ...]:
    """Return every file of the copy, sorted by path."""
    _check_python(python)
    found: dict[str, Source] = {}
    for source in (*_own_files(), *_third_party_files(), *_launchers(python)):
        found[source.path] = source
    return tuple(found[path] for path in sorted(found))


def requirements(roots: Iterable[str] = _REQUIRED, optional: Iterable[str] = _OPTIONAL) -> tuple[str, ...]:
    """Return the names of all distributions that are needed, with what they need in turn, sorted.

    Raises MachineError if one that is always needed is not installed.
    """
    seen: dict[str, metadata.Distribution] = {}
    for root in roots:
        _walk(root, frozenset(), seen, needed=True)
    for root in optional:
        _walk(root, frozenset(), seen, needed=False)
    return tuple(sorted(seen))


def _walk(name: str, extras: frozenset[str], seen: dict[str, metadata.Distribution], *, needed: bool) -> None:
    key = _normal(name)
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        if needed:
            raise MachineError(
                f"The Python package {name} is not installed here.", why=str(error), advice="./dex run"
            ) from error
        return
    if key in seen and not extras:
        return
    seen[key] = distribution
    for line in distribution.requires or ():
        parsed = _REQUIREMENT.match(line)
        if parsed is None:
            continue
        marker = parsed[3] or ""
        asked = _EXTRA.search(marker)
        if asked is not None and asked[1] not in extras:
            continue
        wanted = frozenset(word.strip() for word in (parsed[2] or "").split(",") if word.strip())
        _walk(parsed[1], wanted, seen, needed=needed and not marker)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed_tree() -> Path | None:
    """Return the copy that this process runs from, if it does."""
    package = Path(__file__).resolve().parent
    tree = package.parent.parent
    if package.parent.name != "lib" or not (tree / "bin" / "dexrouter").is_file():
        return None
    return tree


def _check_python(python: str) -> None:
    ours = sys.version_info[:2]
    theirs = _version_of(python)
    if theirs == ours:
        return
    found = f"Python {theirs[0]}.{theirs[1]}" if theirs else "not there"
    raise MachineError(
        f"dexsetup runs on Python {ours[0]}.{ours[1]} here, and the services that it sets up run on "
        f"{python}, which is {found}: they could not use the same packages.",
        advice=f"DEX_PYTHON={python} ./dex run",
    )


def _version_of(python: str) -> tuple[int, int] | None:
    named = re.search(r"python(\d+)\.(\d+)$", os.path.realpath(python))
    if named is not None and Path(python).is_file():
        return int(named[1]), int(named[2])
    try:
        answer = subprocess.run(  # noqa: S603 - the path of an interpreter, not a shell's line
            [python, "-IS", "-c", "import sys; print(*sys.version_info[:2])"],
            capture_output=True,
            check=True,
            text=True,
            timeout=10,
        ).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
    return int(answer[0]), int(answer[1])


def _own_files() -> Iterator[Source]:
    for package in ("dexsetup", "dexrouter"):
        spec = util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise MachineError(f"The package {package} is not to be found beside this one.")
        yield from _files_below(Path(next(iter(spec.submodule_search_locations))), f"lib/{package}")
    yield from _files_below(templates_directory(), "lib/dexsetup/templates")


def _files_below(directory: Path, prefix: str) -> Iterator[Source]:
    for path in sorted(directory.rglob("*")):
        relative = path.relative_to(directory)
        if "__pycache__" in relative.parts or not stat.S_ISREG(path.lstat().st_mode):
            continue
        yield Source(f"{prefix}/{relative.as_posix()}", path)


def _third_party_files() -> Iterator[Source]:
    for name in requirements():
        distribution = metadata.distribution(name)
        if distribution.files is None:
            raise MachineError(
                f"The Python package {name} does not say which files it has, so it cannot be copied.",
                advice="./dex run makes an environment of its own where every package does.",
            )
        for file in distribution.files:
            if _belongs(PurePosixPath(file)):
                origin = Path(str(distribution.locate_file(file)))
                if origin.is_file():
                    yield Source(f"lib/{file.as_posix()}", origin)


def _belongs(path: PurePosixPath) -> bool:
    if path.is_absolute() or ".." in path.parts or path.suffix == ".pyc":
        return False
    if path.parts[0].endswith((".dist-info", ".egg-info")):
        return path.name in _KEPT_METADATA or "licenses" in path.parts
    return not _LEFT_OUT_DIRECTORIES.intersection(path.parts[:-1])


def _launchers(python: str) -> Iterator[Source]:
    major, minor = sys.version_info[:2]
    for name, (module, sees_system) in _LAUNCHERS.items():
        paths = _SYSTEM_PATHS.format(major=major, minor=minor) if sees_system else ""
        text = _LAUNCHER.format(
            python=python, name=name, module=module, major=major, minor=minor, system_paths=paths
        )
        yield Source(f"bin/{name}", None, text.encode(), 0o755)
    for name, module in _PLAIN_LAUNCHERS.items():
        text = _PLAIN_LAUNCHER.format(python=python, name=name, module=module)
        yield Source(f"bin/{name}", None, text.encode(), 0o755)
