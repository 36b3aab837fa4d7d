"""By how much, and in which direction, an attribute moves the target's embedding.

Ridge regression of embeddings on attribute labels. It needs sums over images only, so it is exact
after any number of batches and merges across processes by adding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Directions(nn.Module):
    """Least squares of embeddings (D) on attributes (M), from running sums.

    Args:
        num_attributes: M.
        embedding: D.
        penalty: on the squared length of the directions, as a share of the images: an attribute of
            that variance is halved, one that everybody or hardly anybody has shrinks more.
    """

    count: Tensor
    labels: Tensor
    embeddings: Tensor
    labels_labels: Tensor
    labels_embeddings: Tensor

    def __init__(self, num_attributes: int, embedding: int, penalty: float = 0.02) -> None:
        super().__init__()
        self.penalty = penalty
        shapes = {
            "count": (),
            "labels": (num_attributes,),
            "embeddings": (embedding,),
            "labels_labels": (num_attributes, num_attributes),
            "labels_embeddings": (num_attributes, embedding),
        }
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))

    @torch.no_grad()
    def update(self, labels: Tensor, embeddings: Tensor) -> None:
        """Add images.

        Args:
            labels: (B, M) 1 yes, 0 no, −1 unknown, which counts as the mean so far.
            embeddings: (B, D).
        """
        a, e = torch.where(labels >= 0, labels.double(), self.rates), embeddings.double()
        self.count += len(a)
        self.labels += a.sum(0)
        self.embeddings += e.sum(0)
        self.labels_labels += a.T @ a
        self.labels_embeddings += a.T @ e

    @torch.no_grad()
    def forget(self) -> None:
        """As if no image had been seen."""
        for sums in self.buffers():
            sums.zero_()

    @property
    def rates(self) -> Tensor:
        """(M,) share of images with the attribute."""
        return self.labels / self.count.clamp_min(1)

    def forward(self) -> Tensor:
        """(M, D): what "yes" adds to the embedding; zeros before any image was seen."""
        count = self.count.clamp_min(1)
        square = self.labels_labels - torch.outer(self.labels, self.labels) / count
        cross = self.labels_embeddings - torch.outer(self.labels, self.embeddings) / count
        ridge = self.penalty * count * torch.eye(len(square), dtype=square.dtype, device=square.device)
        return torch.linalg.solve(square + ridge, cross).float()
