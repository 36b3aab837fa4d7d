"""The whole evaluation on a toy with known truth: records, table, figures; and its settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from region_toy import SCHEMA, PerfectHead, ToyTruth, perfect_decomposer, random_decomposer, toy_people

from torchreid_amd.attributes.sets import dukemtmcreid, market1501
from torchreid_amd.cli import main
from torchreid_amd.core.errors import InputError
from torchreid_amd.evaluation import evaluate_decomposition
from torchreid_amd.evaluation.counterfactual.account_pairs import PairAccount
from torchreid_amd.evaluation.counterfactual.account_record import account_record
from torchreid_amd.evaluation.counterfactual.record import counterfactual_record, effect_pairs
from torchreid_amd.evaluation.data.ground_truth import truth_of
from torchreid_amd.evaluation.data.testbed import Testbed, decomposed
from torchreid_amd.evaluation.deletion.curves import deletion_record
from torchreid_amd.evaluation.localisation.record import localisation_record, localisation_scores
from torchreid_amd.evaluation.questions import PARTS, Settings
from torchreid_amd.evaluation.recognition import SCORES
from torchreid_amd.evaluation.report.figures import save_score_figures
from torchreid_amd.evaluation.report.markdown import compare_runs
from torchreid_amd.evaluation.report.tables import cell, grid, report_table
from torchreid_amd.evaluation.sanity.record import sanity_record
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.distances import get_distance
from torchreid_amd.interpreter.run_record import FORMAT


def toy_testbed(decomposer: Decomposer, folder: Path) -> Testbed:
    people = toy_people(60, 0, folder)
    query, gallery = people.part(range(0, 60, 2)), people.part(range(1, 60, 2))
    return Testbed(decomposer, query, gallery, people, decomposer.embed_files(people.paths), ToyTruth(people))


def record_of(testbed: Testbed) -> dict[str, Any]:
    decomposer = testbed.decomposer
    sides = decomposed(decomposer, testbed.query), decomposed(decomposer, testbed.gallery)
    rates = torch.from_numpy(testbed.train.labels.mean(0))
    distance = get_distance(decomposer.interpreter.metric)
    names = SCHEMA.attributes
    record = evaluate_decomposition(*sides, distance, decomposer.interpreter.form, names, rates).to_dict()
    record["place"] = localisation_record(testbed, 40)
    record["effect"] = counterfactual_record(effect_pairs(testbed, 30))
    record["removal"] = deletion_record(testbed, 4)
    record["sanity"] = sanity_record(testbed, rates)
    return json.loads(json.dumps(record))


class MovedHead(PerfectHead):
    """The perfect maps one cell too low; it may say so."""

    def forward(self, early: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        return super().forward(early, features).roll(1, 2)


def test_places_are_scored_where_the_cells_of_maps_lie(tmp_path: Path):
    testbed = toy_testbed(perfect_decomposer(), tmp_path)
    moved = toy_testbed(perfect_decomposer(), tmp_path)
    moved.decomposer.interpreter.head = head = MovedHead()
    right, wrong = (localisation_scores(s, s.query)["interpreter"].percent() for s in (testbed, moved))
    head.offset = (-1.0, 0.0)
    found = localisation_scores(moved, moved.query)
    assert found["interpreter"].percent() == pytest.approx(right)
    assert wrong["relevance_mass"] < 90 < right["relevance_mass"]
    assert found["average map"].percent() == pytest.approx(
        localisation_scores(testbed, testbed.query)["average map"].percent()
    )


@pytest.fixture(scope="module")
def perfect(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return record_of(toy_testbed(perfect_decomposer(), tmp_path_factory.mktemp("perfect")))


@pytest.fixture(scope="module")
def random(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    torch.manual_seed(1)
    return record_of(toy_testbed(random_decomposer(), tmp_path_factory.mktemp("random")))


def test_a_perfect_interpreter_scores_hundred_everywhere(perfect: dict[str, Any]):
    assert perfect["interpreter"]["ADRE"] < 0.2  # components are kept in float16
    assert perfect["interpreter"]["rank_correlation"] > 99
    for name in ("X-mAP_e", "X-mAP_c", "exclusive_hit_rate", "common_hit_rate"):
        assert perfect["interpreter"][name] == pytest.approx(100)
    place = perfect["place"]
    assert place["rows"]["interpreter"]["values"] == pytest.approx(
        {"pointing": 100, "relevance_mass": 100, "rank_accuracy": 100, "area": (25 + 25 + 25 + 50) / 4}
    )
    assert place["rows"]["average map"]["values"]["pointing"] == pytest.approx(100)
    assert place["own_region_first"] == 100 and 25 <= place["own_region_first_chance"] < 50
    assert place["groups"]["colours"]["rows"]["interpreter"]["values"]["pointing"] == 100
    effect = perfect["effect"]["rows"]["interpreter"]["values"]
    assert (effect["spearman"], effect["largest"], effect["signs"]) == pytest.approx((1, 100, 100))
    assert (effect["slope"], effect["r2"]) == pytest.approx((1, 1), abs=1e-3)


def test_a_random_interpreter_scores_chance_everywhere(random: dict[str, Any]):
    ends = random["intervals"]["interpreter"]
    assert ends["X-mAP_e"][0] <= random["random"]["X-mAP_e"] <= ends["X-mAP_e"][1]
    place = random["place"]["rows"]["interpreter"]
    for name in ("pointing", "relevance_mass", "rank_accuracy"):
        low, high = place["intervals"][name]
        assert low <= place["values"]["area"] <= high, name
    assert random["sanity"]["rows"]["trained"]["pointing"]["fell"] is True


def test_sanity_tells_the_perfect_interpreter_from_its_variants(perfect: dict[str, Any]):
    rows = perfect["sanity"]["rows"]
    assert list(rows) == ["trained", "shuffled labels", "randomised target", "randomised interpreter"]
    assert {name: row["fell"] for name, row in rows["trained"].items()} == {
        "X-mAP_e": False,
        "pointing": True,  # things are at the same place in every photograph: one map for all is as good
        "spearman": False,
    }
    assert rows["trained"]["pointing"]["value"] == rows["trained"]["pointing"]["chance"] == pytest.approx(100)
    assert rows["shuffled labels"]["X-mAP_e"]["value"] < 80
    assert rows["shuffled labels"]["spearman"]["value"] < 0.6 < rows["trained"]["spearman"]["value"]
    assert rows["shuffled labels"]["pointing"]["fell"] is True
    assert perfect["sanity"]["stability"]["values"]["moved"] < 15


class AwayHead(PerfectHead):
    """Everywhere but in the attribute's own place."""

    def forward(self, early: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        return 1 - super().forward(early, features).ceil()


def test_people_who_never_differ_in_three_things_have_no_effects(tmp_path: Path):
    """Pairs with fewer changes are left out; where there are no others, the scores are None."""
    testbed = toy_testbed(perfect_decomposer(), tmp_path)
    testbed.query.labels[:], testbed.gallery.labels[:] = [0, 1, 0, 0], [0, 0, 1, 0]
    record = counterfactual_record(effect_pairs(testbed, 10))
    assert (record["pairs"], record["changes"], record["by_change"]) == (0, 0, {})
    assert set(record["rows"]["interpreter"]["values"].values()) == {None}
    assert set(record["rows"]["interpreter"]["intervals"].values()) == {None}
    row = sanity_record(testbed, torch.full((4,), 0.5))["rows"]["trained"]["spearman"]
    assert row == {"value": None, "interval": None, "chance": None, "fell": None}
    base = {"metric": "euclidean", "form": "mean", "target": {}, "interpreter": {}, "prior": {}, "random": {}}
    table = report_table(base | {"per_attribute": {}, "pairs": {"annotated": 0}, "effect": record})
    assert "0 pairs, 0 re-rendered changes" in table


@pytest.mark.parametrize(
    ("head", "rates", "better"),
    [
        (PerfectHead(), [0.4, 0.1, 0.2, 0.3], "prior"),
        (AwayHead(), [0.1, 0.4, 0.3, 0.2], "random"),
    ],
)
def test_the_verdict_holds_scores_against_the_better_of_two_guesses(
    tmp_path: Path, head: torch.nn.Module, rates: list[float], better: str
):
    """Prior or random order for names, average map or area for places: whichever is the larger."""
    testbed = toy_testbed(perfect_decomposer(), tmp_path)
    testbed.decomposer.interpreter.head = head
    rows = sanity_record(testbed, torch.tensor(rates))["rows"]["trained"]
    sides = decomposed(testbed.decomposer, testbed.query), decomposed(testbed.decomposer, testbed.gallery)
    distance = get_distance(testbed.decomposer.interpreter.metric)
    scores = evaluate_decomposition(*sides, distance, "sum", rates=torch.tensor(rates))
    guesses = {"prior": scores.prior["X-mAP_e"], "random": scores.random["X-mAP_e"]}
    assert max(guesses, key=lambda name: guesses[name] or 0) == better
    assert rows["X-mAP_e"]["chance"] == pytest.approx(guesses[better])
    places = localisation_scores(testbed, testbed.photographs(120), baselines=False)
    average, area = places["average map"].percent()["pointing"], places["interpreter"].percent()["area"]
    assert average is not None and area is not None
    assert (average > area) == (better == "prior")
    assert rows["pointing"]["chance"] == pytest.approx(max(average, area))


def test_the_table_answers_each_question(perfect: dict[str, Any], random: dict[str, Any]):
    for record in (perfect, random):
        table = report_table(record)
        for words in (
            "1. Does it add up?",
            "2. Does it name the right attributes?",
            "3. Does it look at the right place?",
            "4. Does it say what would happen?",
            "5. Removing",
            "colours: interpreter",
            "randomised scores fell to chance",
            "6. Sanity",
            "image-free prior",
            "linear regression",
            "chance (area)",
        ):
            assert words in table
    only = {k: v for k, v in perfect.items() if k not in ("place", "effect", "removal", "sanity")}
    assert "3. Does" not in report_table(only)
    assert report_table(only | {"no_truth": "Right place: not scored"}).endswith("not scored")
    assert cell(1.25, (1.0, 2.0), 2) == "1.25 [1.00, 2.00]" and cell(None) == "–"
    assert grid("t", ["a"], [("row", ["1.0"])]).splitlines() == ["t", "       a", "────────", "row  1.0"]


def test_figures_are_drawn(perfect: dict[str, Any], tmp_path: Path):
    files = save_score_figures(perfect, SCHEMA.attributes, tmp_path, "toy")
    assert [path.name for path in files] == ["toy_confusion.png", "toy_calibration.png", "toy_curves.png"]
    for path in files:
        with Image.open(path) as image:
            assert image.width > 300 and np.asarray(image.convert("L")).std() > 5
    assert save_score_figures({"metric": "euclidean"}, SCHEMA.attributes, tmp_path, "toy") == []


def write_run(folder: Path, head: str, scores: dict[str, Any]) -> Path:
    folder.mkdir()
    run = {"format": FORMAT, "interpreter": {"head": head}}
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "scores.json").write_text(json.dumps({"datasets": scores}))
    return folder


