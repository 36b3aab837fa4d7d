"""How many synthetic pedestrians, how large, and from which seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from torchreid_amd.core.errors import InputError, unknown_name

VERSION = 1  #: rises whenever the same options would give other pictures
CAMERAS = 6
DOMAINS = ("day", "night")  #: synthetic_attr and synthetic_attr_night


@dataclass(frozen=True)
class SyntheticOptions:
    """What decides every pixel of the data set.

    Attributes:
        train_ids: identities to train on.
        test_ids: identities in query and gallery.
        images_per_id: photographs of one identity over all cameras, on average.
        seed: changes people, walks, scenes and noise.
        height: image height in pixels.
        width: image width in pixels.
        domain: ``'day'`` or ``'night'``: other people, clothes, cameras and streets.

    Raises:
        InputError: a number is not an integer or too small to make a data set from, or an unknown domain.
    """

    train_ids: int = 200
    test_ids: int = 150
    images_per_id: int = 10
    seed: int = 0
    height: int = 128
    width: int = 64
    domain: str = "day"

    def __post_init__(self) -> None:
        least = {"train_ids": 1, "test_ids": 1, "images_per_id": 4, "seed": 0, "height": 32, "width": 16}
        for name, low in least.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
                raise InputError(
                    f"synthetic_attr: {name} is {value!r}; expected an integer of at least {low}"
                )
            object.__setattr__(self, name, int(value))
        if self.domain not in DOMAINS:
            raise unknown_name("domain of the synthetic pedestrians", self.domain, DOMAINS)

    @property
    def name(self) -> str:
        """Name of the data set, and of its folder."""
        return "synthetic_attr" if self.domain == "day" else f"synthetic_attr_{self.domain}"

    @property
    def key(self) -> int:
        """The seed of every stream: each domain has people, walks and streets of its own."""
        return self.seed + (DOMAINS.index(self.domain) << 64)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary that also names the version of the drawing code."""
        return {"version": VERSION, **asdict(self)}

    def pids(self, split: str) -> range:
        """Identity numbers of ``'train'`` or ``'test'``; they start at 1 and do not overlap."""
        if split == "train":
            return range(1, 1 + self.train_ids)
        if split == "test":
            return range(1 + self.train_ids, 1 + self.train_ids + self.test_ids)
        raise InputError(f"synthetic_attr: split {split!r} is unknown; expected 'train' or 'test'")


def stream(seed: int, purpose: str, *keys: int) -> np.random.Generator:
    """A random stream of its own for one purpose and one thing.

    Streams never depend on each other or on the order of use: this is what makes pictures
    independent of worker processes, and counterfactual pictures equal but for one attribute.
    """
    words = [seed, int.from_bytes(purpose.encode(), "little") & (2**63 - 1), *keys]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))
