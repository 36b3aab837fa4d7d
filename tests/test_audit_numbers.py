"""Every number of an audit: by hand, or by slow loops that share nothing with the code."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from made_audits import ENTRIES, METRIC, SCHEMA, findings_of, measured_of, pairs_of, people

from torchreid_amd.account.division import Entry
from torchreid_amd.attributes.parts import HEAD, PARTS, REST, UPPER
from torchreid_amd.auditing.attributes import AS_MUCH, LESS, MORE, attribute_findings
from torchreid_amd.auditing.audited_set import AuditedSet
from torchreid_amd.auditing.compared import compare
from torchreid_amd.auditing.estimate import Estimate, difference_of, mean_of
from torchreid_amd.auditing.examples import choose
from torchreid_amd.auditing.mean_accounts import (
    by_cameras,
    by_domain,
    by_kind,
    camera_contrast,
    contrasts,
    domain_contrasts,
)
from torchreid_amd.auditing.measured import Measured
from torchreid_amd.auditing.pairs import DIFFERENT, FALSE, KINDS, MISSED, SAME, Pair, draw, search
from torchreid_amd.auditing.report.words import with_interval
from torchreid_amd.evaluation.data.labelled_images import LabelledImages
from torchreid_amd.evaluation.statistics import drawn_identities


def side(*seen: tuple[int, int]) -> LabelledImages:
    pids, camids = np.array(seen).T
    return LabelledImages(
        tuple(f"{p}_c{c}" for p, c in seen), pids, camids, np.zeros((len(seen), 6), np.int8)
    )


@pytest.fixture
def case() -> tuple[AuditedSet, tuple[torch.Tensor, torch.Tensor]]:
    """Persons 1, 2, 3; 3 is in the gallery under the query's camera alone, 0 is nobody of the query."""
    data = AuditedSet(
        "case", side((1, 0), (2, 0), (3, 0)), side((1, 0), (1, 1), (2, 1), (3, 0), (0, 2), (1, 2)), SCHEMA
    )
    # places on a line: query 1 is nearest to its own photograph, which is removed, and then to person 2
    query, gallery = [0.0, 4.0, 9.0], [0.1, 2.0, 1.0, 8.0, 7.0, 3.0]
    return data, (torch.tensor(query)[:, None], torch.tensor(gallery)[:, None])


def test_rank_one_is_that_of_the_protocol(case) -> None:
    found = search(METRIC, case[1], case[0])
    assert found.first.tolist() == [2, 5, -1]  # 3 has no photograph under another camera
    assert found.right.tolist() == [1, 2, -1]  # the nearest of the person, passed over
    assert found.retrieval.percent()["rank-1"] == 0
    # person 1 at places 2 and 3 of 5: (1/2 + 2/3) / 2; person 2 at 4 of 6 (3.0, 2.0, 7.0 are nearer)
    assert found.retrieval.percent()["mAP"] == pytest.approx(100 * ((1 / 2 + 2 / 3) / 2 + 1 / 3) / 2, rel=0.2)


def test_pairs_are_what_they_say(case) -> None:
    data, both = case
    found, met = search(METRIC, both, data), set()
    for seed in range(30):
        pairs = draw([found], [data], 10, seed)
        assert pairs == draw([found], [data], 10, seed)
        of = {kind: sorted((p.query, p.gallery) for p in pairs if p.kind == kind) for kind in KINDS}
        assert [q for q, _ in of[SAME]] == [0, 1] and of[SAME][1] == (1, 2)
        assert of[FALSE] == [(0, 2), (1, 5)] and of[MISSED] == [(0, 1), (1, 2)]
        assert [q for q, _ in of[DIFFERENT]] == [0, 1, 2]
        met |= set(of[DIFFERENT])
    # all pairs of different persons come up, never the nobody at position 4
    assert met == {(0, 2), (0, 3), (1, 0), (1, 1), (1, 3), (1, 5), (2, 0), (2, 1), (2, 2), (2, 5)}
    assert len(draw([found], [data], 1, 0)) == 4
    two = draw([found, found], [data, data], 1, 0)
    assert [pair.number for pair in two] == [0] * 4 + [1] * 4


