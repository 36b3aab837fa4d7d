#!/usr/bin/env bash
# Runs the tests in .venv, which is made first where it is missing. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash examples/setup.sh dev
echo "tests: python -m pytest $*"
exec .venv/bin/python -m pytest "$@"
