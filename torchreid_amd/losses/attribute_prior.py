"""Attribute prior: exclusive attributes carry the distance, common ones little of it.

Chen et al., *Explainable Person Re-Identification with Attribute-guided Metric Distillation*,
ICCV 2021, https://arxiv.org/abs/2103.01451, with the closed bounds of the authors' code.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from torchreid_amd.attributes.exclusive import ALL_COMMON_CEILING, pair_labels
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.registry import register_loss
from torchreid_amd.losses.pairs import at_least_single, pair_mean

ALL_EXCLUSIVE_FLOOR = 0.70  #: N = M: no share below this much of the uniform one
_TINY = 1e-12


def attribute_prior(
    shares: Tensor,
    labels_i: Tensor,
    labels_j: Tensor,
    groups: Sequence[Sequence[int]] | None = None,
    alpha: float = 0.5,
    theta: float = 0.3,
) -> dict[str, Tensor]:
    """How far the shares of each pair are from what its labels lead one to expect.

    Each pair is judged on the attributes known of both persons: M counts those, N counts the
    exclusive ones among them, and their shares p_k are made to add up to 1 again (1/M each where
    they are all 0). With τ = (N/M)^α and g = √(τ(1−τ) / (N(M−N))):

    ==================== ============================ ============================
    term                 0 < N < M                    otherwise
    ==================== ============================ ============================
    ``group``            ReLU(τ − Σ_excl p_k)         0
    ``exclusive``        Σ_excl ReLU(g − p_k)         N = M: Σ ReLU(0.70/M − p_k)
    ``common``           Σ_comm ReLU(p_k − g)         N = 0: Σ ReLU(p_k − 2/M)
    ==================== ============================ ============================

    Half-precision input is lifted to float32, so the function may be called under autocast.
    Gradients are finite everywhere.

    Args:
        shares: (P, M) contribution shares, non-negative.
        labels_i, labels_j: (P, M) 1 yes, 0 no, −1 unknown.
        groups: positions of the members of each group of mutually exclusive attributes. When
            given there is a further term ``exclusive_group``: within each group, Σ ReLU(p_k − θ p̄)
            over the members *both* persons lack, p̄ being the mean share of the members at least
            one of them wears; 0 where nobody wears any.
        alpha: exponent of τ, above 0.
        theta: θ, what a lacking member may take of the mean share of the worn ones.

    Returns:
        The terms, each (P,), and ``valid``: (P,) bool, pairs with at least one known attribute.
        Terms of the others are 0.

    Raises:
        InputError: shapes that do not fit, alpha ≤ 0, negative theta, or a group member outside 0…M−1.
    """
    _check(shares, labels_i, labels_j, alpha, theta)
    exclusive, known = pair_labels(labels_i, labels_j)
    common = known & ~exclusive
    p = _known_shares(at_least_single(shares), known)
    count = known.sum(-1)
    valid = count > 0
    m, n = count.clamp_min(1).to(p.dtype), exclusive.sum(-1).to(p.dtype)
    mixed = (n > 0) & (n < m)

    tau = (n / m).pow(alpha)
    closed = (tau * (1 - tau) / (n * (m - n)).clamp_min(1)).sqrt()
    floor = torch.where(mixed, closed, ALL_EXCLUSIVE_FLOOR / m).unsqueeze(-1)
    ceiling = torch.where(mixed, closed, ALL_COMMON_CEILING / m).unsqueeze(-1)
    group = (tau - (p * exclusive).sum(-1)).relu()
    terms = {
        "group": torch.where(mixed, group, torch.zeros_like(group)),
        "exclusive": ((floor - p).relu() * exclusive).sum(-1),
        "common": ((p - ceiling).relu() * common).sum(-1),
    }
    if groups:
        worn = known & ((labels_i == 1) | (labels_j == 1))
        terms["exclusive_group"] = _exclusive_groups(p, worn, known & ~worn, groups, theta)
    return terms | {"valid": valid}


def _known_shares(shares: Tensor, known: Tensor) -> Tensor:
    kept = torch.where(known, shares, torch.zeros_like(shares))
    total = kept.sum(-1, keepdim=True)
    uniform = known.to(shares.dtype) / known.sum(-1, keepdim=True).clamp_min(1)
    given = total > _TINY
    return torch.where(given, kept / torch.where(given, total, 1.0), uniform)


def _exclusive_groups(
    p: Tensor, worn: Tensor, lacking: Tensor, groups: Sequence[Sequence[int]], theta: float
) -> Tensor:
    member = _membership(groups, p.shape[-1]).to(p.device)  # (G, M)
    worn_members = member & worn.unsqueeze(1)  # (P, G, M)
    worn_count = worn_members.sum(-1, keepdim=True)
    shares = p.unsqueeze(1)
    worn_mean = (shares * worn_members).sum(-1, keepdim=True) / worn_count.clamp_min(1)
    over = (shares - theta * worn_mean).relu()
    counts = member & lacking.unsqueeze(1) & (worn_count > 0)
    return (over * counts).sum((1, 2))


def _membership(groups: Sequence[Sequence[int]], num_attributes: int) -> Tensor:
    member = torch.zeros(len(groups), num_attributes, dtype=torch.bool)
    for row, members in zip(member, groups, strict=True):
        outside = [k for k in members if not 0 <= k < num_attributes]
        if outside:
            raise InputError(
                f"a group of exclusive attributes holds position {outside[0]}; expected 0 to "
                f"{num_attributes - 1}, as AttributeSchema.group_indices() gives them"
            )
        row[list(members)] = True
    return member


def _check(shares: Tensor, labels_i: Tensor, labels_j: Tensor, alpha: float, theta: float) -> None:
    if shares.ndim != 2 or not shares.shape == labels_i.shape == labels_j.shape:
        raise InputError(
            f"shares, labels_i and labels_j have shapes {tuple(shares.shape)}, {tuple(labels_i.shape)} "
            f"and {tuple(labels_j.shape)}; expected (P, M) three times"
        )
    if alpha <= 0 or theta < 0:
        raise InputError(f"alpha is {alpha} and theta {theta}; expected alpha > 0 and theta ≥ 0")


@register_loss(name="attribute_prior")
class AttributePriorLoss(nn.Module):
    """:func:`attribute_prior` with its settings and the weights of the authors' code.

    total = weight · (group_weight · group + exclusive_weight · exclusive + common_weight · common
    [+ exclusive_group_weight · exclusive_group]), terms averaged over the valid pairs.

    Args:
        groups: positions of mutually exclusive attributes
            (:meth:`~torchreid_amd.attributes.schema.AttributeSchema.group_indices`), which
            switch the exclusive-group term on; None leaves it off.
        alpha: exponent of τ.
        theta: bound of the exclusive-group term.
        weight, group_weight, exclusive_weight, common_weight, exclusive_group_weight: factors.
        decay: divide the total by √iteration.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[int]] | None = None,
        alpha: float = 0.5,
        theta: float = 0.3,
        weight: float = 10.0,
        group_weight: float = 2.0,
        exclusive_weight: float = 10.0,
        common_weight: float = 10.0,
        exclusive_group_weight: float = 1.0,
        decay: bool = False,
    ) -> None:
        super().__init__()
        self.groups, self.alpha, self.theta = groups, alpha, theta
        self.weight, self.decay = weight, decay
        self.term_weights = {
            "group": group_weight,
            "exclusive": exclusive_weight,
            "common": common_weight,
            "exclusive_group": exclusive_group_weight,
        }

    def forward(self, shares: Tensor, labels_i: Tensor, labels_j: Tensor) -> dict[str, Tensor]:
        """Named, unreduced terms, each (P,), and the mask ``valid``."""
        return attribute_prior(shares, labels_i, labels_j, self.groups, self.alpha, self.theta)

    def means(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        """Each term averaged over the valid pairs; 0 where there is none."""
        return {name: pair_mean(terms[name], terms["valid"]) for name in terms if name != "valid"}

    def total(self, terms: dict[str, Tensor], iteration: int = 1) -> Tensor:
        """The scalar to minimise.

        Args:
            terms: what :meth:`forward` gave.
            iteration: how many training steps have begun, from 1; it matters where ``decay`` is on.
        """
        weighted = [self.term_weights[name] * mean for name, mean in self.means(terms).items()]
        factor = self.weight / max(iteration, 1) ** 0.5 if self.decay else self.weight
        return factor * torch.stack(weighted).sum()
