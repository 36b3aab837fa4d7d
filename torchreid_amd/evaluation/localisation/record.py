"""Scores of place of maps and baselines, JSON-ready."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.evaluation.baselines.class_activation import plain_activation
from torchreid_amd.evaluation.data.labelled_images import LabelledImages
from torchreid_amd.evaluation.data.testbed import Testbed
from torchreid_amd.evaluation.localisation.scores import LocalisationScores
from torchreid_amd.interpreter.decomposer import BATCH, Decomposer
from torchreid_amd.interpreter.maps import at_size

SMALL = ("hat", "hair", "backpack", "bag", "handbag", "up")  #: a small part of a person; ``up``: sleeves


def localisation_scores(
    testbed: Testbed,
    photographs: LabelledImages,
    decomposer: Decomposer | None = None,
    order: Sequence[int] | None = None,
    baselines: bool = True,
) -> dict[str, LocalisationScores]:
    """Scores of place of the interpreter's maps, the activation map and two average places.

    ``average map`` is the mean over these images of the interpreter's own maps, each of them scaled to
    a sum of 1: what can be had without looking at the image. ``average place`` is the mean of true
    regions in training.

    Args:
        testbed: with a truth.
        photographs: which.
        decomposer: of another interpreter than the testbed's.
        order: exchanges the maps of attributes, for sanity.
        baselines: whether activation map and average place are wanted.
    """
    assert testbed.truth is not None
    decomposer = decomposer or testbed.decomposer
    interpreter = decomposer.interpreter
    count, offset, target = len(interpreter.attributes), interpreter.offset, interpreter.target
    names = ["interpreter", "average map", *(["average place", "activation map"] if baselines else [])]
    scores = {name: LocalisationScores(count) for name in names}
    average_map, seen = torch.zeros(()), []
    starts = range(0, len(photographs), BATCH)
    for start in progress(starts, "looking where maps lie", len(photographs), BATCH):
        paths = photographs.paths[start : start + BATCH]
        images = decomposer.read(paths)
        out = decomposer.decompose(images)
        mass = out.maps.sum((2, 3), keepdim=True).clamp_min(torch.finfo(out.maps.dtype).tiny)
        average_map = average_map + (out.maps / mass).sum(0).cpu()
        plain = plain_activation(target, images).cpu() if baselines else None
        for row, path in enumerate(paths):
            regions = torch.from_numpy(testbed.truth.regions(path))
            size, pid = regions.shape[1:], int(photographs.pids[start + row])
            seen.append((regions, pid))
            maps = out.maps[row].cpu() if order is None else out.maps[row].cpu()[list(order)]
            scores["interpreter"].update(at_size(maps, size, offset), regions, pid)
            if plain is not None:
                same = at_size(plain[row : row + 1], size, target.offset)
                scores["activation map"].update(same.expand(count, -1, -1), regions, pid)
                average = testbed.average_place
                if average is not None and average.shape[1:] == size:
                    scores["average place"].update(average.float(), regions, pid)
    for regions, pid in progress(seen, "looking where average maps lie"):
        maps = average_map if order is None else average_map[list(order)]
        scores["average map"].update(at_size(maps, regions.shape[1:], offset), regions, pid)
    return scores


def localisation_record(testbed: Testbed, images: int) -> dict[str, Any]:
    """Everything about place, JSON-ready."""
    chosen = testbed.photographs(images)
    scores = localisation_scores(testbed, chosen)
    names = testbed.decomposer.interpreter.attributes.attributes
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
            for title, members in localisation_groups(testbed.decomposer.interpreter.attributes).items()
        },
        "own_region_first": first,
        "own_region_first_chance": by_chance,
        "confusion": [[None if v != v else v for v in row] for row in table.tolist()],
    }


def localisation_groups(schema: AttributeSchema) -> dict[str, list[int]]:
    """Attributes whose places are averaged apart as well: colours of cloth, and small things."""
    found = {
        "colours": [k for group in schema.group_indices() for k in group],
        "small things": [k for k, name in enumerate(schema.attributes) if name in SMALL],
    }
    return {title: members for title, members in found.items() if members}
