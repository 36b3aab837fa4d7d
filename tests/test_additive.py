"""The exact decomposition: its arithmetic, its head, and what it says in reports."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from torchreid_amd import create_interpreter
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.heads.directions import Directions
from torchreid_amd.heads.recogniser import AttributeRecogniser, recognised
from torchreid_amd.interpreter.contributions import (
    contributions_between,
    contributions_matrix,
    decomposed_matrix,
    shares_of,
    unscaled_contributions,
)
from torchreid_amd.interpreter.decomposition import Decomposition
from torchreid_amd.interpreter.distances import DISTANCES

THREE = AttributeSchema("three", ("a", "b", "c"))


def drawn(rows, attributes=3, width=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, width, generator=generator), torch.randn(
        rows, attributes, width, generator=generator
    )


def literal(metric, e_i, f_i, e_j, f_j):
    """The definition, one pair and one attribute at a time, in float64."""
    e_i, f_i, e_j, f_j = (x.double() for x in (e_i, f_i, e_j, f_j))
    if metric == "cosine":
        (e_i, f_i), (e_j, f_j) = ((e / e.norm(), f / e.norm()) for e, f in ((e_i, f_i), (e_j, f_j)))
    delta = e_i - e_j
    parts = [float((f_i[k] - f_j[k]) @ delta) for k in range(len(f_i))]
    rest = float((e_i - f_i.sum(0) - e_j + f_j.sum(0)) @ delta)
    factor = {"squared_euclidean": 1.0, "cosine": 0.5, "euclidean": 1 / float(delta.norm())}[metric]
    return [p * factor for p in parts], rest * factor


def test_by_hand():
    # Δ = (3, 4), d = 5; Δ_1 = (3, 0): ⟨Δ_1, Δ⟩ = 9, Δ_2 = (0, −1): −4, the rest (0, 5): 20
    a = torch.tensor([[3.0, 4.0]]), torch.tensor([[[3.0, 0.0], [0.0, -1.0]]])
    b = torch.zeros(1, 2), torch.zeros(1, 2, 2)
    parts, rest = contributions_between(DISTANCES["squared_euclidean"], "additive", a, b)
    assert parts.tolist() == [[9.0, -4.0]] and rest.tolist() == [20.0]
    parts, rest = contributions_between(DISTANCES["euclidean"], "additive", a, b)
    torch.testing.assert_close(parts, torch.tensor([[1.8, -0.8]]))
    torch.testing.assert_close(rest, torch.tensor([4.0]))
    torch.testing.assert_close(shares_of(parts), torch.tensor([[9 / 13, 4 / 13]]))


@pytest.mark.parametrize("metric", DISTANCES)
def test_sum_is_the_distance_and_the_definition_holds(metric):
    distance, a, b = DISTANCES[metric], drawn(4), drawn(6, seed=1)
    block = [(e, f.transpose(0, 1)) for e, f in (a, b)]
    parts, rest = contributions_matrix(distance, "additive", *block)
    torch.testing.assert_close(parts.sum(0) + rest, distance.matrix(a[0], b[0]), rtol=1e-5, atol=1e-6)
    for i in range(4):
        for j in range(6):
            wanted, left = literal(metric, a[0][i], a[1][i], b[0][j], b[1][j])
            torch.testing.assert_close(parts[:, i, j], torch.tensor(wanted), rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(rest[i, j], torch.tensor(left), rtol=1e-4, atol=1e-5)
    pairs, left = contributions_between(distance, "additive", (a[0], a[1]), (b[0][:4], b[1][:4]))
    torch.testing.assert_close(pairs, parts[:, range(4), range(4)].T, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(left, rest[range(4), range(4)], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", ["mean", "sum"])
def test_other_forms_have_no_remainder(form):
    a, b = drawn(3), drawn(3, seed=1)
    distance = DISTANCES["euclidean"]
    parts, rest = contributions_between(distance, form, a, b)
    torch.testing.assert_close(parts, (a[1] - b[1]).norm(dim=2) / (3 if form == "mean" else 1))
    assert not rest.any()
    block = [(e, f.transpose(0, 1)) for e, f in (a, b)]
    matrix, none = contributions_matrix(distance, form, *block)
    torch.testing.assert_close(matrix[:, range(3), range(3)].T, parts, rtol=1e-4, atol=1e-5)
    assert not none.any()


def test_directions_are_those_of_ridge_regression():
    rng = np.random.default_rng(0)
    labels = (rng.random((60, 4)) < 0.4).astype(int)
    embedding = labels @ rng.normal(size=(4, 7)) + 0.1 * rng.normal(size=(60, 7)) + 3
    directions = Directions(4, 7, penalty=2 / 60)
    assert not directions().any()
    for rows in (slice(0, 25), slice(25, 60)):
        directions.update(torch.from_numpy(labels[rows]), torch.from_numpy(embedding[rows]))
    # ridge regression as ordinary least squares with √penalty · identity as further rows
    a, e = labels - labels.mean(0), embedding - embedding.mean(0)
    rows = np.vstack([a, np.sqrt(2.0) * np.eye(4)]), np.vstack([e, np.zeros((4, 7))])
    slow = np.linalg.lstsq(*rows, rcond=None)[0]
    np.testing.assert_allclose(directions().numpy(), slow, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(directions.rates.numpy(), labels.mean(0))


def test_an_unknown_label_counts_as_the_mean():
    directions = Directions(2, 1)
    directions.update(torch.tensor([[1, 0], [0, 1]]), torch.tensor([[1.0], [2.0]]))
    directions.update(torch.tensor([[-1, 1]]), torch.tensor([[5.0]]))
    np.testing.assert_allclose(directions.rates.numpy(), [0.5, 2 / 3])


def test_recognition_is_a_soft_maximum():
    scores = torch.full((1, 2, 4, 2), -8.0)
    scores[0, 1, 2, 1] = 4.0
    odds = recognised(scores)[0]
    assert odds[0] == pytest.approx(-8.0) and odds[1] == pytest.approx(4 - np.log(8) / 3, abs=1e-3)


@pytest.fixture(scope="module")
def taught():
    """A few steps on images whose attribute "a" is a bright square in a known corner."""
    torch.manual_seed(0)
    interpreter = create_interpreter(host.build_model("osnet_x0_25", num_classes=3), "additive", THREE)
    optimizer = torch.optim.Adam([p for p in interpreter.parameters() if p.requires_grad], lr=3e-3)
    interpreter.train()
    for step in range(40):
        images, labels = squares(16, step)
        loss = sum(interpreter.head.loss(interpreter.target, images, labels).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return interpreter.eval(), float(loss.detach())


def squares(count, seed):
    generator = torch.Generator().manual_seed(seed)
    images = 0.3 * torch.randn(count, 3, 128, 64, generator=generator)
    labels = torch.randint(0, 2, (count, 3), generator=generator)
    images[:, 0, 16:40, 8:32] += 3.0 * labels[:, 0, None, None]
    images[:, 2, 80:104, 32:56] += 3.0 * labels[:, 1, None, None]
    labels[:, 2] = -1
    return images, labels


def test_it_learns_what_and_where(taught):
    interpreter, loss = taught
    assert loss < 0.4
    images, labels = squares(8, 1000)
    with torch.no_grad():
        out = interpreter(images)
    assert out.maps.shape == (8, 3, 32, 16) and (out.maps > 0).all() and (out.maps <= 1).all()
    for k, (top, left) in enumerate([(16, 8), (80, 32)]):
        for n in labels[:, k].nonzero().flatten():
            place = out.maps[n, k].argmax().item()
            row, column = 4 * (place // 16) + 2, 4 * (place % 16) + 2
            assert top - 8 <= row <= top + 32 and left - 8 <= column <= left + 32


@pytest.mark.parametrize("metric", DISTANCES)
def test_an_explanation_adds_up(taught, metric):
    interpreter, _ = taught
    with torch.no_grad():
        out = interpreter(squares(8, 7)[0])
    pair = interpreter.compare(out, out[[1, 2, 3, 4, 5, 6, 7, 0]], metric)
    assert interpreter.form == "additive"
    rounding = 3e-7 if metric == "cosine" else 0  # of 1 − cos itself
    assert (pair.residual.abs() <= 1e-5 * pair.distance + rounding).all()
    torch.testing.assert_close(pair.contributions.sum(1) + pair.remainder + pair.residual, pair.distance)
    torch.testing.assert_close(pair.shares, shares_of(pair.contributions))
    back = interpreter.compare(out[[1, 2, 3, 4, 5, 6, 7, 0]], out, metric)
    torch.testing.assert_close(pair.contributions, back.contributions)
    same = interpreter.compare(out, out, metric)
    assert not same.contributions.any() and not same.remainder.any()


def test_a_head_of_the_paper_can_be_read_additively():
    torch.manual_seed(0)
    interpreter = create_interpreter(
        host.build_model("osnet_x0_25", num_classes=3), "amd", THREE, form="additive"
    )
    nn.init.normal_(interpreter.head.decomposition.project.weight, std=0.1)
    with torch.no_grad():
        out = interpreter(squares(4, 0)[0])
    pair = interpreter.compare(out[[0, 1]], out[[2, 3]])
    assert (pair.residual.abs() <= 1e-5 * pair.distance).all() and pair.remainder.abs().min() > 0


@pytest.mark.parametrize(
    ("size", "grid"), [((256, 128), (32, 16)), ((160, 64), (40, 16)), ((128, 64), (32, 16))]
)
def test_maps_have_about_32_rows_whatever_the_image(taught, size, grid):
    with torch.no_grad():
        assert taught[0](torch.zeros(1, 3, *size)).maps.shape[2:] == grid


def test_the_target_is_left_alone(taught):
    interpreter, _ = taught
    torch.manual_seed(0)
    fresh = host.build_model("osnet_x0_25", num_classes=3).state_dict()
    state = interpreter.target.model.state_dict()
    assert all(torch.equal(v, fresh[k]) for k, v in state.items())
    assert all(p.grad is None for p in interpreter.target.model.parameters())


def test_normalised_embeddings_stay_exact(taught):
    interpreter, _ = taught
    with torch.no_grad():
        out: Decomposition = interpreter(squares(4, 3)[0]).normalized()
    pair = interpreter.compare(out[[0, 1]], out[[2, 3]])
    assert (pair.residual.abs() <= 1e-5 * pair.distance).all()
    torch.testing.assert_close(pair.distance, (out.embedding[:2] - out.embedding[2:]).norm(dim=1))


PAIRED = AttributeSchema("paired", ("a", "b", "c", "d"), groups={"colour": ("b", "d")})


def grafted(schema=PAIRED, **options):
    torch.manual_seed(0)
    return create_interpreter(host.build_model("osnet_x0_25", num_classes=3), "additive", schema, **options)


def test_strengths_of_a_group_compete_with_none_of_them():
    head = grafted(sharpness=2.0, readout=0.0).eval().head
    odds = torch.randn(5, 4, generator=torch.Generator().manual_seed(1)) * 3
    embedding = torch.randn(5, 512)
    strengths = head.strengths(odds, embedding)
    for row, found in zip((2 * odds).tolist(), strengths.tolist(), strict=True):
        e = [math.exp(x) for x in row]
        whole = 1 + e[1] + e[3]
        assert found == pytest.approx([e[0] / (1 + e[0]), e[1] / whole, e[2] / (1 + e[2]), e[3] / whole])
    alone = grafted(sharpness=2.0, readout=0.0, groups=[]).eval().head.strengths(odds, embedding)
    torch.testing.assert_close(alone, torch.sigmoid(2 * odds))
    assert torch.isfinite(head.strengths(torch.full((1, 4), 500.0), embedding[:1])).all()


def test_the_readout_adds_its_log_odds():
    head = grafted(THREE, sharpness=1.0, readout=0.5).eval().head
    with torch.no_grad():
        head.readout.bias.copy_(torch.tensor([0.5, 0.8, 7.0]))
        strengths = head.strengths(torch.tensor([[1.0, 1.0, 1.0]]), torch.zeros(1, 512))[0]
    read = [0.0, math.log(0.8 / 0.2), math.log(0.999 / 0.001)]
    wanted = [1 / (1 + math.exp(-1 - 0.5 * r)) for r in read]
    assert strengths.tolist() == pytest.approx(wanted, rel=1e-4)


def test_the_readout_becomes_ridge_regression():
    """Trained to the end on one batch it is the closed form, on embeddings of variance 1."""
    interpreter = grafted(THREE).train()
    interpreter.head.eye.eval()
    images, labels = squares(24, 5)
    labels[:, 2] = 1 - labels[:, 0]
    readout = interpreter.head.readout
    optimizer = torch.optim.LBFGS(readout.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = interpreter.head.loss(interpreter.target, images, labels)["readout"]
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        embedding = interpreter.target(images).double()
        scaled = (embedding - embedding.mean(0)) / (embedding.var(0, unbiased=False) + 1e-5).sqrt()
        apart = labels.double() - labels.double().mean(0)
        square = scaled.T @ scaled + 2.0 * 24 * torch.eye(512, dtype=torch.float64)
        slow = torch.linalg.solve(square, scaled.T @ apart)
        torch.testing.assert_close(readout.weight.double(), slow.T, atol=2e-4, rtol=0)
        torch.testing.assert_close(readout.bias.double(), labels.double().mean(0), atol=2e-3, rtol=0)


def test_places_where_an_attribute_is_usually_seen_are_favoured():
    eye = grafted().head.eye.eval()
    levels = [torch.zeros(1, look[0].num_features, 32, 16) for look in eye.looks]
    before = eye(levels).detach()
    scores = torch.full((2, 4, 32, 16), -9.0)
    scores[0, 1, 5, 5] = scores[1, 3, 20, 8] = 9.0
    labels = torch.tensor([[0, 1, 0, 0], [0, 0, 0, 1]])
    for _ in range(400):
        eye.remember(scores, labels)
    change = eye(levels).detach() - before
    assert not change[0, [0, 2]].any()  # nobody had them
    torch.testing.assert_close(change[0, 1], change[0, 3])  # they exclude each other and share their places
    assert change[0, 1, 5, 5] == pytest.approx(0, abs=1e-5) == change[0, 1, 20, 8]
    assert change[0, 1, 0, 0] == pytest.approx(math.log(0.02), abs=1e-3)
    plain = grafted(places=False).head.eye.eval()
    one = plain(levels)
    plain.remember(scores, labels)
    torch.testing.assert_close(plain(levels), one)


def test_unknown_labels_teach_nothing():
    interpreter = grafted()
    images, _ = squares(6, 3)
    labels = torch.ones(6, 4, dtype=torch.int64)
    labels[:, 1:] = -1
    sum(interpreter.head.loss(interpreter.target, images, labels).values()).backward()
    for weight in (interpreter.head.eye.score.weight, interpreter.head.readout.weight):
        assert weight.grad[0].any() and not weight.grad[1:].any()


def test_fewer_levels_are_the_coarsest():
    all_of_them, one = grafted(), grafted(levels=1)
    images = torch.zeros(1, 3, 128, 64)
    shapes = [f.shape for f in all_of_them.target.levels(images)[0]]
    assert len(all_of_them.head.eye.looks) == len(shapes) > 1 == len(one.head.eye.looks)
    assert one(images).maps.shape[2:] == shapes[-1][2:]


@pytest.mark.parametrize(("channels", "pace"), [(64, 1.0), (128, 1.0), (512, 0.25)])
def test_maps_of_many_channels_count_no_more_than_fine_ones(channels, pace):
    torch.manual_seed(0)
    levels = [torch.randn(2, channels, 8, 4)]
    eye = AttributeRecogniser(levels, torch.eye(5, dtype=torch.bool), width=5).eval()
    eye.merged, eye.score = nn.Identity(), nn.Identity()
    torch.testing.assert_close(eye(levels), pace * eye.looks[0](levels[0]))


@pytest.mark.parametrize("option", [{"levels": -1}, {"readout": -0.5}, {"penalty": 0.0}])
def test_senseless_options_are_refused(option):
    with pytest.raises(InputError, match=f"{next(iter(option))}={next(iter(option.values()))}"):
        grafted(**option)


def test_the_recognition_loss_weighs_a_rare_yes_by_its_rarity():
    """A "yes" of an attribute of rate r weighs √((1 − r)/r), between 1 and √20; a "no" weighs 1."""
    interpreter = grafted(levels=1)
    head, target = interpreter.head.eval(), interpreter.target
    images, _ = squares(4, 3)
    labels = torch.tensor([[1, 1, 1, 0], [0, 1, -1, 0], [0, 1, 0, 0], [0, 0, 0, -1]])
    # a hundred others: the second attribute is common, the third rare, the last one nobody has
    before = torch.zeros(100, 4, dtype=torch.int64)
    before[:25, 0], before[:70, 1], before[:1, 2] = 1, 1, 1
    head.directions.update(before, torch.zeros(100, head.directions.embeddings.numel()))
    # of 104 then: (25 + 1), (70 + 3), (1 + 1 + 0.01) for a label that is unknown, and 0
    rates = [26 / 104, 73 / 104, 2.01 / 104, 0.0]
    levels, features = target.levels(images)
    odds = recognised(head.eye(levels[-1:])).detach().double()
    with torch.no_grad():
        read = head.readout(head.scaled(target.tail(features))).double()
    losses, missed = [], []
    for i in range(4):
        for k, rate in enumerate(rates):
            y = int(labels[i, k])
            weight = min(20.0, max(1.0, (1 - rate) / max(rate, 1e-3))) ** 0.5
            p = 1 / (1 + math.exp(-float(odds[i, k])))
            if y >= 0:
                losses.append(-weight * math.log(p) if y else -math.log(1 - p))
                missed.append((float(read[i, k]) - y) ** 2)
    found = head.loss(target, images, labels)
    np.testing.assert_allclose(head.directions.rates.numpy(), rates)
    assert found["recognition"].item() == pytest.approx(sum(losses) / len(losses), rel=1e-4)
    shrunk = 2.0 * head.readout.weight.square().sum().item() / 4
    assert found["readout"].item() == pytest.approx(sum(missed) / len(missed) + shrunk, rel=1e-4)


def test_directions_take_an_unknown_label_as_the_mean_so_far():
    """Two people with and two without it, 2 apart; three unknown ones at the mean change the slope alone.

    Sums over all 7: Σa² = 2 + 3 · ¼, Σa = 3½, so Σ(a − ā)² = 2.75 − 3.5²/7 = 1; Σ(a − ā)(e − ē) = 2.
    With the penalty of 0.02 · 7 the direction is 2 / 1.14. As "no" it would be about 1.2.
    """
    directions = Directions(1, 1)
    directions.update(torch.tensor([[1], [0], [0], [1]]), torch.tensor([[2.0], [0.0], [0.0], [2.0]]))
    directions.update(torch.full((3, 1), -1), torch.ones(3, 1))
    assert directions().item() == pytest.approx(2 / 1.14)


@pytest.mark.parametrize("metric", ["euclidean", "squared_euclidean", "cosine"])
def test_unscaled_contributions_lack_a_factor_and_sums_have_it(metric: str):
    generator = torch.Generator().manual_seed(0)
    query, gallery = (
        (torch.rand(n, 4, generator=generator), torch.rand(2, n, 4, generator=generator)) for n in (3, 5)
    )
    for form in ("mean", "sum", "additive"):
        found, rest, scale = unscaled_contributions(DISTANCES[metric], form, query, gallery)
        expected, expected_rest = contributions_matrix(DISTANCES[metric], form, query, gallery)
        torch.testing.assert_close(found * scale, expected)
        torch.testing.assert_close(rest, expected_rest)
        whole = decomposed_matrix(DISTANCES[metric], form, query, gallery)
        torch.testing.assert_close(whole, expected.sum(0) + expected_rest)


def test_nothing_contributes_to_no_distance():
    # e(i) = e(j) = (0, 2) though components differ: the first pair's are all 0 and so rank as they stand
    one = (torch.tensor([[0.0, 2.0], [4.0, 2.0]]), torch.tensor([[[0.0, 4.0], [4.0, 2.0]]]))
    other = (torch.tensor([[0.0, 2.0], [2.0, 4.0]]), torch.tensor([[[8.0, 0.0], [2.0, 4.0]]]))
    found, _, scale = unscaled_contributions(DISTANCES["euclidean"], "additive", one, other)
    assert scale[0, 0] == 0 and found[0, 0, 0] == 0 and (scale.view(-1)[1:] > 0).all()
