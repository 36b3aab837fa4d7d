"""Removing pixels and sanity: by hand, beside literal solutions, perfect and random."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from literal_scores import side
from region_toy import SCHEMA, perfect_decomposer, random_decomposer, toy_people

from torchreid_amd import create_interpreter
from torchreid_amd.evaluation.data.labelled_images import sample_pairs
from torchreid_amd.evaluation.deletion.curves import (
    CurveMean,
    curve,
    curves_record,
    deletion_curves,
    removed_first,
)
from torchreid_amd.evaluation.deletion.imputation import (
    NOISE,
    blur_imputed,
    mean_imputed,
    noisy_linear_imputed,
)
from torchreid_amd.evaluation.sanity.randomised import (
    Stability,
    exchanged_attributes,
    fell,
    with_randomised_head,
    with_randomised_target,
    with_shuffled_labels,
)
from torchreid_amd.interpreter.distances import get_distance


def test_the_largest_values_are_removed_first():
    map_ = torch.tensor([[4.0, 1.0], [3.0, 2.0]])
    taken = removed_first(map_, [0, 0.25, 0.5, 1])
    assert taken.flatten(1).int().tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]]


def test_mean_and_blur_touch_removed_pixels_alone():
    image, removed = torch.rand(3, 12, 8), torch.rand(2, 12, 8) < 0.4
    for impute in (mean_imputed, blur_imputed, noisy_linear_imputed):
        made = impute(image, removed)
        assert made.shape == (2, 3, 12, 8) and made.isfinite().all()
        kept = ~removed.unsqueeze(1).expand_as(made)
        assert torch.equal(made[kept], image.expand_as(made)[kept])
    made = mean_imputed(image, removed)
    assert made[0, :, removed[0]][:, 0].tolist() == pytest.approx(image.mean((1, 2)).tolist())
    flat = torch.full((3, 12, 8), 0.7)
    torch.testing.assert_close(blur_imputed(flat, removed), flat.expand(2, -1, -1, -1))


def test_a_blur_is_a_gaussian_of_an_eighth_of_the_width():
    """16 columns: σ = 2, cut off at 4 pixels. One white pixel becomes g(Δy) · g(Δx), g(x) ∝ exp(−x²/8)."""
    image = torch.zeros(3, 20, 16)
    image[:, 10, 8] = 1.0
    made = blur_imputed(image, torch.ones(1, 20, 16, dtype=torch.bool))[0, 1]
    weights = {x: math.exp(-(x**2) / 8) for x in range(-4, 5)}
    total = sum(weights.values())
    for down, right in ((0, 0), (0, 1), (3, 0), (-2, 4), (0, -4)):
        wanted = weights[down] * weights[right] / total**2
        assert made[10 + down, 8 + right].item() == pytest.approx(wanted, rel=1e-4)
    assert made[10, 8 + 5] == 0 == made[10 - 5, 8]


def test_noisy_linear_solves_the_equations():
    image, removed = torch.rand(3, 7, 6), torch.rand(7, 6) < 0.4
    made = noisy_linear_imputed(image, removed.unsqueeze(0))[0]
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0)) * NOISE
    cells = [(y, x) for y in range(7) for x in range(6) if removed[y, x]]
    for channel in range(3):  # one equation a removed pixel
        a, b = np.eye(len(cells)), np.zeros(len(cells))
        for row, (y, x) in enumerate(cells):
            near = {
                (y + dy, x + dx): 2.0 if dy == 0 or dx == 0 else 1.0
                for dy in (-1, 0, 1)
                for dx in (-1, 0, 1)
                if (dy or dx) and 0 <= y + dy < 7 and 0 <= x + dx < 6
            }
            for place, weight in near.items():
                share = weight / sum(near.values())
                if place in cells:
                    a[row, cells.index(place)] -= share
                else:
                    b[row] += share * float(image[channel][place])
        solved = np.linalg.solve(a, b)
        found = [float((made - noise)[channel][place]) for place in cells]
        assert found == pytest.approx(solved.tolist(), abs=1e-3)


def test_everything_removed_leaves_the_mean():
    image = torch.rand(3, 8, 8)
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0)) * NOISE
    made = noisy_linear_imputed(image, torch.ones(1, 8, 8, dtype=torch.bool))[0] - noise
    expected = image.mean((1, 2), keepdim=True).expand_as(made)
    torch.testing.assert_close(made, expected, atol=1e-4, rtol=0)


def test_a_curve_by_hand():
    # embeddings are sums over pixels; image a is 4 3 2 1, b is 0: zeros take the place of the largest
    def embed(images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)

    a = torch.tensor([4.0, 3, 2, 1]).reshape(1, 2, 2).expand(3, -1, -1)
    b = torch.zeros(3, 2, 2)

    def impute(image: torch.Tensor, removed: torch.Tensor) -> torch.Tensor:
        return torch.where(removed.unsqueeze(1), 0.0, image)

    squared = get_distance("squared_euclidean")
    removing, inserting = curve(embed, (a, b), (a[0], a[0]), impute, squared, steps=5)
    assert removing.tolist() == pytest.approx([1, 14 / 30, 5 / 30, 1 / 30, 0])
    assert inserting.tolist() == pytest.approx([0, 16 / 30, 25 / 30, 29 / 30, 1])
    mean = CurveMean(5)
    mean.update(removing, 1)
    assert mean.area == pytest.approx((0.5 + 14 / 30 + 5 / 30 + 1 / 30 + 0) / 4)


def test_all_orders_imputations_and_directions_are_recorded(tmp_path: Path):
    people = toy_people(12, 0, tmp_path)
    curves = deletion_curves(perfect_decomposer(), people, people, sample_pairs(people, people, 6, 0))
    record = curves_record(curves)
    for direction in ("removing", "inserting"):
        assert set(record[direction]) == {"mean", "blur", "noisy linear"}
        for rows in record[direction].values():
            assert set(rows) == {"interpreter", "activation", "random"}
    assert record["removing"]["mean"]["random"]["curve"][0] == pytest.approx(1)
    assert record["inserting"]["blur"]["random"]["curve"][-1] == pytest.approx(1)


# ---------------------------------------------------------------- sanity


def test_randomised_copies_leave_the_interpreter_as_it_was(build):
    interpreter = create_interpreter(build("osnet_x0_25"), "attrimeter", SCHEMA)
    with torch.no_grad():
        for values in interpreter.head.parameters():
            values.normal_()
    images = torch.rand(2, 3, 64, 32)
    before = interpreter(images)
    other_target, other_head = with_randomised_target(interpreter), with_randomised_head(interpreter)
    after = interpreter(images)
    assert torch.equal(before.embedding, after.embedding) and torch.equal(before.maps, after.maps)
    assert not torch.allclose(other_target(images).embedding, before.embedding, rtol=0.1)
    assert torch.equal(other_head(images).embedding, before.embedding)
    assert other_head(images).maps.std() < 0.1 < before.maps.std()  # an untrained head's maps are flat
    assert not with_randomised_head(perfect_decomposer().interpreter).training


def test_labels_and_attributes_are_exchanged():
    query, gallery = side(30, 4, 3, seed=0), side(40, 4, 3, seed=1)
    q, g = with_shuffled_labels(query, gallery, seed=1)
    rows = {int(p): row.tolist() for p, row in zip(q.pids, q.known_labels, strict=True)}
    for p, row in zip(g.pids, g.known_labels, strict=True):
        assert rows.get(int(p), row.tolist()) == row.tolist()  # a person has one set of labels
    was, now = (sorted(map(tuple, s.known_labels.unique(dim=0).tolist())) for s in (query, q))
    assert set(now) <= set(was) | {tuple(r) for r in gallery.known_labels.tolist()}
    assert not torch.equal(q.known_labels, query.known_labels)
    for count in (2, 5, 26):
        moved = exchanged_attributes(count)
        assert sorted(moved) == list(range(count)) and all(k != m for k, m in enumerate(moved))


def test_verdict():
    assert fell((30.0, 40.0), 31.0) is True and fell((32.0, 40.0), 31.0) is False
    assert fell(None, 31.0) is None


def test_stability_of_a_smooth_toy_and_of_a_random_one(tmp_path: Path):
    people = toy_people(12, 0, tmp_path)
    records = []
    for decomposer in (perfect_decomposer(), random_decomposer()):
        stability = Stability()
        for i, j in sample_pairs(people, people, 8, 0, changes=2):
            images = decomposer.read([people.paths[i], people.paths[j]])
            stability.update(decomposer, images, int(people.pids[i]))
        records.append(stability.record()["values"])
    assert records[0]["moved"] < 5 < records[1]["moved"]
