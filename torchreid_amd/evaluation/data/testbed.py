"""What the scores of place, effect, removal and sanity look at, and the baselines it gives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from torchreid_amd.core.progress_bar import progress
from torchreid_amd.evaluation.baselines.linear_probe import AttributeRegression, fit_regression
from torchreid_amd.evaluation.data.decomposed_images import DecomposedImages, decompose_batches
from torchreid_amd.evaluation.data.ground_truth import GroundTruth
from torchreid_amd.evaluation.data.labelled_images import LabelledImages, sample_pairs
from torchreid_amd.interpreter.decomposer import BATCH, Decomposer

TRAINING_REGIONS = 300  #: training images from which the average place of an attribute is taken


@dataclass(frozen=True)
class Testbed:
    """An interpreter before the photographs of a test set.

    Attributes:
        decomposer: the interpreter and its input.
        query, gallery: the test photographs.
        train: training photographs; an empty part where they are not to be used.
        train_embedding: (N, D) the target's embeddings of them.
        truth: what the data set knows of regions and counterfactuals; None for real photographs.
        seed: of every sample.
    """

    decomposer: Decomposer
    query: LabelledImages
    gallery: LabelledImages
    train: LabelledImages
    train_embedding: Tensor
    truth: GroundTruth | None
    seed: int = 0

    @cached_property
    def regression(self) -> AttributeRegression | None:
        """Of embeddings on attributes, from the training photographs; None without labels."""
        if not (self.train.labels >= 0).any():
            return None
        return fit_regression(torch.from_numpy(self.train.labels), self.train_embedding)

    @cached_property
    def average_place(self) -> Tensor | None:
        """(M, H, W): how often each attribute shows at a pixel of the training photographs."""
        if self.truth is None or not len(self.train):
            return None
        chosen = self.train.sample(TRAINING_REGIONS, self.seed)
        regions = [self.truth.regions(path) for path in progress(chosen.paths, "averaging places")]
        return torch.from_numpy(np.mean([r for r in regions if r.shape == regions[0].shape], 0))

    def photographs(self, count: int) -> LabelledImages:
        """A sample of query and gallery together."""
        both = LabelledImages(
            self.query.paths + self.gallery.paths,
            np.concatenate([self.query.pids, self.gallery.pids]),
            np.concatenate([self.query.camids, self.gallery.camids]),
            np.concatenate([self.query.labels, self.gallery.labels]),
        )
        return both.sample(count, self.seed)

    def pairs(self, count: int, changes: int = 3) -> list[tuple[int, int]]:
        """A sample of pairs of different persons: positions in query and gallery."""
        return sample_pairs(self.query, self.gallery, count, self.seed, changes)


def decomposed(
    decomposer: Decomposer, photographs: LabelledImages, normalize: bool = False
) -> DecomposedImages:
    """Photographs read and decomposed; with ``normalize`` embeddings are of unit length."""
    starts = progress(range(0, len(photographs), BATCH), "decomposing photographs", len(photographs), BATCH)
    batches = (decomposer.read(photographs.paths[i : i + BATCH]) for i in starts)
    return DecomposedImages(
        *decompose_batches(decomposer, batches, normalize),
        torch.from_numpy(photographs.pids),
        torch.from_numpy(photographs.camids),
        torch.from_numpy(photographs.labels),
    )