def hand_made() -> tuple[list[AuditedSet], Measured]:
    """Five pairs of persons 1, 1, 2 (different) and 1, 2 (the same) by day; entries hat and gender."""
    data = [people(3)]
    where = [(DIFFERENT, 0, 3), (DIFFERENT, 1, 6), (DIFFERENT, 2, 6), (SAME, 0, 1), (SAME, 2, 5)]
    pairs = tuple(Pair(kind, 0, q, g) for kind, q, g in where)
    shares = (
        np.array([[5, 2, 1, 0, 2], [3, 4, 1, 1, 1], [6, 1, 1, 1, 1], [2, 2, 2, 0, 4], [4, 0, 0, 0, 6]]) / 10
    )
    entries = (Entry("hat", HEAD, (3,)), Entry("female", REST, (5,)))
    rows = np.array([[1, 1], [0, 0], [1, 0], [0, 0], [0, 0]]) / 10
    differs = np.zeros((5, 6), bool)
    differs[[0, 2], 3] = differs[0, 5] = True
    persons = torch.tensor([0, 0, 1, 0, 1])
    return data, Measured(
        pairs,
        persons,
        np.array([10.0, 20, 12, 4, 6]),
        shares,
        entries,
        rows,
        differs,
        np.ones((5, 6), bool),
    )


def test_mean_accounts_by_hand() -> None:
    data, measured = hand_made()
    found = by_kind(measured, data)
    assert list(found) == [DIFFERENT, SAME]
    one = found[DIFFERENT]
    assert (one.pairs, one.persons, one.distance.value) == (3, 2, 14)
    assert one.parts[UPPER].value == pytest.approx((0.5 + 0.3 + 0.6) / 3)
    # draws of person 1 alone or of person 2 alone are its ends
    assert one.parts[UPPER].interval == pytest.approx((0.4, 0.6))
    assert one.subjects["clothing"].value == pytest.approx((0.7 + 0.7 + 0.7) / 3)
    assert one.subjects["person"].value == pytest.approx((0.2 + 0.1 + 0.1) / 3)  # with 0.1 of gender
    assert one.subjects["things"].value == pytest.approx(0.2 / 3)
    assert one.subjects["background"].value == pytest.approx((0.1 + 0.1 + 0.1) / 3)
    # queries 0, 2 are under camera 0, 1 under 1; gallery 3, 6 under 0: pairs 1 and 3 are under one camera
    assert one.one_camera == pytest.approx(2 / 3) and found[SAME].one_camera == 0
    less = contrasts(measured)[SAME, DIFFERENT]
    assert less[REST].value == pytest.approx(0.5 - 0.4 / 3) and less[REST].pairs == 2
    # person 1: 0.4 - 0.15, person 2: 0.6 - 0.1
    assert less[REST].interval == pytest.approx((0.25, 0.5)) and less[REST].clear == 1


def test_pairs_at_distance_zero_have_no_shares() -> None:
    data, measured = hand_made()
    measured.distances[0], measured.shares[0] = 0, math.nan
    assert by_kind(measured, data)[DIFFERENT].parts[UPPER].value == pytest.approx(0.45)


def test_attributes_by_hand() -> None:
    data, measured = hand_made()
    found = {f.name: f for f in attribute_findings(measured, SCHEMA, data)[0]}
    hat, female = found["hat"], found["female"]
    assert hat.pairs == 2 and hat.effect is not None and hat.effect.value == pytest.approx(0.1)
    # three differences in all make up 0.3 together: 0.1 on average
    assert hat.looked_at is not None and hat.looked_at.value == pytest.approx(1)
    assert female.effect is not None and female.effect.value == pytest.approx(0.1) and female.pairs == 1
    assert hat.part_gain.value == pytest.approx(0)  # the head's share is 0.1 in all
    assert female.part_gain.value == pytest.approx(0.2 - 0.1)
    labels = data[0].query.labels[::2]
    assert hat.present == pytest.approx(labels[:, 3].mean())
    apart = [a[3] != b[3] for a, b in itertools.combinations(labels.tolist(), 2)]
    assert hat.tells_apart == pytest.approx(np.mean(apart))
    colours = [a[:2] != b[:2] for a, b in itertools.combinations(labels.tolist(), 2)]
    if any(colours):
        assert found["upper colour"].tells_apart == pytest.approx(np.mean(colours))
    assert hat.verdict == ""  # of two pairs nothing is said


