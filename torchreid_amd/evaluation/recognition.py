"""How well attributes are recognised, and people found by them.

The three scores of an attribute: balanced accuracy (the mean of how often a "yes" and a "no" are
recognised, with the share of "yes" in training as the threshold), the area under the ROC curve, and
the expected calibration error (Naeini et al., AAAI 2015): by how much the mean probability and the share
of "yes" differ, over ten equal steps of probability. Found by attributes: average precision of the
photographs of people who have all that was asked for, with nothing known of anybody but the photograph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from torchreid_amd.evaluation.statistics import bootstrap_intervals, percent
from torchreid_amd.gallery.asked import Wanted, log_probability

STEPS = 10  #: of the calibration error
SCORES = ("balanced_accuracy", "AUC", "calibration_error", "mAP")
PAIRED = 300  #: questions of several attributes
ASKED = 3  #: attributes in each of them
DRAWS = 200  #: of the identities, for the intervals: each of them ranks anew


def recognition_record(
    probabilities: Mapping[str, Tensor],
    labels: Tensor,
    people: Tensor,
    rates: Tensor,
    names: Sequence[str],
    seed: int = 0,
) -> dict[str, Any]:
    """Scores of recognisers side by side, JSON-ready and in percent, with 95 % intervals over identities.

    Args:
        probabilities: by recogniser, (N, M) of "yes".
        labels: (N, M) 1 yes, 0 no, −1 unknown.
        people: (N,) identities.
        rates: (M,) share of "yes" in training.
        names: M attributes.
        seed: of the questions of several attributes.

    Returns:
        ``rows``: for each recogniser the means over the attributes that somebody has and somebody has not
        (:data:`SCORES`; ``mAP`` is that of asking for one attribute, or for its absence), ``combined_mAP``
        of questions with :data:`ASKED` of them, each with its interval; ``by_attribute``: the same of each
        attribute, without intervals; ``chance``: the mAP of a random order.
    """
    persons = torch.unique(people, return_inverse=True)[1]
    count = int(persons.max()) + 1
    scored = [k for k in range(len(names)) if (labels[:, k] == 1).any() and (labels[:, k] == 0).any()]
    questions = combined_questions(labels, people, scored, seed)
    rows: dict[str, Any] = {}
    by_attribute: dict[str, dict[str, Any]] = {names[k]: {} for k in scored}
    for title, p in probabilities.items():
        ones = torch.ones(1, count, dtype=torch.float64)
        each = {k: _scores(p[:, k], labels[:, k], persons, rates[k], ones)[0] for k in scored}
        for k in scored:
            by_attribute[names[k]][title] = dict(zip(SCORES, (100 * each[k]).tolist(), strict=True))
        means = torch.zeros(DRAWS, len(SCORES), dtype=torch.float64)
        point = torch.stack(list(each.values())).mean(0) if each else torch.full((len(SCORES),), torch.nan)

        def drawn(times: Tensor, p: Tensor = p, means: Tensor = means) -> Tensor:
            parts = [_scores(p[:, k], labels[:, k], persons, rates[k], times) for k in scored]
            return torch.stack(parts).nanmean(0) if parts else means[: len(times)] * torch.nan

        ends = bootstrap_intervals(drawn, count, DRAWS)
        values = {n: 100 * v if v == v else None for n, v in zip(SCORES, point.tolist(), strict=True)}
        intervals = {n: percent(i) for n, i in zip(SCORES, ends, strict=True)}
        values["combined_mAP"], intervals["combined_mAP"] = _combined(p, labels, questions, persons, count)
        rows[title] = {"values": values, "intervals": intervals}
    return {
        "attributes": [names[k] for k in scored],
        "photographs": len(labels),
        "questions": len(questions),
        "rows": rows,
        "by_attribute": by_attribute,
        "chance": _chance(labels, scored, questions),
    }


def combined_questions(labels: Tensor, people: Tensor, scored: Sequence[int], seed: int = 0) -> list[Wanted]:
    """Questions of several attributes that somebody answers to, one of them a "yes" at least, from a seed."""
    draw = torch.Generator().manual_seed(seed)
    rows = torch.unique(torch.cat([people[:, None], labels.long()], 1), dim=0)[:, 1:]
    found: dict[Wanted, None] = {}
    for _ in range(20 * PAIRED):
        if len(found) == PAIRED or not len(rows):
            break
        row = rows[int(torch.randint(len(rows), (1,), generator=draw))]
        known = [k for k in scored if row[k] >= 0]
        yes = [k for k in known if row[k] == 1]
        if len(known) < ASKED or not yes:
            continue
        first = yes[int(torch.randint(len(yes), (1,), generator=draw))]
        others = [k for k in known if k != first]
        rest = [others[i] for i in torch.randperm(len(others), generator=draw)[: ASKED - 1].tolist()]
        found[tuple((k, bool(row[k])) for k in sorted([first, *rest]))] = None
    return list(found)


def average_precision(scores: Tensor, positive: Tensor, weights: Tensor) -> Tensor:
    """Average precision with photographs counting several times.

    Args:
        scores: (N,) larger is better; equal ones keep their order.
        positive: (N,) bool.
        weights: (T, N) how often each photograph counts.

    Returns:
        (T,); NaN where no positive counts.
    """
    order = torch.argsort(scores, descending=True, stable=True)
    w, hit = weights[:, order], positive[order].double()
    hits = w * hit
    precision = hits.cumsum(1) / w.cumsum(1).clamp_min(1e-12)
    return (precision * hits).sum(1) / hits.sum(1)


def _scores(p: Tensor, labels: Tensor, persons: Tensor, rate: Tensor, times: Tensor) -> Tensor:
    """(T, 4) :data:`SCORES` of an attribute; unknown labels are left out."""
    known = labels >= 0
    p, yes = p[known].double(), labels[known] == 1
    w = times[:, persons[known]]
    right = (p > rate).double()
    good = (w * (yes * right)).sum(1) / (w * yes).sum(1)
    bad = (w * (~yes * (1 - right))).sum(1) / (w * ~yes).sum(1)
    order = torch.argsort(p, stable=True)
    below = (w * ~yes)[:, order].cumsum(1)
    auc = ((w * yes)[:, order] * below).sum(1) / ((w * yes).sum(1) * (w * ~yes).sum(1))
    step = (p * STEPS).long().clamp_max(STEPS - 1)
    off = [(w[:, step == s] @ (p - yes.double())[step == s]).abs() for s in range(STEPS)]
    ece = torch.stack(off).sum(0) / w.sum(1)
    found = (average_precision(p, yes, w) + average_precision(-p, ~yes, w)) / 2
    return torch.stack([(good + bad) / 2, auc, ece, found], 1)


def _answers(labels: Tensor, question: Sequence[tuple[int, bool]]) -> tuple[Tensor, Tensor]:
    """Of whom all that is asked for is known, and who is all of it: (N,) each."""
    known = torch.stack([labels[:, k] >= 0 for k, _ in question]).all(0)
    right = torch.stack([labels[:, k] == int(yes) for k, yes in question]).all(0)
    return known, right


def _combined(
    p: Tensor, labels: Tensor, questions: Sequence[Wanted], persons: Tensor, count: int
) -> tuple[float | None, tuple[float, float] | None]:
    if not questions:
        return None, None
    asked = [(log_probability(p, q), *_answers(labels, q)) for q in questions]

    def drawn(times: Tensor) -> Tensor:
        found = [average_precision(s[k], y[k], times[:, persons[k]]) for s, k, y in asked]
        return torch.stack(found).nanmean(0)

    value = float(drawn(torch.ones(1, count, dtype=torch.float64)))
    return 100 * value, percent(bootstrap_intervals(drawn, count, DRAWS)[0])


def _chance(labels: Tensor, scored: Sequence[int], questions: Sequence[Wanted]) -> dict[str, float | None]:
    """mAP of a random order: about the share of right answers."""
    combined = [float(y[k].double().mean()) for k, y in (_answers(labels, q) for q in questions)]
    return {
        "mAP": 50.0 if scored else None,  # of an attribute and of its absence: shares that add up to 1
        "combined_mAP": 100 * sum(combined) / len(combined) if combined else None,
    }
