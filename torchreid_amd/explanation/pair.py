"""The numbers of an explained pair: what one distance between two photographs is made of.

Chen et al., ICCV 2021: the attribute-guided attention maps say what and where, the contribution
shares p_k say how much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from torchreid_amd.account.account import Account
from torchreid_amd.attributes.exclusive import pair_labels
from torchreid_amd.attributes.schema import UNKNOWN, AttributeSchema, Labels
from torchreid_amd.interpreter.maps import Floats, array_at_size


@dataclass(frozen=True, eq=False)
class ExplainedPair:
    """The distance between photographs A and B, attribute by attribute.

    Attributes:
        distance: the target's own distance.
        metric: ``euclidean`` (plain), ``squared_euclidean`` or ``cosine``.
        contributions: each attribute's part of the distance (M,), in units of the distance; with
            some heads a part can be negative.
        shares: sizes of the contributions divided by their sum (M,).
        residual: distance minus contributions and remainder: what is not accounted for.
        schema: the M attributes.
        attention: the maps as the head made them, a pair of (M, h, w).
        images: the two photographs, RGB.
        names: the two paths, or "A" and "B".
        labels: a pair of (M,) with 1 yes, 0 no, −1 unknown; None where nothing is known of either.
        remainder: what belongs to no attribute, in units of the distance; None where the
            decomposition has no such part.
        offset: by how much of a cell the maps lie lower and further right than ones that are spread
            evenly over the photograph; see :mod:`torchreid_amd.targets.receptive_fields`.
        account: the whole distance by intervention, see :mod:`torchreid_amd.account`; None where it was
            not asked for.
        threshold: below this distance two photographs are taken for one person; None where nobody said.
        made_by: model, head, run and versions, see :mod:`torchreid_amd.explanation.origin`.
        not_explained: why there is nothing but the distance, which is then all residual; "" where the
            pair is explained.
    """

    distance: float
    metric: str
    contributions: Floats
    shares: Floats
    residual: float
    schema: AttributeSchema
    attention: tuple[Floats, Floats]
    images: tuple[Image.Image, Image.Image]
    names: tuple[str, str]
    labels: tuple[Labels, Labels] | None = None
    remainder: float | None = None
    offset: tuple[float, float] = (0.0, 0.0)
    account: Account | None = None
    threshold: float | None = None
    made_by: Mapping[str, str] = field(default_factory=dict)
    not_explained: str = ""

    @property
    def attributes(self) -> tuple[str, ...]:
        """The M names, in the order of every array here."""
        return self.schema.attributes

    @property
    def maps(self) -> tuple[Floats, Floats]:
        """Attention maps at the size of each photograph: a pair of (M, H, W), float32.

        Made anew at each access, 4·M·H·W bytes each; :meth:`map` makes a single one.
        """
        sides = zip(self.attention, self.images, strict=True)
        a, b = (array_at_size(m, (i.height, i.width), self.offset) for m, i in sides)
        return a, b

    def map(self, side: int, attribute: str, size: tuple[int, int] | None = None) -> Floats:
        """The attention map (H, W) of one attribute on photograph A (side 0) or B (side 1).

        Args:
            side: 0 or 1.
            attribute: its name.
            size: (H, W) in pixels; that of the photograph where it is not given.

        Raises:
            InputError: no attribute has that name.
        """
        image, k = self.images[side], self.schema.index(attribute)
        size = size or (image.height, image.width)
        return array_at_size(self.attention[side][k : k + 1], size, self.offset)[0]

    @property
    def exclusive(self) -> Labels:
        """(M,): 1 where the two persons differ, 0 where they agree, −1 where a label is unknown."""
        if self.labels is None:
            return np.full(len(self.schema), UNKNOWN, dtype=np.int8)
        exclusive, known = pair_labels(*self.labels)
        return np.where(known, exclusive, UNKNOWN).astype(np.int8)

    def order(self) -> list[int]:
        """Positions of the attributes by share, largest first; equal shares keep the schema's order."""
        return [int(k) for k in np.argsort(-self.shares, kind="stable")]

    def top(self, k: int = 3) -> list[tuple[str, float, float]]:
        """The k attributes with the largest shares: (attribute, contribution, share)."""
        return [
            (self.attributes[i], float(self.contributions[i]), float(self.shares[i]))
            for i in self.order()[: max(k, 0)]
        ]

    def to_dict(self, maps: bool = False) -> dict[str, Any]:
        """A JSON-ready dictionary, arrays in the schema's order.

        Args:
            maps: add the attention maps as the head made them, (M, h, w) for each photograph, and
                ``shift``, by how much of a cell they lie lower and further right than if spread evenly.
        """
        known = self.labels is not None
        data: dict[str, Any] = {
            "metric": self.metric,
            "distance": self.distance,
            "threshold": self.threshold,
            "account": None if self.account is None else self.account.to_dict(),
            "remainder": self.remainder,
            "residual": self.residual,
            "names": list(self.names),
            "attribute_set": self.schema.name,
            "attributes": list(self.attributes),
            "words": [self.schema.say(a) for a in self.attributes],
            "contributions": [float(c) for c in self.contributions],
            "shares": [float(s) for s in self.shares],
            "labels": [[int(v) for v in side] for side in self.labels or ()] or None,
            "exclusive": [int(v) for v in self.exclusive] if known else None,
            "made_by": dict(self.made_by),
            "not_explained": self.not_explained or None,
        }
        if maps:
            data["maps"] = [np.asarray(m, dtype=float).tolist() for m in self.attention]
            data["shift"] = list(self.offset)
        return data

    def __repr__(self) -> str:
        top = ", ".join(f"{a} {s:.1%}" for a, _, s in self.top(3))
        return (
            f"Explanation({self.metric} {self.distance:.4g} of {self.names[0]!r}, {self.names[1]!r}: {top})"
        )
