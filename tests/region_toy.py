"""A target whose embedding is the concatenation of attribute regions, with its perfect interpreter.

A photograph of 8×8 pixels has three regions: hat and shirt side by side in the upper half, the bag
below. The stem copies each region into channels of its own; the embedding is their average. Map k is
1 inside its attribute's region and 0 elsewhere, so components are the embedding's own parts and
squared distances add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.evaluation.data.ground_truth import Change
from torchreid_amd.evaluation.data.labelled_images import LabelledImages
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.interpreter import Interpreter
from torchreid_amd.targets.target import AveragePoolTail, Target

SCHEMA = AttributeSchema("toy", ("hat", "red", "blue", "bag"), {"shirt": ("red", "blue")})
SIZE = (8, 8)


def places() -> Tensor:
    """(3, 8, 8): hat, shirt, bag."""
    found = torch.zeros(3, *SIZE, dtype=torch.bool)
    found[0, :4, :4] = found[1, :4, 4:] = found[2, 4:] = True
    return found


class _Stem(nn.Module):
    """Each place in three channels of its own: (B, 3, 8, 8) -> (B, 9, 8, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        return (images.unsqueeze(1) * places().unsqueeze(1)).flatten(1, 2)


class _Mean(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features.mean((2, 3))


class PerfectHead(nn.Module):
    """Map of each attribute: 1 in its place; the two shirt colours split theirs by what is worn."""

    def forward(self, early: Tensor, features: Tensor) -> Tensor:
        hat, shirt, bag = places().float()
        # red and blue hold half of the shirt's squared distance each: √½ of its embedding
        maps = torch.stack([hat, shirt * 0.5**0.5, shirt * 0.5**0.5, bag])
        return maps.expand(len(features), -1, -1, -1)


class RandomHead(nn.Module):
    """Maps that have nothing to do with the photograph, others for each one."""

    def forward(self, early: Tensor, features: Tensor) -> Tensor:
        return torch.rand(len(features), 4, *SIZE)


def _decomposer(head: nn.Module) -> Decomposer:
    target = Target(_Stem(), nn.Identity(), AveragePoolTail(_Mean()), name="toy", size=SIZE)
    return Decomposer(
        Interpreter(target, head, SCHEMA, "squared_euclidean", "sum"), SIZE, (0, 0, 0), (1, 1, 1)
    )


def perfect_decomposer() -> Decomposer:
    return _decomposer(PerfectHead())


def random_decomposer() -> Decomposer:
    return _decomposer(RandomHead())


def draw(labels: Sequence[int]) -> NDArray[np.uint8]:
    """The photograph of a person: each attribute a colour in its place, of its own strength."""
    picture = np.zeros((*SIZE, 3), np.uint8)
    hat, shirt, bag = places().numpy()
    picture[hat, 0] = 200 * labels[0]
    picture[shirt, 0], picture[shirt, 2] = 120 * labels[1], 120 * labels[2]
    picture[bag, 1] = 60 * labels[3]
    return picture


def toy_people(count: int, seed: int, folder: Path) -> LabelledImages:
    """One photograph a person, named by its number."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (count, 4)).astype(np.int8)
    labels[:, 2] = 1 - labels[:, 1]  # a shirt is red or blue
    labels[0], labels[1] = [0, 1, 0, 0], [1, 0, 1, 1]
    paths = tuple(str(folder / f"{n}.png") for n in range(count))
    for path, row in zip(paths, labels, strict=True):
        Image.fromarray(draw(row.tolist())).save(path)
    return LabelledImages(paths, np.arange(count), np.zeros(count, int), labels)


class ToyTruth:
    def __init__(self, people: LabelledImages) -> None:
        self.people = people

    def labels(self, path: str) -> list[int]:
        found: list[int] = self.people.labels[int(Path(path).stem)].tolist()
        return found

    def regions(self, path: str) -> NDArray[np.bool_]:
        hat, shirt, bag = places().numpy()
        worn = np.array(self.labels(path), dtype=bool)[:, None, None]
        return np.stack([hat, shirt, shirt, bag]) & worn

    def changed(self, path: str, changes: Sequence[Change]) -> list[NDArray[np.uint8]]:
        pictures = []
        for change in changes:
            labels = self.labels(path)
            for k in change.members:
                labels[k] = 0
            labels[SCHEMA.index(change.attribute)] = change.value
            pictures.append(draw(labels))
        return pictures