def test_runs_stand_side_by_side(perfect: dict[str, Any], random: dict[str, Any], tmp_path: Path):
    random = random | {"target": perfect["target"]}
    a = write_run(tmp_path / "a", "amd", {"toy": perfect, "other": perfect})
    b = write_run(tmp_path / "b", "attrimeter", {"toy": random})
    lines = compare_runs([a, b]).splitlines()
    assert lines[:2] == [
        "| toy | `amd` | `attrimeter` | without an interpreter | chance |",
        "| -- | -- | -- | -- | -- |",
    ]
    cells = {line.split(" | ")[0][2:]: line[:-2].split(" | ")[1:] for line in lines}
    assert {len(row) for row in cells.values()} == {4}
    assert cells["X-mAP_e, %"][0] == "100.0 [100.0, 100.0]"
    assert cells["X-mAP_e, %"][1] == cell(
        random["interpreter"]["X-mAP_e"], random["intervals"]["interpreter"]["X-mAP_e"]
    )
    assert cells["X-mAP_e, %"][2].startswith("image-free prior ")
    assert cells["pointing, colours, %"][0].startswith("100.0")
    assert cells["Spearman with the drop, within a pair"][0] == "1.00 [1.00, 1.00]"
    assert cells["Spearman with the drop, within a pair"][2].count("<br>") == 2
    alone = compare_runs([a]).splitlines()
    assert alone[0].startswith("| toy | `amd` |") and "| other | `amd` |" in "\n".join(alone)


