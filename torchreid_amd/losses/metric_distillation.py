"""Metric distillation: the components of the distance add up to the target's distance.

Chen et al., *Explainable Person Re-Identification with Attribute-guided Metric Distillation*,
ICCV 2021, https://arxiv.org/abs/2103.01451. The paper writes the distance as a sum of
components; the authors' code takes their mean. The two differ by the factor M in the
components, the shares are the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from torchreid_amd.core.errors import InputError, unknown_name
from torchreid_amd.core.registry import register_loss
from torchreid_amd.losses.pairs import at_least_single, pair_mean

FORMS = ("mean", "sum")


def metric_distillation(
    distance: Tensor, components_distance: Tensor, form: str = "mean", gate: float = 0.0
) -> dict[str, Tensor]:
    """The gap between the target's distance and its decomposition, pair by pair.

    Half-precision input is lifted to float32, so the function may be called under autocast.

    Args:
        distance: (P,) the target's distance d of each pair; no gradient goes into it.
        components_distance: (P, M) the components d_k, before any division by M.
        form: ``'mean'``: d ≈ (1/M) Σ d_k; ``'sum'``: d ≈ Σ d_k.
        gate: while the batch's mean relative gap (a fraction of d, as in ADRE; pairs with
            d = 0 left out of that mean) is below it, the gap is all zeros and gives no gradient.
            0 keeps the loss always on.

    Returns:
        ``gap``: (P,) |d − decomposed d|, in the unit of the distance;
        ``relative_gap``: (P,) the gap over d, 0 where d = 0, detached and never gated.

    Raises:
        InputError: shapes that do not fit, an unknown form, a negative gate.
    """
    if form not in FORMS:
        raise unknown_name("form of the decomposition", form, FORMS)
    if gate < 0:
        raise InputError(f"gate is {gate}; expected a fraction of the distance ≥ 0 (0: always on)")
    if components_distance.ndim != 2 or distance.shape != components_distance.shape[:1]:
        raise InputError(
            f"distance has shape {tuple(distance.shape)} and its components "
            f"{tuple(components_distance.shape)}; expected (P,) and (P, M)"
        )
    d = at_least_single(distance.detach())
    components = at_least_single(components_distance)
    gap = (d - (components.mean(-1) if form == "mean" else components.sum(-1))).abs()
    counts = d > 0
    relative = torch.where(counts, gap.detach() / torch.where(counts, d, torch.ones_like(d)), 0.0)
    if gate > 0:
        closed = counts.any() & (pair_mean(relative, counts) < gate)
        gap = torch.where(closed, torch.zeros_like(gap), gap)
    return {"gap": gap, "relative_gap": relative}


@register_loss(name="metric_distillation")
class MetricDistillationLoss(nn.Module):
    """:func:`metric_distillation` with its settings.

    Args:
        form: ``'mean'`` or ``'sum'``.
        gate: bound on the batch's mean relative gap below which the loss is switched off.
        weight: factor of the total.
    """

    def __init__(self, form: str = "mean", gate: float = 0.0, weight: float = 1.0) -> None:
        super().__init__()
        if form not in FORMS:
            raise unknown_name("form of the decomposition", form, FORMS)
        self.form, self.gate, self.weight = form, gate, weight

    def forward(self, distance: Tensor, components_distance: Tensor) -> dict[str, Tensor]:
        """Named, unreduced terms, each (P,)."""
        return metric_distillation(distance, components_distance, self.form, self.gate)

    def means(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """Each term averaged over the pairs; 0 where there is no pair."""
        return {name: pair_mean(values) for name, values in terms.items()}

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """The scalar to minimise: weight × mean gap."""
        return self.weight * pair_mean(terms["gap"])
