"""Linear probes, and scores of place: by hand, beside literal formulas, perfect and at chance."""

from __future__ import annotations

import pytest
import torch

from torchreid_amd.evaluation import AttributeScores
from torchreid_amd.evaluation.baselines.linear_probe import fit_probes, fit_regression
from torchreid_amd.evaluation.localisation.scores import (
    LocalisationScores,
    area,
    mass_in_regions,
    pointing,
    relevance_mass,
    relevance_rank_accuracy,
)
from torchreid_amd.interpreter.distances import get_distance

# ---------------------------------------------------------------- probes


def people(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Embeddings that hold four attributes in four directions, four images a person."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (count, 4), generator=generator).repeat_interleave(4, 0)
    directions = torch.linalg.qr(torch.randn(10, 4, generator=torch.Generator().manual_seed(9)))[0].T
    embedding = 2 * labels.float() @ directions + 0.2 * torch.randn(count * 4, 10, generator=generator)
    return embedding, labels, torch.arange(count).repeat_interleave(4)


def test_probes_read_what_is_there():
    embedding, labels, identities = people(60, 0)
    hidden = labels.clone()
    hidden[::3, 1] = -1  # unknown labels teach nothing and do no harm
    probes = fit_probes(embedding, hidden, identities)
    other, truth, _ = people(30, 1)
    p = probes.probabilities(other)
    assert ((p > 0.5) == (truth == 1)).float().mean() > 0.97
    scores = AttributeScores(4)
    i, j = torch.randint(0, 120, (2, 400))
    scores.update((p[i] - p[j]).abs(), truth[i], truth[j])
    assert scores.percent()["X-mAP_e"] > 97


def test_probes_of_noise_choose_the_strongest_penalty_and_know_nothing():
    embedding = torch.randn(400, 30)
    labels = torch.randint(0, 2, (400, 3))
    probes = fit_probes(embedding, labels, torch.arange(400) // 4)
    assert probes.strength == 1.0
    assert probes.probabilities(torch.randn(500, 30)).sub(0.5).abs().mean() < 0.15


def test_regression_moves_the_embedding_by_the_attributes_direction():
    embedding, labels, _ = people(200, 0)
    regression = fit_regression(labels, embedding)
    moved = regression.moved(embedding[:1], torch.tensor([[1, 0, -1, 0]]))
    other, _, _ = people(1, 3)
    directions = torch.linalg.qr(torch.randn(10, 4, generator=torch.Generator().manual_seed(9)))[0].T
    expected = 2 * (directions[0] - directions[2])
    assert get_distance("euclidean").between(moved[0] - embedding[0], expected) < 0.1
    assert other.shape == (4, 10)


# ---------------------------------------------------------------- place


def test_scores_of_place_by_hand():
    # map  4 3 / 2 1, region the left column: largest inside; mass 6 of 10; of the two largest, one
    map_ = torch.tensor([[[4.0, 3.0], [2.0, 1.0]]])
    region = torch.tensor([[[True, False], [True, False]]])
    assert pointing(map_, region).item() == 1
    assert relevance_mass(map_, region).item() == pytest.approx(0.6)
    assert relevance_rank_accuracy(map_, region).item() == 0.5
    assert area(region).item() == 0.5
    # region the one pixel with 1: nothing of it
    corner = torch.tensor([[[False, False], [False, True]]])
    assert pointing(map_, corner).item() == 0 and relevance_rank_accuracy(map_, corner).item() == 0
    # map 2 goes half to the corner of the left column and half outside
    both = mass_in_regions(map_, torch.cat([region, corner]))
    assert both.tolist() == [pytest.approx([0.6, 0.1])]


def test_a_constant_or_empty_map_scores_the_area():
    region = torch.rand(6, 5, 4) < 0.3
    region[:, 0, 0] = True
    for map_ in (torch.ones(6, 5, 4), torch.zeros(6, 5, 4)):
        for score in (pointing, relevance_mass, relevance_rank_accuracy):
            torch.testing.assert_close(score(map_, region), area(region))


def test_rank_accuracy_equals_the_literal_formula():
    for _ in range(50):
        map_, region = torch.rand(1, 4, 5), torch.rand(1, 4, 5) < 0.4
        region[0, 1, 1] = True
        cells = sorted(((float(map_[0, y, x]), (y, x)) for y in range(4) for x in range(5)), reverse=True)
        chosen = [place for _, place in cells[: int(region.sum())]]
        expected = sum(bool(region[0, y, x]) for y, x in chosen) / len(chosen)
        assert relevance_rank_accuracy(map_, region).item() == pytest.approx(expected)


def regions_of(generator: torch.Generator) -> torch.Tensor:
    """Three attributes in a quarter each; the third is not always visible."""
    regions = torch.zeros(3, 8, 8, dtype=torch.bool)
    regions[0, :4, :4] = regions[1, :4, 4:] = regions[2, 4:, :4] = True
    regions[2] &= bool(torch.rand(1, generator=generator) < 0.5)
    return regions


def test_a_perfect_map_scores_hundred_and_a_random_one_chance():
    generator = torch.Generator().manual_seed(0)
    perfect, random = LocalisationScores(3), LocalisationScores(3)
    for image in range(400):
        regions = regions_of(generator)
        perfect.update(regions.float(), regions, image % 50)
        random.update(torch.rand(3, 8, 8, generator=generator), regions, image % 50)
    found = perfect.percent()
    assert (found["pointing"], found["relevance_mass"], found["rank_accuracy"]) == (100, 100, 100)
    assert found["area"] == 25
    assert perfect.concentration()[0].tolist() == pytest.approx([4, 0, 0])
    assert perfect.own_region_first() == (100, pytest.approx(100 / 3))
    for name in ("pointing", "relevance_mass", "rank_accuracy"):
        low, high = random.intervals()[name]
        assert low <= 25 <= high, name
    assert random.concentration().flatten().tolist() == pytest.approx([1] * 9, abs=0.05)


def test_some_of_the_attributes_have_scores_of_their_own():
    scores = LocalisationScores(3)
    for image in range(8):
        generator = torch.Generator().manual_seed(image)
        regions = regions_of(generator)
        maps = torch.stack([regions[0], ~regions[1], regions[2]]).float()
        scores.update(maps, regions, image)
    assert scores.percent([0, 2])["pointing"] == 100 and scores.percent([1])["pointing"] == 0
    assert scores.percent()["pointing"] == pytest.approx(200 / 3)
    assert scores.intervals([1])["relevance_mass"] == (0, 0)
    assert scores.percent([0, 1, 2]) == scores.percent()


def test_a_region_in_the_same_place_is_no_rival():
    left = torch.zeros(4, 4, dtype=torch.bool)
    left[:, :2] = True
    trousers, colour = left.clone(), left.clone()
    colour[0, 0] = False  # 7 of 8 pixels: the same place
    hat = ~left
    maps = torch.stack([colour, trousers, trousers]).float()  # the hat's map lies on the trousers
    scores = LocalisationScores(3)
    scores.update(maps, torch.stack([trousers, colour, hat]), 0)
    first, chance = scores.own_region_first()
    assert first == pytest.approx(200 / 3)  # trousers and their colour, though 8/7 denser in the other
    assert chance == pytest.approx(100 * (1 / 2 + 1 / 2 + 1 / 3) / 3)


def test_only_images_where_it_is_visible_count():
    scores = LocalisationScores(3)
    regions = torch.zeros(3, 2, 2, dtype=torch.bool)
    regions[0, 0, 0] = True
    scores.update(torch.ones(3, 2, 2), regions, 1)
    rows = scores.by_attribute()
    assert [row["images"] for row in rows] == [1, 0, 0]
    assert rows[0]["pointing"] == 25 and rows[1]["pointing"] is None
    assert scores.percent()["pointing"] == 25
    assert scores.concentration()[0, 0] == 1 and scores.concentration()[0, 1].isnan()
    halves = LocalisationScores(3).merge(scores).merge(scores)
    assert [row["images"] for row in halves.by_attribute()] == [2, 0, 0]
