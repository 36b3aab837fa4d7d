"""Scores half of the queries in each of two gloo processes; rank 0 writes the merged scores.

python tests/two_processes.py RANK ADDRESS_FILE OUTPUT
"""

from __future__ import annotations

import json
import sys

import torch
from literal_scores import side

from torchreid_amd.evaluation import score_pairs
from torchreid_amd.interpreter.distances import get_distance

QUERY, GALLERY, RATES = (31, 5, 6, 4), (43, 5, 6, 5), [0.5, 0.05, 0.8, 0.3, 0.95]


def main(rank: int, address: str, output: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=2)
    query, gallery = side(*QUERY), side(*GALLERY)
    mine = slice(0, 13) if rank == 0 else slice(13, None)
    state = score_pairs(query.part(mine), gallery, get_distance("euclidean"), rates=RATES)
    merged = state.merge_processes().scores(list("vwxyz")).to_dict()
    if rank == 0:
        with open(output, "w", encoding="utf-8") as file:
            json.dump(merged, file)
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
