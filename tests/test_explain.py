"""Explainer, Explanation and Ranking: numbers, batches, ranking, labels."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from toy_interpreter import SCHEMA, SIZE, WEIGHTS, noisy, plain, toy_explainer, toy_interpreter

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.explanation.explainer import Explainer, Explanation
from torchreid_amd.explanation.ranking import same_person
from torchreid_amd.interpreter.distances import get_distance
from torchreid_amd.interpreter.maps import at_size


def test_preprocess_is_torchreids_test_transform(capsys: pytest.CaptureFixture[str]) -> None:
    explainer = Explainer(toy_interpreter(), (256, 128))
    _, transform = host.torchreid().data.transforms.build_transforms(256, 128)
    image = noisy(0, (61, 130))
    assert torch.equal(explainer.preprocess(image), transform(image))


def test_numbers_worked_out_by_hand() -> None:
    # red (1, 0, 0) and blue (0, 0, 1): d = √2; d_k = w_k √2; c_k = d_k / 3
    e = toy_explainer().explain(plain(255), plain(0, 0, 255))
    root = math.sqrt(2)
    assert e.metric == "euclidean"
    assert e.distance == pytest.approx(root, abs=1e-6)
    assert e.contributions == pytest.approx([0.2 * root, 0.3 * root, 0.4 * root], abs=1e-6)
    assert e.shares == pytest.approx([2 / 9, 3 / 9, 4 / 9], abs=1e-6)
    assert e.residual == pytest.approx(0.1 * root, abs=1e-6)
    assert e.distance == pytest.approx(e.contributions.sum() + e.residual, abs=1e-6)
    assert e.attributes == ("hat", "red", "bag")
    assert [t[0] for t in e.top(2)] == ["bag", "red"]
    assert e.top(1)[0][1:] == pytest.approx((0.4 * root, 4 / 9), abs=1e-6)
    assert len(e.top(99)) == 3 and e.top(0) == []


@pytest.mark.parametrize(("metric", "distance", "parts"), [
    ("squared_euclidean", 2.0, [0.24, 0.54, 0.96]),  # w² · 2 / 3
    ("cosine", 1.0, [1 / 3, 1 / 3, 1 / 3]),  # a weight does not turn a vector
])  # fmt: skip
def test_other_metrics_by_hand(metric: str, distance: float, parts: list[float]) -> None:
    e = toy_explainer(metric).explain(plain(255), plain(0, 0, 255))
    assert (e.metric, e.distance) == (metric, pytest.approx(distance, abs=1e-6))
    assert e.contributions == pytest.approx(parts, abs=1e-6)


def test_maps_at_the_size_of_each_photograph() -> None:
    a, b = plain(255, size=(6, 12)), plain(0, 0, 255, size=(3, 30))
    e = toy_explainer().explain(a, b)
    assert [m.shape for m in e.maps] == [(3, 12, 6), (3, 30, 3)]
    assert e.maps[1][2, 0] == pytest.approx(0.5 * WEIGHTS[2])  # top row, lower end of the ramp
    assert e.maps[1][2, -1] == pytest.approx(1.5 * WEIGHTS[2])
    assert np.array_equal(e.map(1, "bag"), e.maps[1][2])
    assert e.map(0, "hat", (5, 7)).shape == (5, 7)
    with pytest.raises(InputError, match="did you mean 'hat'"):
        e.map(0, "hatt")


def test_resizing_is_bilinear_between_cell_centres() -> None:
    # two cells 0 and 4 over four pixels: centres at ¼ and ¾, pixels at ⅛, ⅜, ⅝, ⅞
    assert at_size(torch.tensor([[[0.0, 4.0]]]), (1, 4))[0, 0].tolist() == pytest.approx([0, 1, 3, 4])
    # four cells on one pixel: their mean, not one of them
    assert at_size(torch.tensor([[[0.0, 1.0], [2.0, 5.0]]]), (1, 1)).item() == pytest.approx(2.0)


def test_many_equals_one_at_a_time_in_order() -> None:
    explainer = toy_explainer()
    images = [noisy(s) for s in range(6)]
    pairs = [(images[i], images[j]) for i in range(6) for j in range(6) if i != j]
    for size in (1, 4, 64):
        many = list(explainer.explain_many(iter(pairs), batch_size=size))
        assert len(many) == len(pairs)
        for (a, b), e in zip(pairs, many, strict=True):
            one = explainer.explain(a, b)
            assert e.distance == pytest.approx(one.distance, abs=1e-5)
            assert e.contributions == pytest.approx(one.contributions, abs=1e-5)
            assert e.maps[0] == pytest.approx(one.maps[0], abs=1e-5)
            assert np.array_equal(np.asarray(e.images[1]), np.asarray(b))


def test_many_is_lazy_and_reads_a_photograph_once_a_batch() -> None:
    explainer, seen = toy_explainer(), []
    forward = explainer.interpreter.forward
    explainer.interpreter.forward = lambda x: (seen.append(len(x)), forward(x))[1]  # type: ignore
    query, gallery = noisy(0), [noisy(s) for s in range(1, 10)]
    endless = ((query, gallery[n % 9]) for n in iter(int, 1) for n in range(9))
    found = explainer.explain_many(endless, batch_size=3)
    assert seen == []
    next(found)
    assert seen == [3, 1]  # query and three others, three images a pass


def test_target_distance_equals_what_torchreid_prints(build: Callable[..., Any]) -> None:
    from torchreid_amd.interpreter.interpreter import create_interpreter

    model = build("osnet_x0_25")
    explainer = Explainer(create_interpreter(model, "attrimeter", "market1501"), (64, 32))
    e = explainer.explain(noisy(1), noisy(2))
    with torch.no_grad():
        a, b = (model(explainer.preprocess(noisy(s))[None]) for s in (1, 2))
    printed = host.torchreid().metrics.compute_distance_matrix(a, b)[0, 0]
    assert e.distance**2 == pytest.approx(float(printed), abs=1e-6 * float(a.square().sum()))
    assert len(e.attributes) == len(e.shares) == 26


def test_real_checkpoint_explains_a_pair(real_file: Callable[[str], Path], build: Callable[..., Any]) -> None:
    from torchreid_amd.interpreter.interpreter import create_interpreter
    from torchreid_amd.targets.weights import load_weights

    model = build("osnet_x0_25", num_classes=751)
    load_weights(model, real_file("osnet_x0_25_market1501.pth"))
    e = Explainer(create_interpreter(model, "amd", "market1501")).explain(noisy(1), noisy(2))
    assert e.distance > 0 and abs(e.residual) < 0.05 * e.distance  # maps begin near 1


def test_mode_and_gradients_are_left_as_they_were() -> None:
    explainer = toy_explainer()
    head = explainer.interpreter.head
    explainer.interpreter.train()
    head.noise.eval()
    e = explainer.explain(noisy(1), noisy(2))
    again = explainer.explain(noisy(1), noisy(2))
    assert np.array_equal(e.shares, again.shares)  # no dropout
    assert explainer.interpreter.training and head.training and not head.noise.training
    assert all(p.grad is None and p.requires_grad for p in head.parameters())


def test_same_photograph_has_nothing_to_explain() -> None:
    e = toy_explainer().explain(noisy(1), noisy(1))
    assert e.distance == 0 and e.shares == pytest.approx([1 / 3] * 3)
    assert "nothing to explain" in e.summary()


def test_ranking_is_the_brute_force_order(tmp_path: Path) -> None:
    explainer = toy_explainer()
    query, gallery = noisy(0), [noisy(s) for s in range(1, 12)]
    paths = []
    for n, image in enumerate(gallery):
        paths.append(tmp_path / f"{n:04d}_c1s1_000001_00.png")
        image.save(paths[-1])
    r = explainer.explain_ranking(query, paths, topk=4, batch_size=3)
    slow = [
        float(torch.dist(explainer.preprocess(query).mean((1, 2)), explainer.preprocess(g).mean((1, 2))))
        for g in gallery
    ]
    assert r.distances == pytest.approx(slow, abs=1e-5)
    assert list(r.order) == sorted(range(11), key=lambda i: slow[i])
    assert len(r) == 4
    assert [e.names[1] for e in r] == [str(paths[i]) for i in r.order[:4]]
    for e, i in zip(r, r.order[:4], strict=True):
        assert e.distance == pytest.approx(slow[i], abs=1e-5)
        one = explainer.explain(query, gallery[i])
        assert e.shares == pytest.approx(one.shares, abs=1e-5)
    assert r[0].names == ("query", str(paths[r.order[0]]))
    assert len(explainer.explain_ranking(query, gallery, topk=99)) == 11


def test_ranking_knows_who_is_who_from_market_names(tmp_path: Path) -> None:
    names = ["0002_c1s1_000001_00.png", "0002_c2s1_000001_00.png", "0007_c2s1_000001_00.png", "who.png"]
    for n, name in enumerate(names):
        plain(10 * n).save(tmp_path / name)
    paths = [tmp_path / n for n in names]
    r = toy_explainer().explain_ranking(paths[0], paths[1:])
    assert r.same == (True, False, None) and r.matches == r.same
    assert toy_explainer().explain_ranking(paths[0], paths[1:], same=[False, None, True]).same == (
        False, None, True,
    )  # fmt: skip
    assert same_person("0002_c1.jpg", "0000_c1.jpg") is False  # a distractor is somebody else
    assert same_person("0002_c1.jpg", "-1_c1.jpg") is None
    assert same_person("0000_c1.jpg", "0000_c2.jpg") is None


def test_ranking_refuses_nonsense() -> None:
    explainer = toy_explainer()
    with pytest.raises(InputError, match="gallery is empty"):
        explainer.explain_ranking(plain(1), [])
    with pytest.raises(InputError, match="topk is 0"):
        explainer.explain_ranking(plain(1), [plain(2)], topk=0)
    with pytest.raises(InputError, match="same has 2 values for 1"):
        explainer.explain_ranking(plain(1), [plain(2)], same=[True, False])
    with pytest.raises(InputError, match="batch_size is 0"):
        explainer.explain_ranking(plain(1), [plain(2)], batch_size=0)


def test_labels_say_what_is_exclusive_and_common() -> None:
    explainer = toy_explainer()
    e = explainer.explain(plain(1), plain(2), [1, 0, 1], {"hat": 0, "red": 0})
    assert e.labels is not None
    assert [list(side) for side in e.labels] == [[1, 0, 1], [0, 0, -1]]
    assert list(e.exclusive) == [1, 0, -1]
    one_side = explainer.explain(plain(1), plain(2), torch.tensor([1, 0, -1]))
    assert one_side.labels is not None and list(one_side.exclusive) == [-1, -1, -1]
    assert explainer.explain(plain(1), plain(2), [-1, -1, -1]).labels is None
    with pytest.raises(InputError, match=r"shape \(2,\); expected \(3,\)"):
        explainer.explain(plain(1), plain(2), [1, 0])
    with pytest.raises(InputError, match="a label is 3"):
        explainer.explain(plain(1), plain(2), [1, 0, 3])
    with pytest.raises(InputError, match="did you mean 'bag'"):
        explainer.explain(plain(1), plain(2), {"bags": 1})


class _Source:
    schema = SCHEMA

    def labels(self, impaths: Any) -> Any:
        return np.array([[1, 0, 1] if "known" in p else [-1, -1, -1] for p in impaths])

    def project(self, schema: AttributeSchema) -> _Source:
        assert schema.attributes == SCHEMA.attributes
        return _Source()


def test_labels_are_looked_up_by_path(tmp_path: Path) -> None:
    for name in ("known.png", "other.png"):
        plain(5).save(tmp_path / name)
    e = toy_explainer(labels=_Source()).explain(str(tmp_path / "known.png"), tmp_path / "other.png")
    assert e.labels is not None and [list(s) for s in e.labels] == [[1, 0, 1], [-1, -1, -1]]
    given = toy_explainer(labels=_Source()).explain(tmp_path / "known.png", plain(3), [0, 0, 0])
    assert given.labels is not None and list(given.labels[0]) == [0, 0, 0]
    foreign = _Source()
    foreign.schema = AttributeSchema("foreign", ("bag", "hat"))
    assert toy_explainer(labels=foreign).explain(tmp_path / "known.png", plain(3)).labels is not None


def test_json_holds_every_number(tmp_path: Path) -> None:
    e = toy_explainer().explain(noisy(1), noisy(2), [1, 0, 1], [0, 0, -1])
    text = e.to_json(tmp_path / "pair.json", maps=True)
    assert (tmp_path / "pair.json").read_text(encoding="utf-8") == text == e.to_json(maps=True)
    assert json.loads(e.to_json()) == e.to_dict()
    data = json.loads(text)
    assert data == e.to_dict(maps=True)
    assert data["contributions"] == list(e.contributions) and data["residual"] == e.residual
    assert data["labels"] == [[1, 0, 1], [0, 0, -1]] and data["exclusive"] == [1, 0, -1]
    assert e.labels is not None and [side.dtype for side in e.labels] == [np.int8, np.int8]
    assert np.array(data["maps"]).shape == (2, 3, SIZE[0] // 2, SIZE[1] // 2)
    assert "maps" not in e.to_dict()
    assert toy_explainer().explain(noisy(1), noisy(2)).to_dict()["labels"] is None
    r = toy_explainer().explain_ranking(noisy(0), [noisy(1), noisy(2)], topk=1)
    r.to_json(tmp_path / "ranking.json")
    kept = json.loads((tmp_path / "ranking.json").read_text(encoding="utf-8"))
    assert kept == r.to_dict() and len(kept["distances"]) == 2 and len(kept["explanations"]) == 1


def test_a_model_that_gives_no_number_is_an_error() -> None:
    explainer = toy_explainer()
    explainer.interpreter.target.tail.rest.forward = lambda f: f.mean((2, 3)) * float("nan")  # type: ignore
    with pytest.raises(InputError, match="embedding of 'A' is not finite; check the weights"):
        explainer.explain(plain(1), plain(2))
    with pytest.raises(InputError, match="embedding of 'the query' is not finite"):
        explainer.explain_ranking(plain(1), [plain(2)])


def test_a_component_that_is_no_number_is_an_error_that_names_the_photograph() -> None:
    """The target's embedding is fine; the head has no number for bright photographs."""
    explainer = toy_explainer()
    own = explainer.interpreter.head.forward

    def forward(early: Tensor, features: Tensor) -> Tensor:
        maps = own(early, features)
        bright = features.amax((1, 2, 3)) > 0.5
        return torch.where(bright[:, None, None, None], torch.inf, maps)

    explainer.interpreter.head.forward = forward  # type: ignore[method-assign]
    assert explainer.explain(plain(1), plain(2)).distance > 0
    with pytest.raises(InputError, match="'B' is not finite"):
        explainer.explain(plain(1), plain(200))
    with pytest.raises(InputError, match="'gallery 3' is not finite"):
        explainer.explain_ranking(plain(1), [plain(2), plain(3), plain(200)])


