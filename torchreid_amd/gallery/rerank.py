"""Re-ranking by what is seen: the target's distance plus λ times that of recognised attributes.

    d'(i, j) = d(i, j) + λ · u · a(i, j)

a is the Euclidean distance of :class:`~torchreid_amd.gallery.readouts.AttributeReadouts`' coordinates, u
the mean of d divided by the mean of a over training photographs, so that λ = 1 gives both the same say.
k-reciprocal re-ranking (Zhong et al., CVPR 2017, https://arxiv.org/abs/1701.08398) takes d' as it takes d.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.files import atomic_path
from torchreid_amd.gallery.readouts import AttributeReadouts
from torchreid_amd.gallery.seen import Seen
from torchreid_amd.gallery.strength import added, jsonable
from torchreid_amd.interpreter.distances import get_distance
from torchreid_amd.targets.target import Target
from torchreid_amd.targets.weights import has_fingerprint

NAME = "reranker.safetensors"  #: in a run folder
FORMAT = 1
MOST = 15_000  #: photographs that k-reciprocal re-ranking takes: five arrays of so many squared, 4.5 GB
_TENSORS = ("centre", "scale", "weight", "bias", "slope", "shift", "apart", "known")


@dataclass(frozen=True)
class Choice:
    """How λ was chosen.

    Attributes:
        strength: λ; 0 leaves the target's distance as it is, infinity leaves it out.
        curve: mAP in percent on held-out training identities of every candidate: (λ, mAP).
        gain: 95 % interval of the gain of the best candidate over λ = 0, in points.
        identities: how many training identities, each held out once.
        photographs: how many of them.
        reason: why this λ, in words.
    """

    strength: float
    curve: tuple[tuple[float, float], ...] = ()
    gain: tuple[float, float] | None = None
    identities: int = 0
    photographs: int = 0
    reason: str = "given"


@dataclass(frozen=True, eq=False)
class Reranker:
    """Distances by what the target and its readouts of attributes see.

    Attributes:
        readouts: of the attributes.
        schema: the M attributes, with words for readers.
        metric: the target's distance.
        unit: u, the mean of that distance by the mean of the attributes'.
        choice: λ, and how it was chosen.
        fingerprint: of the target's weights, so that another model is told.
    """

    readouts: AttributeReadouts
    schema: AttributeSchema
    metric: str
    unit: float
    choice: Choice = field(default_factory=lambda: Choice(1.0))
    fingerprint: str = ""

    @property
    def strength(self) -> float:
        """λ."""
        return self.choice.strength

    def checked(self, target: Target) -> Reranker:
        """Itself, where it was fitted for a target.

        Raises:
            InputError: it was fitted for other weights.
        """
        if self.fingerprint and not has_fingerprint(target.model, self.fingerprint):
            raise InputError(
                "the re-ranker was fitted for other weights of the target; fit it again for these"
            )
        return self

    def probabilities(self, seen: Seen) -> Tensor:
        """(N, M) calibrated probabilities of "yes"."""
        return self.readouts.probabilities(seen.features)

    def distances(self, query: Seen, gallery: Seen, strength: float | None = None) -> Tensor:
        """d' of each query from each gallery photograph (Q, G) float32.

        Args:
            query, gallery: what is seen of the two sides.
            strength: λ instead of the chosen one; infinity for the attributes alone.
        """
        chosen = self.strength if strength is None else strength
        if not chosen >= 0:
            raise InputError(f"the strength λ is {chosen}; give 0 or more")
        own = get_distance(self.metric).matrix(query.embedding, gallery.embedding)
        if not chosen:
            return own
        a = get_distance("euclidean").matrix(
            self.readouts.coordinates(query.features), self.readouts.coordinates(gallery.features)
        )
        return added(own, self.unit * a, chosen)

    def k_reciprocal(self, query: Seen, gallery: Seen, strength: float | None = None) -> NDArray[np.float32]:
        """torchreid's k-reciprocal re-ranking of d' (Q, G), with its own settings."""
        sides = ((query, gallery), (query, query), (gallery, gallery))
        return k_reciprocal(*(self.distances(a, b, strength).numpy() for a, b in sides))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file; :meth:`load` reads it back.

        Raises:
            InputError: the file cannot be written.
        """
        about = {
            "format": FORMAT,
            "schema": self.schema.to_dict(),
            "metric": self.metric,
            "unit": self.unit,
            "penalty": self.readouts.penalty,
            "choice": {
                **asdict(self.choice),
                "strength": jsonable(self.strength),
                "curve": [(jsonable(strength), score) for strength, score in self.choice.curve],
            },
            "fingerprint": self.fingerprint,
        }
        tensors = {name: getattr(self.readouts, name).contiguous() for name in _TENSORS}
        data = safetensors.torch.save(tensors, {"reranker": json.dumps(about)})
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Reranker:
        """What :meth:`save` wrote.

        Raises:
            InputError: the file is missing, damaged or none of this kind.
        """
        try:
            with safe_open(Path(path), "pt") as file:
                about = json.loads((file.metadata() or {})["reranker"])
                tensors = {name: file.get_tensor(name) for name in _TENSORS}
            if about["format"] != FORMAT:
                raise InputError(
                    f"{str(path)!r} has format {about['format']}; expected {FORMAT}: fit it again"
                )
            readouts = AttributeReadouts(**tensors, penalty=float(about["penalty"]))
            choice, schema = _choice(about["choice"]), AttributeSchema.from_dict(about["schema"])
            return cls(readouts, schema, about["metric"], about["unit"], choice, about["fingerprint"])
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            what = "is missing" if isinstance(error, FileNotFoundError) else "cannot be read as a re-ranker"
            raise InputError(
                f"{str(path)!r} {what}; fit one with torchreid-amd rerank, or amd.rerank.fit"
            ) from None


