"""Re-ranking by what is seen: the formula, how λ is chosen and when it cannot be, files, ranked galleries."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from seen_people import SCHEMA, seen_people
from torch import nn

import torchreid_amd as amd
from torchreid_amd.core.errors import InputError
from torchreid_amd.evaluation.report.retrieval_tables import reranked
from torchreid_amd.evaluation.reranking.choice import fit_reranker
from torchreid_amd.evaluation.reranking.record import reranking_record, score_reranker
from torchreid_amd.evaluation.retrieval import Retrieval
from torchreid_amd.gallery.acquainted import share_classified
from torchreid_amd.gallery.readouts import calibrate, fit_readouts
from torchreid_amd.gallery.rerank import Choice, Reranker, k_reciprocal
from torchreid_amd.gallery.seen import Seen
from torchreid_amd.gallery.strength import ALONE, added, jsonable, said


@pytest.fixture(scope="module")
def fitted() -> Reranker:
    seen, labels, people, cameras = seen_people()
    return fit_reranker(seen, labels, people, cameras, SCHEMA)


def sides(count: int = 30, seed: int = 3) -> tuple[tuple, tuple]:
    seen, _, people, cameras = seen_people(count, seed=seed)
    asked = torch.arange(len(people)) % 4 == 0
    return (seen.part(asked), people[asked], cameras[asked]), (
        seen.part(~asked), people[~asked], cameras[~asked],
    )  # fmt: skip


# --- the formula


@pytest.mark.parametrize("metric", ["euclidean", "squared_euclidean", "cosine"])
def test_the_distance_is_the_sum(fitted: Reranker, metric: str) -> None:
    """d' = d + λ u a, a pair at a time."""
    reranker = replace(fitted, metric=metric, unit=0.7, choice=Choice(2.0))
    (query, *_), (gallery, *_) = sides(4)
    found = reranker.distances(query, gallery)
    x, y = (reranker.readouts.coordinates(s.features).numpy() for s in (query, gallery))
    for i in range(len(query)):
        for j in range(len(gallery)):
            e, f = query.embedding[i].numpy(), gallery.embedding[j].numpy()
            d = {
                "euclidean": np.linalg.norm(e - f),
                "squared_euclidean": ((e - f) ** 2).sum(),
                "cosine": 1 - e @ f / np.linalg.norm(e) / np.linalg.norm(f),
            }[metric]
            a = np.linalg.norm(x[i] - y[j])
            assert float(found[i, j]) == pytest.approx(d + 2.0 * 0.7 * a, rel=1e-3)
    alone = reranker.distances(query, gallery, ALONE)
    assert float(alone[0, 0]) == pytest.approx(0.7 * np.linalg.norm(x[0] - y[0]), rel=1e-3)


def test_no_strength_is_the_target_itself(fitted: Reranker) -> None:
    (query, *_), (gallery, *_) = sides(6)
    found = replace(fitted, choice=Choice(0.0)).distances(query, gallery)
    assert torch.equal(found, amd.rerank.Reranker.distances(fitted, query, gallery, 0.0))
    assert found.numpy() == pytest.approx(torch.cdist(query.embedding, gallery.embedding).numpy(), rel=1e-3)
    for strength in (-1.0, float("nan")):
        with pytest.raises(InputError, match="give 0 or more"):
            fitted.distances(query, gallery, strength)


def test_the_unit_makes_both_distances_alike(fitted: Reranker) -> None:
    seen, *_ = seen_people()
    apart = fitted.distances(seen, seen, ALONE).mean()
    assert float(apart) == pytest.approx(float(fitted.distances(seen, seen, 0.0).mean()), rel=1e-3)


def test_k_reciprocal_takes_the_sum(fitted: Reranker) -> None:
    (query, *_), (gallery, *_) = sides(12)
    pairs = ((query, gallery), (query, query), (gallery, gallery))
    expected = k_reciprocal(*(fitted.distances(a, b, 1.5).numpy() for a, b in pairs))
    assert fitted.k_reciprocal(query, gallery, 1.5) == pytest.approx(expected)
    own = k_reciprocal(*(torch.cdist(a.embedding, b.embedding).numpy() for a, b in pairs))
    assert not np.allclose(expected, own)
    assert fitted.k_reciprocal(query, gallery, 0.0) == pytest.approx(own, abs=1e-3)


def test_k_reciprocal_says_what_it_cannot_do(fitted: Reranker, monkeypatch: pytest.MonkeyPatch) -> None:
    one = np.zeros((1, 1), dtype=np.float32)
    with pytest.raises(InputError, match="photographs that differ"):
        k_reciprocal(one, one, one)
    monkeypatch.setattr("torchreid_amd.gallery.rerank.MOST", 39)
    query, gallery = sides(10)
    with pytest.raises(InputError, match="all 40 photographs .* at most 39"):
        fitted.k_reciprocal(query[0], gallery[0])
    assert set(reranking_record(fitted, query, gallery)["rows"]) == {"target", "attributes", "reranked"}


# --- choosing λ


