"""Scoring a run: what the configuration and the command line ask for reaches the numbers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_market import write_tiny_market
from torch import Tensor

from torchreid_amd.attributes.labels import label_source
from torchreid_amd.cli import main
from torchreid_amd.core import host
from torchreid_amd.core.images import read_image, to_tensor
from torchreid_amd.engine.evaluate import evaluate
from torchreid_amd.evaluation import DecomposedImages, evaluate_decomposition
from torchreid_amd.evaluation.baselines.linear_probe import fit_probes
from torchreid_amd.evaluation.data.testbed import Testbed
from torchreid_amd.evaluation.questions import Settings
from torchreid_amd.evaluation.reweighting import fit_reweighting
from torchreid_amd.explanation.explainer import Explainer
from torchreid_amd.gallery.rerank import Reranker
from torchreid_amd.gallery.seen import look
from torchreid_amd.interpreter.distances import get_distance
from torchreid_amd.interpreter.run_folder import Run, load_run

DATA = "market1501_attr"
REST = [word for part in ("place", "effect", "removal", "sanity") for word in ("--skip", part)]
NEITHER = tuple(w for part in ("probe", "reweight", "rerank", "attributes") for w in ("--skip", part))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people to be found, and one photograph on either side of somebody of whom nothing is known."""
    root = write_tiny_market(tmp_path_factory.mktemp("data"))
    for folder, camera in (("query", 1), ("bounding_box_test", 2)):
        one = sorted(root.rglob(f"{folder}/*.jpg"))[0]
        shutil.copy(one, one.with_name(f"0000_c{camera}s1_000002_00.jpg"))
    return root


