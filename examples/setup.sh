#!/usr/bin/env bash
# Makes .venv at the top of the repository and installs the pinned versions into it; where that
# is done already it returns at once. Called by quickstart.sh and by tests/run.sh.
#
#   bash examples/setup.sh        what the package needs
#   bash examples/setup.sh dev    the same and what its tests need
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

extras="${1:-}"
pins=examples/requirements.txt
python=.venv/bin/python
cpu_builds=https://download.pytorch.org/whl/cpu

if ! "$python" -c '' 2>/dev/null; then
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
        echo "setup: Python 3.10 or newer is needed, python3 is $(python3 --version 2>&1)" >&2
        exit 1
    }
    echo "setup: creating .venv"
    python3 -m venv --clear .venv
fi

# What is installed depends on these and on nothing else.
state="$(cat setup.cfg setup.py "$pins" | cksum) $PWD $("$python" --version)"
for stamp in ".venv/.setup-dev" ".venv/.setup-${extras:-base}"; do
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$state" ]; then
        exit 0
    fi
done

pip() {
    "$python" -m pip install -qq --disable-pip-version-check --constraint "$pins" "$@"
}

# Without an NVIDIA GPU the CPU builds do the same and are several GB smaller.
builds=''
if [ "$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null 2>&1 &&
    "$python" -c "import urllib.request as u; u.urlopen('$cpu_builds/torch/', timeout=10)" 2>/dev/null; then
    builds="--extra-index-url $cpu_builds"
fi
echo "setup: installing PyTorch (the largest download)"
# shellcheck disable=SC2086
pip $builds torch torchvision
echo "setup: installing torchreid_amd${extras:+[$extras]} and its dependencies"
pip --editable ".${extras:+[$extras]}"
echo "$state" >".venv/.setup-${extras:-base}"
