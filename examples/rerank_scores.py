"""What re-ranking by what is seen does for a model, with no interpreter trained: the table of its scores.

    python examples/rerank_scores.py --root reid-data -s market1501_attr -t market1501_attr \\
        --model osnet_x0_25 --weights osnet_x0_25_msmt17.pth --metric cosine --json scores.json

Readouts and λ come from the training identities of the source; the test identities of the target are
looked at once, for the scores.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import torchreid_amd as amd
from torchreid_amd.attributes.configured import source_of
from torchreid_amd.config import dataset_kwargs, get_default_config, to_dict
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.files import atomic_path, write_json
from torchreid_amd.core.messages import printed
from torchreid_amd.core.registry import datasets
from torchreid_amd.evaluation.baselines.linear_probe import fit_probes
from torchreid_amd.evaluation.recognition import recognition_record
from torchreid_amd.evaluation.report.retrieval_tables import recognised, reranked
from torchreid_amd.gallery.seen import Seen, look
from torchreid_amd.gallery.strength import said

KEPT = ("names", "embedding", "features")
SAVED = 1000  #: photographs after which what was seen is saved


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default="reid-data", help="folder of data sets (default: reid-data)")
    parser.add_argument("-s", "--source", default="market1501_attr", help="whose training identities teach")
    parser.add_argument("-t", "--target", default="market1501_attr", help="whose test identities are scored")
    parser.add_argument("--model", default="osnet_x0_25", help="a model's name")
    parser.add_argument("--weights", required=True, help="its checkpoint")
    parser.add_argument("--size", nargs=2, type=int, metavar=("H", "W"), help="image size of that model")
    parser.add_argument("--metric", default="cosine", help="cosine (default), euclidean, squared_euclidean")
    parser.add_argument("--identities", type=int, default=0, help="of the source, at most (default: all)")
    parser.add_argument("--strength", type=float, help="λ, instead of choosing it")
    parser.add_argument("--keep", type=Path, help="file (.npz) of what was seen, for the next time")
    parser.add_argument("--json", type=Path, help="write all numbers")
    return parser


def seen_of(explainer: amd.Explainer, paths: Sequence[str], keep: Path | None) -> Seen:
    """What is seen of photographs; what is kept of them, by file name and in half precision, is taken."""
    if keep is None:
        return look(explainer.decomposer, paths)
    names, kept = [Path(path).name for path in paths], {}
    if keep.exists():
        with np.load(keep) as file:
            kept = {name: (e, f) for name, e, f in zip(*(file[k] for k in KEPT), strict=True)}
    new = [path for path, name in zip(paths, names, strict=True) if name not in kept]
    for start in range(0, len(new), SAVED):
        part = new[start : start + SAVED]
        found = look(explainer.decomposer, part)
        rows = zip(found.embedding.numpy(), found.features.half().numpy(), strict=True)
        kept |= dict(zip((Path(path).name for path in part), rows, strict=True))
        columns = [list(kept), *(np.stack(column) for column in zip(*kept.values(), strict=True))]
        with atomic_path(keep) as beside, beside.open("wb") as file:
            np.savez(file, **dict(zip(KEPT, columns, strict=True)))
    rows = [kept[name] for name in names]
    return Seen(*(torch.from_numpy(np.stack(column)).float() for column in zip(*rows, strict=True)))


def scores(args: argparse.Namespace) -> dict[str, Any]:
    """The records of re-ranking and of recognition."""
    cfg = get_default_config()
    cfg.data.root, cfg.data.sources, cfg.data.targets = args.root, [args.source], [args.target]
    explainer = amd.Explainer.from_target(args.model, args.weights, args.size, metric=args.metric)
    schema = datasets[args.source].attribute_schema()
    people = amd.rerank.people_of_run(to_dict(cfg), schema)
    if args.identities:
        kept = np.unique(people.people)[:: max(1, len(np.unique(people.people)) // args.identities)]
        people = people.part(np.flatnonzero(np.isin(people.people, kept[: args.identities])))
    people = people.sample()
    train = seen_of(explainer, people.paths, args.keep)
    reranker = amd.rerank.fit(explainer, people, strength=args.strength, seen=train)
    print(f"λ = {said(reranker.strength)}: {reranker.choice.reason}", flush=True)

    data = host.image_dataset(args.target, **dataset_kwargs(cfg))
    sides, labels = [], []
    for items in (data.query, data.gallery):
        paths = [item[0] for item in items]
        pids, cameras = (torch.tensor([item[k] for item in items]) for k in (1, 2))
        sides.append((seen_of(explainer, paths, args.keep), pids, cameras))
        labels.append(source_of(cfg, args.target, "test").project(schema).labels(paths))
    found = {"rerank": amd.rerank.reranking_record(reranker, *sides)}
    print(reranked(found["rerank"]), flush=True)

    probes = fit_probes(train.embedding, torch.from_numpy(people.labels), torch.from_numpy(people.people))
    embeddings, features = (torch.cat([getattr(s[0], x) for s in sides]) for x in ("embedding", "features"))
    read = {
        "readouts": reranker.readouts.probabilities(features),
        "probe": probes.probabilities(embeddings),
    }
    known = people.labels >= 0
    rates = torch.from_numpy((people.labels * known).sum(0) / np.maximum(known.sum(0), 1))
    truth = torch.from_numpy(np.concatenate(labels))
    persons = torch.cat([side[1] for side in sides])
    found["attributes"] = recognition_record(read, truth, persons, rates, schema.attributes)
    print(f"\n{recognised(found['attributes'])}")
    return found


def main() -> int:
    args = options().parse_args()
    try:
        with printed():
            found = scores(args)
            if args.json:
                write_json(found, args.json)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
