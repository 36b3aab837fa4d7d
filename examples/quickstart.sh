#!/usr/bin/env bash
# The main job, end to end: renders the synthetic pedestrians, trains OSNet x0.25 on them with
# torchreid's own engine, grafts an interpreter on it, prints its scores and draws two figures.
# Whatever is finished is reused, and an interrupted training of the interpreter goes on where
# it stopped. Everything lies in examples/output.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash examples/setup.sh
out=examples/output
amd=.venv/bin/torchreid-amd
export PYTHONWARNINGS=ignore
# Beside other programs, threads that wait awake for long hold each other up; as the command does.
[ -n "${OMP_WAIT_POLICY:-}" ] || export GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-30000}"

echo "1/4  synthetic pedestrians"
"$amd" synth --root "$out/reid-data"

echo "2/4  target: OSNet x0.25, trained by torchreid"
.venv/bin/python examples/train_target.py --root "$out/reid-data" --save-dir "$out/target"

echo "3/4  interpreter: the additive head"
if [ ! -f "$out/interpreter/run.json" ]; then
    "$amd" train --config-file examples/additive.yaml --root "$out/reid-data" \
        model.load_weights "$out/target/target.pth" \
        model.resume "$out/interpreter" data.save_dir "$out/interpreter"
fi

echo "4/4  scores and figures"
.venv/bin/python examples/show_run.py "$out/interpreter" --save-dir "$out"
