"""What linear maps between embeddings and attributes know: the strongest simple baselines.

Probes read attributes off the target's embedding; two persons then differ most in the attribute
whose probabilities lie farthest apart. (Alain and Bengio, *Understanding intermediate layers using
linear classifier probes*, 2016, https://arxiv.org/abs/1610.01644.) Regression goes the other way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from torchreid_amd.core.progress_bar import progress

STRENGTHS = (1.0, 0.1, 0.01, 0.001)  #: of the penalty, tried on held-out training identities
HELD_OUT = 5  #: every fifth identity


@dataclass(frozen=True)
class LinearProbes:
    """M logistic classifiers on embeddings.

    Attributes:
        centre: (D,) taken off an embedding.
        scale: (D,) it is then divided by.
        weight: (M, D).
        bias: (M,).
        strength: the penalty that was chosen.
    """

    centre: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor
    strength: float

    def probabilities(self, embedding: Tensor) -> Tensor:
        """(N, D) -> (N, M), the probability of "yes"."""
        unit = (embedding.double() - self.centre) / self.scale
        return torch.sigmoid(unit @ self.weight.T + self.bias).float()


def fit_probes(
    embedding: Tensor, labels: Tensor, identities: Tensor, strengths: Sequence[float] = STRENGTHS
) -> LinearProbes:
    """Logistic regression with an L2 penalty; the strength is chosen on held-out identities.

    Args:
        embedding: (N, D) of training images.
        labels: (N, M) 1 yes, 0 no, −1 unknown (left out).
        identities: (N,) so that no person is on both sides of the choice.
        strengths: penalties to choose from, the strongest first.
    """
    people = torch.unique(identities)
    held = torch.isin(identities, people[HELD_OUT - 1 :: HELD_OUT])
    best = strengths[0]
    if held.any() and len(strengths) > 1:
        losses = []
        for strength in progress(strengths, "fitting linear probes"):
            probes = _fit(embedding[~held], labels[~held], strength)
            losses.append(_loss(probes.probabilities(embedding[held]).double().logit(eps=1e-6), labels[held]))
        best = strengths[int(torch.stack(losses).argmin())]
    return _fit(embedding, labels, best)


def _fit(embedding: Tensor, labels: Tensor, strength: float) -> LinearProbes:
    x = embedding.double()
    centre, scale = x.mean(0), x.std(0, unbiased=False).clamp_min(1e-8)
    x = (x - centre) / scale
    weight = torch.zeros(labels.shape[1], x.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(labels.shape[1], dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        penalty = strength / 2 * weight.square().sum() / len(labels[0])
        loss = _loss(x @ weight.T + bias, labels) + penalty
        loss.backward()
        return loss

    with torch.enable_grad():
        solver.step(closure)
    return LinearProbes(centre, scale, weight.detach(), bias.detach(), strength)


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    known = labels >= 0
    wanted = labels.clamp_min(0).to(logits.dtype)
    loss = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return (loss * known).sum() / known.sum().clamp_min(1)


@dataclass(frozen=True)
class AttributeRegression:
    """Embeddings as a linear function of attributes.

    Attributes:
        weight: (M, D) by which an attribute that turns to "yes" moves the embedding.
    """

    weight: Tensor

    def moved(self, embedding: Tensor, change: Tensor) -> Tensor:
        """Embeddings (…, D) after their attributes changed by (…, M) of −1, 0, 1."""
        return embedding + (change.to(self.weight.dtype) @ self.weight).to(embedding.dtype)


def fit_regression(labels: Tensor, embedding: Tensor, strength: float = 1.0) -> AttributeRegression:
    """Ridge regression of embeddings (N, D) on labels (N, M); unknown labels count as the mean."""
    known = labels >= 0
    x = labels.double() * known
    rates = x.sum(0) / known.sum(0).clamp_min(1)
    x = torch.where(known, x - rates, 0.0)
    y = embedding.double() - embedding.double().mean(0)
    penalty = strength * torch.eye(x.shape[1], dtype=torch.float64)
    return AttributeRegression(torch.linalg.solve(x.T @ x + penalty, x.T @ y))
