"""What takes the place of removed pixels: the mean, a blur, or a noisy linear mixture of neighbours.

Noisy linear: Rong et al., *A Consistent and Efficient Evaluation Strategy for Attribution Methods*
(ROAD), ICML 2022, https://arxiv.org/abs/2202.00449: a removed pixel is the weighted mean of its
eight neighbours, removed ones included, and some noise, so that the shape of the hole tells little.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

NOISE = 0.1  #: standard deviation of the noise, in units of a normalised image
ROUNDS = 40  #: sweeps over the removed pixels, after a start from coarse to fine


def mean_imputed(image: Tensor, removed: Tensor) -> Tensor:
    """Removed pixels get the image's mean colour.

    Args:
        image: (3, H, W).
        removed: (K, H, W) bool.

    Returns:
        (K, 3, H, W).
    """
    return torch.where(removed.unsqueeze(1), image.mean((1, 2), keepdim=True), image)


def blur_imputed(image: Tensor, removed: Tensor) -> Tensor:
    """Removed pixels come from the image behind a Gaussian blur of an eighth of its width."""
    sigma = max(1.0, image.shape[2] / 8)
    blurred = image.unsqueeze(0)
    for axis in (2, 3):
        reach = min(int(2 * sigma), image.shape[axis - 1] - 1)
        steps = torch.arange(-reach, reach + 1, device=image.device)
        kernel = torch.exp(-(steps.to(image.dtype) ** 2) / (2 * sigma**2))
        shape = [1, 1, 1, 1]
        shape[axis] = len(kernel)
        weight = (kernel / kernel.sum()).reshape(shape).expand(3, 1, *shape[2:])
        padding = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
        blurred = functional.conv2d(functional.pad(blurred, padding, mode="reflect"), weight, groups=3)
    return torch.where(removed.unsqueeze(1), blurred, image)


def noisy_linear_imputed(image: Tensor, removed: Tensor, seed: int = 0) -> Tensor:
    """Removed pixels solve "the weighted mean of my neighbours", and then get noise.

    Direct neighbours weigh twice the diagonal ones. The equations are solved by sweeps; where
    everything is removed the mean colour is what is left.
    """
    hole = removed.unsqueeze(1)
    filled = _coarse_to_fine(image, hole)
    total = _neighbours(torch.ones_like(image).unsqueeze(0))
    for _ in range(ROUNDS):
        filled = torch.where(hole, _neighbours(filled) / total, filled)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(image.shape, generator=generator).to(image) * NOISE
    return torch.where(hole, filled + noise, image)


def _neighbours(images: Tensor) -> Tensor:
    """(K, 3, H, W) -> the sum of the eight neighbours, direct ones twice; outside the image is 0."""
    padded = functional.pad(images, (1, 1, 1, 1))
    rows = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
    return rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:] - 4 * images


def _coarse_to_fine(image: Tensor, hole: Tensor) -> Tensor:
    """A first guess: the mean of what is known nearby, at the finest grid where something is known."""
    known = (~hole).to(image.dtype)
    values, weight = image * known, known
    levels = [(values, weight)]
    while min(values.shape[2:]) > 1:
        values = functional.avg_pool2d(values, 2, ceil_mode=True)
        weight = functional.avg_pool2d(weight, 2, ceil_mode=True)
        levels.append((values, weight))
    mean = image.mean((1, 2))[None, :, None, None]
    guess = mean.expand(len(hole), -1, *levels[-1][0].shape[2:])
    for values, weight in reversed(levels):
        finer = functional.interpolate(guess, values.shape[2:], mode="nearest")
        guess = torch.where(weight > 0, values / weight.clamp_min(1e-12), finer)
    return torch.where(hole, guess, image)


IMPUTATIONS = {"mean": mean_imputed, "blur": blur_imputed, "noisy linear": noisy_linear_imputed}