def test_accounts_stand_side_by_side(perfect: dict[str, Any], tmp_path: Path):
    """The least total variation is the strongest; what depends on the run is in no other column."""
    colour, head, rest = ("upper body", "up"), ("head", ""), ("rest of the picture", "")
    true = {colour: 0.5, head: 0.1, rest: 0.4}
    given = {
        "account": true | {colour: 0.4, rest: 0.5},  # 0.1 apart
        "contributions": {colour: 0.1, head: 0.0, rest: 0.9},  # 0.5 apart
        "without an interpreter": {("upper body", ""): 0.3, head: 0.3, rest: 0.4},  # 0.2 apart
        "area": {("upper body", ""): 0.1, head: 0.1, rest: 0.8},  # 0.4 apart
    }
    account = account_record([PairAccount(n, true, given) for n in (1, 2)], market1501())
    a = write_run(tmp_path / "a", "amd", {"toy": perfect | {"account": account}})
    b = write_run(tmp_path / "b", "additive", {"toy": perfect | {"account": account}})
    lines = compare_runs([a, b]).splitlines()
    cells = {line.split(" | ")[0][2:]: line[:-2].split(" | ")[1:] for line in lines}
    assert cells["TV in five parts (0 is right)"] == [
        *["0.10 [0.10, 0.10]"] * 2,
        "mean true account 0.00 [0.00, 0.00]<br>without an interpreter 0.20 [0.20, 0.20]"
        "<br>area of the region 0.40 [0.40, 0.40]",
        "0.50",  # 0.2 each: .3 and .2 too little, .2, .1 and .2 too much
    ]
    assert cells["TV in five parts, contributions alone"][:2] == ["0.50 [0.50, 0.50]"] * 2
    assert cells["TV in five parts, labels known"][:2] == ["–", "–"]
    assert cells["Spearman in five parts, within a pair"][2].startswith("mean true account 1.00")
    assert cells["of it, made up by attributes, %"][0].startswith("40.0 [")
    assert cells["of it, made up by attributes, %"][2].startswith("true 50.0 [")
    questions = [line for line in lines if "would happen?" in line]
    assert [line.split("?")[1].split("**")[0] for line in questions] == [
        " The whole distance",
        " One change alone",
    ]
    write_run(tmp_path / "c", "attrimeter", {"toy": perfect})
    assert "whole distance" not in compare_runs([a, tmp_path / "c"])


