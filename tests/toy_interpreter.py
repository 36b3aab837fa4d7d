"""An interpreter whose explanations can be worked out by hand, and photographs of one colour.

The embedding is the mean colour; the map of attribute k is w_k · (½ on the upper half, 1½ on the
lower), so on a photograph of one colour e_k = w_k · embedding and d_k = w_k · d.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.explanation.explainer import Explainer
from torchreid_amd.interpreter.interpreter import Interpreter
from torchreid_amd.targets.target import AveragePoolTail, Target

SCHEMA = AttributeSchema(
    "toy", ("hat", "red", "bag"), words={"red": ("red coat", "coat not red"), "hat": ("hat", "no hat")}
)
WEIGHTS = (0.6, 0.9, 1.2)  # mean 0.9: the parts add up to 90 % of the distance
SIZE = (8, 4)


class _Mean(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features.mean((2, 3))


class _Head(nn.Module):
    def __init__(self, weights: tuple[float, ...]) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights))
        self.noise = nn.Dropout(0.5)  # shows when the interpreter is not in eval mode

    def forward(self, early: Tensor, features: Tensor) -> Tensor:
        batch, _, height, width = features.shape
        ramp = torch.full((height, width), 0.5)
        ramp[height // 2 :] = 1.5
        return self.noise(self.weights.view(1, -1, 1, 1) * ramp).expand(batch, -1, -1, -1)


def toy_interpreter(metric: str = "euclidean") -> Interpreter:
    target = Target(nn.Identity(), nn.AvgPool2d(2), AveragePoolTail(_Mean()), name="toy")
    return Interpreter(target, _Head(WEIGHTS), SCHEMA, metric)


def toy_explainer(metric: str = "euclidean", **options: object) -> Explainer:
    """Photographs are seen as they are: no normalisation."""
    return Explainer(toy_interpreter(metric), SIZE, (0, 0, 0), (1, 1, 1), **options)  # type: ignore[arg-type]


def plain(red: int, green: int = 0, blue: int = 0, size: tuple[int, int] = (6, 12)) -> Image.Image:
    """A photograph of one colour; size is (width, height)."""
    return Image.new("RGB", size, (red, green, blue))


def noisy(seed: int, size: tuple[int, int] = (20, 40)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)
