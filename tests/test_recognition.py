"""How well attributes are recognised, and people found by them: each score by hand or a pair at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.core.errors import InputError
from torchreid_amd.evaluation.recognition import average_precision, combined_questions, recognition_record
from torchreid_amd.evaluation.report.retrieval_tables import recognised
from torchreid_amd.gallery.asked import log_probability, search, wanted_by

SCHEMA = AttributeSchema("toy", ("hat", "red"), words={"hat": ("hat", "no hat")})


def test_average_precision_by_hand() -> None:
    """Right at places 1 and 3: (1 + 2/3) / 2; the first counted twice, the second not: 2 of 2 at once."""
    scores, right = torch.tensor([0.9, 0.8, 0.7, 0.1]), torch.tensor([True, False, True, False])
    weights = torch.tensor([[1.0, 1, 1, 1], [2, 0, 1, 5], [0, 1, 1, 0]], dtype=torch.float64)
    assert average_precision(scores, right, weights).tolist() == pytest.approx([5 / 6, 1, 1 / 2])


def test_scores_of_one_attribute() -> None:
    """Threshold 0.3: both "yes" recognised, one of three "no" is not; one pair in six is in the wrong order.

    Steps of a tenth: 0.05 (no), 0.25 (no), 0.35 (yes), 0.65 (no), 0.95 (yes), each alone in its step, off by
    0.05, 0.25, 0.65, 0.65 and 0.05: 1.65 / 5. "Yes" is found at places 1 and 3, "no" at 1, 2 and 4.
    """
    p = torch.tensor([[0.05], [0.25], [0.35], [0.65], [0.95], [0.5]])
    labels = torch.tensor([[0], [0], [1], [0], [1], [-1]], dtype=torch.int8)
    found = recognition_record({"one": p}, labels, torch.arange(6), torch.tensor([0.3]), ["hat"])
    scores = found["rows"]["one"]["values"]
    assert scores["balanced_accuracy"] == pytest.approx(100 * (1 + 2 / 3) / 2)
    assert scores["AUC"] == pytest.approx(100 * 5 / 6)
    assert scores["calibration_error"] == pytest.approx(100 * 1.65 / 5)
    assert scores["mAP"] == pytest.approx(100 * ((1 + 2 / 3) / 2 + (1 + 1 + 3 / 4) / 3) / 2)
    assert found["by_attribute"]["hat"]["one"] == pytest.approx(
        {k: scores[k] for k in found["by_attribute"]["hat"]["one"]}
    )
    assert scores["combined_mAP"] is None and found["questions"] == 0


def test_intervals_hold_the_value_and_questions_are_answered() -> None:
    draw = np.random.default_rng(0)
    truth = draw.integers(0, 2, (40, 6))
    people = np.repeat(np.arange(40), 3)
    labels = torch.from_numpy(truth[people].astype(np.int8))
    knows = torch.from_numpy(np.clip(truth[people] * 0.6 + 0.4 * draw.random((120, 6)), 0.01, 0.99))
    guesses = torch.from_numpy(draw.random((120, 6)))
    names = [f"a{k}" for k in range(6)]
    found = recognition_record(
        {"readouts": knows, "probe": guesses}, labels, torch.from_numpy(people), torch.full((6,), 0.5), names
    )
    for row in found["rows"].values():
        for name, (low, high) in row["intervals"].items():
            assert low - 3 <= row["values"][name] <= high + 3 and low <= high
    good, bad = (found["rows"][name]["values"] for name in ("readouts", "probe"))
    assert good["combined_mAP"] > 90 > bad["combined_mAP"] and good["AUC"] > 95
    assert abs(bad["combined_mAP"] - found["chance"]["combined_mAP"]) < 10
    assert "questions of three attributes" in recognised(found)
    asked = combined_questions(labels, torch.from_numpy(people), range(6))
    assert len(set(asked)) == len(asked) == found["questions"]
    for question in asked:
        assert len({k for k, _ in question}) == 3 and any(yes for _, yes in question)
        assert any(all(truth[i, k] == yes for k, yes in question) for i in range(40))


def test_what_is_asked_for() -> None:
    assert wanted_by(["red", "-hat"], SCHEMA) == ((1, True), (0, False))
    for words, said in (
        (["redd"], "did you mean 'red'"),
        ([], "no attribute was asked for"),
        (["hat", "-hat"], "asked to be missing"),
    ):
        with pytest.raises(InputError, match=said):
            wanted_by(words, SCHEMA)


def test_what_nobody_could_learn_is_not_asked_for() -> None:
    assert wanted_by(["red"], SCHEMA, [False, True]) == ((1, True),)
    with pytest.raises(InputError, match="'hat' could not be learnt"):
        wanted_by(["red", "-hat"], SCHEMA, [False, True])


def test_a_gallery_in_order() -> None:
    """Red without a hat: 0.8 · 0.9, 0.9 · 0.1 and 0.5 · 0.5."""
    p = torch.tensor([[0.1, 0.8], [0.9, 0.9], [0.5, 0.5]])
    found = search(p, ["x/a.jpg", "b.jpg", "c.jpg"], ["red", "-hat"], SCHEMA)
    assert found.order == (0, 2, 1)
    assert [round(score, 4) for _, score in found] == [0.72, 0.25, 0.09]
    assert log_probability(p, ((1, True),)).exp().tolist() == pytest.approx([0.8, 0.9, 0.5])
    text = found.summary(2)
    assert (
        text.splitlines()[1].split() == "1. 72.0 % a.jpg red 80 %, no hat 90 %".split()
        and "b.jpg" not in text
    )
    assert found.to_dict()["wanted"] == {"red": True, "hat": False}
    with pytest.raises(InputError, match=r"expected \(1, 2\)"):
        search(p, ["a"], ["red"], SCHEMA)
