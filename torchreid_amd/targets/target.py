"""A frozen ReID model cut in three: stem | body | tail.

Chen et al., *Explainable Person Re-Identification with Attribute-guided Metric Distillation*,
ICCV 2021, section 3: the interpreter shares the target's early stages, may own a copy of the
later ones, and puts its attention maps on the last feature map before the pooling.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from torchreid_amd.errors import InputError


class AveragePoolTail(nn.Module):
    """Everything from the feature map to the embedding, where pooling is a global average.

    Args:
        rest: the target's own code from the map to the embedding, ``(N, C, h, w) -> (N, D)``; it
            must work for a 1×1 map too.
    """

    def __init__(self, rest: nn.Module) -> None:
        super().__init__()
        self.rest = rest

    def forward(self, features: Tensor) -> Tensor:
        """``(B, C, h, w) -> (B, D)``."""
        embedding: Tensor = self.rest(features)
        return embedding

    def components(self, maps: Tensor, features: Tensor) -> Tensor:
        """Attribute components e_k = T(A_k ⊙ F) of the embedding.

        Averaging is linear, so the M weighted averages are one batched product of maps and
        features; no B×M×C×h×w tensor comes up.

        Args:
            maps: attribute-guided attention maps (B, M, h, w).
            features: the target's feature map (B, C, h, w).

        Returns:
            (B, M, D).
        """
        batch, attributes = maps.shape[:2]
        area = features.shape[2] * features.shape[3]
        pooled = maps.flatten(2) @ features.flatten(2).transpose(1, 2) / area  # (B, M, C)
        components: Tensor = self.rest(pooled.reshape(batch * attributes, -1, 1, 1))
        return components.reshape(batch, attributes, -1)


class Target(nn.Module):
    """A ReID model whose decisions are explained; frozen and in eval mode for ever.

    The law: ``tail(body(stem(images)))`` equals the model's own embedding to 1e-5 relative.

    Args:
        stem: images (B, 3, H, W) -> shared early features (B, C', h', w').
        body: early features -> the last feature map F (B, C, h, w) before the pooling.
        tail: F -> embedding (B, D), with a method ``components``; see :class:`AveragePoolTail`.
        model: the model the three parts belong to; without it their composition is the model.
        name: the name it was built by, e.g. ``'osnet_x0_25'``.

    Making a target freezes the model: parameters stop requiring gradients, dropout and batch
    normalisation stay in eval mode whatever ``train()`` is called around it.
    """

    def __init__(
        self,
        stem: nn.Module,
        body: nn.Module,
        tail: AveragePoolTail,
        *,
        model: nn.Module | None = None,
        name: str = "",
    ) -> None:
        super().__init__()
        self.name = name
        self.model = nn.Sequential(stem, body, tail) if model is None else model
        self._parts = (stem, body, tail)  # a tuple: they are the model's own modules, not more
        self.model.requires_grad_(False)
        self.model.eval()
        for part in self._parts:
            part.eval()

    @property
    def stem(self) -> nn.Module:
        """Images -> shared early features; frozen."""
        return self._parts[0]

    @property
    def body(self) -> nn.Module:
        """Early features -> feature map; frozen. The interpreter may own a trainable copy."""
        return self._parts[1]

    @property
    def tail(self) -> AveragePoolTail:
        """Feature map -> embedding; frozen, but gradients flow through it to the maps."""
        return self._parts[2]

    def train(self, mode: bool = True) -> Target:
        """Stays in eval mode, whatever ``mode``."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        """The target's own embedding (B, D), by the model's own forward."""
        embedding: Tensor = self.model(images)
        return embedding

    @torch.no_grad()
    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Early features (B, C', h', w') and the last feature map (B, C, h, w), without gradients."""
        early = self.stem(images)
        return early, self.body(early)

    @torch.no_grad()
    def law_error(self, images: Tensor) -> float:
        """Largest error of the law, relative to the largest embedding value."""
        own = self.model(images)
        return float((self.tail(self.features(images)[1]) - own).abs().max() / own.abs().max().clamp_min(1e-12))


@torch.no_grad()
def average_pool_tail(rest: nn.Module, channels: int, size: tuple[int, int], what: str) -> AveragePoolTail:
    """The tail ``rest`` as an :class:`AveragePoolTail`, after checking that it is one.

    Raises:
        InputError: the embedding depends on more than the average of the map.
    """
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(2, channels, *size, generator=generator)
    try:
        full, pooled = rest(features), rest(features.mean((2, 3), keepdim=True))
        same = full.shape == pooled.shape and torch.allclose(full, pooled, rtol=1e-4, atol=1e-5)
    except RuntimeError:
        same = False
    if not same:
        raise InputError(
            f"the tail of {what} does not begin with a global average pooling of its "
            f"{channels}×{size[0]}×{size[1]} map; cut it by hand with Target(stem, body, tail) and a "
            "tail that has its own components(maps, features)"
        )
    return AveragePoolTail(rest)


Cut = Callable[[nn.Module], Target]
