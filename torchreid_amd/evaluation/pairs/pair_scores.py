"""Everything that is scored on pairs, as sums that merge across blocks and processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.distributed

from torchreid_amd.evaluation.completeness import ADRE
from torchreid_amd.evaluation.naming.attribute_scores import AttributeScores
from torchreid_amd.evaluation.pairs.record import DecompositionScores, Intervals, Percents
from torchreid_amd.evaluation.retrieval import GalleryRankCorrelation, Retrieval
from torchreid_amd.evaluation.statistics import Mean, percent

_COUNTS = ("all", "used", "annotated")


class PairScores:
    """The state of :func:`~torchreid_amd.evaluation.score_pairs`.

    Args:
        num_attributes: M.
        metric: name of the distance.
        form: ``'mean'``, ``'sum'`` or ``'additive'``.
        others: names of further distances whose ADRE is measured.
        rankers: names of other rankings of attributes.
        has_prior: whether there is an image-free prior.
    """

    def __init__(
        self,
        num_attributes: int,
        metric: str,
        form: str,
        others: Sequence[str] = (),
        rankers: Sequence[str] = (),
        has_prior: bool = True,
    ) -> None:
        self.metric, self.form, self.has_prior = metric, form, has_prior
        self.target, self.decomposed = Retrieval(), Retrieval()
        self.correlation = GalleryRankCorrelation()
        self.adre = {name: ADRE() for name in dict.fromkeys([metric, *others])}
        self.explained = Mean()  # the part of the distance that the attributes make up
        self.named = AttributeScores(num_attributes)
        rows = [*rankers, *(["prior"] if has_prior else []), "random"]
        self.baselines = {name: AttributeScores(num_attributes) for name in rows}
        self.counts = dict.fromkeys(_COUNTS, 0)

    def merge(self, other: PairScores) -> PairScores:
        """Add the state of another process or block of queries; gives itself."""
        for name in ("target", "decomposed", "correlation", "explained", "named"):
            getattr(self, name).merge(getattr(other, name))
        for name, adre in self.adre.items():
            adre.merge(other.adre[name])
        for name, scores in self.baselines.items():
            scores.merge(other.baselines[name])
        for name in _COUNTS:
            self.counts[name] += other.counts[name]
        return self

    def merge_processes(self) -> PairScores:
        """The sum over all processes of ``torch.distributed``, the same in each; alone, itself."""
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return self
        states: list[Any] = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(states, self)
        merged = states[0]
        for state in states[1:]:
            merged.merge(state)
        return merged

    def scores(self, attributes: Sequence[str]) -> DecompositionScores:
        """The record, in percent and with intervals.

        Args:
            attributes: M names.
        """
        adre = self.adre[self.metric]
        correlation = self.correlation.mean
        rows: dict[str, Percents] = {
            "target": self.target.percent(),
            "interpreter": self.decomposed.percent()
            | adre.percent()
            | {"rank_correlation": None if correlation.value is None else 100 * correlation.value}
            | {"explained": None if self.explained.value is None else 100 * self.explained.value}
            | self.named.percent(),
        }
        if not self.has_prior:
            rows["prior"] = dict.fromkeys(self.named.percent())
        rows |= {name: scores.percent() for name, scores in self.baselines.items()}
        intervals: dict[str, Intervals] = {
            "target": self.target.intervals(),
            "interpreter": self.decomposed.intervals()
            | adre.intervals()
            | {"rank_correlation": percent(correlation.interval)}
            | {"explained": percent(self.explained.interval)}
            | self.named.intervals(),
        }
        intervals |= {name: scores.intervals() for name, scores in self.baselines.items()}
        for name, other in self.adre.items():
            if name != self.metric:
                shown = {f"{k} ({name})": v for k, v in other.percent().items()}
                rows["interpreter"] |= shown
                intervals["interpreter"] |= {f"{k} ({name})": v for k, v in other.intervals().items()}
        extra = [name for name in self.baselines if name not in ("prior", "random")]
        return DecompositionScores(
            metric=self.metric,
            form=self.form,
            target=rows["target"],
            interpreter=rows["interpreter"],
            prior=rows["prior"],
            random=rows["random"],
            per_attribute=self._per_attribute(attributes),
            pairs=self._pairs(),
            baselines={name: rows[name] for name in extra},
            intervals=intervals,
        )

    def _pairs(self) -> dict[str, int]:
        with_exclusive, with_common = self.named.pairs
        counts = self.counts
        return {
            "all": counts["all"],
            "removed": counts["all"] - counts["used"],
            "used": counts["used"],
            "zero_distance": self.adre[self.metric].left_out,
            "annotated": counts["annotated"],
            "unannotated": counts["used"] - counts["annotated"],
            "with_exclusive": with_exclusive,
            "with_common": with_common,
        }

    def _per_attribute(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {
            name: {"exclusive_pairs": pairs}
            for name, pairs in zip(names, self.named.pairs_by_attribute, strict=True)
        }
        rows = {"interpreter": self.named, **self.baselines}
        for row in dict.fromkeys(["interpreter", "prior", "random", *self.baselines]):
            scores = rows.get(row)
            hits = [None] * len(names) if scores is None else scores.percent_by_attribute()
            common = [None] * len(names) if scores is None else scores.common_percent_by_attribute()
            for name, hit, kept in zip(names, hits, common, strict=True):
                found[name][row] = hit
                found[name][f"{row}_common"] = kept
        for name, interval in zip(names, self.named.intervals_by_attribute(), strict=True):
            found[name]["interval"] = None if interval is None else list(interval)
        return found
