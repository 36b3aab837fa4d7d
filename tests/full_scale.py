"""Scores seeded features with the official identities and cameras of Market-1501, as JSON.

    python tests/full_scale.py DATA QUERIES DIMENSION

DATA holds ``market_eval_*.mat``; of the 3,368 queries some are taken, against all 15,913 gallery
images. Printed are the scores, torchreid's own of the same distances, and the memory and time
the scoring took.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch
from scipy.io import loadmat
from torch import Tensor

from torchreid_amd.core import host
from torchreid_amd.evaluation import DecomposedImages, score_pairs
from torchreid_amd.interpreter.distances import get_distance

ATTRIBUTES = 26
FILES = ("queryID", "queryCam", "testID", "testCam")


def numbers(folder: Path, name: str) -> Tensor:
    """The one array of a file."""
    variables = loadmat(folder / f"market_eval_{name}.mat")
    (array,) = (value for key, value in variables.items() if not key.startswith("_"))
    return torch.from_numpy(array.ravel().astype("int64"))


def images(pids: Tensor, cameras: Tensor, people: Tensor, labels: Tensor, seed: int) -> DecomposedImages:
    """Features around those of each person, and components that nearly add up to them.

    Distractors (identity 0) look like nobody, and nothing is known of them.
    """
    generator = torch.Generator().manual_seed(seed)
    dimension = people.shape[1]
    noise = math.sqrt(0.29 * math.sqrt(dimension) - 1)  # so that mAP is neither 0 nor 100 in any dimension
    own = torch.randn(len(pids), dimension, generator=generator)
    nobody = math.sqrt(1 + noise**2) * own
    embedding = torch.where(pids.unsqueeze(1) == 0, nobody, people[pids] + noise * own)
    components = torch.empty(len(pids), ATTRIBUTES, dimension, dtype=torch.float16)
    for k in range(ATTRIBUTES):
        components[:, k] = embedding * (1 + 0.2 * torch.rand(dimension, generator=generator))
    return DecomposedImages(embedding, components, pids, cameras, labels[pids])


def main(folder: Path, queries: int, dimension: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    torchreid = host.torchreid()
    q_pids, q_cameras, g_pids, g_cameras = (numbers(folder, name) for name in FILES)
    used = g_pids >= 0  # −1 is junk, which torchreid does not read
    generator = torch.Generator().manual_seed(0)
    some = torch.randperm(len(q_pids), generator=generator)[:queries].sort().values
    people = torch.randn(1502, dimension, generator=generator)
    labels = (torch.rand(1502, ATTRIBUTES, generator=generator) < 0.3).to(torch.int8)
    labels[0] = -1
    query = images(q_pids[some], q_cameras[some], people, labels, 1)
    gallery = images(g_pids[used], g_cameras[used], people, labels, 2)
    distance = get_distance("euclidean")

    start = time.perf_counter()
    state = score_pairs(query, gallery, distance, rates=[0.3] * ATTRIBUTES)
    scores = state.scores([str(k) for k in range(ATTRIBUTES)])
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

    who = [side.numpy() for side in (query.pids, gallery.pids, query.camids, gallery.camids)]
    matrix = distance.matrix(query.embedding, gallery.embedding).numpy()
    cmc, mean_precision = torchreid.metrics.evaluate_rank(matrix, *who, max_rank=20)
    return {
        "pairs": scores.pairs,
        "seconds": seconds,
        "peak_gib": peak,
        "ours": scores.target,
        "torchreid": {"mAP": 100 * mean_precision}
        | {f"rank-{k}": 100 * float(cmc[k - 1]) for k in (1, 5, 10, 20)},
        "interpreter": scores.interpreter,
        "random": scores.random,
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