def test_bad_calls() -> None:
    explainer = toy_explainer()
    with pytest.raises(InputError, match="is no pair"):
        next(explainer.explain_many([(plain(1),)]))
    with pytest.raises(InputError, match="is no pair"):
        next(explainer.explain_many(["ab"]))  # type: ignore[list-item]
    with pytest.raises(InputError, match="batch_size is 0"):
        explainer.explain_many([], batch_size=0)
    with pytest.raises(InputError, match="expected \\(height, width\\)"):
        Explainer(toy_interpreter(), (0, 5))
    assert list(explainer.explain_many([])) == []


def test_from_pretrained_takes_what_the_run_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    run = SimpleNamespace(
        interpreter=toy_interpreter(),
        schema=toy_interpreter().attributes,
        size=SIZE,
        norm_mean=(0.1, 0.2, 0.3),
        norm_std=(1.0, 2.0, 3.0),
        config={"data": {"root": "elsewhere"}},
    )
    asked = {}
    monkeypatch.setattr(
        "torchreid_amd.explanation.explainer.load_run",
        lambda folder, **k: (asked.update(k, folder=folder), run)[1],
    )
    explainer = Explainer.from_pretrained("a-run", weights="w.pth")
    assert asked["folder"] == "a-run" and asked["weights"] == "w.pth"
    assert (explainer.size, explainer.norm_mean, explainer.norm_std) == (SIZE, run.norm_mean, run.norm_std)
    assert explainer.config == {"data": {"root": "elsewhere"}}
    seen = explainer.preprocess(Image.new("RGB", (4, 8), (255, 255, 255)))
    assert seen[:, 0, 0].tolist() == pytest.approx([0.9, 0.4, 0.7 / 3])


