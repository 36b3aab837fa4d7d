"""Does an interpreter hold in another domain, and does its decomposition help retrieval?

    python examples/cross_domain.py --root reid-data --out log/domains

Trains a target on each of two data sets (by default the synthetic pedestrians of day and night) and
several interpreters for each with different seeds, scores every interpreter on both test sets, and
prints two tables: one in the form of Table 2 of Chen et al., ICCV 2021 (https://arxiv.org/abs/2103.01451),
one of re-weighted retrieval. Whatever is finished is reused. Everything lies in --out: the numbers in
cross_domain.json, the tables in cross_domain.md, some people of both data sets in people.png.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.files import atomic_path, write_json

HERE = Path(__file__).parent
LEFT_OUT = ("probe", "place", "effect", "removal", "sanity")
Scores = Mapping[str, Any]


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
    try:
        for name in args.datasets:
            weights = Path(given[name]) if name in given else train_target(args, name, out)
            runs[name] = [scores_of(args, name, weights, out, seed) for seed in range(1, args.seeds + 1)]
        text = tables(runs)
        with atomic_path(out / "cross_domain.md") as path:
            path.write_text(text + "\n", encoding="utf-8")
        contact_sheet(args.root, args.datasets, out / "people.png")
        write_json({"seeds": args.seeds, "runs": runs}, out / "cross_domain.json")
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
        keys = ["model.load_weights", str(weights), "model.resume", str(folder)]
        keys += ["data.save_dir", str(folder), "train.seed", str(seed)]
        subprocess.run([*command, "train", *sets, *keys], check=True)
    found = _read(folder / "scores.json")
    if not all(name in found and "reweight" in found[name] for name in args.datasets):
        skip = [part for name in LEFT_OUT for part in ("--skip", name)]
        sets = ["--root", args.root, "--weights", str(weights), *skip, "-t", *args.datasets]
        subprocess.run([*command, "evaluate", str(folder), *sets], check=True)
        found = _read(folder / "scores.json")
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


def tables(runs: Mapping[str, Sequence[Scores]]) -> str:
    """The two tables in Markdown, mean ± standard deviation over the seeds.

    Args:
        runs: for each data set trained on, the scores of each seed by data set tested on.
    """
    seeds = len(next(iter(runs.values())))
    lines = [
        f"Trained on → tested on, in percent, {_over(seeds)}:",
        "",
        "| | target R1 / mAP | decomposed R1 / mAP | X-mAP_e | prior | X-mAP_c | prior | ADRE |",
        "|--|--|--|--|--|--|--|--|",
    ]
    for source, found in runs.items():
        for other in runs:
            lines.append(_row(source, other, [scores[other] for scores in found]))
    lines += [
        "",
        "Re-weighted retrieval, gain over the target in points with its 95 % interval over identities, "
        "a seed after the other:",
        "",
        "| | λ chosen | R1 | mAP | mAP, had λ been 1 |",
        "|--|--|--|--|--|",
    ]
    for source, found in runs.items():
        for other in runs:
            lines.append(_reweighted(source, other, [scores[other]["reweight"] for scores in found]))
    return "\n".join(lines)


def _over(seeds: int) -> str:
    return "one seed" if seeds == 1 else f"mean ± standard deviation over {seeds} seeds of the interpreter"


def _row(source: str, other: str, scores: Sequence[Scores]) -> str:
    def cell(row: str, name: str) -> str:
        return spread([s[row][name] for s in scores])

    return _cells(
        f"{source} → {other}",
        f"{cell('target', 'rank-1')} / {cell('target', 'mAP')}",
        f"{cell('interpreter', 'rank-1')} / {cell('interpreter', 'mAP')}",
        cell("interpreter", "X-mAP_e"),
        cell("prior", "X-mAP_e"),
        cell("interpreter", "X-mAP_c"),
        cell("prior", "X-mAP_c"),
        cell("interpreter", "ADRE"),
    )


def _reweighted(source: str, other: str, found: Sequence[Scores]) -> str:
    title = f"{source} → {other}"
    if any("not_scored" in one for one in found):
        return _cells(title, *["–"] * 4)

    def gains(row: str, name: str) -> str:
        return "; ".join(_with_interval(one["rows"][row], name) for one in found)

    return _cells(
        title,
        "; ".join(f"{one['strength']:g}" for one in found),
        gains("gain", "rank-1"),
        gains("gain", "mAP"),
        gains("gain_as_fitted", "mAP"),
    )


def _with_interval(row: Scores, name: str) -> str:
    value, ends = row["values"][name], row["intervals"][name]
    if value is None:
        return "–"
    return f"{value:.2f}" + ("" if ends is None else f" [{ends[0]:.2f}, {ends[1]:.2f}]")


def spread(values: Sequence[float | None]) -> str:
    """``mean ± standard deviation``; the number alone where all are equal, "–" where one is missing."""
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return "–"
    middle = statistics.fmean(known)
    if len(known) == 1 or max(known) - min(known) < 1e-9:
        return f"{middle:.2f}"
    return f"{middle:.2f} ± {statistics.stdev(known):.2f}"


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
