"""One side of an evaluation: what the interpreter made of the query or of the gallery images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.room import Room
from torchreid_amd.core.whole_batch import rows_of_all
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.factored import Factored


@dataclass(frozen=True)
class DecomposedImages:
    """N images with their embeddings, components, identities, cameras and labels.

    Arrays and lists are turned into tensors. Float16 halves the memory of the components; they
    are computed with in float32, block by block. :class:`~torchreid_amd.interpreter.factored.Factored`
    ones take a D-th of it, and far less time.

    Attributes:
        embedding: (N, D) the target's embeddings.
        components: (N, M, D) attribute components.
        pids: (N,) identities.
        camids: (N,) cameras.
        labels: (N, M) 1 yes, 0 no, −1 unknown; all unknown where None was given.

    Raises:
        InputError: shapes that do not fit.
    """

    embedding: Tensor
    components: Tensor | Factored
    pids: Tensor
    camids: Tensor
    labels: Tensor | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "embedding", torch.as_tensor(self.embedding).detach())
        if not isinstance(self.components, Factored):
            object.__setattr__(self, "components", torch.as_tensor(self.components).detach())
        for name in ("pids", "camids"):
            object.__setattr__(self, name, torch.as_tensor(getattr(self, name)).cpu().long())
        if len(self.components.shape) != 3:
            raise InputError(f"components have shape {tuple(self.components.shape)}; expected (N, M, D)")
        n, m, d = self.components.shape
        given = torch.full((n, m), -1, dtype=torch.int8) if self.labels is None else self.labels
        object.__setattr__(self, "labels", torch.as_tensor(given).cpu().to(torch.int8))
        expected = {"embedding": (n, d), "pids": (n,), "camids": (n,), "labels": (n, m)}
        for name, shape in expected.items():
            if tuple(getattr(self, name).shape) != shape:
                raise InputError(
                    f"{name} has shape {tuple(getattr(self, name).shape)}; expected {shape} beside "
                    f"components of shape {(n, m, d)} (N, M, D)"
                )

    def __len__(self) -> int:
        return self.components.shape[0]

    @property
    def num_attributes(self) -> int:
        """M."""
        return self.components.shape[1]

    @property
    def known_labels(self) -> Tensor:
        """(N, M) int8 labels, −1 where nobody annotated."""
        assert self.labels is not None  # __post_init__ fills it in
        return self.labels

    def part(self, rows: Any) -> DecomposedImages:
        """Some of the images: a slice, indices or a mask."""
        return DecomposedImages(
            self.embedding[rows],
            self.components[rows],
            self.pids[rows],
            self.camids[rows],
            self.known_labels[rows],
        )

    def select(self, attributes: Sequence[int]) -> DecomposedImages:
        """The same images with some of the attributes, by position."""
        kept, parts = list(attributes), self.components
        some = parts.select(kept) if isinstance(parts, Factored) else parts[:, kept]
        return DecomposedImages(self.embedding, some, self.pids, self.camids, self.known_labels[:, kept])

    def with_distractors_as_no(self, identity: int = 0) -> DecomposedImages:
        """The published convention: distractors, of whom nothing is known, labelled all "no".

        It distorts every score of attributes; it is here to reproduce published numbers.

        Args:
            identity: the number that stands for distractors; 0 in Market-1501.
        """
        labels = self.known_labels.clone()
        labels[(self.pids == identity) & (labels < 0).all(1)] = 0
        return DecomposedImages(self.embedding, self.components, self.pids, self.camids, labels)

    def block(
        self, rows: slice, device: torch.device, room: Room | None = None
    ) -> tuple[Tensor, Tensor | Factored]:
        """Some images, ready to compute with.

        Args:
            rows: which.
            device: where.
            room: where components may be written.

        Returns:
            Embeddings (n, D) and components with the attributes first (M, n, D), or factored; float32.

        Raises:
            InputError: a value that is not finite.
        """
        embedding = self.embedding[rows].to(device, torch.float32)
        components: Tensor | Factored
        if isinstance(self.components, Factored):
            components = self.components[rows].to(device, torch.float32)
            values = components.summed()
        else:
            some = self.components[rows].to(device).transpose(0, 1)
            values = components = (room or Room()).tensor(some.shape, some).copy_(some)
        # a sum is finite only where every value is, and one pass finds it; at worst it overflows
        if not (embedding.sum().isfinite() and values.sum().isfinite()):
            if not (embedding.isfinite().all() and values.isfinite().all()):
                raise InputError(
                    "embeddings or components hold values that are not finite; expected finite numbers, "
                    "train with a lower learning rate or keep the components in float32"
                )
        return embedding, components


def decompose_batches(
    decomposer: Decomposer, batches: Iterable[Tensor], normalize: bool = False
) -> tuple[Tensor, Tensor | Factored]:
    """Embeddings (N, D) and components (N, M, D) of batches of images, on the CPU.

    Components are kept in float16: 26 attributes of 15,913 Market-1501 gallery images at D = 512
    take 0.4 GB; or factored, where the head gives strengths: 1.7 MB.

    Args:
        decomposer: the interpreter.
        batches: (B, 3, H, W) each, a forward pass each; of several processes, this one's.
        normalize: embeddings at unit length, components scaled alike.
    """
    embeddings, components = [], []
    directions = decomposer.interpreter.directions
    for images in batches:
        out = decomposer.decompose(images, batch_size=len(images))
        out = out.normalized() if normalize else out
        embeddings.append(out.embedding.float().cpu())
        components.append(
            out.components.half().cpu() if out.strengths is None else out.strengths.float().cpu()
        )
    of_all = rows_of_all(components)
    if directions is None or of_all.ndim == 3:
        return rows_of_all(embeddings), of_all
    return rows_of_all(embeddings), Factored(of_all, directions.float().cpu())
