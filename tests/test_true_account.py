"""The true account by rendering, and how given accounts are held against it."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import torchreid_amd as amd
from torchreid_amd.account.shapley import exact_values
from torchreid_amd.attributes.parts import CARRIED, HEAD, LOWER, PARTS, REST, UPPER
from torchreid_amd.attributes.sets import market1501
from torchreid_amd.datasets.synthetic import render_dataset
from torchreid_amd.datasets.synthetic.people.traits import Traits
from torchreid_amd.datasets.synthetic.step_by_step import TRAITS, StepByStep
from torchreid_amd.evaluation.counterfactual.account_pairs import PairAccount
from torchreid_amd.evaluation.counterfactual.account_record import SEVEN, account_record
from torchreid_amd.evaluation.counterfactual.account_scores import AccountScores, total_variation
from torchreid_amd.evaluation.counterfactual.true_account import ERROR, TrueAccounts, true_account
from torchreid_amd.interpreter.distances import get_distance

PLAIN = get_distance("euclidean")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    root = tmp_path_factory.mktemp("steps")
    folder = render_dataset(root, train_ids=4, test_ids=1, images_per_id=4, height=64, width=32, workers=1)
    return sorted(folder.glob("*/bounding_box_train/*.jpg"))


def pid(path):
    return path.name[:4]


def embed(pictures):
    """(N, 12): mean colours of four quarters of the height."""
    values = torch.from_numpy(np.asarray(pictures)).double() / 255
    return torch.stack([part.mean((1, 2)) for part in values.chunk(4, 1)], 1).flatten(1)


def test_every_trait_belongs_to_one_factor():
    named = [name for fields in TRAITS.values() for name in fields.split()]
    assert sorted(named) == sorted(Traits.__dataclass_fields__)


def test_no_step_is_photograph_a_and_all_steps_are_photograph_b(photographs):
    for a in photographs[::5]:
        for b in photographs[::7]:
            steps = StepByStep(a, b)
            everything = (1 << len(steps.factors)) - 1
            assert (steps.picture(0) == np.asarray(Image.open(a))).all()
            assert (steps.picture(everything) == np.asarray(Image.open(b))).all()


def test_factors_are_what_differs(photographs):
    a, b = photographs[0], next(p for p in photographs if pid(p) != pid(photographs[0]))
    steps, schema = StepByStep(a, b), market1501()
    labels = [person.labels for person in steps.people]
    differ = {k for k in schema.attributes if labels[0][k] != labels[1][k]}
    grouped = {member for members in schema.groups.values() for member in members}
    named = {f.what for f in steps.factors if f.what}
    assert named - set(schema.groups) == differ - grouped
    assert {g for g, members in schema.groups.items() if differ & set(members)} == named & set(schema.groups)
    assert [f.kind for f in steps.factors][-2:] == ["body", "scene"]
    back = StepByStep(b, a)
    assert {(f.part, f.what) for f in back.factors} == {(f.part, f.what) for f in steps.factors}
    same = next(p for p in photographs[1:] if pid(p) == pid(a))
    assert [f.kind for f in StepByStep(a, same).factors] == ["scene"]


def test_one_factor_changes_only_what_it_names(photographs):
    a, b = photographs[0], next(p for p in photographs if pid(p) != pid(photographs[0]))
    steps = StepByStep(a, b)
    for k, factor in enumerate(steps.factors):
        changed = (steps.picture(0).astype(int) - steps.picture(1 << k)).__abs__().max(2) > 24
        if factor.part == HEAD:
            assert not changed[40:].any()
        elif factor.part == LOWER:
            assert not changed[:20].any()


def test_a_true_account_adds_up_and_is_the_exact_one_within_its_errors(photographs):
    a, b = photographs[0], next(p for p in photographs if pid(p) != pid(photographs[0]))
    steps = StepByStep(a, b)
    found = true_account(embed, PLAIN, steps)
    whole = float(PLAIN.between(*embed(np.stack([np.asarray(Image.open(p)) for p in (a, b)]))))
    assert found.distance == pytest.approx(whole) and sum(found.shares) == pytest.approx(1)
    assert max(found.errors) <= ERROR
    again = true_account(embed, PLAIN, StepByStep(a, b))
    assert again == found  # the same seed
    players = len(steps.factors)
    if players <= 9:
        pictures = embed(np.stack([steps.picture(c) for c in range(1 << players)]))
        worths = (whole - PLAIN.between(pictures, pictures[-1]) + PLAIN.between(pictures, pictures[0])) / 2
        exact = exact_values(worths.numpy()) / whole
        assert np.abs(np.array(found.shares) - exact).max() < 5 * ERROR
    assert sum(found.by_entry().values()) == pytest.approx(1)
    assert (REST, "") in found.by_entry()


def test_two_photographs_of_one_person_differ_in_the_scene_alone(photographs):
    a = photographs[0]
    b = next(p for p in photographs[1:] if pid(p) == pid(a))
    assert true_account(embed, PLAIN, StepByStep(a, b)).by_entry() == {(REST, ""): pytest.approx(1)}
    same = true_account(embed, PLAIN, StepByStep(a, a))
    assert same.distance == 0 and same.shares == (0.0,)


def test_true_accounts_are_kept_beside_the_data_set_by_target(photographs):
    folder, calls = photographs[0].parents[2], []

    def counting(pictures):
        calls.append(len(pictures))
        return embed(pictures)

    paths = str(photographs[0]), str(photographs[1])
    first = TrueAccounts(folder, "a" * 64, PLAIN, counting)
    found = first.of(*paths)
    first.keep()
    asked = sum(calls)
    assert asked and TrueAccounts(folder, "a" * 64, PLAIN, counting).of(*paths) == found
    assert sum(calls) == asked
    TrueAccounts(folder, "b" * 64, PLAIN, counting).of(*paths)
    assert sum(calls) == 2 * asked
    first.path.write_text("{")
    assert TrueAccounts(folder, "a" * 64, PLAIN, counting).of(*paths) == found


def test_what_was_found_is_kept_on_the_way(photographs, tmp_path, monkeypatch):
    monkeypatch.setattr("torchreid_amd.evaluation.counterfactual.true_account.KEPT_EVERY", 2)
    accounts = TrueAccounts(tmp_path, "a" * 64, PLAIN, embed)
    one, other, third = (str(p) for p in photographs[:3])
    accounts.of(one, other)
    accounts.of(one, other)  # not new
    assert not accounts.path.exists()
    accounts.of(one, third)
    assert len(json.loads(accounts.path.read_text())["accounts"]) == 2


def test_scores_by_hand_and_by_numpy():
    # |0.5 − 0.2| + |0.3 − 0.3| + |0.2 − 0.5|, halved
    assert total_variation(np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])) == pytest.approx(0.3)
    rng = np.random.default_rng(0)
    given, true = rng.dirichlet(np.ones(4), (2, 30))
    scores = AccountScores(("a", "b", "c", "rest"))
    for n, pair in enumerate(zip(given, true, strict=True)):
        scores.update(*pair, identity=n // 3)
    values, ends = scores.values(), scores.intervals()
    assert values["tv"] == pytest.approx(np.abs(given - true).sum(1).mean() / 2)
    assert values["largest"] == pytest.approx(100 * (given[:, :3].argmax(1) == true[:, :3].argmax(1)).mean())
    for k, name in enumerate("abc"):
        assert values["correlation"][name] == pytest.approx(np.corrcoef(given[:, k], true[:, k])[0, 1])
        assert values["mean"][name] == pytest.approx(given[:, k].mean())
        low, high = ends["correlation"][name]
        assert low < values["correlation"][name] < high
    assert ends["tv"][0] < values["tv"] < ends["tv"][1]
    flat = AccountScores(("a", "rest"))
    for n in range(3):
        flat.update(np.array([0.5, 0.5]), np.array([0.1 * n, 1 - 0.1 * n]), n)
    assert flat.values()["correlation"]["a"] is None


def test_a_record_of_parts_seven_entries_and_attributes():
    colour = "upper-body colour"
    true = {(UPPER, colour): 0.4, (UPPER, ""): 0.2, (LOWER, "down"): 0.1, (CARRIED, ""): 0.1, (REST, ""): 0.2}
    right = {"account": dict(true), "area": {(part, ""): 0.2 for part in PARTS}}
    # 0.1 from the colour to the rest of the upper body: no error in parts, 0.1 in seven and by attribute
    moved = {"account": true | {(UPPER, colour): 0.3, (UPPER, ""): 0.3}, "area": right["area"]}
    pairs = [PairAccount(1, true, right), PairAccount(2, true, moved)]
    record = account_record(pairs, market1501())
    assert record["pairs"] == 2 and set(record["seven"]["entries"]) == set(SEVEN)
    parts = record["parts"]["rows"]
    assert parts["account"]["values"]["tv"] == pytest.approx(0)
    # 0.6, 0.1, 0, 0.1, 0.2 against 0.2 each
    assert parts["area"]["values"]["tv"] == pytest.approx(0.4)
    assert parts["every entry the same"]["values"]["tv"] == pytest.approx(0.4)
    assert parts["mean true account"]["values"]["tv"] == pytest.approx(0)
    assert record["parts"]["true_mean"][UPPER] == pytest.approx(0.6)
    assert record["seven"]["rows"]["account"]["values"]["tv"] == pytest.approx(0.05)
    assert "area" not in record["seven"]["rows"] and set(record["fine"]) == {"account"}
    fine = record["fine"]["account"]["values"]
    assert fine == pytest.approx({"tv": 0.05, "attributes": 45.0, "attributes_true": 50.0})


def test_steps_need_rendered_photographs(tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (8, 16)).save(path)
    with pytest.raises(amd.InputError, match="not an image of synthetic_attr"):
        StepByStep(path, path)
