"""What the photographs of a track agree on: labels for a domain that has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchreid_amd.attributes.datamanager_labels import ManagerLabels
from torchreid_amd.attributes.schema import UNKNOWN
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.interpreter.decomposer import BATCH, Decomposer

Items = Sequence[tuple[str, int, int, int]]  #: torchreid's photographs: path, person, camera, data set


def tracks_of(items: Items) -> NDArray[np.int64]:
    """(N,) which track each photograph is of: what one camera saw of one person, in one data set.

    It is what a tracker gives without knowing anybody; that two tracks are of one person is not used.
    """
    keys = [(dataset, person, camera) for _, person, camera, dataset in items]
    number = {key: n for n, key in enumerate(dict.fromkeys(keys))}
    return np.array([number[key] for key in keys], dtype=np.int64)


def agreed(strengths: Tensor, tracks: NDArray[np.int64]) -> NDArray[np.int8]:
    """Labels (N, M): 1 where every photograph of the track shows the attribute, 0 where none does.

    Unknown (−1) where they differ, and for a track of one photograph, which nobody contradicts.

    Args:
        strengths: (N, M) how surely each photograph shows them; from ½ on it counts as shown.
        tracks: (N,) as of :func:`tracks_of`.
    """
    shown, index = strengths >= 0.5, torch.from_numpy(tracks)
    size = torch.bincount(index)
    zeros = torch.zeros(len(size), shown.shape[1], dtype=torch.int64)
    count = zeros.index_add(0, index, shown.long())[index]
    size = size[index].unsqueeze(1)
    known = (size > 1) & ((count == size) | (count == 0))
    return torch.where(known, shown.long(), UNKNOWN).numpy().astype(np.int8)


def recognised_in(decomposer: Decomposer, paths: Sequence[str]) -> Tensor:
    """What the head of an interpreter recognises in photographs: (N, M), on the CPU."""
    interpreter, found = decomposer.interpreter, []
    starts = range(0, len(paths), BATCH)
    with torch.no_grad():
        for start in progress(starts, "looking at photographs without labels", len(paths), BATCH):
            images = decomposer.read(paths[start : start + BATCH])
            found.append(interpreter.eval().head.recognise(interpreter.target, images).float().cpu())
    return torch.cat(found)


class AgreedLabels:
    """Labels of a training on labelled data sets and on others, whose photographs have agreed labels.

    Takes the place of :class:`~torchreid_amd.attributes.datamanager_labels.ManagerLabels` in an engine;
    labels that the other data sets may come with are not looked at in training.

    Args:
        known: of the labelled data sets, which are the first in the training.
        given: (M,) of each photograph of the others, by path.
    """

    def __init__(self, known: ManagerLabels, given: Mapping[str, NDArray[np.int8]]) -> None:
        self.known, self.given = known, given
        self.first = len(known.sources.sources)  #: number of the first data set without labels

    def train(self, batch: dict[str, Any]) -> NDArray[np.int8]:
        """Labels (B, M) of a training batch of torchreid (``impath`` and ``dsetid``)."""
        labels = np.full((len(batch["impath"]), len(self.known.schema)), UNKNOWN, np.int8)
        where = np.array([int(n) < self.first for n in batch["dsetid"]])
        rows = np.flatnonzero(where)
        if len(rows):
            paths, sets = ([batch[key][n] for n in rows] for key in ("impath", "dsetid"))
            labels[rows] = self.known.sources.labels(paths, sets)
        for n in np.flatnonzero(~where):
            labels[n] = self.given[batch["impath"][n]]
        return labels

    def rates(self, items: Items) -> NDArray[np.floating]:
        """Share of "yes" among the labelled training identities (M,)."""
        return self.known.rates([item for item in items if item[3] < self.first])

    def test(self, name: str, impaths: list[str]) -> NDArray[np.int8]:
        """Labels (N, M) of test images, for the scores."""
        return self.known.test(name, impaths)
