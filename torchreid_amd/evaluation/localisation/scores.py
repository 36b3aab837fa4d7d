"""Does a map lie where its attribute is? Three scores, each of which has its area as chance.

Pointing game: Zhang et al., *Top-down Neural Attention by Excitation Backprop*, IJCV 2018. Relevance
mass and rank accuracy: Arras et al., *CLEVR-XAI*, Information Fusion 2022, https://arxiv.org/abs/2003.07258.

These need true regions. Body-part priors on real photographs are no ground truth, and no score here
is computed from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from torchreid_amd.evaluation.statistics import IdentitySums, Interval, Mean, bootstrap_intervals, percent

NAMES = ("pointing", "relevance_mass", "rank_accuracy", "area")


def pointing(maps: Tensor, regions: Tensor) -> Tensor:
    """Is the largest value inside? Of several equal ones, how many are.

    Args:
        maps: (P, H, W).
        regions: (P, H, W) bool, none of them empty.

    Returns:
        (P,) in [0, 1]; a constant map gives the region's share of the area.
    """
    flat, inside = maps.flatten(1), regions.flatten(1)
    top = flat == flat.amax(1, keepdim=True)
    return (top & inside).sum(1).double() / top.sum(1)


def relevance_mass(maps: Tensor, regions: Tensor) -> Tensor:
    """The share of the map's positive mass that lies inside: (P,); the area where there is none."""
    flat, inside = maps.flatten(1).double().clamp_min(0), regions.flatten(1).double()
    total = flat.sum(1)
    return torch.where(total > 0, (flat * inside).sum(1) / total.clamp_min(1e-300), inside.mean(1))


def relevance_rank_accuracy(maps: Tensor, regions: Tensor) -> Tensor:
    """Of the K largest values, K the size of the region, the share that lies inside: (P,).

    Values equal to the K-th are shared out evenly, so a constant map gives the area.
    """
    flat, inside = maps.flatten(1), regions.flatten(1)
    size = inside.sum(1, keepdim=True)
    descending = flat.sort(1, descending=True).values
    least = descending.gather(1, (size - 1).clamp_min(0))
    above, ties = flat > least, flat == least
    open_places = size.squeeze(1) - above.sum(1)
    shared = open_places * (ties & inside).sum(1).double() / ties.sum(1)
    return ((above & inside).sum(1) + shared) / size.squeeze(1)


def area(regions: Tensor) -> Tensor:
    """(P,) the region's share of the image: what each of the scores gives by chance."""
    return regions.flatten(1).double().mean(1)


def mass_in_regions(maps: Tensor, regions: Tensor) -> Tensor:
    """(M, L): the share of the mass of map k that lies in region l, of one image.

    Args:
        maps: (M, H, W).
        regions: (L, H, W) bool.
    """
    flat = maps.flatten(1).double().clamp_min(0)
    share = flat / flat.sum(1, keepdim=True).clamp_min(1e-300)
    return share @ regions.flatten(1).double().T


class LocalisationScores:
    """Sums by identity of the scores of each attribute, on the images where it is visible.

    Over all attributes a score is the mean of its means by attribute, so that what everybody has
    does not drown what few people carry.

    Args:
        num_attributes: M.
    """

    def __init__(self, num_attributes: int) -> None:
        self.num_attributes = num_attributes
        self.mean = Mean(len(NAMES) * num_attributes)
        self.confusion = IdentitySums((3, num_attributes, num_attributes))

    def update(self, maps: Tensor, regions: Tensor, identity: int) -> None:
        """Add one image.

        Args:
            maps: (M, H, W) attention maps at the size of the regions.
            regions: (M, H, W) bool, true regions; an empty one is not visible and does not count.
            identity: whose image it is.
        """
        visible = regions.flatten(1).any(1)
        who = torch.tensor([identity])
        values = torch.zeros(len(NAMES), self.num_attributes, dtype=torch.float64)
        if visible.any():
            some, places = maps[visible], regions[visible]
            for row, score in enumerate((pointing, relevance_mass, relevance_rank_accuracy)):
                values[row, visible] = score(some, places)
            values[-1, visible] = area(places)
        self.mean.update(values.reshape(1, -1), visible.repeat(len(NAMES)).unsqueeze(0), who)
        both = (visible.unsqueeze(1) & visible).double()
        inside = mass_in_regions(maps, regions) * both
        flat = regions.flatten(1).float()
        overlap = flat @ flat.T / flat.shape[1]
        self.confusion.add(torch.stack([inside, area(regions) * both, overlap]).unsqueeze(0), who)

    def merge(self, other: LocalisationScores) -> LocalisationScores:
        """Add the state of another process; gives itself."""
        self.mean.merge(other.mean)
        self.confusion.merge(other.confusion)
        return self

    def percent(self, attributes: Sequence[int] | None = None) -> dict[str, float | None]:
        """Each score in percent, over the attributes that are visible somewhere; ``area`` is chance.

        Args:
            attributes: over these only, by position; over all where it is None.
        """
        times = torch.ones(1, len(self.mean.sums), dtype=torch.float64)
        values = self._over_attributes(times, attributes)[0].tolist()
        return {name: None if v != v else 100 * v for name, v in zip(NAMES, values, strict=True)}

    def intervals(self, attributes: Sequence[int] | None = None) -> dict[str, Interval | None]:
        """95 % intervals of :meth:`percent`, over identities."""
        ends = bootstrap_intervals(lambda t: self._over_attributes(t, attributes), len(self.mean.sums))
        return {name: percent(i) for name, i in zip(NAMES, ends, strict=True)}

    def _over_attributes(self, times: Tensor, attributes: Sequence[int] | None) -> Tensor:
        total, count = (times @ part for part in self.mean.sums.rows.unbind(1))
        means = (total / count).reshape(len(times), len(NAMES), -1)
        return (means if attributes is None else means[:, :, list(attributes)]).nanmean(2)

    def by_attribute(self) -> list[dict[str, Any]]:
        """M rows: ``images`` where it is visible, each score in percent, and ``intervals``."""
        count = self.mean.count[: self.num_attributes].tolist()
        values, ends = self.mean.values, self.mean.intervals
        rows = []
        for k in range(self.num_attributes):
            at = [k + row * self.num_attributes for row in range(len(NAMES))]
            found = {n: values[i] for n, i in zip(NAMES, at, strict=True)}
            rows.append(
                {"images": int(count[k])}
                | {n: None if v is None else 100 * v for n, v in found.items()}
                | {"intervals": {n: percent(ends[i]) for n, i in zip(NAMES, at, strict=True)}}
            )
        return rows

    def concentration(self) -> Tensor:
        """(M, M): how much denser map k is in region l than everywhere, on images where both are visible.

        1 is chance, NaN where the two are never visible together.
        """
        inside, by_chance, _ = self.confusion.total
        return inside / by_chance

    def own_region_first(self) -> tuple[float | None, float | None]:
        """Percent of attributes whose map is densest in the attribute's own region, and its chance.

        Its rivals are the regions that are ever visible beside it, without those in the same place
        (more than half of the two together is common to both, as with trousers and their colour).
        By chance each would be as likely.
        """
        table = self.concentration()
        _, areas, overlap = self.confusion.total
        same_place = overlap > (areas + areas.T - overlap) / 2
        rivals = ~table.isnan() & ~same_place
        own = table.diagonal()
        seen = ~own.isnan()
        if not seen.any():
            return None, None
        first = own >= table.masked_fill(~rivals, -torch.inf).amax(1)
        by_chance = 1 / (1 + rivals.sum(1).double())
        return 100 * float(first[seen].double().mean()), 100 * float(by_chance[seen].mean())