def test_attributes_by_slow_loops() -> None:
    data = [people(14)]
    pairs = pairs_of(data, 28)
    measured = measured_of(data, pairs)
    whole, members = attribute_findings(measured, SCHEMA, data)
    labels = data[0].query.labels, data[0].gallery.labels
    made, differences = 0.0, 0
    effect: dict[str, list[float]] = {}
    gain: dict[str, tuple[list[float], list[float]]] = {}
    for n, pair in enumerate(pairs):
        if pair.kind != DIFFERENT:
            continue
        a, b = labels[0][pair.query], labels[1][pair.gallery]
        for e, entry in enumerate(ENTRIES):
            differ = any(a[k] != b[k] for k in entry.members)
            gain.setdefault(entry.name, ([], []))[0 if differ else 1].append(
                measured.shares[n, PARTS.index(entry.part)]
            )
            if differ:
                effect.setdefault(entry.name, []).append(measured.rows[n, e])
                made, differences = made + measured.rows[n, e], differences + 1
        for k in (0, 1):
            if a[k] != b[k]:
                effect.setdefault(SCHEMA.attributes[k], []).append(measured.rows[n, 0])
    for f in (*whole, *members):
        assert f.effect is not None and f.looked_at is not None
        assert f.pairs == len(effect[f.name])
        assert f.effect.value == pytest.approx(np.mean(effect[f.name]))
        assert f.looked_at.value == pytest.approx(np.mean(effect[f.name]) / (made / differences))
        if f.name in gain:
            assert f.part_gain.value == pytest.approx(np.mean(gain[f.name][0]) - np.mean(gain[f.name][1]))
    assert [f.group for f in members] == ["upper colour", "upper colour"]
    verdicts = {f.name: f.verdict for f in whole}
    assert set(verdicts.values()) <= {MORE, LESS, AS_MUCH}
    top = max(whole, key=lambda f: f.effect.value if f.effect else 0)
    assert verdicts[top.name] == MORE and verdicts["bag"] == LESS  # bags have the smallest parts


def test_intervals_are_over_persons() -> None:
    rng = np.random.default_rng(0)
    values, persons = rng.normal(size=90), torch.from_numpy(rng.integers(0, 7, 90))
    kept, other = rng.random(90) < 0.5, rng.random(90) < 0.6
    means, differences = [], []
    for times in drawn_identities(7).numpy():
        weight = times[persons.numpy()]
        means.append((weight * values)[kept].sum() / weight[kept].sum())
        differences.append(means[-1] - (weight * values)[other].sum() / weight[other].sum())
    found, apart = mean_of(values, persons, kept), difference_of(values, persons, kept, other)
    assert found.value == pytest.approx(values[kept].mean()) and found.pairs == kept.sum()
    assert found.interval == pytest.approx(np.quantile(means, [0.025, 0.975]))
    assert apart.interval == pytest.approx(np.quantile(differences, [0.025, 0.975]))
    assert mean_of(values, persons, kept & False).value is None
    assert mean_of(values, torch.zeros(90, dtype=torch.long)).interval is None


@pytest.mark.parametrize(
    ("interval", "clear", "beside_one"),
    [((0.1, 2), 1, 0), ((-2, -0.1), -1, -1), ((-1, 3), 0, 0), ((2, 3), 1, 1)],
)
def test_what_is_clear(interval: tuple[float, float], clear: int, beside_one: int) -> None:
    one = Estimate(sum(interval) / 2, interval, 5)
    assert (one.clear, one.beside(1.0)) == (clear, beside_one)
    assert (Estimate(0.5, None, 1).clear, Estimate(0.5, None, 1).beside(0.0)) == (0, 0)


def test_values_have_the_digits_of_their_intervals() -> None:
    said = [
        with_interval(Estimate(v, i, 9))
        for v, i in ((0.7449, (0.7, 0.8)), (0.945, (0.942, 0.948)), (0, (-0.001, 0.02)))
    ]
    assert [text.replace("\u00a0", " ") for text in said] == [
        "74 % [70, 80]",
        "94.5 % [94.2, 94.8]",
        "0 % [−0.1, 2.0]",
    ]


