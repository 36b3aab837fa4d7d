"""What an explainer is given: photographs in any form, in pairs, and what is known of the persons on them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from torchreid_amd.attributes.schema import UNKNOWN, AttributeSchema, Labels, read_labels
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.images import ImageLike, read_image
from torchreid_amd.explanation.ranking import same_person

GivenLabels = Sequence[int] | Mapping[str, int] | NDArray[Any] | Tensor | None


class LabelsByPath(Protocol):
    """Anything that knows the labels of image files, e.g. ``amd.attributes.label_source(…)``."""

    def labels(self, impaths: Sequence[str], /) -> NDArray[Any]:
        """Labels (N, M) of N paths, unknown rows all −1."""
        ...


def pair_of(pair: Any) -> tuple[Any, Any, Any, Any]:
    """``(a, b)`` or ``(a, b, labels_a, labels_b)`` as the latter.

    Raises:
        InputError: neither.
    """
    items = tuple(pair) if isinstance(pair, Sequence) and not isinstance(pair, str) else ()
    if len(items) == 2:
        return (*items, None, None)
    if len(items) == 4:
        return items
    raise InputError(f"{pair!r} is no pair; give (a, b) or (a, b, labels_a, labels_b)")


def read_once(
    sources: Sequence[ImageLike], names: Sequence[str]
) -> tuple[list[Image.Image], list[str], list[int]]:
    """Photographs read, each once, however often it comes up.

    Equal pixels of two files are one photograph, too: rounding cannot tell them apart then.

    Args:
        sources: N photographs.
        names: what messages call them.

    Returns:
        The K different photographs, their names, and for each of the N which of them it is.
    """
    position: dict[Any, int] = {}
    pixels: dict[Any, int] = {}
    images: list[Image.Image] = []
    called: list[str] = []
    for source, name in zip(sources, names, strict=True):
        if _identity(source) not in position:
            image = read_image(source)
            row = pixels.setdefault((image.size, image.tobytes()), len(images))
            position[_identity(source)] = row
            if row == len(images):
                images.append(image)
                called.append(name)
    return images, called, [position[_identity(source)] for source in sources]


def _identity(source: ImageLike) -> Any:
    return str(source) if isinstance(source, str | os.PathLike) else id(source)


def labels_of(
    source: ImageLike, given: GivenLabels, known: LabelsByPath | None, schema: AttributeSchema
) -> Labels | None:
    """The labels (M,) of the person on a photograph: those given, else those its path is known by.

    Raises:
        InputError: labels that do not fit the attributes.
    """
    if given is None and known is not None and isinstance(source, str | os.PathLike):
        given = np.asarray(known.labels([str(source)]))[0]
    if isinstance(given, Tensor):
        given = given.cpu().numpy()
    return read_labels(given, schema)


def pair_labels(a: Labels | None, b: Labels | None, count: int) -> tuple[Labels, Labels] | None:
    """Labels of a pair; those of one side alone are unknown, and None where nothing is known of either."""
    if all(side is None or (side == UNKNOWN).all() for side in (a, b)):
        return None
    unknown = np.full(count, UNKNOWN, dtype=np.int8)
    return (unknown if a is None else a, unknown if b is None else b)


def same_persons(query: str, gallery: Sequence[str], known: LabelsByPath | None) -> list[bool | None]:
    """Who is the query's person: by the run's data sets, and by file names where those tell.

    Args:
        query: its path.
        gallery: N paths.
        known: may have ``persons(paths)``, and ``names_tell``: whether file names of other photographs
            are to be read.
    """
    persons = getattr(known, "persons", None)
    if persons is None:
        return [same_person(query, name) for name in gallery]
    asked, *found = persons([query, *gallery])
    by_name = getattr(known, "names_tell", True)
    return [
        person == asked
        if asked and person and person[:2] == asked[:2]
        else same_person(query, name)
        if by_name
        else None
        for person, name in zip(found, gallery, strict=True)
    ]
