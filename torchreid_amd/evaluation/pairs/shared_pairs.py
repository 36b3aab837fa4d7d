"""Scores of all pairs, of which every process has the queries of its share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from torchreid_amd.core.processes import count, share
from torchreid_amd.evaluation.data.decomposed_images import DecomposedImages
from torchreid_amd.evaluation.pairs.pair_scores import PairScores
from torchreid_amd.evaluation.pairs.score_pairs import score_pairs
from torchreid_amd.interpreter.contributions import PairwiseDistance


def score_shared_pairs(
    query: DecomposedImages,
    gallery: DecomposedImages,
    distance: PairwiseDistance,
    form: str,
    rates: Tensor,
    device: torch.device,
    *,
    others: Sequence[PairwiseDistance] = (),
    rankers: Mapping[str, tuple[Tensor, Tensor]] | None = None,
) -> PairScores:
    """As :func:`~torchreid_amd.evaluation.score_pairs`, the same in every process.

    Arguments are those; both sides are whole in every process.
    """
    rankers = rankers or {}
    if count() == 1 or len(query) < count():
        return score_pairs(query, gallery, distance, form, rates, device, others=others, rankers=rankers)
    mine = torch.tensor(share(range(len(query))))
    own = {name: (of_query[mine], of_gallery) for name, (of_query, of_gallery) in rankers.items()}
    state = score_pairs(query.part(mine), gallery, distance, form, rates, device, others=others, rankers=own)
    return state.merge_processes()