def test_runs_that_cannot_be_compared(perfect: dict[str, Any], random: dict[str, Any], tmp_path: Path):
    a = write_run(tmp_path / "a", "amd", {"toy": perfect})
    with pytest.raises(InputError, match="no data set that all"):
        compare_runs([a, write_run(tmp_path / "b", "amd", {"other": perfect})])
    moved = perfect | {"target": perfect["target"] | {"mAP": 1.0}}
    with pytest.raises(InputError, match="targets score differently on toy"):
        compare_runs([a, write_run(tmp_path / "c", "amd", {"toy": moved})])
    (a / "scores.json").unlink()
    with pytest.raises(InputError, match="run: torchreid-amd evaluate"):
        compare_runs([a])
    (a / "scores.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        compare_runs([a])


def test_the_command_prints_the_table(
    perfect: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = write_run(tmp_path / "a", "amd", {"toy": perfect})
    assert main(["scores", str(folder)]) == 0
    assert capsys.readouterr().out == compare_runs([folder]) + "\n"
    assert main(["scores", str(tmp_path)]) == 2
    assert "run: torchreid-amd evaluate" in capsys.readouterr().err


def test_only_rendered_photographs_have_a_truth():
    assert truth_of("synthetic_attr", market1501()) is not None
    assert truth_of("market1501_attr", market1501()) is None
    assert truth_of("synthetic_attr", dukemtmcreid()) is None  # shoes are not rendered as an attribute


def test_settings_are_checked():
    assert Settings(skip=PARTS).pairs == 100
    with pytest.raises(InputError, match="did you mean 'removal'"):
        Settings(skip=["removel"])
    with pytest.raises(InputError, match="pairs is 0"):
        Settings(pairs=0)


def test_exchanged_attributes_exchange_maps_and_average_maps(tmp_path: Path):
    """Hat gets the bag's map, red the hat's, blue the red one's, bag the blue one's: only blue is right."""
    testbed = toy_testbed(perfect_decomposer(), tmp_path)
    found = localisation_scores(testbed, testbed.query, order=[3, 0, 1, 2], baselines=False)
    for row in ("interpreter", "average map"):
        assert found[row].percent()["pointing"] == pytest.approx(25)


def test_retrieval_and_recognition_stand_side_by_side(perfect: dict[str, Any], tmp_path: Path):
    def row(value: float, gain: float = 0.0) -> dict[str, Any]:
        one = {"values": {"mAP": value}, "intervals": {"mAP": [value - 1, value + 1]}}
        return one | {"gain": {"values": {"mAP": gain}, "intervals": {"mAP": None}}}

    def scored(reranked: float, auc: float) -> dict[str, Any]:
        rows = {"target": row(30), "k_reciprocal": row(35), "attributes": row(20)}
        rows |= {"reranked": row(reranked, reranked - 30), "reranked_k_reciprocal": row(45)}
        read, probe = ({"values": dict.fromkeys(SCORES, v), "intervals": {}} for v in (auc, 60.0))
        for each in (read, probe):
            each["values"]["combined_mAP"] = 50.0
            each["intervals"] = dict.fromkeys([*SCORES, "combined_mAP"])
        chance = {"mAP": 50.0, "combined_mAP": 25.0}
        attributes = {"rows": {"readouts": read, "probe": probe}, "chance": chance}
        return perfect | {"rerank": {"strength": 0.5, "rows": rows}, "attributes": attributes}

    a = write_run(tmp_path / "a", "amd", {"toy": scored(40, 80)})
    b = write_run(tmp_path / "b", "additive", {"toy": scored(38.5, 70)})
    cells = {
        line.split(" | ")[0][2:]: line[:-2].split(" | ")[1:] for line in compare_runs([a, b]).splitlines()
    }
    assert cells["mAP re-ranked by what is seen, %"] == [
        "40.0 [39.0, 41.0]",
        "38.5 [37.5, 39.5]",
        "target 30.0 [29.0, 31.0]",
        "–",
    ]
    both = "k-reciprocal 35.0 [34.0, 36.0]<br>target 30.0 [29.0, 31.0]"
    assert cells["mAP re-ranked and k-reciprocal, %"][2] == both
    assert cells["mAP gained by re-ranking, points"] == ["10.0", "8.5", "–", "–"]
    assert cells["λ of re-ranking, chosen on training identities"] == ["0.5", "0.5", "–", "–"]
    assert cells["area under the curve, %"] == ["80.0", "70.0", "linear probes 60.0", "50.0"]
    assert cells["found by three attributes, mAP, %"][3] == "25.0"
    assert cells["calibration error, % (low is good)"][3] == "–"
    assert "mAP by the decomposed distance, %" not in cells  # neither run has it
    unknown = {"not_scored": "no labels"}
    c = write_run(tmp_path / "c", "amd", {"toy": scored(40, 80) | {"rerank": unknown, "attributes": unknown}})
    assert "what is seen" not in compare_runs([c]) and "recognised?" not in compare_runs([c])
