"""``random_surroundings`` among ``data.transforms``: what is around a person changes, the person does not.

A head that learns on one street learns its walls and its light with the attributes. So in half of the views
the surroundings are changed at random: their contrast, brightness and colour, with a ramp or a spot of light.
Where a new domain has photographs (``data.load_train_targets``, or
:func:`~torchreid_amd.engine.adapt.adapt`), the surroundings are those of its people.
Where the person is says :mod:`~torchreid_amd.account.part_network`.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from torchreid_amd.account.part_network import fitted, trained
from torchreid_amd.attributes.parts import PARTS, REST
from torchreid_amd.core.images import read_image

NAME = "random_surroundings"  #: in data.transforms
CHANGED = 0.5  #: share of views
CONTRAST = -0.5, 0.8  #: natural logarithm of the factor
BRIGHTNESS = -1.1, 0.4  #: likewise
CAST = 0.1  #: likewise, of each channel, either way
SHADE = 0.6  #: likewise, of a ramp or a spot, at most
REMOVED = 0.3  #: a person is where the chance is higher, when one is taken out
MARGIN = 9  #: pixels of the grid about them that go too

Pixels = NDArray[np.uint8]
Picture = NDArray[np.float32]
Pair = tuple[Any, Any]  #: torchreid's transforms of training and of test


class RandomSurroundings:
    """A photograph whose surroundings are changed at random; size and kind stay.

    It draws one number of Python's ``random``, from which everything follows.
    """

    def __init__(self) -> None:
        self.others: Sequence[str] = ()  #: photographs whose surroundings are taken; where none, own are lit

    def __call__(self, image: Image.Image) -> Image.Image:
        rng = np.random.default_rng(random.getrandbits(64))
        if rng.random() >= CHANGED:
            return image
        pixels = np.asarray(image.convert("RGB"))
        person = chance_of_person(pixels)[..., None]
        if self.others:
            around = empty(np.asarray(read_image(self.others[int(rng.integers(len(self.others)))])))
            around = around[:, ::-1] if rng.random() < 0.5 else around
            size = pixels.shape[1], pixels.shape[0]
            surroundings = cv2.resize(around, size, interpolation=cv2.INTER_LINEAR).astype(np.float32)
        else:
            surroundings = lit(pixels.astype(np.float32), rng)
        mixed = pixels * person + surroundings * (1 - person)
        return Image.fromarray((mixed.clip(0, 255) + 0.5).astype(np.uint8))


def chance_of_person(pixels: Pixels) -> Picture:
    """(H, W) how likely each pixel of a photograph (H, W, 3) shows the person or what is carried: 0 … 1."""
    with torch.inference_mode():
        odds = trained()(torch.from_numpy(fitted(pixels)).permute(2, 0, 1).unsqueeze(0).float())
        around = odds.softmax(1)[0, PARTS.index(REST)].numpy()
    size = pixels.shape[1], pixels.shape[0]
    return np.asarray(1 - cv2.resize(around, size, interpolation=cv2.INTER_LINEAR), np.float32)


def empty(pixels: Pixels) -> Pixels:
    """A photograph without its person, at the size of the network's grid: its surroundings go on inwards."""
    small = fitted(pixels)
    there = (chance_of_person(small) > REMOVED).astype(np.uint8)
    hole = cv2.dilate(there, np.ones((MARGIN, MARGIN), np.uint8))
    return np.asarray(cv2.inpaint(small, hole, 3, cv2.INPAINT_TELEA), np.uint8)


def lit(picture: Picture, rng: np.random.Generator) -> Picture:
    """A picture (H, W, 3) in another light; it may leave 0 … 255."""
    mean = picture.mean()
    picture = mean + (picture - mean) * np.exp(rng.uniform(*CONTRAST))
    picture = picture * np.exp(rng.uniform(*BRIGHTNESS) + rng.uniform(-CAST, CAST, 3))
    shade = np.exp(rng.uniform(0, SHADE) * shading(picture.shape[:2], rng))
    return np.asarray(picture * shade[..., None], np.float32)


def shading(size: Sequence[int], rng: np.random.Generator) -> Picture:
    """(H, W) a ramp in any direction, −√2 … √2, or a spot, bright or dark, −1 … 1."""
    y = np.linspace(-1, 1, size[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, size[1], dtype=np.float32)[None]
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * np.pi)
        return np.asarray(np.cos(angle) * x + np.sin(angle) * y, np.float32)
    (top, left), (tall, wide) = rng.uniform(-1, 1, 2), rng.uniform(0.1, 1.5, 2)
    spot = 2 * np.exp(-((y - top) ** 2 / tall + (x - left) ** 2 / wide)) - 1
    return np.asarray(rng.choice([-1, 1]) * spot, np.float32)


def knowing_surroundings(build: Callable[..., Pair]) -> Callable[..., Pair]:
    """torchreid's ``build_transforms`` that knows :data:`NAME`, too: before photographs become tensors."""

    @functools.wraps(build)
    def build_transforms(height: int, width: int, transforms: Any = "random_flip", **options: Any) -> Pair:
        training, test = build(height, width, transforms=transforms, **options)
        names = [transforms] if isinstance(transforms, str) else transforms or []
        if NAME in [name.lower() for name in names]:
            print("+ random surroundings (training alone)")
            steps = training.transforms
            at = [type(step).__name__ for step in steps].index("ToTensor")
            steps.insert(at, RandomSurroundings())
        return training, test

    return build_transforms


def stand_before(transform: Any, others: Sequence[str]) -> None:
    """Let :data:`NAME`, if a training transform of torchreid has it, take surroundings from photographs."""
    for step in getattr(transform, "transforms", ()):
        if isinstance(step, RandomSurroundings):
            step.others = others
            print(f"Surroundings: of {len(others):,} new photographs, in half of the views")


def others_of(transform: Any) -> Sequence[str]:
    """The photographs that a training transform takes surroundings from."""
    return [path for step in getattr(transform, "transforms", ()) for path in getattr(step, "others", ())]