def test_without_a_size_the_target_says_it() -> None:
    interpreter = toy_interpreter()
    assert Explainer(interpreter).size == interpreter.target.size
    interpreter.target.size = (160, 64)
    assert Explainer(interpreter).preprocess(plain(1)).shape == (3, 160, 64)


def test_words() -> None:
    e = toy_explainer().explain(plain(255), plain(0, 0, 255), [1, 1, 0], [0, 1, 0])
    said = str(e)
    assert "Euclidean distance 1.41 (torchreid prints its square, 2.00)." in said
    assert "“bag” adds 44 % of what the attributes explain (both: no bag)" in said
    assert "“hat” adds 22 % (A: hat, B: no hat)" in said
    assert "What the attributes do not explain: 10 % (residual 0.141)." in said
    assert "even split would give each 33 %" in said
    assert isinstance(e, Explanation) and "euclidean 1.414" in repr(e)
    assert get_distance(e.metric).words in said
    gallery = [plain(9), plain(3)]
    alone = toy_explainer(account=False)
    lines = alone.explain_ranking(plain(0), gallery, same=[True, None]).summary()
    assert "the nearest 2 of 2" in lines and "  2.  0.0353  gallery 1 [same person]  bag 44 %" in lines
    lines = toy_explainer().explain_ranking(plain(0), gallery, same=[True, None]).summary()
    assert "gallery 1 [same person]  pose, build, camera and background" in lines  # of the account
