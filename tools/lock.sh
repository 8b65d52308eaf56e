#!/bin/sh
# Renew requirements.lock (what dexsetup needs), requirements-dev.lock (that, and what its developers need) and
# requirements-fuzz.lock (that, and what fuzzing needs).
#
# Each pins one version per package that serves Python 3.11 to 3.14 on Linux, with the hashes of all its files,
# so that one lock file fits every processor. Where packages come from is the machine's business (pip's and uv's
# own configuration), and no registry is named in the result. Set UPGRADE=1 to move to the newest versions;
# without it, only what pyproject.toml forces to change is changed.

set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
tool=$here/.cache/lock-tool
[ -x "$tool/bin/uv" ] || {
    "${python:-/usr/bin/python3}" -m venv "$tool"
    "$tool/bin/python" -m pip install --quiet --disable-pip-version-check uv
}

cd "$here"
compile() {
    lock=$1
    shift
    "$tool/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --no-annotate --no-emit-index-url --no-emit-find-links ${UPGRADE:+--upgrade} \
        --output-file "$lock" pyproject.toml "$@"
    # What holds for every machine we run on need not be said on each line.
    sed -e "s/ ; implementation_name == 'cpython'\( and platform_python_implementation != 'PyPy'\)*/ ;/" \
        -e "s/ ; and sys_platform == 'linux'//" -e '/^# made by/d' "$lock" >"$lock.new"
    { echo '# made by ./dex lock from pyproject.toml' && cat "$lock.new"; } >"$lock"
    rm -f "$lock.new"
}
compile requirements.lock
compile requirements-dev.lock --group dev --constraint requirements.lock
compile requirements-fuzz.lock --group fuzz --constraint requirements.lock
