"""How well re-ranking by what is seen retrieves: rows of one table, each with its gain over the target."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from torchreid_amd.core.errors import InputError
from torchreid_amd.evaluation.retrieval import Retrieval, gain_record
from torchreid_amd.gallery.rerank import Reranker
from torchreid_amd.gallery.seen import Seen
from torchreid_amd.gallery.strength import ALONE, jsonable

_log = logging.getLogger(__name__)
ROWS = 256  #: queries whose distances are held at a time


def score_reranker(
    reranker: Reranker,
    query: tuple[Seen, Tensor, Tensor],
    gallery: tuple[Seen, Tensor, Tensor],
    strengths: Sequence[float],
) -> list[Retrieval]:
    """CMC, mAP and mINP of d' with several λ; a block of queries is held at a time.

    Args:
        reranker: fitted on other people.
        query, gallery: what is seen, identities and cameras of the two sides.
        strengths: 0 is the target itself, infinity the attributes alone.
    """
    scores = [Retrieval() for _ in strengths]
    for start in range(0, len(query[0]), ROWS):
        rows = slice(start, start + ROWS)
        who = [t.numpy() for t in (query[1][rows], gallery[1], query[2][rows], gallery[2])]
        for score, strength in zip(scores, strengths, strict=True):
            score.update(reranker.distances(query[0].part(rows), gallery[0], strength).numpy(), *who)
    return scores


def reranking_record(
    reranker: Reranker,
    query: tuple[Seen, Tensor, Tensor],
    gallery: tuple[Seen, Tensor, Tensor],
    reciprocal: bool = True,
) -> dict[str, Any]:
    """The choice, and scores of what was chosen on query and gallery: JSON-ready, in percent.

    Rows are ``target``, ``attributes`` (their distance alone), ``reranked``, and with ``reciprocal``
    ``k_reciprocal`` (of the target's distance) and ``reranked_k_reciprocal``, where they can be had; each
    with its ``gain`` over the target.
    """
    chosen = reranker.strength
    names = ["target", "attributes", "reranked"]
    scores = dict(zip(names, score_reranker(reranker, query, gallery, [0.0, ALONE, chosen]), strict=True))
    if reciprocal:
        try:
            scores |= _reciprocal(reranker, query, gallery)
        except InputError as error:
            _log.warning(str(error))
    choice = reranker.choice
    return {
        "metric": reranker.metric,
        "strength": jsonable(chosen),
        "reason": choice.reason,
        "curve": [{"strength": jsonable(strength), "mAP": score} for strength, score in choice.curve],
        "held_out_gain": None if choice.gain is None else list(choice.gain),
        "identities": choice.identities,
        "photographs": choice.photographs,
        "penalty": reranker.readouts.penalty,
        "rows": {name: retrieval_row(scores["target"], score) for name, score in scores.items()},
    }


def _reciprocal(
    reranker: Reranker, query: tuple[Seen, Tensor, Tensor], gallery: tuple[Seen, Tensor, Tensor]
) -> dict[str, Retrieval]:
    scores = {"k_reciprocal": Retrieval(), "reranked_k_reciprocal": Retrieval()}
    who = [t.numpy() for t in (query[1], gallery[1], query[2], gallery[2])]
    for score, strength in zip(scores.values(), (0.0, reranker.strength), strict=True):
        score.update(reranker.k_reciprocal(query[0], gallery[0], strength), *who)
    return scores


def retrieval_row(before: Retrieval, after: Retrieval) -> dict[str, Any]:
    """A row of the table: scores of one distance, and its gain over another."""
    return {
        "values": after.percent(),
        "intervals": after.intervals(),
        "gain": gain_record(before, after),
    }


def rows_beside(decomposed: dict[str, Any], reweighting: Mapping[str, Any]) -> dict[str, Any]:
    """What else an interpreter does for retrieval, as rows of the same table.

    Args:
        decomposed: the row of the decomposed distance.
        reweighting: the rows of a re-weighting's record; none where it was left out.
    """
    rows = {"decomposed": decomposed}
    for name, gain in (("reweighted", "gain"), ("chosen_on_test", "gain_chosen_on_test")):
        if name in reweighting:
            rows[name] = {**reweighting[name], "gain": reweighting[gain]}
    return rows
