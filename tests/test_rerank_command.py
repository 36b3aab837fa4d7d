"""A checkpoint, labels for some people, a folder: re-ranked, and searched, as a user would."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_market import write_tiny_market

import torchreid_amd as amd
from torchreid_amd.attributes.sets import market1501
from torchreid_amd.cli import main
from torchreid_amd.config import get_default_config, to_dict
from torchreid_amd.core.errors import InputError
from torchreid_amd.evaluation.reranking.stored import stored_or_fitted
from torchreid_amd.gallery.people import labelled_folder, people_of_run
from torchreid_amd.gallery.seen import MOST, ROWS, look

COLOURS = {0: (40, 60, 200), 1: (210, 30, 40)}  # of the upper body, by "red"
SKIN, HAT = (220, 180, 150), (250, 240, 30)


def photograph(red: int, hat: int, seed: int) -> Image.Image:
    """A head, with or without a hat, above a coat, red or blue, on a grey street; noise from a seed."""
    draw = np.random.default_rng(seed)
    pixels = np.full((64, 32, 3), 120.0)
    pixels[4:14, 10:22] = SKIN
    if hat:
        pixels[2:8, 8:24] = HAT
    pixels[14:40, 6:26] = COLOURS[red]
    pixels[40:62, 8:24] = draw.integers(0, 255, 3)
    return Image.fromarray((pixels + draw.normal(0, 12, pixels.shape)).clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen labelled people, a gallery of eight others, and a model that was never trained."""
    root = tmp_path_factory.mktemp("street")
    for folder in ("people", "gallery"):
        (root / folder).mkdir()
    rows = ["pid,red,hat"]
    for pid in range(1, 17):
        rows.append(f"{pid},{pid % 2},{pid // 2 % 2}")
        for camera in (1, 2):
            one = photograph(pid % 2, pid // 2 % 2, 10 * pid + camera)
            one.save(root / "people" / f"{pid:04}_c{camera}s1_000001_00.png")
    (root / "people" / "0099_c1s1_000001_00.png").write_bytes(
        (root / "people" / "0001_c1s1_000001_00.png").read_bytes()
    )
    for pid in range(20, 28):
        name = f"{'red' if pid % 2 else 'blue'}_{'hat' if pid // 2 % 2 else 'bare'}_{pid}.png"
        photograph(pid % 2, pid // 2 % 2, 10 * pid).save(root / "gallery" / name)
    photograph(1, 0, 999).save(root / "query.png")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    torch.manual_seed(0)
    model = amd.build_target("osnet_x0_25", num_classes=3).model
    torch.save(model.state_dict(), root / "weights.pth")
    return root


@pytest.fixture(scope="module")
def learnt(street: Path) -> Path:
    """What was learnt of the labelled people, where :func:`command` has it."""
    explainer = amd.Explainer.from_target("osnet_x0_25", street / "weights.pth", (64, 32))
    people = labelled_folder(street / "people", street / "labels.csv")
    amd.rerank.fit(explainer, people, strength=50.0).save(street / "learnt.safetensors")
    return street


def command(street: Path, *words: str, kept: str = "learnt") -> tuple[str, ...]:
    model = ("--model", "osnet_x0_25", "--weights", str(street / "weights.pth"), "--size", "64", "32")
    return (*words, *model, "--reranker", str(street / f"{kept}.safetensors"))


def test_a_gallery_in_another_order(street: Path, capsys: pytest.CaptureFixture[str]) -> None:
    learn = ("--people", str(street / "people"), "--labels", str(street / "labels.csv"))
    given = ("rerank", str(street / "query.png"), str(street / "gallery"), "--json", str(street / "r.json"))
    assert main(command(street, *given, *learn, "--trained-on-them", "no", kept="again")) == 0
    said = capsys.readouterr()
    assert "learnt from 32 photographs" in said.out + said.err and "query.png: the nearest 8 of 8" in said.out
    (seen,) = (line for line in said.out.splitlines() if line.startswith("seen: "))  # of the query
    assert seen.startswith("seen: red") and "hat" not in seen
    assert (
        main(command(street, *given, "--strength", "50", "--topk", "2", kept="again")) == 0
    )  # as it was kept
    said = capsys.readouterr()
    assert "learnt from" not in said.out + said.err and "λ = 50 (given)" in said.out
    found = json.loads((street / "r.json").read_text())
    assert [row["name"].split("/")[-1][:8] for row in found["gallery"][:2]] == ["red_bare"] * 2
    by_own = sorted(found["gallery"], key=lambda row: row["target_distance"])
    assert [row["target_place"] for row in by_own] == list(range(1, 9))
    assert found["attributes"]["red"] > 0.5 > found["attributes"]["hat"]
    assert main(command(street, *given, "--strength", "inf", kept="again")) == 0
    assert "λ = ∞ (given)" in capsys.readouterr().out
    assert json.loads((street / "r.json").read_text())["strength"] == "inf"


def test_a_ranking_is_explained_in_that_order(learnt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("rank", str(learnt / "query.png"), str(learnt / "gallery"), "--topk", "3", "--rerank")
    page = learnt / "ranking.html"
    assert main(command(learnt, *given, "--html", str(page), "--json", str(learnt / "k.json"))) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert "by Euclidean distance, re-ranked by what is seen (λ = 50)" in first
    assert "red_bare" in lines[0] and "red_bare" in lines[1]
    assert "re-ranked by what is seen (λ = 50)" in page.read_text()
    explainer = amd.Explainer.from_target("osnet_x0_25", learnt / "weights.pth", (64, 32))
    reranker = amd.rerank.Reranker.load(learnt / "learnt.safetensors")
    expected = amd.rerank.rank(reranker, explainer, learnt / "query.png", learnt / "gallery")
    found = json.loads((learnt / "k.json").read_text())
    assert found["order"] == list(expected.order) and found["distances"] == pytest.approx(
        expected.own.tolist(), rel=1e-3
    )


def test_a_reranker_of_other_weights_ranks_nothing(learnt: Path) -> None:
    reranker = amd.rerank.Reranker.load(learnt / "learnt.safetensors")
    other = amd.Explainer.from_target("osnet_x0_25", size=(64, 32))
    with pytest.raises(InputError, match="other weights"):
        amd.rerank.rank(reranker, other, learnt / "query.png", learnt / "gallery")
    with pytest.raises(InputError, match="gallery is empty"):
        own = amd.Explainer.from_target("osnet_x0_25", learnt / "weights.pth", (64, 32))
        amd.rerank.rank(reranker, own, learnt / "query.png", [])


def test_what_is_kept_is_learnt_again_only_when_asked(learnt: Path) -> None:
    explainer = amd.Explainer.from_target("osnet_x0_25", learnt / "weights.pth", (64, 32))
    people = labelled_folder(learnt / "people", learnt / "labels.csv")
    path = learnt / "learnt.safetensors"
    assert stored_or_fitted(explainer, path, people).strength == 50  # as it was kept
    assert stored_or_fitted(explainer, None, people).strength != 50
    with pytest.raises(InputError, match="no re-ranker at .* give labelled people"):
        stored_or_fitted(explainer, learnt / "nothing", None)
    copy = learnt / "copy.safetensors"
    copy.write_bytes(path.read_bytes())
    assert stored_or_fitted(explainer, copy, people, again=True).strength != 50
    assert amd.rerank.Reranker.load(copy).strength != 50


def test_a_gallery_is_searched(learnt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gallery, page = str(learnt / "gallery"), learnt / "page.html"
    assert main((*command(learnt, "search", gallery, "red", "--html", str(page)), "--", "-hat")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("the likeliest 8 of 8 photographs")
    assert all("red_bare" in line for line in lines[1:3])
    text = page.read_text()
    assert text.count("<img") == 8 and "http:" not in text and "https:" not in text
    assert text.index("red_bare") < text.index("blue_hat")
    assert main((*command(learnt, "search", gallery), "hat", "--", "-red")) == 0  # options before words
    assert all("blue_hat" in line for line in capsys.readouterr().out.splitlines()[1:3])


def test_a_stored_gallery_is_reranked_and_searched(learnt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    explainer = amd.Explainer.from_target("osnet_x0_25", learnt / "weights.pth", (64, 32))
    halves = learnt / "halves"
    for n, path in enumerate(sorted((learnt / "gallery").iterdir())):
        (halves / str(n % 2)).mkdir(parents=True, exist_ok=True)
        (halves / str(n % 2) / path.name).write_bytes(path.read_bytes())
    stores = [amd.extract(explainer, halves / n, learnt / f"{n}.h5", seen=True) for n in ("0", "1")]
    assert stores[0].verify() == [] and stores[0].seen.shape[0] == 4
    assert torch.equal(
        torch.from_numpy(np.array(stores[1].seen)),
        look(explainer.decomposer, [stores[1].file(row) for row in range(4)]).features,
    )
    reranker = amd.rerank.Reranker.load(learnt / "learnt.safetensors")
    query = learnt / "query.png"
    files = [store.file(row) for store in stores for row in range(4)]
    for options in ({}, {"strength": 0.5}, {"reciprocal": True}):
        photographs = amd.rerank.rank(reranker, explainer, query, files, **options)
        found = amd.rerank.rank(reranker, explainer, query, stores, **options)
        assert found.order == photographs.order and found.names == photographs.names == tuple(files)
        np.testing.assert_allclose(found.distances, photographs.distances, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found.probabilities, photographs.probabilities, atol=1e-5)
    whole = explainer.explain_ranking(query, files, topk=3, reranker=reranker)
    found = explainer.explain_ranking(query, stores, topk=3, reranker=reranker)
    assert list(found.gallery_names) == [files[n] for n in whole.order[:3]] and found.strength == 50
    assert found.distances == pytest.approx([whole.distances[n] for n in whole.order[:3]], rel=1e-4)
    with pytest.raises(InputError, match="both stored features and photographs"):
        amd.rerank.rank(reranker, explainer, query, [stores[0], query])

    given = (
        "--gallery",
        str(learnt / "0.h5"),
        "--gallery",
        str(learnt / "1.h5"),
        "--json",
        str(learnt / "s.json"),
    )
    assert main(command(learnt, "rerank", str(query), *given)) == 0
    first = [row["name"] for row in json.loads((learnt / "s.json").read_text())["gallery"]]
    assert first == [files[n] for n in amd.rerank.rank(reranker, explainer, query, files).order]
    capsys.readouterr()
    assert main((*command(learnt, "search", *given[:4]), "red", "--", "-hat")) == 0
    assert all("red_bare" in line for line in capsys.readouterr().out.splitlines()[1:3])
    # without what is seen the photographs are looked at, and an index is refused
    amd.extract(explainer, learnt / "gallery", learnt / "plain.h5")
    plain = ("--gallery", str(learnt / "plain.h5"))
    assert main(command(learnt, "rerank", str(query), *plain)) == 0
    capsys.readouterr()
    assert main(command(learnt, "rank", str(query), *plain, "--rerank", "--search", "flat")) == 2
    assert "extract it again with --seen, or leave out --search" in capsys.readouterr().err
    with pytest.raises(InputError, match="made without seen; extract it again with --seen"):
        explainer.explain_ranking(query, amd.Store(learnt / "plain.h5"), reranker=reranker)


def test_what_an_index_finds_is_reranked(learnt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    monkeypatch.setattr("torchreid_amd.gallery.approximate.LEAST", 1)
    explainer = amd.Explainer.from_target("osnet_x0_25", learnt / "weights.pth", (64, 32))
    store = amd.extract(explainer, learnt / "gallery", learnt / "indexed.h5", seen=True)
    reranker = amd.rerank.Reranker.load(learnt / "learnt.safetensors")
    query = learnt / "query.png"
    found = explainer.explain_ranking(query, store, topk=3, reranker=reranker, search="flat")
    assert found.gallery_names == explainer.explain_ranking(query, store, 3, reranker=reranker).gallery_names
    monkeypatch.setattr(
        "torchreid_amd.explanation.stored_gallery.SHORTLIST", 1
    )  # three are found, and ordered
    near = explainer.explain_ranking(query, store, topk=3).gallery_names
    found = explainer.explain_ranking(query, store, topk=3, reranker=reranker, search="flat")
    assert set(found.gallery_names) == set(near)
    order = amd.rerank.rank(reranker, explainer, query, list(near)).order
    assert list(found.gallery_names) == [near[n] for n in order]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("search", "gallery", "rad"), "did you mean 'red'"),
        (("rerank", "query.png", "gallery", "--people", "people"), "belong together"),
        (("rerank", "query.png", "gallery", "--topk", "0"), "at least 1"),
        (("rerank", "query.png", "gallery", "--strength", "-1"), "give 0 or more"),
        (("rerank", "query.png", "gallery", "--search", "flat"), "rerank compares with every photograph"),
        (("search", "gallery", "red", "--search", "flat"), "search compares with every photograph"),
    ],
)
def test_bad_input_is_one_line(
    learnt: Path, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = tuple(str(learnt / word) if (learnt / word).exists() else word for word in words)
    assert main(command(learnt, *words)) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("torchreid-amd: ") and said in error


def test_attributes_of_an_explainer(street: Path) -> None:
    explainer = amd.Explainer.from_target("osnet_x0_25", street / "weights.pth", (64, 32))
    red = str(next((street / "gallery").glob("red_hat*")))
    with pytest.raises(InputError, match="comes from no run"):
        explainer.attributes([red])
    people = labelled_folder(street / "people", street / "labels.csv")
    explainer.readouts = amd.rerank.fit(explainer, people).readouts
    p = explainer.attributes([red, Image.open(red)])
    assert p.shape == (2, 2) and torch.equal(p[0], p[1]) and (p > 0.5).all()


@pytest.mark.parametrize(("model", "size"), [("osnet_x0_25", (64, 32)), ("resnet18", (128, 64))])
def test_what_is_seen_is_rows_of_the_targets_maps(street: Path, model: str, size: tuple[int, int]) -> None:
    """Eight rows of a map of 128 channels at most, four of 256, two of 512."""
    explainer = amd.Explainer.from_target(model, size=size)
    decomposer = explainer.decomposer
    path = str(street / "query.png")
    maps, _ = decomposer.interpreter.target.levels(decomposer.read([path]))
    found, start = look(decomposer, [path]), 0
    for level in maps:
        rows = min(ROWS, MOST // level.shape[1], level.shape[2])
        each = level.shape[2] // rows  # cells of a row: all heights here are whole multiples
        for channel in (0, level.shape[1] - 1):
            for row in (0, rows - 1):
                mean = level[0, channel, row * each : (row + 1) * each].mean()
                at = start + channel * rows + row
                assert float(found.features[0, at]) == pytest.approx(float(mean), abs=1e-5)
        start += level.shape[1] * rows
    assert found.features.shape == (1, start)
    assert found.embedding[0].tolist() == pytest.approx(decomposer.embed_files([path])[0].tolist(), abs=1e-4)


def test_people_of_a_folder(street: Path, tmp_path: Path) -> None:
    people = labelled_folder(street / "people", street / "labels.csv")
    assert len(people) == 32 and set(people.people.tolist()) == set(range(1, 17))  # nobody knows number 99
    assert people.cameras.tolist() == [1, 2] * 16
    assert people.labels[people.people == 3].tolist() == [[1, 1]] * 2
    with pytest.raises(InputError, match="no camera is found"):
        labelled_folder(street / "people", street / "labels.csv", camera=r"kamera(\d)")
    with pytest.raises(InputError, match="has no group"):
        labelled_folder(street / "people", street / "labels.csv", camera="c")
    (tmp_path / "other.csv").write_text("pid,red\n77,1\n")
    with pytest.raises(InputError, match="labels of nobody"):
        labelled_folder(street / "people", tmp_path / "other.csv")
    assert len(people.sample(5)) == 5 and people.sample(5).paths == people.sample(5).paths


def test_people_of_no_run() -> None:
    with pytest.raises(InputError, match="comes from no run"):
        people_of_run({}, amd.AttributeSchema("toy", ("hat",)))


def test_people_of_two_sources_are_kept_apart(tmp_path: Path) -> None:
    """The same six people under two cameras, twice: numbers go on, and so do cameras."""
    write_tiny_market(tmp_path)
    cfg = get_default_config()
    cfg.data.root, cfg.data.sources = str(tmp_path), ["market1501_attr", "market1501_attr"]
    people = people_of_run(to_dict(cfg), market1501())
    assert len(people) == 24 and len(set(people.people.tolist())) == 12
    assert set(people.cameras.tolist()) == {0, 1, 2, 3} and set(people.cameras[12:].tolist()) == {2, 3}
    hats = people.labels[:, people.schema.index("hat")]
    assert hats.tolist() == [int(Path(path).name[:4]) % 2 for path in people.paths]
    cfg.data.root = str(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is not found under"):
        people_of_run(to_dict(cfg), market1501())
