"""Laws of accounts: Shapley values, swaps, and what a part's value is divided among."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from toy_interpreter import noisy, plain, toy_explainer

import torchreid_amd as amd
from torchreid_amd.account.accountant import Accountant, account_values
from torchreid_amd.account.division import entries_of, rows_of
from torchreid_amd.account.segmentation import divide
from torchreid_amd.account.swapping import COLOUR, OTHER, Player, Swaps, players_of
from torchreid_amd.attributes.parts import CARRIED, HEAD, LOWER, PARTS, REST, UPPER
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.attributes.sets import market1501
from torchreid_amd.explanation.report.lead import lead
from torchreid_amd.explanation.report.pieces import pieces, region_name
from torchreid_amd.interpreter.distances import get_distance

FOUR = (UPPER, LOWER, HEAD, REST)
SQUARED = get_distance("squared_euclidean")


def halves():
    """(8, 4): the upper body above, the lower body below."""
    regions = np.full((8, 4), PARTS.index(LOWER), np.int8)
    regions[:4] = PARTS.index(UPPER)
    return regions


def two_colours(above, below):
    picture = np.zeros((8, 4, 3), np.uint8)
    picture[:4], picture[4:] = above, below
    return picture


def by_half(pixels):
    """(N, 6): the mean colour of either half, 1 is white."""
    values = torch.from_numpy(pixels).double() / 255
    return torch.cat([values[:, :4].mean((1, 2)), values[:, 4:].mean((1, 2))], 1)


def test_players_of_parts_and_colours():
    assert players_of(FOUR) == (Player(UPPER), Player(LOWER), Player(HEAD), Player(REST))
    assert players_of([REST, UPPER, LOWER], [UPPER]) == (
        Player(UPPER, COLOUR),
        Player(UPPER, OTHER),
        Player(LOWER),
        Player(REST),
    )


@pytest.mark.parametrize("colours", [(), (UPPER,), (UPPER, LOWER)])
def test_nobody_swapped_is_a_and_everybody_is_b(colours):
    a, b = (np.asarray(noisy(seed, (16, 32))) for seed in (1, 2))
    parts = [np.random.default_rng(s).integers(0, 5, (32, 16)).astype(np.int8) for s in (3, 4)]
    players = players_of(PARTS, colours)
    swaps = Swaps(a, b, *parts, players)
    everybody = (1 << len(players)) - 1
    for side, own, other in ((0, a, b), (1, b, a)):
        assert (swaps.picture(side, 0) == own).all() and (swaps.picture(side, everybody) == other).all()
    # the rest alone: B, but every part of it looks as on A
    rest = swaps.picture(0, 1 << (len(players) - 1))
    shown = parts[1] != PARTS.index(REST)
    assert (rest[~shown] == b[~shown]).all() and (rest[shown] != b[shown]).any()


def test_a_swapped_part_keeps_its_outline_and_takes_the_other_look():
    a, b = np.zeros((8, 4, 3), np.uint8), np.full((8, 4, 3), 50, np.uint8)
    here, there = np.full((2, 8, 4), PARTS.index(REST), np.int8)
    here[1:3, 1:3], there[4:8, 0:4] = PARTS.index(UPPER), PARTS.index(UPPER)
    b[4:6], b[6:8] = 100, 200  # two rows scaled onto one
    picture = Swaps(a, b, here, there, players_of([UPPER])).picture(0, 1)
    expected = a.copy()
    expected[1, 1:3], expected[2, 1:3] = 100, 200
    assert (picture == expected).all()


def test_a_part_that_only_one_shows_comes_with_its_own_outline():
    a, b = np.zeros((8, 4, 3), np.uint8), np.full((8, 4, 3), 50, np.uint8)
    here, there = np.full((2, 8, 4), PARTS.index(REST), np.int8)
    there[2:4, 1] = PARTS.index(CARRIED)
    swaps = Swaps(a, b, here, there, players_of([CARRIED]))
    come, gone = swaps.picture(0, 1), swaps.picture(1, 1)
    assert (come[2:4, 1] == 50).all() and come.sum() == 2 * 3 * 50
    assert (gone[2:4, 1] == 0).all() and (gone == 0).sum() == 2 * 3


def test_colour_and_the_rest_of_a_garment_are_swapped_apart():
    a, b = np.zeros((2, 8, 4, 3), np.uint8)
    a[::2], a[1::2], b[:, ::2], b[:, 1::2] = 100, 120, 40, 60  # stripes across, stripes along
    upper = np.full((8, 4), PARTS.index(UPPER), np.int8)
    swaps = Swaps(a, b, upper, upper, players_of([UPPER], [UPPER]))
    colour, other = swaps.picture(0, 1), swaps.picture(0, 2)
    assert colour.mean() == pytest.approx(50, abs=0.6) and (np.diff(colour[:, 0, 0].astype(int)) != 0).all()
    assert other.mean() == pytest.approx(110, abs=0.6) and (np.diff(other[0, :, 0].astype(int)) != 0).all()


def test_an_additive_target_gives_each_half_its_own():
    # squared distance of the halves' mean colours: 0.6² · 3 = 1.08 above, 0.4² · 3 = 0.48 below
    a, b = two_colours(204, 51), two_colours(51, 153)
    values = account_values(by_half, SQUARED, (a, b), (halves(), halves()), players_of(FOUR)).values
    np.testing.assert_allclose(values, [1.08, 0.48, 0, 0], atol=1e-9)


def test_a_target_that_sees_only_the_upper_half_gives_it_everything():
    a, b = two_colours(204, 51), two_colours(51, 153)
    plain_distance = get_distance("euclidean")
    found = account_values(
        lambda pixels: by_half(pixels)[:, :3], plain_distance, (a, b), (halves(), halves()), players_of(FOUR)
    )
    np.testing.assert_allclose(found.values, [0.6 * 3**0.5, 0, 0, 0], atol=1e-9)


@pytest.mark.parametrize("metric", ["euclidean", "squared_euclidean", "cosine"])
def test_values_add_up_are_symmetric_and_zero_for_a_photograph_against_itself(metric):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(8 * 4 * 3, 5), nn.Tanh()).double()

    @torch.no_grad()
    def embed(pixels):
        return network(torch.from_numpy(pixels).double() / 255)

    distance, players = get_distance(metric), players_of(PARTS, (UPPER,))
    a, b = (np.array(noisy(seed, (4, 8))) for seed in (1, 2))
    regions = [np.random.default_rng(s).integers(0, 5, (8, 4)).astype(np.int8) for s in (3, 4)]
    whole = float(distance.between(embed(a[None]), embed(b[None])))
    there = account_values(embed, distance, (a, b), (regions[0], regions[1]), players).values
    back = account_values(embed, distance, (b, a), (regions[1], regions[0]), players).values
    assert there.sum() == pytest.approx(whole, rel=1e-9) and np.abs(there).max() > 0.01 * whole
    np.testing.assert_allclose(there, back, atol=1e-12)
    same = account_values(embed, distance, (a, a), (regions[0], regions[0]), players).values
    assert (same == 0).all() if metric != "cosine" else np.abs(same).max() < 1e-15


def figure(shirt, trousers, ground=(120, 125, 118)):
    """A person of plain colours: (128, 64, 3)."""
    picture = np.empty((128, 64, 3), np.uint8)
    picture[:] = ground
    picture[6:22, 26:38] = (200, 160, 140)
    picture[22:62, 16:48] = shirt
    picture[62:118, 20:44] = trousers
    return picture


def test_labels_that_say_no_bag_leave_nothing_carried(monkeypatch):
    asked = []

    def divided(pixels, empty_handed=False):
        asked.append(empty_handed)
        return divide(pixels, empty_handed)

    monkeypatch.setattr("torchreid_amd.account.accountant.divide", divided)
    accountant = Accountant(toy_explainer()._decomposer)
    accountant.bags = [1, 2]
    for labels in (None, [1, 0, 0], [0, 0, 1], [0, 0, -1], [0, -1, -1]):
        accountant.regions(noisy(1), None if labels is None else np.array(labels, np.int8))
    assert asked == [False, True, False, False, False]
    accountant.bags = []  # a schema without bags says nothing of them
    accountant.regions(noisy(1), np.array([0, 0, 0], np.int8))
    assert asked[-1] is False


SCHEMA = AttributeSchema(
    "toy",
    ("red", "blue", "up", "hat", "tall"),
    {"colour": ("red", "blue")},
    {"red": ("red shirt", "shirt not red"), "blue": ("blue shirt", "shirt not blue")},
    {"red": UPPER, "blue": UPPER, "up": UPPER, "hat": HEAD},
)


def test_what_accounts_name_is_groups_and_attributes_that_have_a_part():
    assert [(e.name, e.part, e.members) for e in entries_of(SCHEMA)] == [
        ("colour", UPPER, (0, 1)),
        ("up", UPPER, (2,)),
        ("hat", HEAD, (3,)),
    ]


def test_a_part_is_divided_in_the_proportion_of_weights_worked_out_by_hand():
    a, b = np.array([1, 0, 1, 0, 1], np.int8), np.array([0, 1, 1, 1, 0], np.int8)
    contributions = np.array([0.3, 0.1, 0.5, -0.2, 1.0])
    rows = rows_of({UPPER: 2.0, HEAD: 1.0, REST: 1.0}, 4.0, SCHEMA, contributions, (a, b))
    # upper body: the colours differ, 0.4 / 2 + 0.05 = 0.25 beside 0.1 for the rest; they agree in "up".
    # head: the hat differs, 0 + 0.05 beside 0.1
    assert [(r.part, r.what) for r in rows] == [
        (UPPER, "colour"),
        (UPPER, ""),
        (HEAD, "hat"),
        (HEAD, ""),
        (REST, ""),
    ]
    assert [r.contribution for r in rows] == pytest.approx([2 / 1.4, 0.8 / 1.4, 1 / 3, 2 / 3, 1.0])
    assert sum(r.share for r in rows) == pytest.approx(1)
    assert rows[0].words == "red against blue shirt" and rows[0].attributes == ("red", "blue")
    assert rows[2].words == "no hat against hat" and rows[1].words == "the rest of the upper body"


def test_without_labels_positive_contributions_divide_a_part():
    contributions = np.array([0.3, -0.1, 0.0, -0.2, 1.0])
    rows = rows_of({UPPER: 1.0, HEAD: 1.0, REST: 0.0}, 2.0, SCHEMA, contributions)
    # colour 0.2 beside 0.1 for the rest; nothing else is positive
    assert [(r.what, r.contribution) for r in rows] == [
        ("colour", pytest.approx(2 / 3)),
        ("", pytest.approx(1 / 3)),
        ("", pytest.approx(1.0)),
        ("", 0.0),
    ]
    assert rows[2].words == "head" and rows[0].attributes == ("red",)


def test_a_part_that_takes_away_is_no_attributes_and_rounding_is_zero():
    rows = rows_of({UPPER: -0.5, HEAD: 1e-16, REST: 1.5}, 1.0, SCHEMA, np.ones(5))
    assert [(r.part, r.what, r.contribution) for r in rows] == [
        (UPPER, "", -0.5),
        (HEAD, "", 0.0),
        (REST, "", 1.5),
    ]


def test_registered_sets_know_the_parts_of_their_attributes():
    schema = market1501()
    assert set(schema.parts) == set(schema.attributes)
    assert {a for a, p in schema.parts.items() if p == CARRIED} == {"backpack", "bag", "handbag"}
    again = AttributeSchema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again.parts == schema.parts and again.select(["hat"]).parts == {"hat": HEAD}
    with pytest.raises(amd.InputError, match="upper bod"):
        AttributeSchema("x", ("red",), parts={"red": "upper bod"})


class Colour(nn.Module):
    """A plain network whose embedding is the mean of a convolution."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, images):
        return self.pool(torch.relu(self.conv(images))).flatten(1)


