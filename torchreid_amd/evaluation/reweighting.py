"""Re-weighted retrieval: d' = (1 + λ Σ_k w_k p_k) d, with nothing known of the query's attributes.

The by-product of Chen et al., ICCV 2021, https://arxiv.org/abs/2103.01451. The shares p_k come from
the interpreter. The weights are what shares add to the distance: the linear discriminant on
(log d, p_1 … p_M) that best tells pairs of two persons from pairs of one under two cameras, with a
penalty on the shares, divided by the coefficient of log d (Fisher, *The use of multiple measurements
in taxonomic problems*, 1936). It is fitted on training identities; the penalty and λ are those with
the best mAP on other training identities, held out from the fit. λ = 0, which leaves the target as it
is, is always among the candidates and wins unless the gain over it is clear: its 95 % interval over the
held-out identities must lie above 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.evaluation.data.decomposed_images import DecomposedImages
from torchreid_amd.evaluation.pairs.blocks import MEMORY, block_sizes, slices
from torchreid_amd.evaluation.pairs.pair_shares import block_shares, same_and_nearest
from torchreid_amd.evaluation.retrieval import Retrieval, gain, gain_record
from torchreid_amd.interpreter.contributions import PairwiseDistance, check_form

STRENGTHS = (0.0, 0.25, 0.5, 1.0, 2.0)  #: candidates for λ; 1 is the discriminant as it was fitted
PENALTIES = (10.0, 1.0, 0.1)  #: candidates for the penalty, relative to the mean variance of a share
HELD_OUT = 5  #: every fifth training identity chooses λ and the penalty; the others fit w


@dataclass(frozen=True)
class Reweighting:
    """A distance made longer where the shares speak for two persons, shorter where for one.

    Attributes:
        weights: (M,) w. Over the pairs they were fitted on Σ w_k p_k has mean 0: as shares add up to 1,
            a constant may be added to all weights.
        strength: λ; 0 leaves every distance as it is.
        penalty: the one w was fitted with.
        held_out: mAP in percent of every candidate on held-out identities: (penalty, λ, mAP).
        identities: how many training identities fitted the weights, and how many chose λ.
    """

    weights: Tensor
    strength: float = 0.0
    penalty: float = 0.0
    held_out: tuple[tuple[float, float, float], ...] = ()
    identities: tuple[int, int] = (0, 0)

    def factor(self, shares: Tensor) -> Tensor:
        """(…, M) shares -> (…), 1 + λ Σ w_k p_k, never below 0."""
        weights = self.weights.to(shares.device, shares.dtype)
        return (1 + self.strength * (shares @ weights)).clamp_min(0)

    def to_dict(self, attributes: Sequence[str]) -> dict[str, Any]:
        """A JSON-ready dictionary with weights by attribute."""
        return {
            "strength": self.strength,
            "penalty": self.penalty,
            "weights": dict(zip(attributes, self.weights.tolist(), strict=True)),
            "identities": dict(zip(("fit", "held_out"), self.identities, strict=True)),
            "held_out": [
                {"penalty": penalty, "strength": strength, "mAP": score}
                for penalty, strength, score in self.held_out
            ],
        }


@torch.no_grad()
def fit_reweighting(
    train: DecomposedImages,
    distance: PairwiseDistance,
    form: str = "mean",
    strengths: Sequence[float] = STRENGTHS,
    penalties: Sequence[float] = PENALTIES,
    device: torch.device | str = "cpu",
    memory: int = MEMORY,
) -> Reweighting:
    """Fit w on four fifths of the training identities, choose penalty and λ on the others.

    Each image of the others is a query; all training images are the gallery, under torchreid's protocol.

    Args:
        train: decomposed *training* images; their labels are not looked at.
        distance: what is decomposed.
        form: ``'mean'``, ``'sum'`` (both have the same shares) or ``'additive'``.
        strengths: candidates for λ; 0 is added where it is missing, and wins if none is clearly better.
        penalties: candidates for the penalty, relative to the mean variance of a share.
        device: where blocks are computed.
        memory: bytes the blocks may take together.

    Raises:
        InputError: too few identities, or none of them under two cameras.
    """
    check_form(form)
    people = torch.unique(train.pids)
    if len(people) < HELD_OUT or not strengths or not penalties:
        raise InputError(
            f"re-weighting was given {len(people)} training identities, {len(strengths)} strengths and "
            f"{len(penalties)} penalties; expected at least {HELD_OUT} identities and one of each"
        )
    held = torch.isin(train.pids, people[HELD_OUT - 1 :: HELD_OUT])
    fitted = _fit(train.part(~held), distance, form, penalties, torch.device(device), memory)
    tried = [
        Reweighting(f.weights, strength, f.penalty)
        for strength in sorted({0.0, *map(float, strengths)})
        for f in (fitted if strength else fitted[:1])
    ]
    scores = score_reweightings(train.part(held), train, distance, tried, form, device, memory)
    found = [score.percent()["mAP"] for score in scores]
    if found[0] is None:
        raise InputError(
            "no held-out training identity has photographs under two cameras; re-weighting needs some"
        )
    values = [float(value or 0) for value in found]
    first = int(np.argmax(values))
    interval = gain(scores[0], scores[first]).intervals[scores[0].names.index("mAP")]
    best = tried[first if interval is not None and interval[0] > 0 else 0]
    record = tuple((r.penalty, r.strength, v) for r, v in zip(tried, values, strict=True))
    number = len(people) // HELD_OUT
    return replace(best, held_out=record, identities=(len(people) - number, number))


@torch.no_grad()
def score_reweightings(
    query: DecomposedImages,
    gallery: DecomposedImages,
    distance: PairwiseDistance,
    reweightings: Sequence[Reweighting],
    form: str = "mean",
    device: torch.device | str = "cpu",
    memory: int = MEMORY,
) -> list[Retrieval]:
    """CMC, mAP and mINP of several re-weighted distances; no array of query × gallery × M is made.

    Args:
        query, gallery: the two sides.
        distance: what is decomposed.
        reweightings: what to score; one with λ = 0 is the target itself.
        form: ``'mean'``, ``'sum'`` or ``'additive'``.
        device: where blocks are computed.
        memory: bytes the blocks may take together.
    """
    device = torch.device(device)
    scores = [Retrieval() for _ in reweightings]
    rows, columns = block_sizes(
        len(query), len(gallery) * (1 + len(scores)), query.num_attributes, query.embedding.shape[1], memory
    )
    for q in progress(slices(len(query), rows), "re-weighting, by query", len(query), rows):
        of_query = query.block(q, device)
        whole = torch.empty(len(scores), len(of_query[0]), len(gallery))
        for g in slices(len(gallery), columns):
            d, shares = block_shares(distance, form, of_query, gallery.block(g, device))
            for row, reweighting in enumerate(reweightings):
                whole[row, :, g] = d * reweighting.factor(shares) if reweighting.strength else d
        who = [x.numpy() for x in (query.pids[q], gallery.pids, query.camids[q], gallery.camids)]
        for row, score in enumerate(scores):
            score.update(whole[row].numpy(), *who)
    return scores


def reweighting_record(
    chosen: Reweighting,
    query: DecomposedImages,
    gallery: DecomposedImages,
    distance: PairwiseDistance,
    attributes: Sequence[str],
    form: str = "mean",
    device: torch.device | str = "cpu",
) -> dict[str, Any]:
    """What was fitted, and its scores on query and gallery: everything, JSON-ready and in percent.

    ``rows`` are ``target``, ``reweighted`` and the ``gain`` of the second over the first; beside them
    ``gain_as_fitted``, what λ = 1 would have given whether or not held-out identities are for it; and
    ``chosen_on_test`` with ``gain_chosen_on_test``, of the λ that is best on these very photographs, as
    published numbers are: no forecast for others.
    """
    tried = [Reweighting(chosen.weights), chosen, replace(chosen, strength=1.0)]
    tried += [replace(chosen, strength=strength) for strength in STRENGTHS if strength not in (0.0, 1.0)]
    found = score_reweightings(query, gallery, distance, tried, form, device)
    before, after, fitted = found[:3]
    test_tuned = max([before, fitted, *found[3:]], key=lambda score: score.percent()["mAP"] or 0.0)
    return {
        **chosen.to_dict(attributes),
        "rows": {
            "target": {"values": before.percent(), "intervals": before.intervals()},
            "reweighted": {"values": after.percent(), "intervals": after.intervals()},
            "gain": gain_record(before, after),
            "gain_as_fitted": gain_record(before, fitted),
            "chosen_on_test": {"values": test_tuned.percent(), "intervals": test_tuned.intervals()},
            "gain_chosen_on_test": gain_record(before, test_tuned),
        },
    }


def _fit(
    images: DecomposedImages,
    distance: PairwiseDistance,
    form: str,
    penalties: Sequence[float],
    device: torch.device,
    memory: int,
) -> list[Reweighting]:
    """Weights for each penalty."""
    same, other = (x.double() for x in same_and_nearest(images, distance, form, device, memory))
    if len(same) < 2 or len(other) < 2:
        raise InputError(
            f"there are {len(same)} pairs of one training person under two cameras and {len(other)} of "
            "two persons; re-weighting needs several of both"
        )
    spread = (torch.cov(same.T, correction=0) + torch.cov(other.T, correction=0)) / 2
    apart = other.mean(0) - same.mean(0)
    average = torch.cat([same, other])[:, 1:].mean(0)
    on_shares = torch.ones(len(apart), dtype=torch.float64)
    on_shares[0] = 0
    found = []
    for penalty in penalties:
        ridge = penalty * spread.diagonal()[1:].mean() * on_shares + 1e-9
        direction = torch.linalg.solve(spread + ridge.diag(), apart)
        weights = direction[1:] / direction[0]
        if not weights.isfinite().all() or direction[0] <= 0:
            weights = torch.zeros_like(weights)  # the distance itself says nothing
        found.append(Reweighting((weights - average @ weights).float(), 0.0, float(penalty)))
    return found
