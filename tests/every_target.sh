#!/usr/bin/env bash
# Every law on every target: torchreid's 49 names and timm's, one process each.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
all=(-m "heavy or not heavy" -q -W ignore -p no:cacheprovider)
echo "tests: test_every_target.py and test_zoo_checkpoints.py beside test_timm.py"
.venv/bin/python -m pytest "${all[@]}" tests/test_timm.py > timm.log 2>&1 &
timm=$!
.venv/bin/python -m pytest "${all[@]}" tests/test_every_target.py tests/test_zoo_checkpoints.py
torchreid=$?
wait "$timm"
failed=$?
cat timm.log && rm timm.log
exit $((torchreid + failed))
