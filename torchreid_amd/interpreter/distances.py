"""The distances an explanation can decompose.

``euclidean`` is the plain Euclidean distance of the paper. torchreid prints the *squared* one
under that name; here it is called ``squared_euclidean``. ``cosine`` is 1 − cos in both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from torchreid_amd.core.errors import unknown_name
from torchreid_amd.core.language import say
from torchreid_amd.core.room import Room

NOWHERE = 1e-12  #: squared distances up to it are 0, so that the gradient of the square root stays finite


@dataclass(frozen=True)
class Distance:
    """A distance between embeddings.

    Attributes:
        name: the name it is chosen by.
        host_metric: the ``dist_metric`` under which torchreid ranks in the same order.
        between: ``(…, D), (…, D) -> (…)``, element by element.
        matrix: ``(…, N, D), (…, K, D) -> (…, N, K)``, each against each, by matrix product; may be written
            to a third argument, a :class:`~torchreid_amd.core.room.Room`.
    """

    name: str
    host_metric: str
    between: Callable[[Tensor, Tensor], Tensor]
    matrix: Callable[..., Tensor]

    @property
    def words(self) -> str:
        """How a sentence names it."""
        return say(f"metric.{self.name}.name")


def _squared_between(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).square().sum(-1)


def _squared_matrix(x: Tensor, y: Tensor, room: Room | None = None) -> Tensor:
    if torch.is_grad_enabled() and (x.requires_grad or y.requires_grad):
        product = (-2 * x) @ y.transpose(-1, -2)
        squares = x.square().sum(-1).unsqueeze(-1) + y.square().sum(-1).unsqueeze(-2)
        return (squares + product).clamp_min(0)
    of_x, of_y = (torch.linalg.vector_norm(side, dim=-1).square_() for side in (x, y))
    out = None if room is None else room.tensor((*of_x.shape, of_y.shape[-1]), x)
    squared = torch.add(of_x.unsqueeze(-1), of_y.unsqueeze(-2), out=out)
    if x.ndim == y.ndim == 3 and len(x) == len(y):  # added to while it is multiplied: no pass of its own
        squared.baddbmm_(x, y.transpose(-1, -2), alpha=-2)
    else:
        squared.sub_(x @ y.transpose(-1, -2), alpha=2)
    return squared.clamp_min_(0)


def _root(squared: Tensor) -> Tensor:
    """Square root with gradient 0, not infinite, where the distance vanishes; NaN stays NaN."""
    if not squared.requires_grad:
        return F.threshold(squared, NOWHERE, 0.0, inplace=True).sqrt_()
    return torch.where(squared > NOWHERE, squared.clamp_min(NOWHERE).sqrt(), squared * 0)


def _cosine_between(x: Tensor, y: Tensor) -> Tensor:
    return 1 - (F.normalize(x, dim=-1) * F.normalize(y, dim=-1)).sum(-1)


def _cosine_matrix(x: Tensor, y: Tensor, room: Room | None = None) -> Tensor:
    x, y = F.normalize(x, dim=-1), F.normalize(y, dim=-1).transpose(-1, -2)
    if room is None:
        return 1 - x @ y
    out = room.tensor((*x.shape[:-1], y.shape[-1]), x)
    return torch.matmul(x, y, out=out).neg_().add_(1)


DISTANCES = {
    d.name: d
    for d in (
        Distance(
            "euclidean",
            "euclidean",
            lambda x, y: _root(_squared_between(x, y)),
            lambda x, y, room=None: _root(_squared_matrix(x, y, room)),
        ),
        Distance("squared_euclidean", "euclidean", _squared_between, _squared_matrix),
        Distance("cosine", "cosine", _cosine_between, _cosine_matrix),
    )
}


def get_distance(name: str) -> Distance:
    """The distance called ``name``: ``euclidean``, ``squared_euclidean`` or ``cosine``.

    Raises:
        InputError: no distance has that name.
    """
    if name not in DISTANCES:
        raise unknown_name("metric", name, DISTANCES)
    return DISTANCES[name]
