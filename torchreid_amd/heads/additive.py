"""An exact interpreter: what attributes are seen, times what they do to the embedding.

Attribute k's component of an embedding is f_k = s_k w_k: how surely the person has it (s_k, read
off the target's own feature maps by :class:`~torchreid_amd.heads.eye.Eye`, with a map of where)
times the direction in which it moves embeddings (w_k,
:class:`~torchreid_amd.heads.directions.Directions`). The remainder
f_0 = e − Σ_k f_k is what no attribute accounts for. Squared Euclidean distance and cosine being
bilinear, contributions and remainder add up to the target's distance exactly, for every target.

After Kim et al., *Interpretability Beyond Feature Attribution: TCAV*, ICML 2018,
https://arxiv.org/abs/1711.11279 (directions of concepts) and Zhou et al., *Interpretable Basis
Decomposition for Visual Explanation*, ECCV 2018 (an embedding as a sum of them).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from torchreid_amd.heads.directions import Directions
from torchreid_amd.heads.eye import Eye, recognised
from torchreid_amd.registry import register_head
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
        self, target: Target, attributes: int, channels: int, width: int = 64, sharpness: float = 3.0
    ) -> None:
        super().__init__()
        device = next((p.device for p in target.parameters()), torch.device("cpu"))
        levels, features = target.levels(torch.zeros(2, 3, *target.size, device=device))
        with torch.no_grad():
            embedding = target.tail(features).shape[1]
        self.sharpness = sharpness
        self.eye = Eye(attributes, [f.shape[1] for f in levels], width)
        self.directions = Directions(attributes, embedding)

    def decompose(self, target: Target, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the interpreter says of B images.

        Args:
            target: the frozen target.
            images: (B, 3, H, W).

        Returns:
            The target's embeddings (B, D), maps (B, M, h, w) in (0, 1], components (B, M, D).
        """
        levels, features = target.levels(images)
        with torch.no_grad():
            embedding = target.tail(features)
        scores = self.eye(levels)
        maps = torch.sigmoid(scores).clamp_min(torch.finfo(scores.dtype).tiny)
        strengths = torch.sigmoid(self.sharpness * recognised(scores))
        return embedding, maps, (strengths.unsqueeze(2) * self.directions()).to(embedding.dtype)

    def loss(self, target: Target, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """What the eye misses of the labels; the directions take note of the batch.

        Args:
            target: the frozen target.
            images: (B, 3, H, W).
            labels: (B, M) 1 yes, 0 no, −1 unknown.
        """
        levels, features = target.levels(images)
        with torch.no_grad():
            self.directions.update(labels, target.tail(features))
        rates = self.directions.rates.float()
        weight = ((1 - rates) / rates.clamp_min(1e-3)).clamp(1, _RAREST).sqrt()
        known = (labels >= 0).float()
        each = functional.binary_cross_entropy_with_logits(
            recognised(self.eye(levels)), labels.clamp_min(0).float(), pos_weight=weight, reduction="none"
        )
        return {"recognition": (each * known).sum() / known.sum().clamp_min(1)}
