"""Choosing λ for re-ranking by what is seen: nothing is looked at but training identities.

Attributes are read off people who did not teach the readouts, and the logistic curves and the distance
they go through come from yet other people, so what λ is chosen on is as new as a test photograph. λ = 0,
the target's own distance, is among the candidates and wins unless the gain over it is clear: its 95 %
interval over identities must lie above 0.

A target that was *trained* on these people hardly errs on them, whatever it does to others, so they
cannot tell how much help it needs: then λ is 0, and the choice says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.core.errors import InputError
from torchreid_amd.evaluation.retrieval import Retrieval, gain
from torchreid_amd.gallery.acquainted import KNOWS, share_classified
from torchreid_amd.gallery.people import LabelledPeople
from torchreid_amd.gallery.readouts import FOLDS, OutOfFold, calibrate, fit_readouts
from torchreid_amd.gallery.rerank import Choice, Reranker, unit_of
from torchreid_amd.gallery.seen import Seen, look
from torchreid_amd.gallery.strength import ALONE, added
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.distances import get_distance
from torchreid_amd.targets.target import Target
from torchreid_amd.targets.weights import fingerprint

STRENGTHS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, ALONE)  #: candidates for λ
HARDLY_ERRS = 95.0  #: mAP in percent on training identities above which a target must have met them
ROWS = 256  #: queries whose distances are held at a time


class Explains(Protocol):
    """What is needed of a :class:`torchreid_amd.Explainer`."""

    @property
    def decomposer(self) -> Decomposer:
        """The interpreter and its input."""


def fit(
    explainer: Explains,
    people: LabelledPeople,
    *,
    knows: bool | None = None,
    strength: float | None = None,
    strengths: Sequence[float] = STRENGTHS,
    seen: Seen | None = None,
) -> Reranker:
    """A re-ranker for an explainer's target, from photographs of people whose attributes are known.

    Args:
        explainer: of a run, or of a model alone; its metric is the one that is added to.
        people: e.g. ``amd.rerank.labelled_folder("people", "labels.csv")``; a sample of them is looked at.
        knows: whether the target was trained on them, where that is known; else it is found out.
        strength: λ; nothing is chosen then.
        strengths: candidates for λ.
        seen: what the target shows of all of them, where that is known; it is looked up, if not given.

    Raises:
        InputError: as :func:`fit_reranker`, or a photograph cannot be read.
    """
    decomposer = explainer.decomposer
    some = people.sample() if seen is None else people
    return fit_reranker(
        look(decomposer, some.paths) if seen is None else seen,
        torch.from_numpy(some.labels),
        torch.from_numpy(some.people),
        torch.from_numpy(some.cameras),
        some.schema,
        decomposer.interpreter.metric,
        decomposer.interpreter.target,
        knows=knows,
        strength=strength,
        strengths=strengths,
    )


@torch.no_grad()
def fit_reranker(
    seen: Seen,
    labels: Tensor,
    people: Tensor,
    cameras: Tensor,
    schema: AttributeSchema,
    metric: str = "euclidean",
    target: Target | None = None,
    *,
    knows: bool | None = None,
    strength: float | None = None,
    strengths: Sequence[float] = STRENGTHS,
) -> Reranker:
    """Readouts of attributes, and λ chosen on the identities that each of them was fitted without.

    Args:
        seen: what the target shows of N training photographs.
        labels: (N, M) 1 yes, 0 no, −1 unknown.
        people: (N,) identities.
        cameras: (N,) cameras; photographs of one person under one camera do not count.
        schema: the M attributes.
        metric: the target's distance: ``'euclidean'``, ``'squared_euclidean'`` or ``'cosine'``.
        target: whose classifier is asked whether it was trained on these people.
        knows: whether it was, where that is known.
        strength: λ; nothing is chosen then.
        strengths: candidates for λ; 0 is added where it is missing.

    Raises:
        InputError: shapes that do not fit, too few labelled people, or a λ below 0.
    """
    get_distance(metric)
    if not all(float(each) >= 0 for each in [*strengths, strength or 0]):
        raise InputError(f"strengths are {list(strengths)} and {strength}; expected numbers from 0")
    if not len(seen) == len(labels) == len(people) == len(cameras):
        raise InputError(
            f"there are {len(seen)} photographs, {len(labels)} rows of labels, {len(people)} identities and "
            f"{len(cameras)} cameras; expected as many of each"
        )
    readouts, left_out = fit_readouts(seen.features, labels, people)
    mark = "" if target is None else fingerprint(target.model)
    unit = unit_of(readouts.coordinates(seen.features), seen.embedding, metric)
    whole = Reranker(readouts, schema, metric, unit, Choice(1.0), mark)
    if strength is not None:
        choice = Choice(float(strength), identities=len(torch.unique(people)), photographs=len(seen))
    else:
        share = None if target is None else share_classified(target.model, seen.embedding, people)
        choice = _choose(whole, seen, labels, people, cameras, left_out, strengths, knows, share)
    return Reranker(readouts, schema, metric, unit, choice, mark)


def _choose(
    reranker: Reranker,
    seen: Seen,
    labels: Tensor,
    people: Tensor,
    cameras: Tensor,
    left_out: OutOfFold,
    strengths: Sequence[float],
    knows: bool | None,
    share: float | None,
) -> Choice:
    tried = sorted({0.0, *map(float, strengths)})
    scores = [Retrieval() for _ in tried]
    for part in range(FOLDS):
        asked = left_out.fold == part
        if not asked.any():
            continue
        rest = ~asked
        fitted = calibrate(reranker.readouts, left_out.scores[rest], labels[rest], people[rest])
        x = (fitted.calibrated(left_out.scores) @ fitted.apart).float()
        unit = unit_of(x, seen.embedding, reranker.metric)
        _add(scores, tried, asked.nonzero().flatten(), x, unit, seen, people, cameras, reranker.metric)
    found = [score.percent()["mAP"] for score in scores]
    identities = len(torch.unique(people))
    if found[0] is None:
        return Choice(
            0.0,
            identities=identities,
            photographs=len(seen),
            reason="nobody has photographs under two cameras, so λ cannot be chosen",
        )
    values = [float(value or 0) for value in found]
    best = int(np.argmax(values))
    interval = gain(scores[0], scores[best]).intervals[scores[0].names.index("mAP")]
    ends = None if interval is None else (100 * interval[0], 100 * interval[1])
    strength, reason = tried[best], "best on held-out training identities"
    met = _has_met(knows, share, values[0])
    if met:
        strength, reason = 0.0, f"{met}; λ cannot be chosen on them"
    elif ends is None or ends[0] <= 0:
        strength, reason = 0.0, "no clear gain on held-out training identities"
    curve = tuple(zip(tried, values, strict=True))
    return Choice(strength, curve, ends, identities, len(seen), reason)


def _has_met(knows: bool | None, share: float | None, score: float) -> str:
    """Why the target is taken to have been trained on these people; '' where it is not."""
    if knows is not None:
        return "the target was trained on these identities, as was said" if knows else ""
    if share is not None and share > KNOWS:
        return (
            f"the target was trained on these identities: its classifier tells {100 * share:.1f} % of their "
            "photographs apart"
        )
    if score > HARDLY_ERRS:
        return (
            f"the target hardly errs on these identities (mAP {score:.1f} %), so it was probably trained "
            "on them"
        )
    return ""


def _add(
    scores: Sequence[Retrieval],
    strengths: Sequence[float],
    queries: Tensor,
    x: Tensor,
    unit: float,
    seen: Seen,
    people: Tensor,
    cameras: Tensor,
    metric: str,
) -> None:
    """Score some training photographs as queries of all the others, with each strength."""
    for rows in queries.split(ROWS):
        own = get_distance(metric).matrix(seen.embedding[rows], seen.embedding)
        apart = unit * get_distance("euclidean").matrix(x[rows], x)
        who = [t.numpy() for t in (people[rows], people, cameras[rows], cameras)]
        for score, strength in zip(scores, strengths, strict=True):
            score.update(added(own, apart, strength).numpy(), *who)
