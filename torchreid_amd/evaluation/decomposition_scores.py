"""The scores of a decomposition, as a record that goes into a run folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from torchreid_amd.errors import InputError

Percents = dict[str, float | None]


@dataclass(frozen=True)
class DecompositionScores:
    """Everything :func:`~torchreid_amd.evaluation.evaluate_decomposition` finds out, in percent.

    None stands where a score has no pair to be computed from.

    Attributes:
        metric: name of the distance.
        form: ``'mean'`` or ``'sum'``.
        target: ``rank-1``, ``rank-5``, ``rank-10``, ``rank-20`` and ``mAP`` of the target's distance.
        interpreter: the same of the decomposed distance, with ``ADRE``, ``X-mAP_e``, ``X-mAP_c``
            and ``exclusive_hit_rate``.
        prior: the last three for the image-free prior; None without training rates.
        random: the last three as expected of a random order.
        per_attribute: for each attribute ``exclusive_pairs``, the number of pairs that differ in
            it, and the hit rates ``interpreter``, ``prior`` and ``random``: in how many of those
            pairs it is among the N largest shares.
        pairs: numbers of pairs: ``all`` query × gallery, ``removed`` (the query's identity under
            the query's camera), ``used``, ``zero_distance`` (used, left out of ADRE),
            ``annotated`` (used, an attribute known of both persons), ``unannotated`` (used, not
            so), ``with_exclusive`` and ``with_common`` (what X-mAP_e and X-mAP_c average over).
    """

    metric: str
    form: str
    target: Percents
    interpreter: Percents
    prior: Percents
    random: Percents
    per_attribute: dict[str, Percents]
    pairs: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; :meth:`from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DecompositionScores:
        """Read what :meth:`to_dict` wrote; what is there besides is ignored.

        Raises:
            InputError: a part is missing.
        """
        names = [field.name for field in fields(cls)]
        missing = [name for name in names if name not in data]
        if missing:
            raise InputError(
                f"scores lack {missing[0]!r}; expected what DecompositionScores.to_dict() gives, "
                "evaluate the run again"
            )
        return cls(**{name: data[name] for name in names})
