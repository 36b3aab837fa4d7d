"""Does it help a target to learn attributes, too? Joint fine-tuning against the same steps without them.

    python examples/finetune_gain.py --root reid-data --weights target.pth --out log/finetune

For each seed the target is fine-tuned twice with torchreid's own loss: once together with the recognition
of attributes, once as a control (amd.finetuning.weight 0: the head learns alongside and teaches the target
nothing). Both see the same batches. The gain of the one over the other is measured on the test identities,
with an interval over them for each seed, and one over the seeds. Whatever is finished is reused.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from scipy.stats import t as student

from torchreid_amd import Explainer
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.files import write_json
from torchreid_amd.core.messages import printed
from torchreid_amd.evaluation.retrieval import Retrieval, gain_record
from torchreid_amd.interpreter.distances import get_distance
from torchreid_amd.interpreter.run_folder import read_run

HERE = Path(__file__).parent
ARMS = ("with attributes", "control")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default="reid-data", help="folder of data sets (default: reid-data)")
    parser.add_argument("--dataset", default="synthetic_attr", help="trained and tested on")
    parser.add_argument("--weights", required=True, help="the target to start from")
    parser.add_argument("--out", default="log/finetune", help="where to write (default: log/finetune)")
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each kind (default: 5)")
    parser.add_argument("--config-file", default=str(HERE / "finetune.yaml"), help="of the trainings")
    parser.add_argument(
        "--weight", type=float, default=30.0, help="amd.finetuning.weight with attributes (default: 30)"
    )
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs, e.g. train.max_epoch 5")
    args = parser.parse_args(argv)
    out, found = Path(args.out), []
    try:
        with printed():
            for seed in range(1, args.seeds + 1):
                folders = {arm: train(args, out, seed, arm) for arm in ARMS}
                found.append(scores(args, folders))
                write_json(
                    {"weights": args.weights, "weight": args.weight, "seeds": found},
                    out / "finetune_gain.json",
                )
    except InputError as error:
        print(f"finetune_gain: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        return error.returncode
    print(table(found))
    return 0


def train(args: argparse.Namespace, out: Path, seed: int, arm: str) -> Path:
    """The run folder of one training."""
    weight = args.weight if arm == ARMS[0] else 0.0
    folder = out / f"{seed}-{weight:g}"
    if not (folder / "run.json").exists():
        command = [sys.executable, "-m", "torchreid_amd.cli", "train", "--config-file", args.config_file]
        command += ["-s", args.dataset, "-t", args.dataset, "--root", args.root, *args.opts]
        command += ["model.load_weights", args.weights, "model.resume", str(folder)]
        command += [
            "train.seed",
            str(seed),
            "amd.finetuning.weight",
            str(weight),
            "data.save_dir",
            str(folder),
        ]
        subprocess.run(command, check=True)
    return folder


def scores(args: argparse.Namespace, folders: dict[str, Path]) -> dict[str, Any]:
    """Retrieval of both targets, the gain of one over the other, and X-mAP_e of their interpreters."""
    data = host.image_dataset(args.dataset, args.root)
    found = {arm: retrieval(Explainer.from_pretrained(folder), data) for arm, folder in folders.items()}
    named = {arm: read_run(folder)["scores"]["datasets"][args.dataset] for arm, folder in folders.items()}
    return {
        "gain": gain_record(found["control"], found["with attributes"]),
        **{arm: one.percent() for arm, one in found.items()},
        "X-mAP_e": {arm: one["interpreter"]["X-mAP_e"] for arm, one in named.items()},
    }


def retrieval(explainer: Explainer, data: Any) -> Retrieval:
    """Scores of the explainer's target on the test photographs of a data set."""
    sides = []
    for items in (data.query, data.gallery):
        pids, cameras = (torch.tensor([item[k] for item in items]).numpy() for k in (1, 2))
        sides.append((explainer.decomposer.embed_files([item[0] for item in items]), pids, cameras))
    (query, *of_query), (gallery, *of_gallery) = sides
    distances = get_distance(explainer.decomposer.interpreter.metric).matrix(query, gallery)
    found = Retrieval()
    found.update(distances.numpy(), of_query[0], of_gallery[0], of_query[1], of_gallery[1])
    return found


def table(found: Sequence[dict[str, Any]]) -> str:
    """The gain of each seed and of all, in Markdown."""
    lines = [
        "| seed | control: rank-1 / mAP | with attributes | mAP gained | X-mAP_e gained |",
        "|--|--|--|--|--|",
    ]
    for seed, one in enumerate(found, 1):
        own = [f"{one[arm]['rank-1']:.1f} / {one[arm]['mAP']:.1f}" for arm in ("control", "with attributes")]
        low, high = one["gain"]["intervals"]["mAP"]
        gained = f"{one['gain']['values']['mAP']:+.2f} [{low:+.2f}, {high:+.2f}]"
        lines.append(f"| {seed} | {own[0]} | {own[1]} | {gained} | {_named(one):+.2f} |")
    gains = [one["gain"]["values"]["mAP"] for one in found]
    named = statistics.fmean(map(_named, found))
    lines.append(f"| all | | | {with_interval(gains)} | {named:+.2f} |")
    return "\n".join(lines)


def with_interval(values: Sequence[float]) -> str:
    """Mean, standard deviation and Student's 95 % interval of the mean."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return f"{mean:+.2f}"
    spread = statistics.stdev(values)
    wide = student.ppf(0.975, len(values) - 1) * spread / len(values) ** 0.5
    return f"{mean:+.2f} ± {spread:.2f} [{mean - wide:+.2f}, {mean + wide:+.2f}]"


def _named(one: dict[str, Any]) -> float:
    named = one["X-mAP_e"]
    return float(named["with attributes"] - named["control"])


if __name__ == "__main__":
    sys.exit(main())
