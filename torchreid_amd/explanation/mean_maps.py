"""Where an interpreter looks for each attribute on average: on persons with it, and on persons without it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.images import ImageLike, list_images, read_image, to_pixels
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.explanation.photographs import GivenLabels, LabelsByPath, labels_of
from torchreid_amd.interpreter.decomposer import BATCH, Decomposer
from torchreid_amd.interpreter.maps import Floats


class Looks(Protocol):
    """What an explainer is needed for here."""

    schema: AttributeSchema
    labels: LabelsByPath | None

    @property
    def decomposer(self) -> Decomposer:
        """The interpreter with its input."""


@dataclass(frozen=True, eq=False)
class MeanMaps:
    """Mean attention maps over photographs.

    Attributes:
        schema: the M attributes.
        maps: (2, M, h, w): of persons without an attribute, and of persons with it; 0 where there is nobody.
        counts: (2, M) photographs behind each mean; people of whom nothing is known are in neither.
        photograph: the mean photograph, RGB.
        offset: by how much of a cell maps lie lower and further right than if spread evenly.
    """

    schema: AttributeSchema
    maps: Floats
    counts: NDArray[np.int64]
    photograph: Image.Image
    offset: tuple[float, float]


def mean_maps(
    explainer: Looks,
    photographs: Iterable[ImageLike] | str | os.PathLike[str],
    labels: Sequence[GivenLabels] | None = None,
    batch_size: int = BATCH,
) -> MeanMaps:
    """Mean attention maps of each attribute, over photographs with it and without it.

    Args:
        explainer: an :class:`~torchreid_amd.explanation.explainer.Explainer`.
        photographs: N photographs, or a folder of image files.
        labels: of each photograph, as :meth:`Explainer.explain` takes them; looked up by the explainer, which
            knows those of its run's data sets, if not given.
        batch_size: images a forward pass.

    ``amd.contact_sheet`` draws them.

    Raises:
        InputError: no photograph, one that cannot be read, labels that do not fit, a model without
            attributes, or nobody of whom anything is known.

    Example:
        >>> import torchreid_amd as amd
        >>> from PIL import Image
        >>> explainer = amd.Explainer(amd.create_interpreter("osnet_x0_25", head="amd"), size=(64, 32))
        >>> red, navy = (Image.new("RGB", (32, 64), colour) for colour in ("red", "navy"))
        >>> found = amd.mean_maps(explainer, [red, navy], [{"upred": 1, "hat": 0}, {"upred": 0, "hat": 0}])
        >>> found.counts[:, explainer.schema.index("hat")].tolist()  # without, with
        [2, 0]
    """
    schema, decomposer = explainer.schema, explainer.decomposer
    given = list_images(photographs) if isinstance(photographs, str | os.PathLike) else list(photographs)
    if not len(schema):
        raise InputError("a model alone has no attributes and no maps; give the explainer of a trained run")
    if labels is not None and len(labels) != len(given):
        raise InputError(f"there are {len(labels)} labels for {len(given)} photographs; give one for each")
    known: list[Any] = [None] * len(given) if labels is None else list(labels)
    found = [labels_of(p, own, explainer.labels, schema) for p, own in zip(given, known, strict=True)]
    if all(row is None or (row < 0).all() for row in found):
        raise InputError(
            f"nothing is known of the persons on {len(given)} photograph(s); give photographs of the run's "
            "data sets, or labels"
        )
    sums: Any = 0.0
    counts = np.zeros((2, len(schema)), np.int64)
    picture = np.zeros((*decomposer.size, 3))
    starts = progress(range(0, len(given), batch_size), "looking at photographs", len(given), batch_size)
    for start in starts:
        images = [read_image(p) for p in given[start : start + batch_size]]
        maps = decomposer.decompose(decomposer.read(images), batch_size=batch_size).maps.float().cpu()
        rows = found[start : start + batch_size]
        has = torch.tensor(np.stack([np.full(len(schema), -1) if r is None else r for r in rows]))
        kinds = torch.stack([has == value for value in (0, 1)]).to(maps.dtype)  # (2, B, M)
        sums = sums + torch.einsum("sbm,bmhw->smhw", kinds, maps).double().numpy()
        counts += kinds.sum(1).long().numpy()
        picture += np.sum([to_pixels(image, decomposer.size) for image in images], axis=0, dtype=float)
    mean = sums / np.maximum(counts, 1)[..., None, None]
    seen = Image.fromarray(np.round(picture / len(given)).astype(np.uint8))
    return MeanMaps(schema, mean.astype(np.float32), counts, seen, decomposer.interpreter.offset)
