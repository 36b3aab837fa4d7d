"""Removing and inserting: does the distance hang on the pixels the maps point at?

Petsiuk et al., *RISE*, BMVC 2018, https://arxiv.org/abs/1806.07421, applied to the distance of a pair:
pixels are taken from both photographs, or put back, in the order of a map, and the target measures
the distance again. It needs neither labels nor regions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from torchreid_amd.core.progress_bar import progress
from torchreid_amd.evaluation.baselines.class_activation import plain_activation
from torchreid_amd.evaluation.data.labelled_images import LabelledImages, sample_pairs
from torchreid_amd.evaluation.data.testbed import Testbed
from torchreid_amd.evaluation.deletion.imputation import IMPUTATIONS
from torchreid_amd.evaluation.statistics import Interval, Mean
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.distances import Distance, get_distance
from torchreid_amd.interpreter.maps import at_size

STEPS = 9  #: points of a curve, both ends included
DIRECTIONS = ("removing", "inserting")

Curves = dict[tuple[str, str, str], "CurveMean"]  # order, imputation, direction


def removed_first(map_: Tensor, fractions: Sequence[float]) -> Tensor:
    """(K, H, W) bool: for each fraction that share of the pixels, the largest values of (H, W) first."""
    order = map_.flatten().argsort(descending=True, stable=True)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device)
    counts = (torch.tensor(list(fractions), dtype=torch.float64) * len(order)).round().to(place)
    return (place < counts.unsqueeze(1)).reshape(-1, *map_.shape)


def curve(
    embed: Callable[[Tensor], Tensor],
    images: tuple[Tensor, Tensor],
    maps: tuple[Tensor, Tensor],
    impute: Callable[[Tensor, Tensor], Tensor],
    distance: Distance,
    steps: int = STEPS,
) -> tuple[Tensor, Tensor]:
    """The distance of a pair while pixels are removed, and while they are inserted.

    Args:
        embed: (N, 3, H, W) -> (N, D).
        images: the two, (3, H, W).
        maps: (H, W) of each; the pixels with the largest values come first.
        impute: ``(image, removed (K, H, W)) -> (K, 3, H, W)``.
        distance: which distance.
        steps: points of a curve.

    Returns:
        Two curves (steps,) as shares of the pair's own distance, at 0 … 1 of the pixels.
    """
    fractions = torch.linspace(0, 1, steps).tolist()
    sides = []
    for image, map_ in zip(images, maps, strict=True):
        taken = removed_first(map_, fractions)
        sides.append(embed(impute(image, torch.cat([taken, ~taken]))))
    apart = distance.between(*sides).double().cpu()
    whole = apart[0].clamp_min(1e-12)
    return apart[:steps] / whole, apart[steps:] / whole


class CurveMean:
    """Mean curve and area by identity."""

    def __init__(self, steps: int = STEPS) -> None:
        self.mean = Mean(steps + 1)

    def update(self, values: Tensor, identity: int) -> None:
        """Add a curve (steps,)."""
        area = torch.trapezoid(values, dx=1 / (len(values) - 1)).unsqueeze(0)
        self.mean.update(torch.cat([values, area]).unsqueeze(0), identity=torch.tensor([identity]))

    @property
    def points(self) -> list[float | None]:
        """The mean curve, as shares of the distance."""
        return self.mean.values[:-1]

    @property
    def area(self) -> float | None:
        """The mean area below the curve."""
        return self.mean.values[-1]

    @property
    def interval(self) -> Interval | None:
        """95 % interval of the area, over identities."""
        return self.mean.intervals[-1]


@torch.no_grad()
def deletion_curves(
    decomposer: Decomposer,
    query: LabelledImages,
    gallery: LabelledImages,
    pairs: Sequence[tuple[int, int]],
    seed: int = 0,
    imputations: Mapping[str, Callable[..., Tensor]] = IMPUTATIONS,
) -> Curves:
    """Curves of some pairs by order of pixels, imputation and direction.

    The attribute-weighted map of a photograph is Σ_k p_k A_k with the pair's shares p. The random
    order is that of a random map as coarse as the interpreter's, so that it takes patches as large.
    """
    interpreter, size = decomposer.interpreter, decomposer.size
    distance = get_distance(interpreter.metric)
    found: Curves = {}
    generator = torch.Generator().manual_seed(seed)
    for i, j in progress(pairs, "removing pixels of pairs"):
        images = decomposer.read([query.paths[i], gallery.paths[j]])
        out = decomposer.decompose(images)
        shares = interpreter.compare(out[0], out[1]).shares[0]
        own, plain = interpreter.offset, interpreter.target.offset
        weighted = (shares[:, None, None] * out.maps).sum(1)
        noise = torch.rand(2, *out.maps.shape[2:], generator=generator).to(images.device)
        orders = {
            "interpreter": at_size(weighted, size, own),
            "activation": at_size(plain_activation(interpreter.target, images), size, plain),
            "random": at_size(noise, size, own),
        }
        for order, fine in orders.items():
            for name, impute in imputations.items():
                both = curve(decomposer.embed, (images[0], images[1]), (fine[0], fine[1]), impute, distance)
                for direction, values in zip(DIRECTIONS, both, strict=True):
                    mean = found.setdefault((order, name, direction), CurveMean())
                    mean.update(values, int(query.pids[i]))
    return found


def curves_record(curves: Curves) -> dict[str, Any]:
    """Areas with intervals and curves, by direction, imputation and order; JSON-ready."""
    record: dict[str, Any] = {}
    for (order, imputation, direction), mean in curves.items():
        rows = record.setdefault(direction, {}).setdefault(imputation, {})
        rows[order] = {"area": mean.area, "interval": mean.interval, "curve": mean.points}
    return record


def deletion_record(testbed: Testbed, count: int) -> dict[str, Any]:
    """Everything about removing and inserting, JSON-ready."""
    pairs = sample_pairs(testbed.query, testbed.gallery, count, testbed.seed, 0)
    return {"pairs": len(pairs)} | curves_record(
        deletion_curves(testbed.decomposer, testbed.query, testbed.gallery, pairs, testbed.seed)
    )
