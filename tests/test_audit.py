"""An audit from photographs to files: a model whose accounts are known, the command, and bad input."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from made_audits import made_audit
from PIL import Image
from tiny_market import write_tiny_market
from toy_interpreter import toy_explainer

import torchreid_amd as amd
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.auditing.audited_set import audited_sets
from torchreid_amd.cli import main
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.host import build_model
from torchreid_amd.core.images import read_image
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.targets.weights import write_checkpoint


class Brightness(torch.nn.Module):
    """The mean of each channel, through a convolution that makes all pixels positive."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 3, 1)
        self.conv.weight.data = weight * torch.eye(3)[:, :, None, None]
        self.conv.bias.data = torch.full((3,), 3.0)
        self.pool = torch.nn.AdaptiveAvgPool2d(1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.pool(torch.relu(self.conv(images))).flatten(1)


class Labels:
    """Who wears what, by file name."""

    schema = AttributeSchema("toy", ("pale",), parts={"pale": "upper body"})

    def labels(self, impaths: Any) -> np.ndarray:
        return np.array([[int(Path(path).name[0]) > 3] for path in impaths], np.int8)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Six persons in six shades of their upper body, under two cameras; camera 1 is a little brighter."""
    folder = tmp_path_factory.mktemp("people")
    sides: list[list[tuple[str, int, int]]] = [[], []]
    for person in range(1, 7):
        for camera in (0, 1):
            pixels = np.full((64, 32, 3), 120 + 10 * camera, np.uint8)
            pixels[14:32, 8:24] = 40 * person
            path = folder / f"{person}_{camera}.png"
            Image.fromarray(pixels).save(path)
            sides[camera].append((str(path), person, camera))
    return SimpleNamespace(query=sides[0], gallery=sides[1])


def bright(weight: float = 1.0) -> amd.Explainer:
    return amd.Explainer.from_target(Brightness(weight), size=(64, 32))


def test_a_model_alone(photographs: SimpleNamespace) -> None:
    explainer = bright()
    found = amd.audit(explainer, photographs, pairs=6, labels=Labels())
    kinds = found.findings.kinds
    assert kinds["different persons"].pairs == 6 and kinds["the same person"].pairs == 6
    accounts = []
    for path, person, _ in photographs.query:
        e = explainer.explain(path, photographs.gallery[person - 1][0])
        assert e.account is not None
        accounts.append(e.account.by_part()["rest of the picture"] / e.distance)
    same = kinds["the same person"]
    assert same.parts["rest of the picture"].value == pytest.approx(np.mean(accounts))
    assert same.subjects["background"].value == pytest.approx(np.mean(accounts))
    assert sum(part.value or 0 for part in same.parts.values()) == pytest.approx(1)
    assert found.findings.attributes[0].effect is None and found.findings.attributes[0].present == 0.5
    assert found.looked[0].labelled and found.findings.regression is None  # six persons are too few
    seen = [
        [Brightness()(explainer.preprocess(read_image(path))[None]) for path, *_ in side]
        for side in vars(photographs).values()
    ]
    nearest = [int(np.argmin([float((a - b).detach().norm()) for b in seen[1]])) for a in seen[0]]
    right = [n == q for q, n in enumerate(nearest)]
    assert found.findings.retrieval["SimpleNamespace"]["rank-1"].value == pytest.approx(np.mean(right))
    assert kinds["misses"].pairs == kinds["false matches at rank 1"].pairs == right.count(False) > 0


def test_the_seed_gives_the_same_and_another_another(photographs: SimpleNamespace) -> None:
    one, again, other = (amd.audit(bright(), photographs, pairs=2, seed=s).to_dict() for s in (0, 0, 1))
    assert one == again
    assert one["model"]["kinds"] != other["model"]["kinds"]


def test_stored_features_are_audited_without_embedding_anybody(
    photographs: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    explainer, other = bright(), bright(2.0)
    folder = Path(photographs.query[0][0]).parent
    amd.extract(explainer, folder, tmp_path / "all.h5")
    whole = amd.audit(explainer, photographs, pairs=3, labels=Labels())
    with pytest.raises(InputError, match="weights"):
        amd.audit(other, photographs, pairs=3, stores=[tmp_path / "all.h5"])
    few = [path for path, *_ in photographs.query]
    amd.extract(explainer, few, tmp_path / "few.h5")
    with pytest.raises(InputError, match="and 5 more cannot be found among the stored features"):
        amd.audit(explainer, photographs, pairs=3, stores=[tmp_path / "few.h5"])
    monkeypatch.setattr(Decomposer, "embed_files", lambda *_: pytest.fail("a photograph was embedded"))
    stored = amd.audit(explainer, photographs, pairs=3, labels=Labels(), stores=[tmp_path / "all.h5"])
    assert stored.to_json() == whole.to_json()


def test_two_models_see_the_same_pairs(photographs: SimpleNamespace) -> None:
    found = amd.audit(bright(), photographs, pairs=3, compare_with=bright(0.1))
    assert found.compared is not None and found.second is not None
    for kind, parts in found.compared.parts.items():
        a, b = found.findings.kinds[kind], found.second.kinds[kind]
        assert a.pairs == b.pairs
        for part, one in parts.items():
            assert one.value == pytest.approx(b.parts[part].value - a.parts[part].value, abs=1e-9)
    assert "second less" in found.summary()


def test_labels_reach_accounts(photographs: SimpleNamespace) -> None:
    labels = SimpleNamespace(
        schema=AttributeSchema("toy", ("hat", "red", "bag")),
        labels=lambda paths: np.array([[int(Path(p).name[0]) % 2, 0, -1] for p in paths], np.int8),
    )
    (data,) = audited_sets(toy_explainer(), photographs, labels=labels)
    assert data.labels(AttributeSchema("other", ("bag", "new", "hat")))[0].tolist() == [
        [-1, -1, n % 2] for n in range(1, 7)
    ]
    assert data.labelled


def test_what_is_written(tmp_path: Path) -> None:
    found = made_audit(compared=True, times=True)
    found.to_json(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == json.loads(json.dumps(found.to_dict()))
    found.save_html(tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert "toynet" in page and "othernet" in page and "By time of day" in page
    value = found.findings.kinds["different persons"].subjects["clothing"].value
    assert all(f"clothing {100 * value:.0f}\u00a0%" in text for text in (page, found.summary()))
    for ending in ("png", "pdf", "svg"):
        found.plot(tmp_path / f"a.{ending}")
        assert (tmp_path / f"a.{ending}").stat().st_size > 5_000
    assert "amd-bar" in found._repr_html_() and "<script" not in found._repr_html_()
    assert str(found) == found.summary()
    assert "http" not in page.replace("http-equiv", "")


def test_nothing_of_names_or_heads_is_in_the_bytes(tmp_path: Path) -> None:
    found = made_audit(names=("a/secret-name.jpg", "<img src=x onerror=alert(1)>.jpg"))
    page = found.to_html()
    assert "secret-name" in page and "log/secret" in page and "<img src=x" not in page
    hidden = found.blur_heads().anonymous()
    for text in (hidden.to_html(), hidden.to_json(), hidden.summary(), hidden._repr_html_()):
        assert "secret" not in text and "onerror" not in text
    seen, blurred = (np.asarray(a.examples[0].explanation.images[0]) for a in (found, hidden))
    assert (seen[:20] != blurred[:20]).any() and (seen[-20:] == blurred[-20:]).all()
    assert hidden.findings.made_by["model"] == "toynet"


def test_attributes_without_labels(photographs: SimpleNamespace) -> None:
    found = amd.audit(bright(), photographs, pairs=3)
    assert not found.findings.attributes and found.findings.regression is None
    assert "No attributes are labelled" in found.to_html()


@pytest.mark.parametrize(
    "change, said",
    [
        ({"pairs": 1}, "pairs is 1; give at least 2"),
        ({"dataset": SimpleNamespace(query=[], gallery=[])}, "the query of 'SimpleNamespace' is empty"),
        ({"dataset": SimpleNamespace(query=[1], gallery=[])}, "is no data set"),
        ({"dataset": "nowhere"}, "unknown dataset 'nowhere'"),
        ({"dataset": "market1501_attr", "root": "nowhere"}, "'nowhere' is not a folder"),
        ({"dataset": None}, "no test set is named"),
        ({"compare_with": "cosine"}, "the first model's distance is euclidean, the second's cosine"),
    ],
)
def test_bad_input_in_one_line(photographs: SimpleNamespace, change: dict[str, Any], said: str) -> None:
    if change.get("compare_with"):
        change["compare_with"] = amd.Explainer.from_target(Brightness(), size=(64, 32), metric="cosine")
    with pytest.raises(amd.InputError, match=said) as error:
        amd.audit(bright(), **({"dataset": photographs} | change))
    assert "\n" not in str(error.value)


def test_one_person_is_none(photographs: SimpleNamespace) -> None:
    one = SimpleNamespace(query=photographs.query[:1], gallery=photographs.gallery)
    with pytest.raises(amd.InputError, match="person 1 alone is in query and gallery"):
        amd.audit(bright(), one)
    explainer = amd.Explainer.from_target(Brightness(), size=(64, 32))
    explainer.account = False
    with pytest.raises(amd.InputError, match="made of accounts"):
        amd.audit(explainer, photographs)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Coloured rectangles, and the weights of a model that never saw them."""
    root = write_tiny_market(tmp_path_factory.mktemp("data"))
    torch.manual_seed(0)
    weights = root / "target.pth"
    write_checkpoint(weights, build_model("osnet_x0_25", num_classes=4).state_dict())
    return root, weights


def test_the_command(market: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, weights = market
    given = ["audit", "--model", "osnet_x0_25", "--weights", str(weights), "--size", "64", "32"]
    given += ["--root", str(root), "-t", "market1501_attr", "--pairs", "3", "--compare", str(weights)]
    files = [str(tmp_path / f"a.{ending}") for ending in ("json", "html", "svg")]
    assert main([*given, "--json", files[0], "--html", files[1], "--figure", files[2], "--anonymous"]) == 0
    printed = capsys.readouterr().out
    found = json.loads(Path(files[0]).read_text())
    assert found["pairs_of_each_kind"] == 3 and found["datasets"][0]["persons"] == 4
    different = found["model"]["kinds"]["different persons"]
    assert different["pairs"] == 3 and "| different persons | 3 |" in printed
    assert found["second_less_first"]["parts"]["different persons"]["head"]["value"] == pytest.approx(
        0, abs=1e-6
    )
    assert {f["name"] for f in found["model"]["attributes"]} >= {"upper-body colour", "hat"}
    assert str(root) not in Path(files[0]).read_text() + Path(files[1]).read_text()


@pytest.mark.parametrize(
    "given, said",
    [
        ([], "got neither; expected RUN, or --model NAME --weights FILE"),
        (["run", "--model", "osnet_x0_25"], "got both"),
        (["--model", "osnet_x0_25"], "has random weights alone"),
        (["run", "--pairs", "1"], "--pairs is 1"),
        (["run", "--size", "64", "32"], "--size belongs to --model"),
        (["run", "--figure", "a.xyz"], "its ending names no known format"),
    ],
)
def test_what_the_command_refuses(given: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", *given]) == 2
    line = capsys.readouterr().err
    assert said in line and line.count("\n") == 1
