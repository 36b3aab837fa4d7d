"""Each baseline of the score tables is what its row says: by hand, on photographs of a few colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from region_toy import SCHEMA, SIZE, ToyTruth, perfect_decomposer, toy_people
from torch import Tensor, nn

from torchreid_amd.evaluation.baselines.class_activation import distance_activations
from torchreid_amd.evaluation.baselines.linear_probe import AttributeRegression, fit_regression
from torchreid_amd.evaluation.counterfactual.measure import measure_effects
from torchreid_amd.evaluation.data.labelled_images import LabelledImages
from torchreid_amd.evaluation.data.testbed import Testbed
from torchreid_amd.evaluation.deletion.curves import deletion_curves
from torchreid_amd.evaluation.localisation.record import localisation_scores
from torchreid_amd.interpreter.distances import get_distance
from torchreid_amd.interpreter.interpreter import Interpreter
from torchreid_amd.targets.target import AveragePoolTail, Target

# ---------------------------------------------------------------- what would happen

# Person 0 wears a red shirt, person 1 hat, blue shirt and bag: three changes. The embedding is the mean
# over 64 cells; hat (16 cells, 200), shirt (16 cells, 120) and bag (32 cells, 60) have channels of their own.
HAT, SHIRT, BAG = 200 / 255, 120 / 255, 60 / 255


def predictions(folder: Path, regression: AttributeRegression | None = None) -> dict[str, dict[str, float]]:
    people = toy_people(2, 0, folder)
    (effect,) = measure_effects(perfect_decomposer(), people, people, [(0, 1)], ToyTruth(people), regression)
    assert effect.identity == 0
    return {name: dict(zip(effect.names, v, strict=True)) for name, v in effect.predicted.items()} | {
        "drops": dict(zip(effect.names, effect.drops, strict=True))
    }


def test_what_happens_and_what_each_row_predicts(tmp_path: Path):
    found = predictions(tmp_path)
    # squared distance: hat (16/64 · HAT)², bag (32/64 · BAG)², shirt twice (16/64 · SHIRT)², red and blue
    parts = {"hat": (HAT / 4) ** 2, "shirt": 2 * (SHIRT / 4) ** 2, "bag": (BAG / 2) ** 2}
    assert found["drops"] == pytest.approx(parts, rel=1e-4)
    assert found["interpreter"] == pytest.approx(parts, rel=1e-4)
    # hiding the region in both photographs leaves all the rest: the distance drops by that part
    assert found["occlusion"] == pytest.approx(parts, rel=1e-4)
    assert found["count"] == {"hat": 1, "shirt": 2, "bag": 1}
    # of 64 pixels in either photograph: hat 0 + 16, shirt 16 + 16, bag 0 + 32
    assert found["area"] == pytest.approx({"hat": 0.25, "shirt": 0.5, "bag": 0.5})
    # the gradient of the squared distance in a cell is 2 (e − e') / 64; times the feature, summed over
    # the region: hat 16 · 2 (HAT/4) / 64 · HAT = HAT²/8, shirt that for either photograph, bag
    # 32 · 2 (BAG/2) / 64 · BAG
    inside = {"hat": HAT**2 / 8, "shirt": SHIRT**2 / 4, "bag": BAG**2 / 2}
    assert found["Grad-CAM"] == pytest.approx(inside, rel=1e-3)
    assert found["LayerCAM"] == pytest.approx(inside, rel=1e-3)
    assert "regression" not in found


def test_the_regression_moves_the_first_embedding_by_the_change_of_labels(tmp_path: Path):
    """Weights that are the toy's own: each attribute adds its colour's mean to its own channels."""
    weight = torch.zeros(4, 9)
    weight[0, 0], weight[1, 3], weight[2, 5], weight[3, 7] = HAT / 4, SHIRT / 4, SHIRT / 4, BAG / 2
    found = predictions(tmp_path, AttributeRegression(weight))
    assert found["regression"] == pytest.approx(found["drops"], rel=1e-4)


def test_unknown_labels_are_the_mean_to_the_regression_and_not_a_no():
    # known labels 1, 0 of embeddings 2, 0; a third person of embedding 1 is unknown. Against the means
    # ½ and 1: x = ½, −½, 0 and y = 1, −1, 0, so the weight is Σxy / (Σxx + 0.1) = 1 / 0.6
    labels, embedding = torch.tensor([[1], [0], [-1]]), torch.tensor([[2.0], [0.0], [1.0]])
    assert fit_regression(labels, embedding, 0.1).weight.item() == pytest.approx(1 / 0.6)


# ---------------------------------------------------------------- place


class _Mean(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features.mean((2, 3))


class _Same(nn.Module):
    """The photograph itself."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        return images


class _Ones(nn.Module):
    """Maps of 1."""

    def forward(self, early: Tensor, features: Tensor) -> Tensor:
        return torch.ones(len(features), len(SCHEMA), *features.shape[2:])


class _AsBright(nn.Module):
    """Maps of all attributes, as bright as the pixel is red; a row too low, and they say so."""

    offset = (-1.0, 0.0)

    def forward(self, early: Tensor, features: Tensor) -> Tensor:
        return early[:, :1].roll(1, 2).expand(-1, len(SCHEMA), -1, -1)


