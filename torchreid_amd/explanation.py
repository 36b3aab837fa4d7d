"""What one distance between two photographs is made of.

Chen et al., ICCV 2021: the attribute-guided attention maps say what and where, the contribution
shares p_k say how much.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

from torchreid_amd.attributes.schema import UNKNOWN, AttributeSchema
from torchreid_amd.errors import InputError
from torchreid_amd.files import atomic_path
from torchreid_amd.targets.cells import resized

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Explanation:
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
        shift: by how much of a cell the maps lie lower and further right than ones that are spread
            evenly over the photograph; see :mod:`torchreid_amd.targets.cells`.
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
    shift: tuple[float, float] = (0.0, 0.0)

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
        a, b = (resize_maps(m, i.height, i.width, self.shift) for m, i in sides)
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
        height, width = size or (image.height, image.width)
        return resize_maps(self.attention[side][k : k + 1], height, width, self.shift)[0]

    @property
    def exclusive(self) -> Labels:
        """(M,): 1 where the two persons differ, 0 where they agree, −1 where a label is unknown."""
        if self.labels is None:
            return np.full(len(self.schema), UNKNOWN, dtype=np.int8)
        a, b = self.labels
        known = (a != UNKNOWN) & (b != UNKNOWN)
        return np.where(known, a != b, UNKNOWN).astype(np.int8)

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
        }
        if maps:
            data["maps"] = [np.asarray(m, dtype=float).tolist() for m in self.attention]
            data["shift"] = list(self.shift)
        return data

    def to_json(self, path: str | os.PathLike[str], maps: bool = False) -> None:
        """Write :meth:`to_dict` as JSON.

        Raises:
            InputError: the file cannot be written.
        """
        write_json(self.to_dict(maps), path)

    def plot(self, path: str | os.PathLike[str] | None = None, top: int = 5) -> Figure:
        """A figure of the pair; see :func:`torchreid_amd.report.pair_figure.draw_pair`.

        Args:
            path: also save it there (.png, .pdf, .svg, …).
            top: how many attributes to show as overlays.

        Raises:
            InputError: the file cannot be written, or its ending names no known format.
        """
        from torchreid_amd.report.pair_figure import draw_pair
        from torchreid_amd.report.saving import save_figure

        figure = draw_pair(self, top)
        if path is not None:
            save_figure(figure, path)
        return figure

    def to_html(self) -> str:
        """One self-contained page."""
        from torchreid_amd.report.pair_page import pair_page

        return pair_page(self)

    def save_html(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_html`.

        Raises:
            InputError: the file cannot be written.
        """
        from torchreid_amd.report.saving import save_text

        save_text(self.to_html(), path)

    def summary(self) -> str:
        """The explanation in sentences."""
        from torchreid_amd.report.words import pair_summary

        return pair_summary(self)

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        top = ", ".join(f"{a} {s:.1%}" for a, _, s in self.top(3))
        return (
            f"Explanation({self.metric} {self.distance:.4g} of {self.names[0]!r}, {self.names[1]!r}: {top})"
        )


def resize_maps(maps: Floats, height: int, width: int, shift: tuple[float, float] = (0.0, 0.0)) -> Floats:
    """(M, h, w) -> (M, height, width), bilinear; averaged where the new size is the smaller one.

    Args:
        maps: as the head made them.
        height, width: of the result.
        shift: by how much of their cells they lie lower and further right than if spread evenly.
    """
    source = torch.from_numpy(np.ascontiguousarray(maps, dtype=np.float32)).unsqueeze(0)
    if height < maps.shape[1] or width < maps.shape[2]:
        source = resized(source, source.shape[2:], shift)
        source = F.interpolate(
            source, size=(height, width), mode="bilinear", align_corners=False, antialias=True
        )
    else:
        source = resized(source, (height, width), shift)
    array: Floats = source[0].numpy()
    return array


def read_labels(
    given: Sequence[int] | Mapping[str, int] | Any | None, schema: AttributeSchema
) -> Labels | None:
    """Labels (M,) of one person from what a user gives.

    Args:
        given: M values 1, 0 or −1 in the schema's order (list, array or tensor), or a dictionary
            from attribute names to them, in which missing names are unknown.
        schema: the attributes.

    Raises:
        InputError: another number of values, another value, or an unknown name.
    """
    if given is None:
        return None
    if isinstance(given, Mapping):
        values = np.full(len(schema), UNKNOWN, dtype=float)
        for attribute, value in given.items():
            values[schema.index(attribute)] = UNKNOWN if value is None else value
    else:
        try:
            values = np.asarray(given, dtype=float)
        except (TypeError, ValueError):
            raise InputError(
                f"labels {given!r} are not numbers; give 1, 0 or -1 for each attribute"
            ) from None
    if values.shape != (len(schema),):
        raise InputError(
            f"labels have shape {values.shape}; expected ({len(schema)},), "
            f"one value for each attribute of {schema.name!r}"
        )
    if not np.isin(values, (1, 0, UNKNOWN)).all():
        wrong = values[~np.isin(values, (1, 0, UNKNOWN))][0]
        raise InputError(f"a label is {wrong:g}; expected 1 (yes), 0 (no) or -1 (unknown)")
    return values.astype(np.int8)


def write_json(data: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a dictionary as JSON, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
