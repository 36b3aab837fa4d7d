"""The two losses beside slow, literal double loops in plain Python."""

from __future__ import annotations

import math
import random

import pytest
import torch
from torch import Tensor

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.registry import losses
from torchreid_amd.losses import (
    AttributePriorLoss,
    MetricDistillationLoss,
    attribute_prior,
    batch_pairs,
    metric_distillation,
)

GROUPS = [[0, 1, 2, 3], [5, 6, 7]]


def literal_gaps(d: list[float], components: list[list[float]], form: str) -> list[float]:
    gaps = []
    for distance, parts in zip(d, components, strict=True):
        decomposed = 0.0
        for part in parts:
            decomposed += part / len(parts) if form == "mean" else part
        gaps.append(abs(distance - decomposed))
    return gaps


def literal_prior(
    shares: list[float], a: list[int], b: list[int], alpha: float, theta: float, groups: list[list[int]]
) -> dict[str, float]:
    """One pair, attribute by attribute, in the words of the method."""
    terms = {"group": 0.0, "exclusive": 0.0, "common": 0.0, "exclusive_group": 0.0}
    known = [k for k in range(len(shares)) if a[k] >= 0 and b[k] >= 0]
    if not known:
        return terms
    m = len(known)
    total = sum(shares[k] for k in known)
    p = {k: shares[k] / total if total > 0 else 1 / m for k in known}
    y = {k: (1 - (2 * a[k] - 1) * (2 * b[k] - 1)) / 2 for k in known}
    n = sum(y.values())
    if 0 < n < m:
        tau = (n / m) ** alpha
        # the geometric mean of what one exclusive and one common attribute take on average
        bound = math.sqrt((tau / n) * ((1 - tau) / (m - n)))
        terms["group"] = max(0.0, tau - sum(y[k] * p[k] for k in known))
        for k in known:
            terms["exclusive"] += y[k] * max(0.0, bound - p[k])
            terms["common"] += (1 - y[k]) * max(0.0, p[k] - bound)
    elif n == 0:
        terms["common"] = sum(max(0.0, p[k] - 2 / m) for k in known)
    else:
        terms["exclusive"] = sum(max(0.0, 0.70 / m - p[k]) for k in known)
    for group in groups:
        worn = [k for k in group if k in p and (a[k] == 1 or b[k] == 1)]
        for k in group:
            if k in p and a[k] == 0 and b[k] == 0 and worn:
                mean = sum(p[w] for w in worn) / len(worn)
                terms["exclusive_group"] += max(0.0, p[k] - theta * mean)
    return terms


