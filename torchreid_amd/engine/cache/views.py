"""Augmented photographs that are the same each time: view v of photograph i has a seed of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from torchreid_amd.core.images import read_image
from torchreid_amd.core.seeds import seeded

View = tuple[int, int]  #: photograph, view


class Views(Dataset[dict[str, Any]]):
    """One view of a photograph of a torchreid data set, in its form.

    Args:
        dataset: torchreid's, with its training transform.
        seed: other seeds, other views.
    """

    def __init__(self, dataset: Any, seed: int) -> None:
        self.dataset, self.seed = dataset, seed

    def __getitem__(self, at: View) -> dict[str, Any]:
        path, pid, camid, dsetid = self.dataset.data[at[0]]
        return {
            "img": self.view(at, read_image(path)),
            "pid": pid,
            "camid": camid,
            "impath": path,
            "dsetid": dsetid,
        }

    def view(self, at: View, image: Any) -> Tensor:
        """The view (3, H, W) of a photograph that is read."""
        with seeded([self.seed, *at]):
            view: Tensor = self.dataset.transform(image)
        return view


class AllViews(Dataset[tuple[int, Tensor]]):
    """All views of a photograph (k, 3, H, W), which is read once.

    Args:
        views: gives one.
        count: k.
    """

    def __init__(self, views: Views, count: int) -> None:
        self.views, self.count = views, count

    def __getitem__(self, photograph: int) -> tuple[int, Tensor]:
        image = read_image(self.views.dataset.data[photograph][0])
        views = [self.views.view((photograph, v), image.copy()) for v in range(self.count)]
        return photograph, torch.stack(views)


class ViewSampler(Sampler[View]):
    """torchreid's sampler, with a view drawn for each photograph.

    Views are drawn by a generator of their own, seeded once an epoch by torch's. All that is random is drawn
    before the first photograph, so that what draws meanwhile does not change it.

    Args:
        sampler: of photographs.
        count: views of each.
    """

    def __init__(self, sampler: Any, count: int) -> None:
        self.sampler, self.count = sampler, count

    def __iter__(self) -> Iterator[View]:
        seed = int(torch.empty((), dtype=torch.int64).random_())
        generator = torch.Generator().manual_seed(seed)
        for photograph in list(self.sampler):
            yield int(photograph), int(torch.randint(self.count, (), generator=generator))

    def __len__(self) -> int:
        return len(self.sampler)
