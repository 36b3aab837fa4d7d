"""Everything an audit finds of one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from torchreid_amd.account.division import entries_of
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.auditing.attributes import LEAST_PAIRS, AttributeFinding, attribute_findings
from torchreid_amd.auditing.audited_set import AuditedSet
from torchreid_amd.auditing.estimate import Estimate
from torchreid_amd.auditing.mean_accounts import (
    CameraPairs,
    MeanAccount,
    as_dicts,
    by_cameras,
    by_domain,
    by_kind,
    camera_contrast,
    contrasts,
    domain_contrasts,
)
from torchreid_amd.auditing.measured import Measured
from torchreid_amd.auditing.pairs import Search
from torchreid_amd.auditing.regression import Regression, persons_apart, regress
from torchreid_amd.evaluation.statistics import spearman
from torchreid_amd.interpreter.distances import Distance

LEAST_ORDERED = 4  #: attributes whose order can be compared


@dataclass(frozen=True)
class Findings:
    """What an audit finds of one model.

    Attributes:
        made_by: model, head, run and versions.
        metric: of its distances.
        retrieval: ``rank-1`` and ``mAP`` by data set, as fractions.
        kinds: the mean account of each kind of pairs.
        contrasts: by how much two kinds differ.
        attributes: of attributes and groups; empty where nothing is labelled.
        members: of the single members of groups.
        regression: what a regression of distances on labels says; None where there are too few labels.
        cameras: between any two cameras, by kind.
        camera_contrast: of different persons, two cameras less one.
        domains: the mean accounts by time of day: kind, time.
        domain_contrasts: the second time of day less the first: kind, part.
    """

    made_by: Mapping[str, str]
    metric: str
    retrieval: Mapping[str, Mapping[str, Estimate]]
    kinds: Mapping[str, MeanAccount]
    contrasts: Mapping[tuple[str, str], Mapping[str, Estimate]]
    attributes: Sequence[AttributeFinding]
    members: Sequence[AttributeFinding]
    regression: Regression | None
    cameras: Mapping[str, CameraPairs]
    camera_contrast: Mapping[str, Estimate]
    domains: Mapping[str, Mapping[str, MeanAccount]]
    domain_contrasts: Mapping[str, Mapping[str, Estimate]]

    @property
    def agreement(self) -> dict[str, float]:
        """Spearman's correlation, over attributes and groups, of three ways to say which of them counts.

        ``effect``: what a difference makes by the account against by regression. ``importance``: what it
        makes up of all distances by the account (effect times how often two differ) against permutation
        importance.
        Empty with fewer than :data:`LEAST_ORDERED` attributes of which both are known.
        """
        if self.regression is None:
            return {}
        both = [
            f
            for f in self.attributes
            if f.effect and f.pairs >= LEAST_PAIRS and f.name in self.regression.effects
        ]
        if len(both) < LEAST_ORDERED:
            return {}
        effect = np.array([f.effect.value for f in both if f.effect], float)
        regressed = np.array([self.regression.effects[f.name].value for f in both], float)
        permuted = np.array([self.regression.importance[f.name].value for f in both], float)
        often = np.array([f.tells_apart for f in both])
        return {
            "attributes": len(both),
            "effect": spearman(effect, regressed),
            "importance": spearman(effect * often, permuted),
            "regression_and_permutation": spearman(regressed * often, permuted),
        }

    @property
    def labelled(self) -> float | None:
        """What labelled differences make up of a distance by the account; None without attributes."""
        known = [
            f.effect.value * f.tells_apart for f in self.attributes if f.effect and f.effect.value is not None
        ]
        return float(sum(known)) if known else None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; shares are fractions."""
        return {
            "made_by": dict(self.made_by),
            "metric": self.metric,
            "retrieval": {name: as_dicts(one) for name, one in self.retrieval.items()},
            "kinds": {kind: one.to_dict() for kind, one in self.kinds.items()},
            "contrasts": [
                {"of": one, "less": other, "parts": as_dicts(parts)}
                for (one, other), parts in self.contrasts.items()
            ],
            "attributes": [f.to_dict() for f in self.attributes],
            "members": [f.to_dict() for f in self.members],
            "labelled_differences": self.labelled,
            "regression": None if self.regression is None else self.regression.to_dict(),
            "agreement": self.agreement,
            "cameras": {kind: one.to_dict() for kind, one in self.cameras.items()},
            "two_cameras_less_one": as_dicts(self.camera_contrast),
            "times_of_day": {
                kind: {time: one.to_dict() for time, one in times.items()}
                for kind, times in self.domains.items()
            },
            "second_time_less_first": {
                kind: as_dicts(parts) for kind, parts in self.domain_contrasts.items()
            },
        }


def findings(
    made_by: Mapping[str, str],
    metric: Distance,
    data: Sequence[AuditedSet],
    embeddings: Sequence[tuple[Tensor, Tensor]],
    searched: Sequence[Search],
    measured: Measured,
    schema: AttributeSchema,
    seed: int,
) -> Findings:
    """What is found of one model.

    Args:
        made_by: what is known of it.
        metric: of its distances.
        data: the data sets.
        embeddings: of query and gallery of each.
        searched: what the model finds in each.
        measured: the accounts of pairs, with label differences in ``schema``.
        schema: the attributes that are labelled; empty where nothing is.
        seed: of permutations.
    """
    effects, members = attribute_findings(measured, schema, data)
    apart = [
        persons_apart(metric, two, one, schema)
        for two, one in zip(embeddings, data, strict=True)
        if len(schema)
    ]
    return Findings(
        dict(made_by),
        metric.name,
        {one.name: _retrieval(found) for one, found in zip(data, searched, strict=True)},
        by_kind(measured, data),
        contrasts(measured),
        effects,
        members,
        regress(apart, entries_of(schema), seed) if apart else None,
        by_cameras(measured, data, seed),
        camera_contrast(measured, data),
        by_domain(measured, data),
        domain_contrasts(measured, data),
    )


def _retrieval(found: Search) -> dict[str, Estimate]:
    mean, queries = found.retrieval.mean, int((found.first >= 0).sum())
    if not queries:
        return {}
    return {
        name: Estimate(value, interval, queries)
        for name, value, interval in zip(("rank-1", "mAP", "mINP"), mean.values, mean.intervals, strict=True)
        if name != "mINP"
    }