class _UpperHalf:
    """Everything shows in the upper half of each photograph."""

    def regions(self, path: str) -> np.ndarray:
        found = np.zeros((len(SCHEMA), *SIZE), bool)
        found[:, : SIZE[0] // 2] = True
        return found

    def changed(self, path: str, changes: Sequence[object]) -> list[np.ndarray]:
        raise NotImplementedError


def before(body: nn.Module, pictures: Sequence[np.ndarray], folder: Path) -> Testbed:
    """Photographs (8, 8) of red before a target with that body, whose head's maps are the red itself."""
    paths = []
    for n, red in enumerate(pictures):
        picture = np.zeros((*SIZE, 3), np.uint8)
        picture[..., 0] = red
        paths.append(str(folder / f"{n}.png"))
        Image.fromarray(picture).save(paths[-1])
    count = len(paths)
    photographs = LabelledImages(
        tuple(paths), np.arange(count), np.zeros(count, int), np.zeros((count, len(SCHEMA)), np.int8)
    )
    target = Target(nn.Identity(), body, AveragePoolTail(_Mean()), name="toy", size=SIZE)
    decomposer = perfect_decomposer().of(Interpreter(target, _AsBright(), SCHEMA, "squared_euclidean", "sum"))
    return Testbed(decomposer, photographs, photographs, photographs, torch.zeros(count, 3), _UpperHalf())


class _EveryFourth(nn.Conv2d):
    """Each cell is the mean of the colours in its own upper left pixel: 4 pixels apart, from pixel 0."""

    def __init__(self) -> None:
        super().__init__(3, 1, 1, stride=4, bias=False)
        nn.init.constant_(self.weight, 1 / 3)


def test_the_activation_map_is_laid_where_its_cells_look(tmp_path: Path):
    """Cells at pixels 0 and 4. The first row's are 1, the second's 0: down the rows 1, ¾, ½, ¼, 0, 0, 0, 0.

    Spread evenly it would be 1, 1, ⅞, ⅝, ⅜, ⅛, 0, 0, of which 3½ of 4 lie in the upper half.
    """
    red = np.zeros(SIZE, np.uint8)
    red[0] = 255
    testbed = before(_EveryFourth(), [red], tmp_path)
    assert testbed.decomposer.interpreter.target.offset == pytest.approx((-0.375, -0.375))
    found = localisation_scores(testbed, testbed.query)
    assert found["activation map"].percent()["relevance_mass"] == pytest.approx(100)


def test_the_average_map_takes_each_photographs_map_with_the_same_mass(tmp_path: Path):
    """A bright pixel above in one photograph, a dim one below in the other: two equal places on average.

    Of two equal largest values one is inside: half a point. Unscaled, the bright one would win alone.
    """
    bright, dim = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    bright[1, 2], dim[5, 5] = 255, 51
    testbed = before(_Same(), [bright, dim], tmp_path)
    found = localisation_scores(testbed, testbed.query)
    assert found["average map"].percent()["pointing"] == pytest.approx(50)
    assert found["average map"].percent()["relevance_mass"] == pytest.approx(50)
    assert found["interpreter"].percent()["pointing"] == pytest.approx(50)  # one hit, one miss


def test_the_average_place_is_the_mean_of_training_regions(tmp_path: Path):
    """Everything shows in the upper half there too: the average place is exactly that region."""
    red = np.full(SIZE, 9, np.uint8)
    testbed = before(_Same(), [red, red], tmp_path)
    found = localisation_scores(testbed, testbed.query)["average place"].percent()
    assert (found["relevance_mass"], found["rank_accuracy"], found["area"]) == pytest.approx((100, 100, 50))


# ---------------------------------------------------------------- where coarse maps lie


def laid(map_: Tensor) -> Tensor:
    """A map of cells at pixels 0 and 4 on 8 pixels: straight lines between, the last cell's value beyond."""
    second = (torch.arange(8) / 4).clamp(max=1)
    weights = torch.stack([1 - second, second], 1)
    return weights @ map_ @ weights.T


def test_activations_of_the_distance_are_summed_where_their_cells_look(tmp_path: Path):
    people = toy_people(2, 0, tmp_path)
    truth = ToyTruth(people)
    target = Target(_EveryFourth(), nn.Identity(), AveragePoolTail(_Mean()), name="toy", size=SIZE)
    decomposer = perfect_decomposer().of(Interpreter(target, _Ones(), SCHEMA, "squared_euclidean", "sum"))
    (effect,) = measure_effects(decomposer, people, people, [(0, 1)], truth)
    a, b = decomposer.read(people.paths).split(1)
    maps = distance_activations(target, a, b, get_distance("squared_euclidean"))
    regions = [truth.regions(path) for path in people.paths]
    for name, sides in maps.items():
        wanted = {
            change: sum(
                float((laid(side) * torch.from_numpy(region[members].any(0))).sum())
                for side, region in zip(sides, regions, strict=True)
            )
            for change, members in (("hat", [0]), ("shirt", [1, 2]), ("bag", [3]))
        }
        found = dict(zip(effect.names, effect.predicted[name].tolist(), strict=True))
        assert found == pytest.approx(wanted, rel=1e-4) and max(wanted.values()) > 0


def test_pixels_are_removed_where_the_activation_map_looks(tmp_path: Path):
    """A red row at pixel 4, where cells look, against black. It goes first, and its mean, ⅛, stays.

    Laid evenly over the photograph the map would take row 6 first, and the distance would stay.
    """
    red = np.zeros(SIZE, np.uint8)
    red[4] = 255
    testbed = before(_EveryFourth(), [red, np.zeros(SIZE, np.uint8)], tmp_path)
    curves = deletion_curves(testbed.decomposer, testbed.query, testbed.gallery, [(0, 1)])
    own = curves["interpreter", "mean", "removing"].points  # its maps show the very row
    assert own[:2] == pytest.approx([1, 1 / 64])
    removing, inserting = (curves["activation", "mean", way].points for way in ("removing", "inserting"))
    assert removing[:2] == pytest.approx([1, 1 / 64])
    # everything taken: ⅛ in both rows of cells; then the red one back: (⅛ + 1) / 2 against ½
    assert inserting[:2] == pytest.approx([1 / 16, 1.125**2])