def k_reciprocal(
    query_gallery: NDArray[np.floating],
    query_query: NDArray[np.floating],
    gallery_gallery: NDArray[np.floating],
) -> NDArray[np.float32]:
    """torchreid's k-reciprocal re-ranking (k1 = 20, k2 = 6, λ = 0.3) of any distance, (Q, G).

    Raises:
        InputError: there are more photographs than it has memory for, or all are at distance 0 from one.
    """
    count = sum(query_gallery.shape)
    if count > MOST:
        raise InputError(
            f"k-reciprocal re-ranking compares all {count:,} photographs with each other and takes at most "
            f"{MOST:,}; give fewer, or leave it out"
        )
    far = (
        np.maximum(query_query.max(0), query_gallery.max(1)),
        np.maximum(query_gallery.max(0), gallery_gallery.max(0)),
    )
    if not all(each.all() for each in far):
        raise InputError(
            "k-reciprocal re-ranking needs photographs that differ; some are at distance 0 from all"
        )
    found: NDArray[np.float32] = host.torchreid().utils.re_ranking(
        query_gallery, query_query, gallery_gallery
    )
    return found


def _choice(about: Mapping[str, Any]) -> Choice:
    given = {f.name: about[f.name] for f in fields(Choice)}
    given["strength"] = float(given["strength"])
    given["curve"] = tuple((float(strength), float(score)) for strength, score in given["curve"])
    given["gain"] = None if given["gain"] is None else tuple(given["gain"])
    return Choice(**given)


@torch.no_grad()
def unit_of(coordinates: Tensor, embedding: Tensor, metric: str, most: int = 2000) -> float:
    """u: the mean of the target's distance by the mean of the attributes', over pairs of photographs.

    Args:
        coordinates: (N, M) of the attributes.
        embedding: (N, D).
        metric: the target's distance.
        most: of how many photographs, evenly spread.
    """
    some = torch.linspace(0, len(embedding) - 1, min(most, len(embedding))).long()
    own = get_distance(metric).matrix(embedding[some], embedding[some]).mean()
    apart = get_distance("euclidean").matrix(coordinates[some], coordinates[some]).mean()
    return float(own / apart) if apart > 0 else 0.0
