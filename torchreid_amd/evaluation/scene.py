"""What the scores of place, effect, removal and sanity look at, and the baselines it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.evaluation.class_activation import plain_activation
from torchreid_amd.evaluation.decomposed_images import DecomposedImages
from torchreid_amd.evaluation.effect import PairEffect, effects_record, score_effects
from torchreid_amd.evaluation.effect_pairs import measure_effects, sample_pairs
from torchreid_amd.evaluation.linear_probe import AttributeRegression, fit_regression
from torchreid_amd.evaluation.photographs import BATCH, Eye, Photographs, at_size
from torchreid_amd.evaluation.place_scores import PlaceScores
from torchreid_amd.evaluation.removal import curves_record, removal_curves
from torchreid_amd.evaluation.synthetic_truth import Truth
from torchreid_amd.interpreter import Decomposition

TRAINING_REGIONS = 300  #: training images from which the average place of an attribute is taken
SMALL = ("hat", "hair", "backpack", "bag", "handbag", "up")  #: a small part of a person; ``up``: sleeves


@dataclass(frozen=True)
class Scene:
    """An interpreter before the photographs of a test set.

    Attributes:
        eye: interpreter and input.
        query, gallery: the test photographs.
        train: training photographs; an empty part where they are not to be used.
        train_embedding: (N, D) the target's embeddings of them.
        truth: what the data set knows of regions and counterfactuals; None for real photographs.
        seed: of every sample.
    """

    eye: Eye
    query: Photographs
    gallery: Photographs
    train: Photographs
    train_embedding: Tensor
    truth: Truth | None
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
        regions = [self.truth.regions(path) for path in chosen.paths]
        return torch.from_numpy(np.mean([r for r in regions if r.shape == regions[0].shape], 0))

    def photographs(self, count: int) -> Photographs:
        """A sample of query and gallery together."""
        both = Photographs(
            self.query.paths + self.gallery.paths,
            np.concatenate([self.query.pids, self.gallery.pids]),
            np.concatenate([self.query.camids, self.gallery.camids]),
            np.concatenate([self.query.labels, self.gallery.labels]),
        )
        return both.sample(count, self.seed)

    def pairs(self, count: int, changes: int = 3) -> list[tuple[int, int]]:
        """A sample of pairs of different persons: positions in query and gallery."""
        return sample_pairs(self.query, self.gallery, count, self.seed, changes)


def decomposed(eye: Eye, photographs: Photographs, normalize: bool = False) -> DecomposedImages:
    """Photographs read and decomposed; with ``normalize`` embeddings are of unit length."""
    embeddings, components = [], []
    for start in range(0, len(photographs), BATCH):
        out = eye.decompose(eye.read(photographs.paths[start : start + BATCH]))
        out = out.normalized() if normalize else out
        embeddings.append(out.embedding.cpu())
        components.append(out.components.half().cpu())
    return DecomposedImages(
        torch.cat(embeddings),
        torch.cat(components),
        torch.from_numpy(photographs.pids),
        torch.from_numpy(photographs.camids),
        torch.from_numpy(photographs.labels),
    )


def place_scores(
    scene: Scene,
    photographs: Photographs,
    eye: Eye | None = None,
    order: Sequence[int] | None = None,
    baselines: bool = True,
) -> dict[str, PlaceScores]:
    """Scores of place of the interpreter's maps, the activation map and two average places.

    ``average map`` is the mean over these images of the interpreter's own maps, each of them scaled to
    a sum of 1: what can be had without looking at the image. ``average place`` is the mean of true
    regions in training.

    Args:
        scene: with a truth.
        photographs: which.
        eye: of another interpreter than the scene's.
        order: exchanges the maps of attributes, for sanity.
        baselines: whether activation map and average place are wanted.
    """
    assert scene.truth is not None
    eye = eye or scene.eye
    count, shift = len(eye.interpreter.attributes), eye.interpreter.shift
    names = ["interpreter", "average map", *(["average place", "activation map"] if baselines else [])]
    scores = {name: PlaceScores(count) for name in names}
    average_map, seen = torch.zeros(()), []
    for start in range(0, len(photographs), BATCH):
        paths = photographs.paths[start : start + BATCH]
        images = eye.read(paths)
        out: Decomposition = eye.decompose(images)
        mass = out.maps.sum((2, 3), keepdim=True).clamp_min(torch.finfo(out.maps.dtype).tiny)
        average_map = average_map + (out.maps / mass).sum(0).cpu()
        plain = plain_activation(eye.interpreter.target, images).cpu() if baselines else None
        for row, path in enumerate(paths):
            regions = torch.from_numpy(scene.truth.regions(path))
            size, pid = regions.shape[1:], int(photographs.pids[start + row])
            seen.append((regions, pid))
            maps = out.maps[row].cpu() if order is None else out.maps[row].cpu()[list(order)]
            scores["interpreter"].update(at_size(maps, size, shift), regions, pid)
            if plain is not None:
                same = at_size(plain[row : row + 1], size, eye.interpreter.target.shift)
                scores["activation map"].update(same.expand(count, -1, -1), regions, pid)
                average = scene.average_place
                if average is not None and average.shape[1:] == size:
                    scores["average place"].update(average.float(), regions, pid)
    for regions, pid in seen:
        maps = average_map if order is None else average_map[list(order)]
        scores["average map"].update(at_size(maps, regions.shape[1:], shift), regions, pid)
    return scores


def place_record(scene: Scene, images: int) -> dict[str, Any]:
    """Everything about place, JSON-ready."""
    chosen = scene.photographs(images)
    scores = place_scores(scene, chosen)
    names = scene.eye.interpreter.attributes.attributes
    own = scores["interpreter"]
    table, (first, by_chance) = own.concentration(), own.own_region_first()
    return {
        "images": len(chosen),
        "rows": {n: {"values": s.percent(), "intervals": s.intervals()} for n, s in scores.items()},
        "per_attribute": {n: dict(zip(names, s.by_attribute(), strict=True)) for n, s in scores.items()},
        "groups": {
            title: {
                "attributes": [names[k] for k in members],
                "rows": {
                    n: {"values": s.percent(members), "intervals": s.intervals(members)}
                    for n, s in scores.items()
                },
            }
            for title, members in place_groups(scene.eye.interpreter.attributes).items()
        },
        "own_region_first": first,
        "own_region_first_chance": by_chance,
        "confusion": [[None if v != v else v for v in row] for row in table.tolist()],
    }


def place_groups(schema: AttributeSchema) -> dict[str, list[int]]:
    """Attributes whose places are averaged apart as well: colours of cloth, and small things."""
    found = {
        "colours": [k for group in schema.group_indices() for k in group],
        "small things": [k for k, name in enumerate(schema.attributes) if name in SMALL],
    }
    return {title: members for title, members in found.items() if members}


def effect_pairs(
    scene: Scene, count: int, eye: Eye | None = None, baselines: bool = True
) -> list[PairEffect]:
    """A sample of pairs with what would happen and what is predicted."""
    assert scene.truth is not None
    eye = eye or scene.eye
    pairs = scene.pairs(count)
    regression = scene.regression if baselines else None
    return measure_effects(eye, scene.query, scene.gallery, pairs, scene.truth, regression, baselines)


def effect_record(effects: Sequence[PairEffect]) -> dict[str, Any]:
    """Everything about effects, JSON-ready; ``points`` are contribution, drop and number of attributes."""
    points = [
        [float(x), float(y), int(n)]
        for pair in effects
        for x, y, n in zip(pair.predicted["interpreter"], pair.drops, pair.predicted["count"], strict=True)
    ]
    by_change: dict[str, list[tuple[float, float]]] = {}
    for pair in effects:
        for name, x, y in zip(pair.names, pair.predicted["interpreter"], pair.drops, strict=True):
            by_change.setdefault(name, []).append((float(x), float(y)))
    means = {
        name: {
            "changes": len(found),
            "contribution": float(np.mean([x for x, _ in found])),
            "drop": float(np.mean([y for _, y in found])),
        }
        for name, found in sorted(by_change.items())
    }
    return {
        "pairs": len(effects),
        "changes": len(points),
        "rows": effects_record(score_effects(effects)),
        "by_change": means,
        "points": points,
    }


def removal_record(scene: Scene, count: int) -> dict[str, Any]:
    """Everything about removing and inserting, JSON-ready."""
    pairs = sample_pairs(scene.query, scene.gallery, count, scene.seed, 0)
    return {"pairs": len(pairs)} | curves_record(
        removal_curves(scene.eye, scene.query, scene.gallery, pairs, scene.seed)
    )
