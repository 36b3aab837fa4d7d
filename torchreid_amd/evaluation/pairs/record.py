"""The scores of a decomposition, as a record that goes into a run folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from torchreid_amd.core.errors import InputError

Percents = dict[str, float | None]
Intervals = dict[str, tuple[float, float] | None]


@dataclass(frozen=True)
class DecompositionScores:
    """Everything :func:`~torchreid_amd.evaluation.evaluate_decomposition` finds out, in percent.

    None stands where a score has no pair to be computed from.

    Attributes:
        metric: name of the distance.
        form: ``'mean'`` or ``'sum'``.
        target: ``rank-1``, ``rank-5``, ``rank-10``, ``rank-20``, ``mAP`` and ``mINP`` of the
            target's distance.
        interpreter: the same of the decomposed distance; ``ADRE``, ``ADRE p95`` and ``ADRE max``,
            those of further distances with their name in brackets; ``rank_correlation`` of the two
            distances over a query's gallery; ``X-mAP_e``, ``X-mAP_c``, ``exclusive_hit_rate`` and
            ``common_hit_rate``.
        prior: the last four for the image-free prior; None without training rates.
        random: the last four as expected of a random order.
        per_attribute: for each attribute ``exclusive_pairs``, the number of pairs that differ in
            it, and the hit rates ``interpreter``, ``prior`` and ``random``: in how many of those
            pairs it is among the N largest shares. With ``_common`` behind the name: in how many
            of the pairs that agree in it it is not. ``interval`` is that of ``interpreter``.
        pairs: numbers of pairs: ``all`` query × gallery, ``removed`` (the query's identity under
            the query's camera), ``used``, ``zero_distance`` (used, left out of ADRE),
            ``annotated`` (used, an attribute known of both persons), ``unannotated`` (used, not
            so), ``with_exclusive`` and ``with_common`` (what X-mAP_e and X-mAP_c average over).
        baselines: the last four of other rankings, by name.
        intervals: 95 % intervals of the numbers above, over query identities, by row and score.
    """

    metric: str
    form: str
    target: Percents
    interpreter: Percents
    prior: Percents
    random: Percents
    per_attribute: dict[str, dict[str, Any]]
    pairs: dict[str, int]
    baselines: dict[str, Percents] = field(default_factory=dict)
    intervals: dict[str, Intervals] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; :meth:`from_dict` reads it back."""
        record = asdict(self)
        record["intervals"] = {
            row: {name: None if ends is None else list(ends) for name, ends in scores.items()}
            for row, scores in self.intervals.items()
        }
        return record

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DecompositionScores:
        """Read what :meth:`to_dict` wrote; what is there besides is ignored.

        Raises:
            InputError: a part is missing.
        """
        needed = [f.name for f in fields(cls) if f.default_factory is MISSING]
        missing = [name for name in needed if name not in data]
        if missing:
            raise InputError(
                f"scores lack {missing[0]!r}; expected what DecompositionScores.to_dict() gives, "
                "evaluate the run again"
            )
        given = {f.name: data[f.name] for f in fields(cls) if f.name in data}
        given["intervals"] = {
            row: {name: None if ends is None else (ends[0], ends[1]) for name, ends in scores.items()}
            for row, scores in given.get("intervals", {}).items()
        }
        return cls(**given)
