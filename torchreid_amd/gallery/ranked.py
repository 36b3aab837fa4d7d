"""A gallery in the order of a re-ranker, with where each photograph stood before and what is seen of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.images import ImageLike, image_name, list_images
from torchreid_amd.gallery.mark import Mark
from torchreid_amd.gallery.rerank import Reranker
from torchreid_amd.gallery.seen import Seen, joined, look
from torchreid_amd.gallery.store import Store
from torchreid_amd.gallery.stored_seen import names_of, seen_blocks, stores_among
from torchreid_amd.gallery.strength import jsonable, said
from torchreid_amd.interpreter.decomposer import Decomposer

YES = 0.5  #: an attribute is said of somebody above this probability


class Explains(Protocol):
    """What is needed of a :class:`torchreid_amd.Explainer`."""

    @property
    def decomposer(self) -> Decomposer:
        """The interpreter and its input."""


@dataclass(frozen=True, eq=False)
class Reranked:
    """A gallery of N photographs, nearest first by d'.

    Attributes:
        query: the query's name.
        names: (N,) of the photographs, in the order given.
        distances: (N,) d', in that order.
        own: (N,) the target's distances.
        order: (N,) positions, nearest first.
        before: (N,) the place, from 1, of each photograph by the target's own distance.
        probabilities: (1 + N, M) of attributes: the query's, then the photographs'.
        schema: the M attributes.
        strength: λ.
        reason: why that λ.
    """

    query: str
    names: tuple[str, ...]
    distances: NDArray[np.float32]
    own: NDArray[np.float32]
    order: tuple[int, ...]
    before: tuple[int, ...]
    probabilities: NDArray[np.float32]
    schema: AttributeSchema
    strength: float
    reason: str

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[tuple[str, float]]:
        """Names and d', nearest first."""
        return ((self.names[i], float(self.distances[i])) for i in self.order)

    def worn(self, row: int) -> list[str]:
        """The attributes that are seen, surest first, in words; row 0 is the query, n the n-th photograph."""
        p = self.probabilities[row]
        return [
            f"{self.schema.say(self.schema.attributes[k])} {100 * p[k]:.0f} %"
            for k in np.argsort(-p, kind="stable")
            if p[k] > YES
        ]

    def summary(self, topk: int = 10) -> str:
        """One line a photograph: place, d', the target's distance and place, file, and what is seen."""
        shown = self.order[:topk]
        lines = [
            f"{Path(self.query).name}: the nearest {len(shown)} of {len(self)}, λ = {said(self.strength)} "
            f"({self.reason})",
            f"seen: {', '.join(self.worn(0)) or 'nothing surely'}",
        ]
        for place, i in enumerate(shown, 1):
            lines.append(
                f"{place:>3}. {self.distances[i]:>8.4g}  (target {self.own[i]:.4g}, place {self.before[i]})  "
                f"{Path(self.names[i]).name}  {', '.join(self.worn(1 + i)[:4])}"
            )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary, photographs nearest first."""
        names = self.schema.attributes

        def row(n: int) -> dict[str, float]:
            return dict(zip(names, map(float, self.probabilities[n]), strict=True))

        return {
            "query": self.query,
            "strength": jsonable(self.strength),
            "reason": self.reason,
            "attributes": row(0),
            "gallery": [
                {
                    "name": self.names[i],
                    "distance": float(self.distances[i]),
                    "target_distance": float(self.own[i]),
                    "target_place": self.before[i],
                    "attributes": row(1 + i),
                }
                for i in self.order
            ],
        }


def rank(
    reranker: Reranker,
    explainer: Explains,
    query: ImageLike,
    gallery: Sequence[ImageLike] | Sequence[Store] | str | os.PathLike[str],
    strength: float | None = None,
    reciprocal: bool = False,
) -> Reranked:
    """Rank a gallery by what is seen.

    Args:
        reranker: fitted for the target.
        explainer: of that target.
        query: a photograph.
        gallery: N photographs, a folder of image files, or stores that have what is seen.
        strength: λ instead of the chosen one.
        reciprocal: whether k-reciprocal re-ranking comes on top.

    Raises:
        InputError: a photograph cannot be read, the gallery is empty, or the re-ranker is of other weights.
    """
    decomposer = explainer.decomposer
    reranker.checked(decomposer.interpreter.target)
    given: list[Any] = list_images(gallery) if isinstance(gallery, str | os.PathLike) else list(gallery)
    if not given:
        raise InputError("the gallery is empty; give at least one photograph")
    stores = stores_among(given, Mark.of(decomposer))
    asked = look(decomposer, [query])
    if stores:
        names = names_of(stores)
        blocks: Iterable[Seen] = seen_blocks(stores)
    else:
        names = [image_name(p) or f"gallery {n}" for n, p in enumerate(given, 1)]
        blocks = [look(decomposer, given)]
    if reciprocal:
        blocks = [joined(blocks)]
    parts = [
        (
            reranker.distances(asked, block, 0.0)[0].numpy(),
            reranker.k_reciprocal(asked, block, strength)[0]
            if reciprocal
            else reranker.distances(asked, block, strength)[0].numpy(),
            reranker.probabilities(block).numpy(),
        )
        for block in blocks
    ]
    own, found, probabilities = (np.concatenate(column) for column in zip(*parts, strict=True))
    before = np.empty(len(own), dtype=int)
    before[np.argsort(own, kind="stable")] = np.arange(1, len(own) + 1)
    return Reranked(
        image_name(query) or "query",
        tuple(names),
        np.asarray(found, dtype=np.float32),
        own,
        tuple(int(i) for i in np.argsort(found, kind="stable")),
        tuple(int(place) for place in before),
        np.concatenate([reranker.probabilities(asked).numpy(), probabilities]),
        reranker.schema,
        reranker.strength if strength is None else float(strength),
        reranker.choice.reason if strength is None else "given",
    )