def test_what_is_seen_helps_and_is_chosen(fitted: Reranker) -> None:
    choice = fitted.choice
    curve = dict(choice.curve)
    assert fitted.strength > 0 and curve[fitted.strength] == max(curve.values())
    assert choice.gain is not None and choice.gain[0] > 0
    assert (choice.identities, choice.photographs) == (40, 160)
    query, gallery = sides()
    record = reranking_record(fitted, query, gallery)
    assert record["rows"]["reranked"]["gain"]["intervals"]["mAP"][0] > 0
    assert record["rows"]["target"]["gain"]["values"]["mAP"] == 0
    own = Retrieval()
    who = [t.numpy() for t in (query[1], gallery[1], query[2], gallery[2])]
    own.update(torch.cdist(query[0].embedding, gallery[0].embedding).numpy(), *who)
    assert record["rows"]["target"]["values"] == pytest.approx(own.percent())
    assert "λ = " in reranked(record) and "k-reciprocal" in reranked(record)


def test_a_target_that_says_nothing_is_left_out(tmp_path: Path) -> None:
    """Embeddings of noise: the attributes alone, λ = ∞, which files hold and readers are told."""
    seen, labels, people, cameras = seen_people(blind=1e4)
    found = fit_reranker(seen, labels, people, cameras, SCHEMA)
    curve = dict(found.choice.curve)
    assert list(curve) == [0, 0.25, 0.5, 1, 2, 4, 8, 16, ALONE] and curve[16] < curve[ALONE]
    assert found.strength == ALONE and found.choice.reason == "best on held-out training identities"
    found.save(tmp_path / "r")
    assert Reranker.load(tmp_path / "r").choice == found.choice
    query, gallery = sides()
    record = json.loads(json.dumps(reranking_record(found, query, gallery), allow_nan=False))
    assert record["strength"] == record["curve"][-1]["strength"] == "inf"
    assert record["rows"]["reranked"] == record["rows"]["attributes"] != record["rows"]["target"]
    assert "λ = ∞: best on" in reranked(record) and "λ 16: " in reranked(record)


def test_strengths_add_and_are_said() -> None:
    own, apart = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 0.0])
    assert added(own, apart, 0.5).tolist() == [2.5, 2.0]
    assert added(own, apart, ALONE).tolist() == [3.0, 0.0]  # 0 attributes apart is 0, not 0 × ∞
    assert [said(x) for x in (0.25, 16.0, ALONE)] == ["0.25", "16", "∞"]
    assert [jsonable(x) for x in (16, ALONE)] == [16.0, "inf"]


def test_attributes_that_say_nothing_are_left_alone() -> None:
    """Labels dealt out anew: readouts that looked at whom they are tried on would seem to help."""
    seen, labels, people, cameras = seen_people(60)
    draw = torch.Generator().manual_seed(0)
    noise = Seen(seen.embedding, torch.randn(len(people), 600, generator=draw))  # enough to learn by heart
    shuffled = labels[::4][torch.randperm(60, generator=draw)][people]
    chosen = fit_reranker(noise, shuffled, people, cameras, SCHEMA)
    assert chosen.strength == 0 and "no clear gain" in chosen.choice.reason


def test_the_curve_is_of_people_left_out_of_everything(fitted: Reranker) -> None:
    """Each person's photographs as queries of all others, a fold at a time, as it stands."""
    seen, labels, people, cameras = seen_people()
    readouts, left_out = fit_readouts(seen.features, labels, people)
    score = Retrieval()
    d = torch.cdist(seen.embedding, seen.embedding)
    for part in range(5):
        asked = left_out.fold == part
        judge = calibrate(readouts, left_out.scores[~asked], labels[~asked], people[~asked])
        x = (judge.calibrated(left_out.scores) @ judge.apart).float()
        a = torch.cdist(x, x)
        both = d + 0.5 * d.mean() / a.mean() * a
        who = (people[asked], people, cameras[asked], cameras)
        score.update(both[asked].numpy(), *(t.numpy() for t in who))
    assert dict(fitted.choice.curve)[0.5] == pytest.approx(score.percent()["mAP"], abs=0.2)


class Net(nn.Module):
    """An identity classifier on embeddings (D = 8)."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.classifier = nn.Linear(8, len(weight), bias=False)
        self.classifier.weight.data = weight


def test_whose_classifier_knows_them() -> None:
    """Three people of two photographs; class 2 is the first's, and so on. One photograph goes astray."""
    eye = torch.eye(8)
    people = torch.tensor([7, 7, 8, 8, 9, 9])
    embedding = eye[[2, 2, 0, 0, 1, 2]]
    assert share_classified(Net(eye[:3]), embedding, people) == pytest.approx(5 / 6)
    assert share_classified(Net(eye[:3]), eye[[0, 1, 2, 0, 1, 2]], people) == pytest.approx(3 / 6)
    assert share_classified(nn.Linear(8, 3), embedding, people) is None


