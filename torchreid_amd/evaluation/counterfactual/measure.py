"""What really happens to a sample of pairs, and what contributions and simple baselines predict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchreid_amd.core.progress_bar import progress
from torchreid_amd.evaluation.baselines.class_activation import distance_activations
from torchreid_amd.evaluation.baselines.linear_probe import AttributeRegression
from torchreid_amd.evaluation.counterfactual.effect import LEAST, PairEffect, Values, changes_of, together
from torchreid_amd.evaluation.data.ground_truth import Change, GroundTruth
from torchreid_amd.evaluation.data.labelled_images import LabelledImages
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.distances import get_distance
from torchreid_amd.interpreter.maps import at_size, mask_at_size


def measure_effects(
    decomposer: Decomposer,
    query: LabelledImages,
    gallery: LabelledImages,
    pairs: Sequence[tuple[int, int]],
    truth: GroundTruth,
    regression: AttributeRegression | None = None,
    baselines: bool = True,
) -> list[PairEffect]:
    """Re-render, measure, predict.

    Args:
        decomposer: the interpreter and its input.
        query, gallery: the two sides; the query's photograph is the one that is changed.
        pairs: positions in them.
        truth: of the data set.
        regression: of embeddings on attributes, from training images.
        baselines: whether all the other predictors are wanted.
    """
    schema, found = decomposer.interpreter.attributes, []
    for i, j in progress(pairs, "changing attributes of pairs"):
        changes = changes_of(schema, query.labels[i].tolist(), gallery.labels[j].tolist())
        if len(changes) < LEAST:
            continue
        found.append(_measure(decomposer, query, gallery, i, j, changes, truth, regression, baselines))
    return found


def _measure(
    decomposer: Decomposer,
    query: LabelledImages,
    gallery: LabelledImages,
    i: int,
    j: int,
    changes: list[Change],
    truth: GroundTruth,
    regression: AttributeRegression | None,
    baselines: bool,
) -> PairEffect:
    path_i, path_j = query.paths[i], gallery.paths[j]
    interpreter = decomposer.interpreter
    images = decomposer.read([path_i, path_j, *truth.changed(path_i, changes)])
    embedding = decomposer.embed(images)
    distance = get_distance(interpreter.metric)
    whole = distance.between(embedding[0], embedding[1])
    drops = (whole - distance.between(embedding[2:], embedding[1])).double().cpu().numpy()
    both = decomposer.decompose(images[:2])
    parts = interpreter.compare(both[0], both[1]).contributions[0].cpu()
    predicted: dict[str, Values] = {"interpreter": together(parts, changes)}
    predicted["count"] = np.array([float(len(change.members)) for change in changes])
    if baselines:
        places = _places(truth, path_i, path_j, changes)
        predicted["area"] = places.double().mean((2, 3)).sum(1).numpy()
        if regression is not None:
            steps = _steps(changes, query.labels[i], gallery.labels[j])
            moved = regression.moved(embedding[:1].cpu(), steps)
            after = distance.between(moved, embedding[1].cpu())
            predicted["regression"] = (whole.cpu() - after).double().numpy()
        sides = [mask_at_size(places[:, side], decomposer.size).to(images.device) for side in (0, 1)]
        hidden = [decomposer.embed(images[s : s + 1] * ~sides[s].unsqueeze(1)) for s in (0, 1)]
        predicted["occlusion"] = (whole - distance.between(*hidden)).double().cpu().numpy()
        target, size = interpreter.target, places.shape[2:]
        activations = distance_activations(target, images[:1], images[1:2], distance)
        for name, maps in activations.items():
            fine = torch.cat([at_size(m.unsqueeze(0), size, target.offset).cpu() for m in maps])
            predicted[name] = (fine * places).sum((1, 2, 3)).double().numpy()
    return PairEffect(int(query.pids[i]), tuple(c.name for c in changes), drops, predicted)


def _places(truth: GroundTruth, path_i: str, path_j: str, changes: Sequence[Change]) -> Tensor:
    """(G, 2, H, W) bool: where each change's attributes show, in either photograph."""
    sides = [torch.from_numpy(truth.regions(path)) for path in (path_i, path_j)]
    return torch.stack([torch.stack([s[list(c.members)].any(0) for s in sides]) for c in changes])


def _steps(changes: Sequence[Change], labels_i: NDArray[np.int8], labels_j: NDArray[np.int8]) -> Tensor:
    """(G, M) by how much the labels change."""
    steps = torch.zeros(len(changes), len(labels_i))
    for row, change in enumerate(changes):
        for k in change.members:
            steps[row, k] = float(int(labels_j[k]) - int(labels_i[k]))
    return steps
