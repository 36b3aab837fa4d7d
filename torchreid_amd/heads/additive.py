"""An exact interpreter: what attributes are seen, times what they do to the embedding.

Attribute k's component of an embedding is f_k = s_k w_k: how surely the person has it (s_k, read
off the image by :class:`~torchreid_amd.heads.eye.Eye`, with a map of where) times the direction in
which it moves embeddings (w_k, :class:`~torchreid_amd.heads.directions.Directions`). The remainder
f_0 = e − Σ_k f_k is what no attribute accounts for. Squared Euclidean distance and cosine being
bilinear, contributions and remainder add up to the target's distance exactly, for every target.

After Kim et al., *Interpretability Beyond Feature Attribution: TCAV*, ICML 2018,
https://arxiv.org/abs/1711.11279 (directions of concepts) and Zhou et al., *Interpretable Basis
Decomposition for Visual Explanation*, ECCV 2018 (an embedding as a sum of them).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from torchreid_amd.heads.directions import Directions
from torchreid_amd.heads.eye import Eye, recognised
from torchreid_amd.registry import register_head
from torchreid_amd.targets.tail import Features, principal
from torchreid_amd.targets.target import Target

_RAREST = 20.0  #: a "yes" never weighs more than the square root of this


@register_head(name="additive")
class AdditiveHead(nn.Module):
    """Recognised attributes times their directions in the target's embedding.

    Its maps are probabilities: where the attribute is seen.

    Args:
        target: the frozen target.
        attributes: M.
        channels: C of the target's principal feature map.
        width: channels inside the network that recognises attributes.
        sharpness: factor of the log-odds before a strength s_k = sigmoid is taken of them.
    """

    form = "additive"  #: of the decomposition: contributions are inner products

    def __init__(
        self, target: Target, attributes: int, channels: int, width: int = 64, sharpness: float = 2.0
    ) -> None:
        super().__init__()
        device = next((p.device for p in target.parameters()), torch.device("cpu"))
        images = torch.zeros(2, 3, *target.size, device=device)
        early, features = target.features(images)
        self.sharpness = sharpness
        self.looks_at_early = _is_map_of(early, images)
        above = self._above(early, features)
        self.eye = Eye(attributes, tuple(f.shape[1] for f in above), width)
        with torch.no_grad():
            embedding = target.tail(features).shape[1]
        self.directions = Directions(attributes, embedding)

    def decompose(
        self, images: Tensor, early: Any, features: Features, embedding: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What the interpreter says of B images.

        Args:
            images: (B, 3, H, W).
            early: the target's early features.
            features: the target's feature map(s).
            embedding: the target's embeddings (B, D).

        Returns:
            Maps (B, M, h, w) in (0, 1), and components (B, M, D).
        """
        scores = self.eye(images, self._above(early, features))
        return self._maps(scores), self._components(scores).to(embedding.dtype)

    def loss(
        self, images: Tensor, early: Any, features: Features, embedding: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """Recognition of the labels; the directions take note of the batch.

        Args:
            images, early, features, embedding: as for :meth:`decompose`.
            labels: (B, M) 1 yes, 0 no, −1 unknown.
        """
        self.directions.update(labels, embedding)
        rates = self.directions.rates.float()
        weight = ((1 - rates) / rates.clamp_min(1e-3)).clamp(1, _RAREST).sqrt()
        known = (labels >= 0).float()
        odds = recognised(self.eye(images, self._above(early, features)))
        each = functional.binary_cross_entropy_with_logits(
            odds, labels.clamp_min(0).float(), pos_weight=weight, reduction="none"
        )
        return {"recognition": (each * known).sum() / known.sum().clamp_min(1)}

    def _maps(self, scores: Tensor) -> Tensor:
        return torch.sigmoid(scores).clamp_min(torch.finfo(scores.dtype).tiny)

    def _components(self, scores: Tensor) -> Tensor:
        strengths = torch.sigmoid(self.sharpness * recognised(scores))
        return strengths.unsqueeze(2) * self.directions()

    def _above(self, early: Any, features: Features) -> tuple[Tensor, ...]:
        return (early, principal(features)) if self.looks_at_early else (principal(features),)


def _is_map_of(early: Any, images: Tensor) -> bool:
    """Whether early features are a single map (B, C, h, w) of the images, channels second."""
    if not isinstance(early, Tensor) or early.ndim != 4:
        return False
    height, width = (i / e for i, e in zip(images.shape[2:], early.shape[2:], strict=True))
    return 0.8 < height / width < 1.25