def test_a_target_that_was_trained_on_them(fitted: Reranker, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, labels, people, cameras = seen_people()
    target = amd.build_target("osnet_x0_25")
    shares = iter([0.99, 0.3])
    where = "torchreid_amd.evaluation.reranking.choice.share_classified"
    monkeypatch.setattr(where, lambda *_: next(shares))
    met = fit_reranker(seen, labels, people, cameras, SCHEMA, target=target)
    assert met.strength == 0 and "99.0 % of their photographs" in met.choice.reason
    assert met.choice.curve == fitted.choice.curve  # reported all the same
    assert fit_reranker(seen, labels, people, cameras, SCHEMA, target=target).strength > 0


def test_what_is_said_of_the_target_counts() -> None:
    seen, labels, people, cameras = seen_people()
    told = fit_reranker(seen, labels, people, cameras, SCHEMA, knows=True)
    assert told.strength == 0 and "as was said" in told.choice.reason
    clear, labels, people, cameras = seen_people(blind=0.0)
    assert "hardly errs" in fit_reranker(clear, labels, people, cameras, SCHEMA).choice.reason
    denied = fit_reranker(clear, labels, people, cameras, SCHEMA, knows=False)
    assert denied.strength == 0 and "no clear gain" in denied.choice.reason
    given = fit_reranker(seen, labels, people, cameras, SCHEMA, knows=True, strength=0.5)
    assert (given.strength, given.choice.reason, given.choice.curve) == (0.5, "given", ())


def test_a_gain_that_may_be_luck_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best λ counts only where the lower end of its gain's interval is above 0."""
    seen, labels, people, cameras = seen_people()
    for ends, clear in (((-0.1, 4.0), False), ((0.1, 4.0), True)):
        score = SimpleNamespace(intervals=[ends] * 6)
        monkeypatch.setattr("torchreid_amd.evaluation.reranking.choice.gain", lambda *_, s=score: s)
        chosen = fit_reranker(seen, labels, people, cameras, SCHEMA)
        assert (chosen.strength > 0) is clear and chosen.choice.gain == (100 * ends[0], 100 * ends[1])


def test_nothing_of_those_asked_is_in_what_judges_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Curves and the distance that λ is chosen by come from the other parts of the people."""
    seen, labels, people, cameras = seen_people(20)
    given: list[set[int]] = []

    def watched(*args: object) -> object:
        given.append(set(args[3].tolist()))  # type: ignore[attr-defined]
        return calibrate(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("torchreid_amd.evaluation.reranking.choice.calibrate", watched)
    fit_reranker(seen, labels, people, cameras, SCHEMA)
    left_out = [set(range(20)) - others for others in given]
    assert [len(part) for part in left_out] == [4] * 5 and set().union(*left_out) == set(range(20))


def test_one_camera_is_not_enough() -> None:
    seen, labels, people, _ = seen_people()
    chosen = fit_reranker(seen, labels, people, torch.zeros_like(people), SCHEMA)
    assert chosen.strength == 0 and "two cameras" in chosen.choice.reason


def test_bad_input() -> None:
    seen, labels, people, cameras = seen_people(10)
    with pytest.raises(InputError, match="39 rows of labels"):
        fit_reranker(seen, labels[1:], people, cameras, SCHEMA)
    with pytest.raises(InputError, match="numbers from 0"):
        fit_reranker(seen, labels, people, cameras, SCHEMA, strengths=[-1.0])
    with pytest.raises(InputError, match="numbers from 0"):
        fit_reranker(seen, labels, people, cameras, SCHEMA, strength=float("nan"))
    with pytest.raises(InputError, match="unknown metric 'manhattan'"):
        fit_reranker(seen, labels, people, cameras, SCHEMA, "manhattan")


def test_blocks_of_queries_are_the_whole(fitted: Reranker, monkeypatch: pytest.MonkeyPatch) -> None:
    query, gallery = sides()
    whole = score_reranker(fitted, query, gallery, [0.0, 1.0])
    monkeypatch.setattr("torchreid_amd.evaluation.reranking.record.ROWS", 7)
    for one, other in zip(whole, score_reranker(fitted, query, gallery, [0.0, 1.0]), strict=True):
        assert one.percent() == pytest.approx(other.percent())


# --- files


def test_what_is_saved_is_read_back(fitted: Reranker, tmp_path: Path) -> None:
    fitted.save(tmp_path / "r")
    again = Reranker.load(tmp_path / "r")
    (query, *_), (gallery, *_) = sides(5)
    assert torch.equal(again.distances(query, gallery), fitted.distances(query, gallery))
    assert (again.choice, again.schema, again.metric) == (fitted.choice, fitted.schema, fitted.metric)
    (tmp_path / "r").write_bytes(b"nothing")
    for name, words in (("r", "cannot be read"), ("none", "is missing")):
        with pytest.raises(InputError, match=words):
            Reranker.load(tmp_path / name)


def test_another_targets_reranker(fitted: Reranker) -> None:
    target = amd.build_target("osnet_x0_25")
    assert replace(fitted, fingerprint=amd.fingerprint(target.model)).checked(target)
    with pytest.raises(InputError, match="other weights"):
        replace(fitted, fingerprint="0" * 64).checked(target)
