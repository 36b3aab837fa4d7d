"""Photographs of an evaluation: read, resized and put through target and interpreter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from torchreid_amd.image import read_image, to_tensor
from torchreid_amd.interpreter import Decomposition, Interpreter
from torchreid_amd.targets.cells import resized

BATCH = 32  #: larger ones are slower on a CPU


@dataclass(frozen=True)
class Photographs:
    """Photographs with what is known of them.

    Attributes:
        paths: N files.
        pids: (N,) identities.
        camids: (N,) cameras.
        labels: (N, M) 1 yes, 0 no, −1 unknown.
    """

    paths: tuple[str, ...]
    pids: NDArray[np.int64]
    camids: NDArray[np.int64]
    labels: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.paths)

    def part(self, rows: Sequence[int] | NDArray[np.integer]) -> Photographs:
        """Some of them, by position."""
        index = np.asarray(rows, dtype=int)
        paths = tuple(self.paths[i] for i in index)
        return Photographs(paths, self.pids[index], self.camids[index], self.labels[index])

    def sample(self, count: int, seed: int) -> Photographs:
        """At most ``count`` of them, drawn from a seed, in their own order."""
        if count >= len(self):
            return self
        return self.part(np.sort(np.random.default_rng(seed).permutation(len(self))[:count]))


@dataclass(frozen=True)
class Eye:
    """How the interpreter sees photographs.

    Attributes:
        interpreter: in eval mode.
        size: (H, W) of its input.
        mean: of the input normalisation.
        std: of it.
    """

    interpreter: Interpreter
    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def device(self) -> torch.device:
        """Where the interpreter is."""
        return next(self.interpreter.target.parameters()).device

    def of(self, interpreter: Interpreter) -> Eye:
        """The same for another interpreter."""
        return Eye(interpreter, self.size, self.mean, self.std)

    def read(self, images: Sequence[str | Image.Image | NDArray[np.uint8]]) -> Tensor:
        """(N, 3, H, W) of files, images or arrays."""
        tensors = [to_tensor(read_image(image), self.size, self.mean, self.std) for image in images]
        return torch.stack(tensors).to(self.device)

    @torch.no_grad()
    def decompose(self, images: Tensor) -> Decomposition:
        """Decompositions of (N, 3, H, W), in batches."""
        return Decomposition.cat([self.interpreter(part) for part in images.split(BATCH)])

    @torch.no_grad()
    def embed(self, images: Tensor) -> Tensor:
        """The target's embeddings (N, D) of (N, 3, H, W), in batches."""
        target = self.interpreter.target
        return torch.cat([target.tail(target.features(part)[1]) for part in images.split(BATCH)])

    def embed_files(self, paths: Sequence[str]) -> Tensor:
        """The target's embeddings (N, D) of files."""
        starts = range(0, len(paths), BATCH)
        return torch.cat([self.embed(self.read(paths[i : i + BATCH])).cpu() for i in starts])


def at_size(maps: Tensor, size: Sequence[int], shift: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """Maps (K, h, w) at another size (K, H, W), bilinear.

    Args:
        maps: any.
        size: (H, W).
        shift: by how much of their cells they lie lower and further right than if spread evenly.
    """
    return resized(maps.unsqueeze(0).float(), size, shift)[0]


def mask_at_size(regions: Tensor, size: Sequence[int]) -> Tensor:
    """Regions (K, H, W) bool at another size, nearest neighbour."""
    fitted = functional.interpolate(regions.unsqueeze(0).float(), tuple(size), mode="nearest")[0]
    return fitted > 0.5
