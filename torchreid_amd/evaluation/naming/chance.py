"""What an interpreter scores that has not looked at the images.

Every X-mAP is read beside these two: an *image-free prior*, which ranks the attributes of all
pairs alike by how often two persons differ in them, and a random order.
"""

from __future__ import annotations

import torch
from torch import Tensor

from torchreid_amd.attributes.exclusive import pair_labels


def prior_shares(rates: Tensor) -> Tensor:
    """The same shares for every pair, r(1−r) made to add up to 1.

    Two persons drawn at random differ in attribute k with probability 2 r_k (1 − r_k).

    Args:
        rates: (M,) share of "yes" among the known training labels; NaN where nothing is known,
            which is ranked last.

    Returns:
        (M,) float64.
    """
    rates = rates.double().nan_to_num(0.0)
    variance = rates * (1 - rates)
    return variance / variance.sum().clamp_min(1e-12)


def random_average_precision(positives: Tensor, total: Tensor) -> Tensor:
    """Expected average precision of a random order.

    At rank r stands a positive with probability n/m, and then (r−1)(n−1)/(m−1) positives are
    expected before it. Averaged over the n positives: (H_m + (n−1)/(m−1) · (m − H_m)) / m, with
    the harmonic number H_m = Σ_r 1/r.

    Args:
        positives: n, whole numbers of any shape.
        total: m, of the same shape.

    Returns:
        float64 of that shape, 0 where n = 0.
    """
    most = int(total.max()) if total.numel() else 0
    steps = 1 / torch.arange(1, most + 1, dtype=torch.float64, device=total.device)
    harmonic = torch.cat([steps.new_zeros(1), steps.cumsum(0)])[total.long()]
    n, m = positives.double(), total.double()
    others = (n - 1) / (m - 1).clamp_min(1)
    expected = (harmonic + others * (m - harmonic)) / m.clamp_min(1)
    return torch.where(n > 0, expected, 0.0)


def random_hits(labels_i: Tensor, labels_j: Tensor) -> Tensor:
    """(P, M) probability that an attribute is exclusive and among the first N of a random order."""
    exclusive, known = pair_labels(labels_i, labels_j)
    chance = exclusive.sum(1) / known.sum(1).clamp_min(1)
    return exclusive * chance.unsqueeze(1)