def test_a_plain_module_is_explained_without_training():
    torch.manual_seed(0)
    explainer = amd.Explainer.from_target(Colour(), size=(64, 32))
    a, b = (
        Image.fromarray(figure(*colours))
        for colours in (((180, 30, 30), (30, 40, 150)), ((30, 40, 150),) * 2)
    )
    e = explainer.explain(a, b)
    by_part = e.account.by_part()
    assert sum(by_part.values()) == pytest.approx(e.distance, rel=1e-6)
    assert tuple(by_part) == PARTS and max(by_part, key=by_part.get) == UPPER
    assert by_part[UPPER] > 0.9 * e.distance
    assert e.attributes == () and e.remainder == pytest.approx(e.distance)
    same = explainer.explain(a, a)
    assert same.distance == 0 and set(same.account.by_part().values()) == {0.0}


def test_an_explanation_has_an_account_unless_it_is_not_wanted():
    a, b = noisy(1), noisy(2)
    e = toy_explainer().explain(a, b)
    assert sum(r.contribution for r in e.account.rows) == pytest.approx(e.distance, rel=1e-6)
    data = json.loads(json.dumps(e.to_dict()))["account"]
    assert data["by_part"] == pytest.approx(e.account.by_part())
    assert [row["words"] for row in data["rows"]] == [r.words for r in e.account.rows]
    assert e.account.region(0, UPPER).shape == (8, 4)
    without = toy_explainer(account=False).explain(a, b)
    assert without.account is None and without.to_dict()["account"] is None
    assert without.distance == e.distance


