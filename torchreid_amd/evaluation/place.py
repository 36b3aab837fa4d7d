"""Does a map lie where its attribute is? Three scores, each of which has its area as chance.

Pointing game: Zhang et al., *Top-down Neural Attention by Excitation Backprop*, IJCV 2018. Relevance
mass and rank accuracy: Arras et al., *CLEVR-XAI*, Information Fusion 2022, https://arxiv.org/abs/2003.07258.

These need true regions. Body-part priors on real photographs are no ground truth, and no score here
is computed from them.
"""

from __future__ import annotations

import torch
from torch import Tensor


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
