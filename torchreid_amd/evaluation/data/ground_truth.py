"""True regions and counterfactual photographs, where a data set knows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.datasets.synthetic import regions as true_regions
from torchreid_amd.datasets.synthetic.counterfactual import find_record, person_of
from torchreid_amd.datasets.synthetic.people.person import schema as rendered
from torchreid_amd.datasets.synthetic.photograph import take


class GroundTruth(Protocol):
    """What a data set must know for the scores of place and effect."""

    def regions(self, path: str) -> NDArray[np.bool_]:
        """(M, H, W), where each attribute shows in a photograph."""

    def changed(self, path: str, changes: Sequence[Change]) -> list[NDArray[np.uint8]]:
        """The photograph re-rendered with each change alone: (H, W, 3) RGB."""


class SyntheticTruth:
    """The truth about the synthetic pedestrians, in the order of an interpreter's attributes.

    Args:
        schema: the interpreter's attributes, all of them known to the pedestrians.
    """

    def __init__(self, schema: AttributeSchema) -> None:
        self.order = [rendered().index(name) for name in schema.attributes]
        self._rendered: dict[tuple[str, tuple[Change, ...]], list[NDArray[np.uint8]]] = {}

    def regions(self, path: str) -> NDArray[np.bool_]:
        """(M, H, W), where each attribute shows."""
        return true_regions(path)[self.order]

    def changed(self, path: str, changes: Sequence[Change]) -> list[NDArray[np.uint8]]:
        """The photograph re-rendered with each change alone; kept, since sanity asks for it again."""
        key = (path, tuple(changes))
        if key not in self._rendered:
            self._rendered[key] = self._changed(path, changes)
        return self._rendered[key]

    @staticmethod
    def _changed(path: str, changes: Sequence[Change]) -> list[NDArray[np.uint8]]:
        record, options = find_record(path)
        person = person_of(record.pid, options)
        people = [person.with_attribute(change.attribute, change.value) for change in changes]
        return [take(someone, record, options).pixels for someone in people]


def truth_of(dataset: str, schema: AttributeSchema) -> GroundTruth | None:
    """What is known of a data set's photographs; None for real ones.

    Body-part priors on real photographs are not ground truth, so nothing stands in for it.
    """
    known = set(rendered().attributes)
    if dataset.startswith("synthetic_attr") and known.issuperset(schema.attributes):
        return SyntheticTruth(schema)
    return None


@dataclass(frozen=True)
class Change:
    """One thing in which two persons differ: an attribute, or a group of exclusive ones.

    Attributes:
        name: of the attribute or the group.
        members: positions of the exclusive attributes that count together.
        attribute: what is set in the first photograph, by name.
        value: to what.
    """

    name: str
    members: tuple[int, ...]
    attribute: str
    value: int
