"""Galleries for tests: a folder of noisy photographs, a toy with weights, and stores of given features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from toy_interpreter import SCHEMA, SIZE, WEIGHTS, _Head, _Mean, noisy

from torchreid_amd.explanation.explainer import Explainer
from torchreid_amd.gallery.mark import Mark
from torchreid_amd.gallery.store import Store
from torchreid_amd.gallery.writer import laid_out
from torchreid_amd.interpreter.interpreter import Interpreter
from torchreid_amd.targets.target import AveragePoolTail, Target


def coloured_explainer(weight: float = 1.0, size: tuple[int, int] = SIZE, heads: float = 1.0) -> Explainer:
    """The toy behind a layer that multiplies colours, so that there are weights to tell it by."""
    colours = nn.Conv2d(3, 3, 1, bias=False)
    with torch.no_grad():
        colours.weight.copy_(weight * torch.eye(3)[:, :, None, None])
    target = Target(colours, nn.AvgPool2d(2), AveragePoolTail(_Mean()), name="toy")
    head = _Head(tuple(heads * w for w in WEIGHTS))
    return Explainer(Interpreter(target, head, SCHEMA), size, (0, 0, 0), (1, 1, 1), account=False)


def write_photographs(folder: Path, count: int, first: int = 0) -> list[Path]:
    """Photograph n shows person n // 2 under camera n % 2."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{n // 2:04d}_c{n % 2 + 1}s1_{n:06d}_00.png" for n in range(first, first + count)]
    for n, path in enumerate(paths, first):
        noisy(n).save(path)
    return paths


def store_of(path: Path, features: NDArray[np.float32]) -> Store:
    """A store with given embeddings (N, D) of photographs ``0.png``, ``1.png``, …"""
    count = len(features)
    explainer = coloured_explainer()
    shapes = {name: (count,) for name in ("name", "bytes", "identity", "camera", "split", "checksum")}
    names = np.array([f"{n}.png".encode() for n in range(count)])
    mark = Mark.of(explainer.decomposer)
    with laid_out(path, mark, str(path.parent), shapes | {"embedding": features.shape}, 12) as writer:  # type: ignore[arg-type]
        writer.put("name", range(count), names)
        for name in ("bytes", "identity", "camera", "split"):
            writer.put(name, range(count), np.zeros(count))
        writer.put("embedding", range(count), features)
        writer.done(range(count))
    return Store(path)