def random_pairs(pairs: int, attributes: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Shares and labels: unknown ones, all common, all exclusive, nothing known, zero shares."""
    rng = random.Random(seed)
    a = torch.tensor([[rng.choice([-1, 0, 0, 1, 1]) for _ in range(attributes)] for _ in range(pairs)])
    b = torch.tensor([[rng.choice([-1, 0, 0, 0, 1]) for _ in range(attributes)] for _ in range(pairs)])
    a[0], b[0] = 1, 1  # all common
    a[1], b[1] = 1, 0  # all exclusive
    a[2], b[2] = -1, 1  # nothing known
    a[3, 0], b[3, 0], a[3, 1:] = 1, 0, -1  # one known attribute, exclusive
    raw = torch.tensor([[rng.random() ** 3 for _ in range(attributes)] for _ in range(pairs)]).double()
    raw[4] = 0
    raw[5, : attributes // 2] = 0
    return raw / raw.sum(1, keepdim=True).clamp_min(1e-9), a.to(torch.int8), b.to(torch.int8)


def test_batch_pairs_holds_each_pair_once_and_no_self_pair():
    i, j = batch_pairs(5)
    assert set(zip(i.tolist(), j.tolist(), strict=True)) == {
        (a, b) for a in range(5) for b in range(a + 1, 5)
    }
    assert len(i) == 10
    assert batch_pairs(1)[0].shape == (0,)


@pytest.mark.parametrize("form", ["mean", "sum"])
def test_metric_distillation_equals_the_double_loop(form: str):
    generator = torch.Generator().manual_seed(0)
    d = torch.rand(40, generator=generator).double()
    components = torch.rand(40, 7, generator=generator).double()
    terms = metric_distillation(d, components, form)
    expected = torch.tensor(literal_gaps(d.tolist(), components.tolist(), form)).double()
    torch.testing.assert_close(terms["gap"], expected)
    torch.testing.assert_close(terms["relative_gap"], expected / d)


def test_metric_distillation_by_hand():
    # d = 2, components 1, 2, 6: mean 3 and sum 9, hence gaps 1 and 7; d = 4 with 4, 4, 4: 0 and 8
    d, components = torch.tensor([2.0, 4.0]), torch.tensor([[1.0, 2.0, 6.0], [4.0, 4.0, 4.0]])
    assert metric_distillation(d, components)["gap"].tolist() == [1, 0]
    assert metric_distillation(d, components, "sum")["gap"].tolist() == [7, 8]
    loss = MetricDistillationLoss(weight=3.0)
    assert loss.total(loss(d, components)).item() == pytest.approx(1.5)  # 3 · (1 + 0) / 2


def test_metric_distillation_gives_no_gradient_to_the_target():
    d = torch.rand(4, requires_grad=True)
    components = torch.rand(4, 3, requires_grad=True)
    metric_distillation(d, components)["gap"].sum().backward()
    assert d.grad is None
    assert components.grad is not None and bool((components.grad != 0).all())


def test_gate_compares_the_mean_relative_gap_of_the_batch():
    # relative gaps 1/2 and 0: mean 0.25; the pair at distance 0 is left out of it
    d = torch.tensor([2.0, 4.0, 0.0])
    components = torch.tensor([[3.0, 3.0], [4.0, 4.0], [9.0, 9.0]], requires_grad=True)
    assert metric_distillation(d, components, gate=0.25)["gap"].tolist() == [1, 0, 9]
    closed = metric_distillation(d, components, gate=0.26)
    assert closed["gap"].tolist() == [0, 0, 0]
    assert closed["relative_gap"].tolist() == [0.5, 0, 0]
    closed["gap"].sum().backward()
    assert components.grad is not None and components.grad.tolist() == [[0, 0]] * 3
    # where every distance is 0 no relative gap exists, and the loss stays on
    assert metric_distillation(d * 0, components, gate=0.26)["gap"].tolist() == [3, 4, 9]


@pytest.mark.parametrize("alpha", [0.5, 1.0, 0.25])
def test_attribute_prior_equals_the_double_loop(alpha: float):
    shares, a, b = random_pairs(60, 9, seed=3)
    terms = attribute_prior(shares, a, b, GROUPS, alpha=alpha, theta=0.3)
    seen = set()
    for row in range(len(shares)):
        expected = literal_prior(shares[row].tolist(), a[row].tolist(), b[row].tolist(), alpha, 0.3, GROUPS)
        for name, value in expected.items():
            assert terms[name][row].item() == pytest.approx(value, abs=1e-12), (row, name)
            seen.update([name] if value > 0 else [])
    assert seen >= {"exclusive", "common", "exclusive_group"} and (alpha == 1.0 or "group" in seen)
    assert terms["valid"].tolist() == [bool(((x >= 0) & (y >= 0)).any()) for x, y in zip(a, b, strict=True)]


def test_attribute_prior_by_hand():
    # M = 4, N = 1: τ = √(1/4) = 1/2 and g = √(1/2 · 1/2 / (1 · 3)) = 1/√12 = 0.288675.
    # Shares 0.2 (exclusive), 0.4, 0.3, 0.1:
    #   group     1/2 − 0.2              = 0.3
    #   exclusive g − 0.2                = 0.088675
    #   common    (0.4 − g) + (0.3 − g)  = 0.122650
    #   total     10 · (2 · 0.3 + 10 · 0.088675 + 10 · 0.122650) = 27.1325
    shares = torch.tensor([[0.2, 0.4, 0.3, 0.1]]).double()
    a, b = torch.tensor([[1, 0, 1, 0]]), torch.tensor([[0, 0, 1, 0]])
    loss = AttributePriorLoss()
    terms = loss(shares, a, b)
    g = 1 / math.sqrt(12)
    assert terms["group"].item() == pytest.approx(0.3)
    assert terms["exclusive"].item() == pytest.approx(g - 0.2)
    assert terms["common"].item() == pytest.approx(0.7 - 2 * g)
    assert loss.total(terms).item() == pytest.approx(27.1325, abs=1e-4)


def test_exclusive_group_by_hand():
    # Attributes 0–2 exclude each other; 0 is worn by one, 1 and 2 by nobody: at most 0.3 · 0.4 = 0.12.
    # Over it: 0.3 − 0.12 = 0.18, and nothing for the share 0.1.
    shares = torch.tensor([[0.4, 0.3, 0.1, 0.2]])
    a, b = torch.tensor([[1, 0, 0, 1]]), torch.tensor([[0, 0, 0, 1]])
    assert attribute_prior(shares, a, b, [[0, 1, 2]])["exclusive_group"].item() == pytest.approx(0.18)
    nobody = torch.tensor([[0, 0, 0, 1]])
    assert attribute_prior(shares, nobody, b, [[0, 1, 2]])["exclusive_group"].item() == 0
    assert "exclusive_group" not in attribute_prior(shares, a, b)


def test_all_common_and_all_exclusive_by_hand():
    shares = torch.tensor([[0.7, 0.1, 0.1, 0.1]])
    same, other = torch.ones(1, 4), torch.zeros(1, 4)
    common = attribute_prior(shares, same, same)  # N = 0: 0.7 − 2/4
    assert (common["group"].item(), common["exclusive"].item()) == (0, 0)
    assert common["common"].item() == pytest.approx(0.2)
    exclusive = attribute_prior(shares, same, other)  # N = M: three times 0.70/4 − 0.1 = 0.075
    assert (exclusive["group"].item(), exclusive["common"].item()) == (0, 0)
    assert exclusive["exclusive"].item() == pytest.approx(0.225)


def test_ideal_shares_cost_nothing():
    # N = 2 of M = 8: τ = 1/2, so two shares of 1/4 and six of 1/12; g = √(1/4 · 1/12) lies between
    a = torch.tensor([[1, 1, 0, 0, 0, 0, 0, 0]])
    shares = torch.where(a == 1, 1 / 4, 1 / 12)
    loss = AttributePriorLoss()
    assert loss.total(loss(shares, a, torch.zeros_like(a))).item() == pytest.approx(0, abs=1e-6)


def test_unknown_attributes_change_nothing():
    shares, a, b = random_pairs(30, 6, seed=5)
    a, b = a.clamp_min(0), b.clamp_min(0)
    plain = attribute_prior(shares, a, b)
    more = torch.full((30, 3), 0.2).double()
    unknown = torch.full((30, 3), -1)
    wider = attribute_prior(
        torch.cat([shares, more], 1), torch.cat([a, unknown], 1), torch.cat([b, unknown.clamp_min(0)], 1)
    )
    for name, values in plain.items():
        given = shares.sum(1) > 0  # with zero shares alone, the rest takes everything or nothing
        torch.testing.assert_close(wider[name][given], values[given])


def test_means_leave_pairs_without_labels_out():
    shares = torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.7, 0.1, 0.1, 0.1]])
    labels = torch.tensor([[1, 1, 1, 1], [-1, -1, -1, -1]])
    loss = AttributePriorLoss()
    terms = loss(shares, labels, labels)
    assert loss.means(terms)["common"].item() == pytest.approx(0.2)
    assert loss.total(terms).item() == pytest.approx(20.0, abs=1e-4)  # 10 · 10 · 0.2


def test_decay_divides_by_the_square_root_of_the_iteration():
    shares, labels = torch.tensor([[0.7, 0.1, 0.1, 0.1]]), torch.ones(1, 4)
    steady, decaying = AttributePriorLoss(), AttributePriorLoss(decay=True)
    terms = steady(shares, labels, labels)
    assert steady.total(terms, 25).item() == pytest.approx(20.0, abs=1e-4)
    assert decaying.total(terms, 25).item() == pytest.approx(4.0, abs=1e-4)
    assert decaying.total(terms).item() == pytest.approx(20.0, abs=1e-4)


@pytest.mark.parametrize("batch", [0, 1])
def test_no_pair_gives_zero_that_can_be_differentiated(batch: int):
    i, j = batch_pairs(batch)
    shares = torch.rand(len(i), 4, requires_grad=True)
    labels = torch.ones(batch, 4, dtype=torch.int8)
    prior, distil = AttributePriorLoss(GROUPS[:1]), MetricDistillationLoss(gate=0.1)
    total = prior.total(prior(shares, labels[i], labels[j])) + distil.total(distil(shares.sum(1), shares))
    total.backward()
    assert total.item() == 0


def test_gradients_are_right_away_from_the_kinks():
    shares, a, b = random_pairs(24, 9, seed=11)
    shares = (shares + 0.01 * torch.rand(shares.shape, generator=torch.Generator().manual_seed(1))).double()
    shares.requires_grad_()
    loss = AttributePriorLoss(GROUPS)
    assert torch.autograd.gradcheck(lambda s: loss.total(loss(s, a, b)), shares, eps=1e-7, atol=1e-4)
    components = torch.rand(6, 4).double().requires_grad_()
    d = torch.full((6,), 3.0).double()
    assert torch.autograd.gradcheck(lambda c: metric_distillation(d, c)["gap"], components)


def test_gradients_are_finite_at_the_edges():
    shares, a, b = random_pairs(40, 9, seed=2)
    zero = torch.zeros(40, 9).double()
    for start in (shares, zero, torch.eye(9).repeat(5, 1)[:40].double()):
        given = start.clone().requires_grad_()
        loss = AttributePriorLoss(GROUPS)
        loss.total(loss(given, a, b)).backward()
        assert given.grad is not None and bool(given.grad.isfinite().all())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype: torch.dtype):
    shares, a, b = random_pairs(20, 9, seed=7)
    half = shares.to(dtype)
    terms = attribute_prior(half, a, b, GROUPS)
    for name, values in attribute_prior(half.float(), a, b, GROUPS).items():
        torch.testing.assert_close(terms[name], values)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for name, values in attribute_prior(half.float(), a, b, GROUPS).items():
            torch.testing.assert_close(terms[name], values)
    assert metric_distillation(half.sum(1), half)["gap"].dtype == torch.float32


def test_losses_are_registered_by_name():
    assert losses["metric_distillation"] is MetricDistillationLoss
    assert losses["attribute_prior"] is AttributePriorLoss


def test_bad_input_is_named():
    with pytest.raises(InputError, match="did you mean 'mean'"):
        MetricDistillationLoss("meen")
    with pytest.raises(InputError, match="form of the decomposition"):
        metric_distillation(torch.ones(2), torch.ones(2, 3), "product")
    with pytest.raises(InputError, match="gate is -1"):
        metric_distillation(torch.ones(2), torch.ones(2, 3), gate=-1)
    with pytest.raises(InputError, match=r"expected \(P,\) and \(P, M\)"):
        metric_distillation(torch.ones(3), torch.ones(2, 3))
    ones = torch.ones(2, 3)
    with pytest.raises(InputError, match=r"expected \(P, M\) three times"):
        attribute_prior(ones, ones, torch.ones(2, 4))
    with pytest.raises(InputError, match="position 3; expected 0 to 2"):
        attribute_prior(ones, ones, ones, [[0, 3]])
    with pytest.raises(InputError, match="alpha is 0"):
        attribute_prior(ones, ones, ones, alpha=0)
