"""The example of mean accounts: which pairs are what, and shares that add up, on rendered people."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_pedestrians import render_tiny

import torchreid_amd as amd
from torchreid_amd.core.host import build_model
from torchreid_amd.targets.weights import write_checkpoint


@pytest.fixture(scope="module")
def example() -> ModuleType:
    path = Path(__file__).parents[1] / "examples" / "mean_accounts.py"
    spec = importlib.util.spec_from_file_location("mean_accounts", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def people(example: ModuleType, *seen: tuple[int, int]):
    pids, camids = np.array(seen).T
    return example.Photographs(np.array([f"{p}_c{c}" for p, c in seen]), pids, camids)


@pytest.fixture
def case(example: ModuleType):
    """Persons 1, 2, 3; 3 is in the gallery under the query's camera alone, 0 is nobody of the query."""
    query = people(example, (1, 0), (2, 0), (3, 0))
    gallery = people(example, (1, 0), (1, 1), (2, 1), (3, 0), (0, 2))
    distances = np.array(
        [
            [0.1, 0.5, 0.4, 0.6, 0.9],  # 1: the same photograph is removed, then person 2 is nearest
            [0.9, 0.8, 0.2, 0.7, 0.3],  # 2: right
            [0.5, 0.6, 0.7, 0.1, 0.2],  # 3: only under its own camera, so it does not count
        ]
    )
    return query, gallery, distances


def test_rank_one_is_that_of_the_protocol(example: ModuleType, case):
    query, gallery, distances = case
    assert example.first_ranks(distances, query, gallery).tolist() == [2, 2, -1]


def test_pairs_are_what_they_say(example: ModuleType, case):
    query, gallery, distances = case
    first = example.first_ranks(distances, query, gallery)
    met = set()
    for seed in range(30):
        pairs = example.draw(first, query, gallery, 10, seed)
        assert pairs == example.draw(first, query, gallery, 10, seed)
        different, same, false = pairs
        assert sorted(same) == [(0, 1), (1, 2)]  # another camera, and who has none is left out
        assert false == [(0, 2)]
        assert sorted(q for q, _ in different) == [0, 1, 2]
        met |= set(different)
    # all pairs of different persons come up, never the nobody at position 4
    assert met == {(0, 2), (0, 3), (1, 0), (1, 1), (1, 3), (2, 0), (2, 1), (2, 2)}
    assert all(len(found) == 1 for found in example.draw(first, query, gallery, 1, 0))


class Brightness(torch.nn.Module):
    """The mean of each channel, through a convolution that makes all pixels positive."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 3, 1)
        self.conv.weight.data, self.conv.bias.data = torch.eye(3)[:, :, None, None], torch.full((3,), 3.0)
        self.pool = torch.nn.AdaptiveAvgPool2d(1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.pool(torch.relu(self.conv(images))).flatten(1)


def test_means_are_over_pairs_that_are_apart(example: ModuleType, tmp_path: Path):
    files = []
    for n, top in enumerate((0, 0, 100, 200)):  # the upper body in four shades; 0 and 1 are equal
        pixels = np.full((64, 32, 3), 120, np.uint8)
        pixels[14:32] = top
        Image.fromarray(pixels).save(tmp_path / f"{n}.png")
        files.append(str(tmp_path / f"{n}.png"))
    explainer = amd.Explainer.from_target(Brightness(), size=(64, 32))
    query = example.Photographs(np.array(files), np.array([1, 1, 2, 3]), np.array([0, 1, 0, 0]))
    found = example.mean_account(explainer, [(0, 1), (0, 2), (1, 3), (3, 0)], query, query)
    assert found["pairs"] == 3 and found["identities"] == 2  # equal photographs have no shares
    assert found["under_one_camera"] == pytest.approx(2 / 3)
    one, two = (explainer.explain(files[0], files[n]) for n in (2, 3))
    assert found["values"]["distance"] == pytest.approx((one.distance + 2 * two.distance) / 3)
    shares = [e.account.by_part()["upper body"] / e.distance for e in (one, two)]
    assert found["values"]["upper body"] == pytest.approx((shares[0] + 2 * shares[1]) / 3)
    # person 1 has both distances, person 3 the longer one: the ends are draws of one person alone
    assert found["intervals"]["distance"] == pytest.approx([(one.distance + two.distance) / 2, two.distance])
    assert example.mean_account(explainer, [(0, 1)], query, query) == {"pairs": 0}


def test_rows_add_up_on_rendered_people(example: ModuleType, tmp_path: Path, capsys):
    root = render_tiny(tmp_path / "data")
    torch.manual_seed(0)
    weights = tmp_path / "target.pth"
    write_checkpoint(weights, build_model("osnet_x0_25", num_classes=4).state_dict())
    given = ["osnet_x0_25", "--weights", str(weights), "--root", str(root), "--pairs", "2"]
    assert example.main([*given, "--out", str(tmp_path / "found.json")]) == 0
    printed = capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["pairs"] == 2 and 0 <= found["rank-1"] <= 1
    for kind in example.KINDS[:2]:
        values = dict(found["kinds"][kind]["values"])
        assert values.pop("distance") > 0 and len(values) == 5
        assert sum(values.values()) == pytest.approx(1, abs=1e-5)
        assert f"| {kind} | 2 |" in printed and f"| {100 * values['upper body']:.1f}" in printed


@pytest.mark.parametrize(
    "change, said",
    [
        (["--pairs", "0"], "--pairs is 0; give at least 1"),
        (["--root", "nowhere"], "'nowhere' is not a folder"),
        (["--root", ".", "--dataset", "market"], "market"),
    ],
)
def test_one_line_where_it_cannot(example: ModuleType, tmp_path: Path, capsys, change: list[str], said: str):
    given = ["osnet_x0_25", "--weights", "none.pth", "--out", str(tmp_path / "found.json"), *change]
    assert example.main(given) == 2
    assert said in (line := capsys.readouterr().err) and line.count("\n") == 1
    assert not list(tmp_path.iterdir())
