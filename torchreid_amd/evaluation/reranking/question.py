"""The questions of recognition and re-ranking, asked of a test set: what is looked at is looked at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchreid_amd.core.errors import InputError
from torchreid_amd.evaluation.data.labelled_images import LabelledImages
from torchreid_amd.evaluation.data.testbed import Testbed
from torchreid_amd.evaluation.recognition import recognition_record
from torchreid_amd.evaluation.reranking.record import reranking_record
from torchreid_amd.gallery.rerank import Reranker
from torchreid_amd.gallery.seen import Seen, look
from torchreid_amd.gallery.store import Store
from torchreid_amd.gallery.stored_seen import seen_of_files


@dataclass(frozen=True)
class SeenTestbed:
    """A test set as a re-ranker sees it.

    Attributes:
        testbed: the interpreter before the photographs.
        fitted: gives the re-ranker, fitted on training identities; the same every time.
        rates: (M,) share of "yes" in training.
        probes: (query, gallery) probabilities of linear probes on the embedding, (N, M), by name.
        normalize: whether embeddings are of unit length.
        stores: files that have what is seen of query and gallery, so that it is not looked at again.
    """

    testbed: Testbed
    fitted: Callable[[], Reranker]
    rates: Tensor
    probes: Mapping[str, tuple[Tensor, Tensor]]
    normalize: bool = False
    stores: Sequence[Store] = ()

    @cached_property
    def seen(self) -> tuple[Seen, Seen]:
        """What is seen of query and gallery."""
        query, gallery = (self._look(side) for side in (self.testbed.query, self.testbed.gallery))
        return query, gallery

    def _look(self, side: LabelledImages) -> Seen:
        stored = [store for store in self.stores if "seen" in store]
        read = bool(stored) and len(stored) == len(self.stores)
        found = seen_of_files(stored, side.paths) if read else look(self.testbed.decomposer, side.paths)
        return found.normalized() if self.normalize else found

    def reranking(self) -> dict[str, Any]:
        """:func:`~torchreid_amd.evaluation.reranking.record.reranking_record`, or why there is none."""
        try:
            reranker = self.fitted()
        except InputError as error:  # too few training identities; the other scores stand
            return {"not_scored": str(error)}
        sides = zip(self.seen, (self.testbed.query, self.testbed.gallery), strict=True)
        query, gallery = ((s, torch.from_numpy(x.pids), torch.from_numpy(x.camids)) for s, x in sides)
        return reranking_record(reranker, query, gallery)

    def recognition(self) -> dict[str, Any]:
        """:func:`~torchreid_amd.evaluation.recognition.recognition_record`, or why there is none."""
        try:
            reranker = self.fitted()
        except InputError as error:
            return {"not_scored": str(error)}
        query, gallery = self.testbed.query, self.testbed.gallery
        labels = torch.from_numpy(np.concatenate([query.labels, gallery.labels]))
        if not (labels >= 0).any():
            return {"not_scored": "no attribute labels are known here"}
        read = {"readouts": torch.cat([reranker.probabilities(side) for side in self.seen])}
        read |= {name: torch.cat(sides) for name, sides in self.probes.items()}
        people = torch.from_numpy(np.concatenate([query.pids, gallery.pids]))
        names = self.testbed.decomposer.interpreter.attributes.attributes
        return recognition_record(read, labels, people, self.rates, names, self.testbed.seed)
