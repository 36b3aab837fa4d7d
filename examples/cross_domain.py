"""Does an interpreter hold in another domain, and does its decomposition help retrieval?

    python examples/cross_domain.py --root reid-data --out log/domains
    python examples/cross_domain.py --root reid-data --out log/real --seeds 1 \\
        --datasets market1501_attr dukemtmcreid_attr --adapt 2 amd.attributes.set market1501_dukemtmcreid

Trains a target on each of two data sets (by default the synthetic pedestrians of day and night) and
several interpreters for each with different seeds, scores every interpreter on both test sets, and
prints tables: one in the form of Table 2 of Chen et al., ICCV 2021 (https://arxiv.org/abs/2103.01451),
one of re-weighted retrieval, and where it is asked for, one of interpreters adapted to the other data set
without its labels (--adapt EPOCHS), and one of re-ranking with the target of one data set and attributes of
the other (--rerank). Whatever is finished is reused. Everything lies in --out: the numbers in
cross_domain.json, the tables in cross_domain.md, some people of both data sets in people.png.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from cross_domain_tables import Scores, adapted_table, rerank_table, tables
from PIL import Image

from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.files import atomic_path, write_json
from torchreid_amd.interpreter.run_folder import read_run

HERE = Path(__file__).parent
CACHE = "frozen.h5"  #: of a training from a cache (amd.cache), beside its run
LEFT_OUT = ("probe", "place", "account", "effect", "removal", "sanity", "rerank", "attributes")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default="reid-data", help="folder of data sets (default: reid-data)")
    parser.add_argument("--out", default="log/domains", help="where to write (default: log/domains)")
    parser.add_argument(
        "--datasets",
        nargs=2,
        default=["synthetic_attr", "synthetic_attr_night"],
        metavar=("A", "B"),
        help="the two data sets",
    )
    parser.add_argument("--seeds", type=int, default=3, help="interpreters of each target (default: 3)")
    parser.add_argument("--config-file", default=str(HERE / "amd.yaml"), help="of the interpreters")
    parser.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="DATASET=WEIGHTS",
        help="a target that is trained already",
    )
    parser.add_argument(
        "--adapt",
        type=int,
        metavar="EPOCHS",
        help="adapt interpreters, too: epochs of self-training, or 0 for statistics alone",
    )
    parser.add_argument("--rerank", action="store_true", help="re-ranking with the other's attributes, too")
    parser.add_argument(
        "opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs of the interpreters, e.g. amd.cache on"
    )
    args = parser.parse_args(argv)
    try:
        given = dict(entry.split("=", 1) for entry in args.target)
    except ValueError:
        parser.error("--target takes DATASET=WEIGHTS")
    strangers = set(given) - set(args.datasets)
    if strangers:
        parser.error(f"--target names {sorted(strangers)[0]!r}; expected one of {', '.join(args.datasets)}")
    out = Path(args.out)
    runs: dict[str, list[Scores]] = {}
    adapted: dict[str, list[Scores]] = {}
    reranked: dict[str, Scores] = {}
    seeds = range(1, args.seeds + 1)
    try:
        for name, other in zip(args.datasets, args.datasets[::-1], strict=True):
            weights = Path(given[name]) if name in given else train_target(args, name, out)
            runs[name] = [scores_of(args, name, weights, out, seed) for seed in seeds]
            if args.adapt is not None:
                adapted[name] = [adapted_scores(args, name, other, weights, out, seed) for seed in seeds]
            if args.rerank:
                reranked[name] = rerank_scores(args, name, other, weights, out)
        text = "\n".join([tables(runs), *adapted_table(runs, adapted), *rerank_table(reranked)])
        with atomic_path(out / "cross_domain.md") as path:
            path.write_text(text + "\n", encoding="utf-8")
        contact_sheet(args.root, args.datasets, out / "people.png")
        found = {"runs": runs, "adapted": adapted, "reranked": reranked}
        write_json({"seeds": args.seeds, **found}, out / "cross_domain.json")
    except InputError as error:
        print(f"cross_domain: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        return error.returncode
    print(text)
    return 0


def train_target(args: argparse.Namespace, name: str, out: Path) -> Path:
    """A target for a data set, trained by torchreid."""
    folder = out / name / "target"
    script = str(HERE / "train_target.py")
    where = ["--root", args.root, "--dataset", name, "--save-dir", str(folder)]
    subprocess.run([sys.executable, script, *where], check=True)
    return folder / "target.pth"


def scores_of(args: argparse.Namespace, name: str, weights: Path, out: Path, seed: int) -> Scores:
    """The scores of one interpreter on both test sets: trained and evaluated unless that is done."""
    folder = out / name / f"interpreter-{seed}"
    command = [sys.executable, "-m", "torchreid_amd.cli"]
    if not (folder / "run.json").exists():
        print(f"##### {name}: interpreter {seed}", flush=True)
        sets = ["--config-file", args.config_file, "--root", args.root, "-s", name, "-t", name]
        keys = [*args.opts, "model.load_weights", str(weights), "model.resume", str(folder)]
        keys += ["data.save_dir", str(folder), "train.seed", str(seed)]
        subprocess.run([*command, "train", *sets, *keys], check=True)
    found = _read(folder / "scores.json")
    if not all(name in found and "reweight" in found[name] for name in args.datasets):
        skip = [part for name in LEFT_OUT for part in ("--skip", name)]
        sets = ["--root", args.root, "--weights", str(weights), *skip, "-t", *args.datasets]
        subprocess.run([*command, "evaluate", str(folder), *sets], check=True)
        found = _read(folder / "scores.json")
    (folder / CACHE).unlink(missing_ok=True)  # scored, so nothing reads it again
    return found


def adapted_scores(
    args: argparse.Namespace, name: str, other: str, weights: Path, out: Path, seed: int
) -> Scores:
    """The scores of an interpreter on the other test set once it is adapted to its training photographs."""
    folder = out / name / f"adapted-{args.adapt}-{seed}"
    if not (folder / "run.json").exists():
        command = [
            sys.executable,
            "-m",
            "torchreid_amd.cli",
            "adapt",
            str(out / name / f"interpreter-{seed}"),
        ]
        command += ["--root", args.root, "-t", other, "--out", str(folder), "--weights", str(weights)]
        how = ["--epochs", str(args.adapt)] if args.adapt else ["--epochs", "0", "--statistics"]
        subprocess.run([*command, *how], check=True)
    (folder / CACHE).unlink(missing_ok=True)
    scores: Scores = read_run(folder)["scores"]["datasets"][other]
    return scores


def rerank_scores(args: argparse.Namespace, name: str, other: str, weights: Path, out: Path) -> Scores:
    """Re-ranking on the other data set: the target of one, what is known of the other's training people."""
    path, run = out / name / "rerank.json", read_run(out / name / "interpreter-1")
    if not path.exists():
        size = [str(n) for n in run["input"]["size"]]
        command = [
            sys.executable,
            str(HERE / "rerank_scores.py"),
            "--root",
            args.root,
            "-s",
            other,
            "-t",
            other,
        ]
        command += ["--model", run["target"]["model"], "--weights", str(weights), "--size", *size]
        subprocess.run([*command, "--metric", run["interpreter"]["metric"], "--json", str(path)], check=True)
    found: Scores = json.loads(path.read_text(encoding="utf-8"))["rerank"]
    return found


def contact_sheet(root: str, names: Sequence[str], path: Path, people: int = 12) -> None:
    """A row of query photographs for each data set, one of each of the first persons."""
    rows = []
    for name in names:
        first = {item[1]: item[0] for item in reversed(host.image_dataset(name, root).query)}
        chosen = [first[pid] for pid in sorted(first)[:people]]
        images = [np.asarray(Image.open(file).convert("RGB").resize((96, 192))) for file in chosen]
        blank = np.full((192, 96 * (people - len(images)), 3), 255, np.uint8)
        rows.append(np.concatenate([*images, blank], 1))
    with atomic_path(path) as temporary:
        Image.fromarray(np.concatenate(rows)).save(temporary, "PNG")


def _read(path: Path) -> Scores:
    if not path.exists():
        return {}
    datasets: Scores = json.loads(path.read_text(encoding="utf-8"))["datasets"]
    return datasets


if __name__ == "__main__":
    sys.exit(main())