def test_accounts_of_a_batch_are_those_of_its_pairs():
    images = [noisy(seed) for seed in range(3)] + [plain(200)]
    explainer = toy_explainer()
    pairs = [(images[0], images[1]), (images[2], images[3]), (images[1], images[3])]
    together = [e.account.by_part() for e in explainer.explain_many(pairs)]
    alone = [explainer.explain(*pair).account.by_part() for pair in pairs]
    assert together == [pytest.approx(one) for one in alone]


def test_pages_figures_and_sentences_lead_with_the_account(tmp_path):
    explainer = amd.Explainer.from_target(Colour(), size=(64, 32))
    a, b = (Image.fromarray(figure(shirt, (30, 40, 150))) for shirt in ((180, 30, 30), (30, 150, 40)))
    e = explainer.explain(a, b)
    found = pieces(e)
    assert sum(p.value for p in found) == pytest.approx(e.distance, rel=1e-6)
    assert [p.part for p in found] == list(PARTS) and found[0].certain and not found[2].certain
    page = e.to_html()
    for side in "AB":
        for part in PARTS:
            assert f'id="{side}-{region_name(part)}"' in page
    assert lead(e).startswith("Above all the upper body ") and lead(e) in page
    assert e.summary().count("upper body") == 1 and "swapping parts" in e.summary()
    axes = {axes.get_label(): axes for axes in e.plot(tmp_path / "pair.png").axes}
    assert sum(bar.get_width() for bar in axes["account"].patches) == pytest.approx(1)
    assert "bars" not in axes and "bars" in {x.get_label() for x in toy_explainer().explain(a, b).plot().axes}
    same = explainer.explain(a, a)
    assert "nothing to explain" in same.summary() and "account" not in {
        x.get_label() for x in same.plot().axes
    }
    assert "nothing to explain" in same.to_html()


def test_a_ranking_without_an_interpreter_is_written_down_too():
    explainer = amd.Explainer.from_target(Colour(), size=(64, 32))
    shirts = ((180, 30, 30), (30, 150, 40), (170, 40, 30))
    images = [Image.fromarray(figure(shirt, (30, 40, 150))) for shirt in shirts]
    ranking = explainer.explain_ranking(images[0], images[1:])
    assert ranking.order == (1, 0) and "upper body" in ranking.summary()
    assert f'id="query-{region_name(UPPER)}"' in ranking.to_html()
    assert ranking.plot().axes
