"""What a head needs of the frozen target, as named tensors; and a target that is given them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as tree

from torchreid_amd.core.errors import InputError
from torchreid_amd.targets.precision import single
from torchreid_amd.targets.target import Target

PARTS = ("early", "features", "levels", "embedding")
OF_MAPS = ("early", "features")  #: what a head reads that has maps alone

Batch = Mapping[str, Any]  #: part -> tensor, or nested tuples of them, of B images


def parts_of(head: nn.Module) -> tuple[str, ...]:
    """The parts that a head reads (its ``reads``); early features and maps where it does not say.

    Raises:
        InputError: it names an unknown part, or decomposes by itself and does not say what it reads.
    """
    own = hasattr(head, "decompose") or hasattr(head, "loss")
    reads = getattr(head, "reads", None if own else OF_MAPS)
    if reads is None or set(reads) - set(PARTS):
        raise InputError(
            f"head {type(head).__name__} says {reads!r} about what it reads of the target; a cached training "
            f"needs a class attribute reads with some of {', '.join(PARTS)}; or amd.cache off"
        )
    return tuple(reads)


@torch.no_grad()
def compute(target: Target, images: Tensor, parts: Sequence[str]) -> dict[str, Any]:
    """The parts of B images; embeddings in single precision, under autocast too."""
    found: dict[str, Any] = {}
    if "levels" in parts:
        found["levels"], features = target.levels(images)
    if "early" in parts or "levels" not in parts:
        found["early"], features = target.features(images)
    found["features"] = features
    if "embedding" in parts:
        with torch.autocast(target.device.type, enabled=False):
            found["embedding"] = target.tail(single(features))
    return {part: found[part] for part in parts}


class StoredTarget(Target):
    """A target that is given what it would make of its images.

    Args:
        target: the tail is its own.
        layout: of maps in memory.
    """

    def __init__(self, target: Target, layout: torch.memory_format = torch.contiguous_format) -> None:
        nothing = nn.Identity()
        super().__init__(nothing, nothing, target.tail, name=target.name, size=target.size)
        self.layout = layout

    def features(self, images: Any) -> tuple[Any, Any]:
        """Early features, None where they are not stored, and feature map(s) of a :data:`Batch`."""
        return self._laid_out(images.get("early")), self._laid_out(images["features"])

    def levels(self, images: Any) -> tuple[tuple[Tensor, ...], Any]:
        """Maps and feature map(s), None where they are not stored, of a :data:`Batch`."""
        return self._laid_out(images["levels"]), self._laid_out(images.get("features"))

    def levels_and_embedding(self, images: Any) -> tuple[tuple[Tensor, ...], Tensor]:
        """Maps and embeddings of a :data:`Batch`."""
        return self._laid_out(images["levels"]), images["embedding"]

    def forward(self, images: Any) -> Tensor:
        """Embeddings of a :data:`Batch`."""
        embedding: Tensor = images["embedding"]
        return embedding

    def _laid_out(self, values: Any) -> Any:
        def laid(value: Tensor) -> Tensor:
            return value.contiguous(memory_format=self.layout) if value.ndim == 4 else value

        return tree.tree_map_only(Tensor, laid, values)