@pytest.fixture(scope="module")
def trained(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    small = (
        *("model.name", "osnet_x0_25", "model.pretrained", "False", "data.height", "64"),
        *("data.width", "32", "data.workers", "0", "train.batch_size", "4", "train.max_epoch", "1"),
        *("test.ranks", "[1]", "amd.head", "attrimeter", "data.save_dir", str(folder)),
    )
    assert main(["train", "--root", str(root), "-s", DATA, "-t", DATA, *small]) == 0
    return folder


def scores_of(run: Path, root: Path, *more: str) -> dict[str, Any]:
    assert main(["evaluate", str(run), "--root", str(root), *REST, *more]) == 0
    found: dict[str, Any] = json.loads((run / "scores.json").read_text())["datasets"][DATA]
    return found


def sides_of(run: Run, root: Path, normalized: bool) -> tuple[DecomposedImages, ...]:
    """Training, query and gallery, from the interpreter itself, a photograph at a time."""
    data, sides = host.image_dataset(DATA, str(root)), []
    for split, items in (("train", data.train), ("test", data.query), ("test", data.gallery)):
        rows = []
        for path, *_ in items:
            image = to_tensor(read_image(path), run.size, run.norm_mean, run.norm_std)
            with torch.no_grad():
                out = run.interpreter(image.unsqueeze(0))
            length = out.embedding.norm() if normalized else 1.0
            rows.append((out.embedding[0] / length, out.components[0] / length))
        labels = label_source(DATA, str(root), split=split).labels([item[0] for item in items])
        embedding, components = (torch.stack(column) for column in zip(*rows, strict=True))
        components = components.half()  # as they are kept: few people's weights hang on the last digits
        pids, cameras = ([item[k] for item in items] for k in (1, 2))
        sides.append(DecomposedImages(embedding, components, pids, cameras, torch.from_numpy(labels)))
    return tuple(sides)


@pytest.mark.parametrize("normalized", [False, True])
def test_normalize_feature_reaches_scores_and_baselines(trained: Path, root: Path, normalized: bool) -> None:
    found = scores_of(trained, root, "test.normalize_feature", str(normalized))
    run = load_run(trained)
    train, query, gallery = sides_of(run, root, normalized)
    d = torch.cdist(query.embedding, gallery.embedding)
    parts = (query.components.float()[:, None] - gallery.components.float()).norm(dim=3)
    error = ((d - parts.mean(2)).abs() / d).mean()  # query and gallery are of two cameras: every pair counts
    assert found["interpreter"]["ADRE"] == pytest.approx(100 * float(error), rel=2e-3)
    probes = fit_probes(train.embedding, train.known_labels, train.pids)

    read: tuple[Tensor, ...] = tuple(probes.probabilities(side.embedding) for side in (query, gallery))
    people = {int(pid): row for pid, row in zip(train.pids, train.known_labels, strict=True)}
    rates = torch.stack(list(people.values())).double().mean(0)  # of training, all of whom are known
    distance = get_distance(run.metric)
    rankers = {"probe": (read[0], read[1])}
    rows = evaluate_decomposition(query, gallery, distance, rates=rates, rankers=rankers)
    probe = rows.baselines["probe"]["X-mAP_e"]
    assert found["baselines"]["probe"]["X-mAP_e"] == pytest.approx(probe, abs=0.5)
    assert found["prior"] == pytest.approx(rows.prior) and found["random"] == pytest.approx(rows.random)
    chosen = fit_reweighting(train, get_distance(run.metric), run.form)
    assert list(found["reweight"]["weights"]) == list(run.schema.attributes)
    weights = torch.tensor(list(found["reweight"]["weights"].values()))
    assert float(torch.cosine_similarity(weights, chosen.weights, dim=0)) > 0.98


def test_distractors_as_no_reaches_query_and_gallery(trained: Path, root: Path) -> None:
    """5 × 5 pairs, of which 9 have the stranger on one side or on both."""
    plain = scores_of(trained, root, *NEITHER)["pairs"]
    asked = scores_of(trained, root, *NEITHER, "--distractors-as-no")["pairs"]
    assert (plain["used"], plain["annotated"], plain["unannotated"]) == (25, 16, 9)
    assert (asked["used"], asked["annotated"], asked["unannotated"]) == (25, 25, 0)
    assert json.loads((trained / "scores.json").read_text())["distractors_as_no"] is True


def test_the_seed_and_the_sample_of_training_reach_what_is_looked_at(
    trained: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Testbed] = []

    def questions(testbed: Testbed, *_: Any) -> dict[str, Any]:
        seen.append(testbed)
        return {}

    monkeypatch.setattr("torchreid_amd.engine.evaluate.questions", questions)

    def change(cfg: Any) -> Any:
        cfg.data.root = str(root)
        return cfg

    for seed in (0, 6):
        evaluate(trained, change, settings=Settings(skip=("probe",), train_images=5, seed=seed))
    evaluate(trained, change)  # all of it, as the command line does
    assert (len(seen[2].train), seen.pop().seed) == (12, 0)
    assert [testbed.seed for testbed in seen] == [0, 6]
    assert [len(testbed.train) for testbed in seen] == [5, 5]
    assert seen[0].train.paths != seen[1].train.paths and seen[0].query.paths == seen[1].query.paths
    for testbed in seen:
        wanted = torch.stack([embedded(trained, path) for path in testbed.train.paths])
        torch.testing.assert_close(testbed.train_embedding, wanted, rtol=1e-3, atol=1e-4)


def embedded(trained: Path, path: str) -> Tensor:
    run = load_run(trained)
    image = to_tensor(read_image(path), run.size, run.norm_mean, run.norm_std).unsqueeze(0)
    with torch.no_grad():
        embedding: Tensor = run.interpreter.target(image)[0]
    return embedding


def test_what_is_seen_is_scored_beside_the_other_distances(trained: Path, root: Path) -> None:
    """Rows of one table, and what was learnt is kept in the run."""
    kept = trained / "reranker.safetensors"
    kept.unlink(missing_ok=True)
    found = scores_of(trained, root)
    rows = found["rerank"]["rows"]
    assert set(rows) == {
        *("target", "attributes", "reranked", "k_reciprocal", "reranked_k_reciprocal"),
        *("decomposed", "reweighted", "chosen_on_test"),
    }
    for name in ("target", "decomposed"):
        row = found["target" if name == "target" else "interpreter"]
        assert {k: rows[name]["values"][k] for k in ("rank-1", "mAP", "mINP")} == pytest.approx(
            {k: row[k] for k in ("rank-1", "mAP", "mINP")}
        )
        gain = rows[name]["gain"]["values"]["mAP"]
        assert gain == pytest.approx(row["mAP"] - found["target"]["mAP"], abs=1e-6)
    assert rows["reweighted"]["values"] == found["reweight"]["rows"]["reweighted"]["values"]
    assert rows["chosen_on_test"]["gain"]["values"]["mAP"] >= 0  # the best of several, the target among them
    reranker = Reranker.load(kept)
    assert reranker.strength == found["rerank"]["strength"] and reranker.metric == "euclidean"
    assert [point["strength"] for point in found["rerank"]["curve"]][0] == 0
    recognised = found["attributes"]
    assert {"upred", "upblue", "upgreen", "upwhite", "hat"} >= set(recognised["attributes"]) != set()
    assert set(recognised["rows"]) == {"readouts", "probe"} and recognised["photographs"] == 10
    explainer = Explainer.from_pretrained(trained)
    path = str(sorted(root.rglob("query/*.jpg"))[0])
    assert torch.equal(
        explainer.attributes([path]), reranker.probabilities(look(explainer.decomposer, [path]))
    )
    kept.unlink()
    again = Explainer.from_pretrained(trained)  # learns it of the run's own people
    assert again.attributes([path])[0].tolist() == pytest.approx(
        explainer.attributes([path])[0].tolist(), abs=1e-5
    )


def test_photographs_of_unit_length_are_reranked_so(trained: Path, root: Path) -> None:
    """Then the run keeps nothing: elsewhere its photographs are compared as they are."""
    kept = trained / "reranker.safetensors"
    kept.unlink(missing_ok=True)
    found = scores_of(trained, root, "--skip", "attributes", "test.normalize_feature", "True")
    assert found["rerank"]["rows"]["target"]["values"]["mAP"] == pytest.approx(found["target"]["mAP"])
    assert not kept.exists() and "attributes" not in found
