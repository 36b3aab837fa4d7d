"""Mean accounts of a data set: what distances are made of, in parts, for three kinds of pairs.

    python examples/mean_accounts.py osnet_x0_25 --weights osnet_x0_25_market1501.pth \
        --root reid-data --dataset market1501_attr

Nothing is trained. A pair is a query and a gallery photograph: different persons at random (without
gallery photographs of nobody in the query, as distractors are); the same person under another camera;
a false match at rank 1, gallery photographs of the query's person under its own camera removed as usual.
A query is in a kind at most once. 95 % intervals are over query identities.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import torchreid_amd as amd
from torchreid_amd.attributes.parts import PARTS
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.files import write_json
from torchreid_amd.evaluation.statistics import Mean
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.distances import get_distance

KINDS = ("different persons", "the same person", "false matches at rank 1")
Pairs = list[tuple[int, int]]  # positions in query and gallery
Positions = NDArray[np.int64]


class Photographs(NamedTuple):
    """Files, identities and cameras of query or gallery, (N,) each."""

    paths: NDArray[np.str_]
    pids: Positions
    camids: Positions


def load(name: str, root: str) -> list[Photographs]:
    """Query and gallery of one of torchreid's data sets."""
    if not Path(root).is_dir():
        raise InputError(f"{root!r} is not a folder; give that which holds {name!r} (--root)")
    try:
        data = host.image_dataset(name, root)
        sides = [list(zip(*side, strict=True))[:3] for side in (data.query, data.gallery)]
        return [Photographs(*map(np.array, side)) for side in sides]
    except (RuntimeError, OSError, ValueError, TypeError) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(f"cannot load {name!r} under {root!r}: {said}; check --root and --dataset") from None


def first_ranks(distances: NDArray[Any], query: Photographs, gallery: Photographs) -> Positions:
    """Of each query the gallery's position at rank 1; −1 for one without its person under another camera."""
    first = np.full(len(query.pids), -1)
    for n, (row, pid, camid) in enumerate(zip(distances, query.pids, query.camids, strict=True)):
        same, here = gallery.pids == pid, gallery.camids == camid
        if (same & ~here).any():
            first[n] = np.where(same & here, np.inf, row).argmin()
    return first


def draw(first: Positions, query: Photographs, gallery: Photographs, most: int, seed: int) -> list[Pairs]:
    """At most so many pairs of each of KINDS; ``first`` is of :func:`first_ranks`."""
    pairs: list[Pairs] = [[] for _ in KINDS]
    generator = np.random.default_rng(seed)
    known = np.isin(gallery.pids, query.pids)
    for q in generator.permutation(len(query.pids)).tolist():
        same = gallery.pids == query.pids[q]
        elsewhere = np.flatnonzero(same & (gallery.camids != query.camids[q]))
        false = first[q : q + 1] if first[q] >= 0 and not same[first[q]] else first[:0]
        for kind, found in zip(pairs, (np.flatnonzero(known & ~same), elsewhere, false), strict=True):
            if len(found) and len(kind) < most:
                kind.append((q, int(generator.choice(found))))
    return pairs


def mean_account(
    explainer: amd.Explainer, pairs: Pairs, query: Photographs, gallery: Photographs
) -> dict[str, Any]:
    """Mean shares of the parts and mean distance, with their intervals; a distance of 0 has no shares."""
    explained = explainer.explain_many((query.paths[q], gallery.paths[g]) for q, g in pairs)
    found: dict[Any, Any] = {p: e for p, e in zip(pairs, explained, strict=True) if e.distance > 0}
    if not found:
        return {"pairs": 0}
    names = ["distance", *next(iter(found.values())).account.by_part()]
    rows = [[e.distance, *(v / e.distance for v in e.account.by_part().values())] for e in found.values()]
    mean = Mean(len(names))
    mean.update(torch.tensor(rows), identity=torch.tensor([int(query.pids[q]) for q, _ in found]))
    return {
        "pairs": len(found),
        "identities": len(mean.sums),
        "under_one_camera": np.mean([query.camids[q] == gallery.camids[g] for q, g in found]).item(),
        "values": dict(zip(names, mean.values, strict=True)),
        "intervals": dict(zip(names, mean.intervals, strict=True)),
    }


def table(kinds: dict[str, dict[str, Any]]) -> str:
    """The means in Markdown, shares in percent; a kind without pairs is left out."""
    there = {kind: one for kind, one in kinds.items() if one["pairs"]}
    columns = [name for one in list(there.values())[:1] for name in one["values"]]
    lines = [["", "pairs", "under one camera, %", *(f"{c}, %" if c in PARTS else c for c in columns)]]
    lines.append(["--"] * len(lines[0]))
    for kind, one in there.items():
        lines.append([kind, str(one["pairs"]), f"{100 * one['under_one_camera']:.0f}"])
        for name in columns:
            scale, ends = 100 if name in PARTS else 1, one["intervals"][name]
            interval = f" [{scale * ends[0]:.1f}, {scale * ends[1]:.1f}]" if ends else ""
            lines[-1].append(f"{scale * one['values'][name]:.1f}{interval}")
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def run(args: argparse.Namespace) -> str:
    """Compute, write the numbers, give the table."""
    if args.pairs < 1:
        raise InputError(f"--pairs is {args.pairs}; give at least 1")
    query, gallery = load(args.dataset, args.root)
    explainer = amd.Explainer.from_target(args.model, args.weights)
    decomposer = Decomposer(explainer.interpreter, explainer.size)
    metric = get_distance(explainer.interpreter.metric)
    embeddings = [decomposer.embed_files(side.paths.tolist()) for side in (query, gallery)]
    first = first_ranks(metric.matrix(*embeddings).numpy(), query, gallery)
    if (first < 0).all():
        raise InputError(f"nobody of the query of {args.dataset!r} is in the gallery under another camera")
    pairs = draw(first, query, gallery, args.pairs, args.seed)
    found = [mean_account(explainer, kind, query, gallery) for kind in pairs]
    kinds = dict(zip(KINDS, found, strict=True))
    right = float((gallery.pids[first] == query.pids)[first >= 0].mean())
    given = {name: value for name, value in vars(args).items() if name != "out"}
    write_json(given | {"metric": metric.name, "rank-1": right, "kinds": kinds}, args.out)
    queries = f"{(first >= 0).sum():,} queries, {100 * right:.1f} % right at rank 1; {metric.words}"
    return f"{queries}\n\n{table(kinds)}\n\nWritten: {args.out}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", metavar="MODEL", help="a torchreid model, e.g. osnet_x0_25")
    parser.add_argument("--weights", required=True, help="a checkpoint of it")
    parser.add_argument("--root", default="reid-data", help="folder of data sets (default: reid-data)")
    parser.add_argument("--dataset", default="synthetic_attr", help="(default: synthetic_attr)")
    parser.add_argument("--pairs", type=int, default=200, help="of each kind, at most (default: 200)")
    parser.add_argument("--seed", type=int, default=0, help="of the pairs (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("mean_accounts.json"), help="the numbers, as JSON")
    try:
        print(run(parser.parse_args(argv)))
        return 0
    except InputError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
