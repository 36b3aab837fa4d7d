"""Grad-CAM and LayerCAM of a pair's distance.

Selvaraju et al., *Grad-CAM*, ICCV 2017, https://arxiv.org/abs/1610.02391; Jiang et al., *LayerCAM*,
TIP 2021. Usually they explain a class score; here the number explained is the distance, the
negative of the pair's similarity, so that the maps show what sets the two apart.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torchreid_amd.interpreter.distances import Distance
from torchreid_amd.targets import Target
from torchreid_amd.targets.tail import principal


def distance_activations(
    target: Target, a: Tensor, b: Tensor, distance: Distance
) -> dict[str, tuple[Tensor, Tensor]]:
    """Maps of what raises the distance of two images.

    Args:
        target: the target.
        a, b: images (1, 3, H, W).
        distance: which distance.

    Returns:
        ``'Grad-CAM'`` and ``'LayerCAM'``, each a map (h, w) of either image, not negative.
    """
    with torch.enable_grad():
        sides = [_leaves(target.features(image)[1]) for image in (a, b)]
        apart = distance.between(*(target.tail(features) for features in sides)).sum()
        wanted = [principal(features) for features in sides]
        gradients = torch.autograd.grad(apart, wanted)
    found: dict[str, list[Tensor]] = {"Grad-CAM": [], "LayerCAM": []}
    for features, gradient in zip(wanted, gradients, strict=True):
        f, g = features.detach()[0], gradient[0]
        found["Grad-CAM"].append((g.mean((1, 2), keepdim=True) * f).sum(0).clamp_min(0))
        found["LayerCAM"].append((g.clamp_min(0) * f).sum(0).clamp_min(0))
    return {name: (maps[0], maps[1]) for name, maps in found.items()}


def _leaves(features: Any) -> Any:
    if isinstance(features, Tensor):
        return features.detach().requires_grad_()
    return tuple(f.detach().requires_grad_() for f in features)


def plain_activation(target: Target, images: Tensor) -> Tensor:
    """The target's activation map (B, h, w): the mean size of a feature over the channels."""
    return principal(target.features(images)[1]).abs().mean(1)
