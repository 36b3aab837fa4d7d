"""The questions of an evaluation, and how much of the data each of them looks at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from torchreid_amd.core.errors import InputError, unknown_name
from torchreid_amd.evaluation.counterfactual.account_pairs import account_pairs
from torchreid_amd.evaluation.counterfactual.account_record import account_record
from torchreid_amd.evaluation.counterfactual.record import counterfactual_record, effect_pairs
from torchreid_amd.evaluation.data.decomposed_images import DecomposedImages
from torchreid_amd.evaluation.data.testbed import Testbed
from torchreid_amd.evaluation.deletion.curves import deletion_record
from torchreid_amd.evaluation.localisation.record import localisation_record
from torchreid_amd.evaluation.reranking.question import SeenTestbed
from torchreid_amd.evaluation.reweighting import Reweighting, reweighting_record
from torchreid_amd.evaluation.sanity.record import sanity_record
from torchreid_amd.interpreter.distances import get_distance

PARTS = ("probe", "place", "account", "effect", "removal", "sanity", "reweight", "rerank", "attributes")

NO_TRUTH = (
    "Right place and what would happen: not scored, the true regions of these photographs are not known "
    "(body-part priors are no ground truth)."
)


@dataclass(frozen=True)
class Settings:
    """How much to evaluate.

    Attributes:
        skip: expensive parts to leave out, of :data:`PARTS`.
        pairs: pairs for the counterfactuals.
        images: photographs for the scores of place.
        removal_pairs: pairs for removing and inserting.
        train_images: training photographs for probes and regression, at most.
        seed: of every sample.
        distractors_as_no: label distractors all "no", as published numbers do.

    Raises:
        InputError: a part is unknown, or a number below 1.
    """

    skip: Collection[str] = ()
    pairs: int = 100
    images: int = 400
    removal_pairs: int = 20
    train_images: int = 4000
    seed: int = 0
    distractors_as_no: bool = False

    def __post_init__(self) -> None:
        for part in self.skip:
            if part not in PARTS:
                raise unknown_name("part of the evaluation", part, PARTS)
        for name in ("pairs", "images", "removal_pairs", "train_images"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; give at least 1, or skip that part")


def labelled_attributes(
    names: Sequence[str], query: DecomposedImages, gallery: DecomposedImages
) -> list[str]:
    """The attributes that are known of somebody on either side, by name: what the scores are of."""
    known = (query.known_labels >= 0).any(0) & (gallery.known_labels >= 0).any(0)
    return [name for name, there in zip(names, known.tolist(), strict=True) if there]


def questions(
    testbed: Testbed,
    settings: Settings,
    rates: torch.Tensor,
    sides: tuple[DecomposedImages, DecomposedImages],
    fitted: Callable[[], Reweighting],
    seen: SeenTestbed,
) -> dict[str, Callable[[], dict[str, Any]]]:
    """What can be asked of these photographs and is not left out: each part's name and what answers it.

    Args:
        testbed: the interpreter before the photographs.
        settings: how much to look at, and what to leave out.
        rates: (M,) share of "yes" in training.
        sides: query and gallery, decomposed.
        fitted: gives the re-weighting, fitted on training identities.
        seen: the same photographs as a re-ranker sees them.
    """
    found: dict[str, Callable[[], dict[str, Any]]] = {}
    if testbed.truth is not None:
        found["place"] = lambda: localisation_record(testbed, settings.images)
        found["account"] = lambda: account_record(
            account_pairs(testbed, settings.pairs), testbed.decomposer.interpreter.attributes
        )
        found["effect"] = lambda: counterfactual_record(effect_pairs(testbed, settings.pairs))
    found["removal"] = lambda: deletion_record(testbed, settings.removal_pairs)
    found["sanity"] = lambda: sanity_record(testbed, rates)
    found["reweight"] = lambda: _reweighted(testbed, sides, fitted)
    found["rerank"] = seen.reranking
    found["attributes"] = seen.recognition
    return {part: make for part, make in found.items() if part not in settings.skip}


def _reweighted(
    testbed: Testbed, sides: tuple[DecomposedImages, DecomposedImages], fitted: Callable[[], Reweighting]
) -> dict[str, Any]:
    interpreter = testbed.decomposer.interpreter
    distance, names = get_distance(interpreter.metric), interpreter.attributes.attributes
    try:
        return reweighting_record(fitted(), *sides, distance, names, interpreter.form, interpreter.device)
    except InputError as error:  # too few training identities; the other scores stand
        return {"not_scored": str(error)}