def test_cameras_by_hand() -> None:
    data, measured = hand_made()
    found = by_cameras(measured, data, 0)
    one, two = found[DIFFERENT].cells["toys", 0, 0], found[DIFFERENT].cells["toys", 0, 1]
    assert list(one.values()) == pytest.approx([2, 0.55, 0.15, 0.1, 0.05, 0.15])  # pairs, then parts
    assert list(two.values()) == pytest.approx([1, 0.3, 0.4, 0.1, 0.1, 0.1])
    assert {key: cell["pairs"] for key, cell in found[SAME].cells.items()} == {
        ("toys", 0, 1): 1,
        ("toys", 0, 2): 1,
    }
    assert camera_contrast(measured, data)[UPPER].value == pytest.approx(0.3 - 0.55)
    assert found[DIFFERENT].chance[HEAD] == 1  # all the same: any shuffle differs as much


def test_camera_pairs_that_differ_are_told_from_chance() -> None:
    data = [people(14)]
    pairs = [pair for pair in pairs_of(data, 28) if pair.kind == DIFFERENT]
    measured = measured_of(data, pairs)
    assert 0.05 < by_cameras(measured, data, 0)[DIFFERENT].chance[REST] <= 1
    for n, pair in enumerate(pairs):
        measured.shares[n, 4] += 0.5 * data[0].gallery.camids[pair.gallery]
    assert by_cameras(measured, data, 0)[DIFFERENT].chance[REST] == pytest.approx(0.001)  # 1 of 1000


def test_time_of_day() -> None:
    data = [people(14), people(12, 1, "night", "toys2")]
    measured = measured_of(data, pairs_of(data))
    for n, pair in enumerate(measured.pairs):
        measured.shares[n, 4] += 0.3 * pair.number
    found, moved = by_domain(measured, data), domain_contrasts(measured, data)
    day, night = found[DIFFERENT]["day"], found[DIFFERENT]["night"]
    assert (day.pairs, night.pairs) == (20, 20)
    own = [measured.shares[n, 4] for n, p in enumerate(measured.pairs) if p.kind == DIFFERENT and p.number]
    assert night.parts[REST].value == pytest.approx(np.mean(own))
    assert moved[DIFFERENT][REST].value == pytest.approx(night.parts[REST].value - day.parts[REST].value)
    assert moved[DIFFERENT][REST].clear == 1
    assert by_domain(measured_of(data[:1], pairs_of(data[:1])), data[:1]) == {}


def test_two_models_are_paired() -> None:
    data, first = hand_made()
    second = hand_made()[1]
    second.shares[:, 0] += [0.1, 0.2, 0.3, 0, 0]
    second.rows[:, 0] += 0.05
    found = compare(first, second)
    assert found.parts[DIFFERENT][UPPER].value == pytest.approx(0.2)
    assert found.parts[DIFFERENT][UPPER].interval == pytest.approx((0.15, 0.3))  # person 1, person 2
    assert found.parts[DIFFERENT][UPPER].clear == 1 and found.parts[SAME][UPPER].value == 0
    assert found.subjects[DIFFERENT]["clothing"].value == pytest.approx(0.2)
    assert found.attributes["hat"].value == pytest.approx(0.05) and found.attributes["hat"].pairs == 2
    other = Measured(first.pairs[::-1], *list(vars(first).values())[1:])
    with pytest.raises(ValueError, match="different pairs"):
        compare(first, other)


def test_examples_follow_their_rules() -> None:
    data = [people(14)]
    measured = measured_of(data, pairs_of(data, 28), 5)
    found = findings_of(data, measured)
    chosen = choose(measured, found)
    assert len({choice.pair for choice in chosen}) == len(chosen)
    kept = [n for n, p in enumerate(measured.pairs) if p.kind == DIFFERENT]
    mean = measured.shares[kept].mean(0)
    assert chosen[0].topic == DIFFERENT
    assert chosen[0].pair == min(kept, key=lambda n: np.abs(measured.shares[n] - mean).sum())
    assert chosen[1].pair == max(kept, key=lambda n: measured.shares[n, 4])
    told = sorted(found.attributes, key=lambda f: -f.looked_at.value if f.looked_at else 0)
    most = next(choice for choice in chosen if choice.rule == "most")
    assert most.attribute is not None and most.attribute.name == told[0].name
    assert next(choice for choice in chosen if choice.rule == "least").attribute == told[-1]
    assert measured.differs[most.pair, list(next(e for e in ENTRIES if e.name == told[0].name).members)].any()
