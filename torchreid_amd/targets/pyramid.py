"""The target's own maps at finer resolutions, on the way to its early features.

The last map of a ReID model is coarse (16×8 of a 256×128 image). The stem makes finer ones as it
goes: of a chain of modules the last output at each resolution, of a traced computation likewise.
A stem that is neither gives its early features alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from torchreid_amd.targets.tracing import extract, run_through, shape_of

FINEST = 4  #: pixels of the image along a cell of the finest map


class Chain(nn.Module):
    """Modules one after the other, with some of the values between.

    Args:
        steps: the modules.
        kept: positions of those whose output is wanted, besides the last.
    """

    def __init__(self, steps: Sequence[nn.Module], kept: Sequence[int]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)
        self.kept = tuple(kept)

    def forward(self, images: Tensor) -> tuple[Any, ...]:
        """Images -> the kept values and, last, the early features."""
        found = []
        value: Any = images
        for i, step in enumerate(self.steps):
            value = step(value)
            if i in self.kept:
                found.append(value)
        return (*found, value)


class Alone(nn.Module):
    """A stem that shows nothing of its way."""

    def __init__(self, stem: nn.Module) -> None:
        super().__init__()
        self.stem = stem

    def forward(self, images: Tensor) -> tuple[Any, ...]:
        """Images -> the early features."""
        return (self.stem(images),)


@torch.no_grad()
def pyramid_of(stem: nn.Module, images: Tensor) -> nn.Module:
    """The stem as a module that gives ``(finer maps …, early features)``, the finest first.

    Args:
        stem: images -> early features.
        images: (B, 3, H, W) to try it on.
    """
    if isinstance(stem, fx.GraphModule):
        size = images.shape[2], images.shape[3]
        run_through(stem, size)
        nodes = list(stem.graph.nodes)
        out = nodes[-1].all_input_nodes
        last = {shape_of(n)[2:]: n for n in nodes[1:-1] if n not in out and _is_fine_map(shape_of(n), images)}
        final = shape_of(out[0])[2:] if len(out) == 1 else ()
        kept = [n for grid, n in last.items() if grid != final]
        return extract(stem, nodes[:1], [*kept, nodes[-1]]) if kept and len(out) == 1 else Alone(stem)
    if type(stem).forward is nn.Sequential.forward:
        steps = list(stem.children())
        grids: dict[tuple[int, ...], int] = {}
        value: Any = images
        for i, step in enumerate(steps):
            value = step(value)
            if isinstance(value, Tensor) and _is_fine_map(value.shape, images):
                grids[tuple(value.shape[2:])] = i
        kept_at = [i for i in grids.values() if i < len(steps) - 1]
        free = [i for i in kept_at if not getattr(steps[i + 1], "inplace", False)]
        return Chain(steps, free)
    return Alone(stem)


def is_map_of(value: Any, images: Tensor) -> bool:
    """Whether a value is one map (B, C, h, w) of the images, channels second."""
    if not isinstance(value, Tensor) or value.ndim != 4:
        return False
    return _alike(value.shape, images)


def _is_fine_map(shape: Sequence[int], images: Tensor) -> bool:
    return len(shape) == 4 and _alike(shape, images) and FINEST * shape[2] <= images.shape[2] + FINEST


def _alike(shape: Sequence[int], images: Tensor) -> bool:
    height, width = (i / s for i, s in zip(images.shape[2:], shape[2:], strict=True))
    return 0.7 < height / width < 1.4
