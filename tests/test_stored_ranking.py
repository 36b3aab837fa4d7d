"""Rankings and scores out of stored features are those out of photographs, as far as those are there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from stored_features import coloured_explainer, write_photographs
from tiny_market import write_tiny_market

import torchreid_amd as amd
from torchreid_amd.cli import main
from torchreid_amd.config import get_default_config, to_dict
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.evaluation.data.labelled_images import LabelledImages
from torchreid_amd.evaluation.data.stored_images import stored_images


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    return write_photographs(tmp_path / "photographs", 8)


def stored(folder: Path, **options: Any) -> amd.Store:
    return amd.extract(coloured_explainer(), folder, folder.parent / "gallery.h5", **options)


def test_the_same_as_from_photographs(photographs: list[Path]) -> None:
    explainer = coloured_explainer()
    explainer.account = True
    store = stored(photographs[0].parent)
    whole = explainer.explain_ranking(photographs[5], photographs, topk=3)
    found = explainer.explain_ranking(photographs[5], store, topk=3)
    assert found.order == (0, 1, 2) and found.searched == whole.searched == 8
    assert list(found.gallery_names) == [whole.gallery_names[n] for n in whole.order[:3]]
    assert found.distances == pytest.approx([whole.distances[n] for n in whole.order[:3]], rel=1e-5, abs=1e-6)
    assert found.matches == whole.matches and found.matches[0] is True
    for a, b in zip(found, whole, strict=True):
        assert a.contributions == pytest.approx(b.contributions, rel=1e-4, abs=1e-6)
        assert a.names == b.names and a.account is not None and a.not_explained == ""
    assert found.summary() == whole.summary() and "of 8 photographs" in found.summary()
    assert found.to_dict()["gallery_size"] == 8 and len(found.to_dict()["gallery"]) == 3


def test_photographs_that_are_missing_or_others(photographs: list[Path]) -> None:
    explainer = coloured_explainer()
    store = stored(photographs[0].parent)
    whole = explainer.explain_ranking(photographs[0], photographs, topk=8)
    missing, other, broken = (whole.order[n] for n in (1, 2, 4))
    photographs[missing].unlink()
    photographs[broken].write_bytes(b"nothing to see")
    Image.new("RGB", (20, 40), "red").save(photographs[other])
    found = explainer.explain_ranking(photographs[0], store, topk=5)
    assert [e.not_explained for e in found] == [
        "",
        "the photograph is not there",
        "another photograph is there now",
        "",
        "another photograph is there now",
    ]
    assert found.distances == pytest.approx([whole.distances[n] for n in whole.order[:5]], rel=1e-5, abs=1e-6)
    assert [e.distance for e in found] == pytest.approx(found.distances, rel=1e-5, abs=1e-6)
    assert not found[1].shares.size and found[1].residual == found[1].distance and found[3].shares.size
    lines = found.summary().splitlines()
    assert "(distance alone: the photograph is not there)" in lines[2]
    assert "(distance alone: another photograph is there now)" in lines[3]
    page = found.to_html()
    assert page.count("Only the distance is known: the photograph is not there.") == 1
    assert found.to_dict()["explanations"][1]["not_explained"] == "the photograph is not there"
    drawn = [text.get_text() for text in found.plot().texts]
    assert any("is not there" in text for text in drawn)
    for shown in (found.blur_heads(), found.anonymous(), found.with_threshold(1)):
        assert shown[1].not_explained and shown.to_html()
    assert str(photographs[missing]) not in found.anonymous().to_json()


def test_photographs_that_have_moved(photographs: list[Path], tmp_path: Path) -> None:
    store = stored(photographs[0].parent)
    photographs[0].parent.rename(tmp_path / "elsewhere")
    query = tmp_path / "elsewhere" / photographs[0].name
    found = coloured_explainer().explain_ranking(query, store, topk=2)
    assert all(e.not_explained for e in found)
    store.root = str(tmp_path / "elsewhere")
    assert not any(e.not_explained for e in coloured_explainer().explain_ranking(query, store, topk=2))


def test_several_stores_and_bad_input(photographs: list[Path], tmp_path: Path) -> None:
    explainer = coloured_explainer()
    parts = [
        amd.extract(explainer, photographs[:3], tmp_path / "a.h5"),
        amd.extract(explainer, photographs[3:], tmp_path / "b.h5"),
    ]
    whole = explainer.explain_ranking(photographs[4], photographs, topk=5)
    found = explainer.explain_ranking(photographs[4], parts, topk=5)
    assert list(found.gallery_names) == [whole.gallery_names[n] for n in whole.order[:5]]
    with pytest.raises(InputError, match="holds features of another model"):
        coloured_explainer(2.0).explain_ranking(photographs[4], parts)
    with pytest.raises(InputError, match="search is 'flat'; an index is of stored features"):
        explainer.explain_ranking(photographs[4], photographs, search="flat")


# -- the commands ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_market(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder, as training would have left it at its first step."""
    folder = tmp_path_factory.mktemp("run")
    model = host.build_model("osnet_x0_25", num_classes=6)
    torch.save(model.state_dict(), folder / "target.pth")
    cfg = get_default_config()
    cfg.merge_from_list(["data.root", str(root), "data.workers", 0, "data.height", 64, "data.width", 32])
    cfg.merge_from_list(["data.sources", ["market1501_attr"], "data.targets", ["market1501_attr"]])
    interpreter = amd.create_interpreter(model, "attrimeter", name="osnet_x0_25")
    return amd.save_run(
        folder,
        interpreter,
        model="osnet_x0_25",
        num_classes=6,
        weights=folder / "target.pth",
        size=(64, 32),
        config=to_dict(cfg),
    )


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command and gives what it printed, or the line with which it failed."""

    def call(*command: Any) -> str:
        capsys.readouterr()
        code = main([str(part) for part in command])
        printed = capsys.readouterr()
        if code:
            assert code == 2 and "\n" not in printed.err.strip() and "Traceback" not in printed.err
            return printed.err
        return printed.out

    return call


def test_extract_rank_and_evaluate(run: Path, root: Path, tmp_path: Path, said: Callable[..., str]) -> None:
    store = tmp_path / "gallery.h5"
    query = sorted(root.rglob("query/*.jpg"))[0]
    out = said(
        *("extract", run, "--data", "market1501_attr", "--split", "query", "gallery", "--store", store)
    )
    assert f"Written: {store} (8 photographs)" in out
    by_store = said("rank", run, query, "--gallery", store, "--topk", 3, "--no-account")
    by_name = said(
        *("rank", run, query, "--gallery", "market1501_attr", "--split", "query", "gallery"),
        *("--topk", 3, "--no-account"),
    )
    folders = [query.parent, query.parents[1] / "bounding_box_test"]
    by_files = said("rank", run, query, *folders, "--topk", 3, "--no-account")
    assert by_store == by_name == by_files and "of 8 photographs" in by_store

    quick = [x for part in ("probe", "removal", "sanity", "reweight") for x in ("--skip", part)]
    assert "decomposed" in said("evaluate", run, *quick)
    before = json.loads((run / "scores.json").read_text())["datasets"]["market1501_attr"]
    assert "query and gallery are read" in said("evaluate", run, *quick, "--store", store)
    after = json.loads((run / "scores.json").read_text())["datasets"]["market1501_attr"]
    for side in ("target", "interpreter"):
        kept = {k: v for k, v in before[side].items() if v is not None}
        assert {k: after[side][k] for k in kept} == pytest.approx(kept, rel=1e-3, abs=0.01)  # percent


def test_scores_need_every_photograph_and_components(photographs: list[Path], tmp_path: Path) -> None:
    explainer, count = coloured_explainer(), len(photographs)
    numbers = np.arange(count)
    side = LabelledImages(tuple(map(str, photographs)), numbers, numbers, np.ones((count, 3), np.int8))
    part = amd.extract(explainer, photographs[:5], tmp_path / "part.h5")
    with pytest.raises(InputError, match="5.*png' and 2 more cannot be found among the stored features"):
        stored_images([part], side)
    rest = amd.extract(explainer, photographs[5:], tmp_path / "rest.h5")
    plain, unit = (stored_images([part, rest], side, normalize) for normalize in (False, True))
    whole = explainer.decomposer.decompose(explainer.decomposer.read(photographs))
    assert torch.allclose(plain.embedding, whole.embedding, rtol=1e-5)
    assert torch.allclose(plain.components.float(), whole.components, rtol=1e-3)
    assert torch.allclose(unit.components.float(), whole.normalized().components, rtol=2e-3, atol=1e-4)
    assert unit.embedding.norm(dim=1) == pytest.approx([1.0] * count, rel=1e-5)
    alone = amd.extract(explainer, photographs, tmp_path / "alone.h5", components=False)
    with pytest.raises(InputError, match="was made without components"):
        alone.check(alone.mark, whole=True)


def test_what_is_given_wrong(run: Path, root: Path, tmp_path: Path, said: Callable[..., str]) -> None:
    query = sorted(root.rglob("query/*.jpg"))[0]
    assert "unknown data set 'markt1501'" in said("rank", run, query, "--gallery", "markt1501")
    assert "nope.h5' does not exist" in said("rank", run, query, "--gallery", tmp_path / "nope.h5")
    both = said("rank", run, query, query, "--gallery", tmp_path / "nope.h5")
    assert "the gallery is both stored features" in both
    assert "got no run folder" in said("extract", "--data", query.parent, "--store", tmp_path / "g.h5")
    assert "takes one run folder" in said(
        "extract", run, query, "--data", query.parent, "--store", tmp_path / "g.h5"
    )
    assert "expected RUN QUERY GALLERY" in said("rank", run, query)
    assert not (tmp_path / "g.h5").exists()


def test_rank_skips_what_is_broken(run: Path, root: Path, tmp_path: Path, said: Callable[..., str]) -> None:
    query = sorted(root.rglob("query/*.jpg"))[0]
    whole = sorted(root.rglob("bounding_box_test/*.jpg"))[:2]
    for n, path in enumerate(whole):
        (tmp_path / f"{n}.jpg").write_bytes(path.read_bytes())
    (tmp_path / "broken.jpg").write_bytes(whole[0].read_bytes()[:300])
    command = ("rank", run, query, tmp_path, "--no-account")
    assert "broken.jpg" in said(*command)
    out = said(*command, "--skip-broken")
    assert "1 photographs cannot be read and are left out:" in out and "the nearest 2 of 2" in out
    (tmp_path / "0.jpg").unlink()
    (tmp_path / "1.jpg").unlink()
    assert "no photograph of the gallery can be read" in said(*command, "--skip-broken")
