"""Figures and pages: what they show, that they are self-contained, and how they are written."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from figure_layout import apart, inside
from made_explanations import market_explanation
from matplotlib.figure import Figure
from PIL import Image
from toy_interpreter import noisy, plain, toy_explainer

from torchreid_amd.account.account import Account, Row
from torchreid_amd.attributes.parts import HEAD, LOWER, PARTS, REST, UPPER
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.core.errors import InputError
from torchreid_amd.explanation.explanation import Explanation
from torchreid_amd.explanation.report.account_figure import parts_picture
from torchreid_amd.explanation.report.layout import COLOURS, FRAMES, shorten, text_width, wrap
from torchreid_amd.explanation.report.overlay import Scale, shared_scale, thumbnail, tint
from torchreid_amd.explanation.report.page import picture_uri
from torchreid_amd.explanation.report.text import number, percent, short_names


def _axes(figure: Figure, label: str) -> list[Any]:
    return [a for a in figure.axes if str(a.get_label()).startswith(label)]


@pytest.mark.parametrize("signed", [False, True])
def test_pair_figure_shows_every_contribution(signed: bool) -> None:
    e = market_explanation(signed)
    figure = e.plot()
    (bars,) = _axes(figure, "bars")
    widths = [p.get_width() for p in bars.patches]
    listed = [k for k in e.order() if abs(e.shares[k]) >= 0.005]  # not the last: 1 of 351
    assert len(listed) == 25 and widths == pytest.approx(e.contributions[listed])  # sorted, signed
    low, high = bars.get_xlim()
    assert low <= min(0, min(widths)) and max(widths) <= high
    names = [t.get_text() for t in bars.get_yticklabels()]
    assert names == [e.schema.say(e.attributes[k]) for k in listed]
    line = next(x for x in bars.lines if x.get_linestyle() == "--")
    assert line.get_xdata()[0] == pytest.approx(9.0 / 26)  # the uniform share of what is explained
    faces = Counter(p.get_facecolor() for p in bars.patches)
    assert sorted(faces.values()) == sorted(Counter(e.exclusive[listed].tolist()).values())
    shown = " ".join(t.get_text() for t in figure.texts)
    assert "Euclidean distance 10.0 (torchreid prints its square, 100)" in shown
    assert "do not explain: 10\u00a0% (residual 1.00)" in shown
    legend = [t.get_text() for t in figure.legends[0].get_texts()]
    assert any("exclusive" in t for t in legend) and any("even split, 3.8\u00a0%" in t for t in legend)


def test_an_exact_decomposition_shows_its_remainder() -> None:
    e = dataclasses.replace(market_explanation(signed=True), remainder=1.0, residual=0.0)
    figure = e.plot()
    (bars,) = _axes(figure, "bars")
    assert [p.get_width() for p in bars.patches][-1] == 1.0 and len(bars.patches) == 26
    assert bars.get_yticklabels()[-1].get_text() == "shared remainder"
    column = [t.get_text() for t in bars.texts]
    first = e.order()[0]
    assert (
        percent(e.contributions[first] / 10) in column and "10\u00a0%" in column and "of distance" in column
    )
    assert not any("even split" in t.get_text() for t in figure.legends[0].get_texts())
    assert "belongs to no attribute: 10 % (1.00); sum exact." in e.summary()
    assert "adds 7.3 % of the distance" in e.summary()  # 9 · 26 / 321 of 10, with a plain space
    assert e.to_dict()["remainder"] == 1.0


def test_pair_figure_has_photographs_and_overlays_on_one_scale() -> None:
    e = market_explanation()
    figure = e.plot(top=4)
    assert len(_axes(figure, "photograph")) == 2
    assert len(_axes(figure, "map A")) == len(_axes(figure, "map B")) == 4
    (scale,) = _axes(figure, "colour scale")
    tops = [e.attributes[k] for k in e.order()[:4]]
    sizes = [(128, 64), (200, 300)]
    values = [e.map(s, a, sizes[s]) for s in (0, 1) for a in tops]
    assert scale.get_xlim() == pytest.approx((min(v.min() for v in values), max(v.max() for v in values)))
    for axes, image in zip(_axes(figure, "photograph"), e.images, strict=True):
        box = axes.get_window_extent()
        assert box.width / box.height == pytest.approx(image.width / image.height, rel=0.01)  # undistorted
    assert len(_axes(e.plot(top=0), "map")) == 0 and len(_axes(e.plot(top=99), "map A")) == 26


def test_figure_without_labels_is_grey_and_says_nothing_of_them() -> None:
    figure = market_explanation(labels=False).plot()
    (bars,) = _axes(figure, "bars")
    assert len({p.get_facecolor() for p in bars.patches}) == 1
    assert not any("exclusive" in t.get_text() for t in figure.legends[0].get_texts())


def _check_layout(figure: Figure) -> None:
    """Everything inside the figure, and nothing over anything else."""
    boxes = inside(figure)
    boxes += [a.get_window_extent() for a in figure.axes if a.get_label() != "bars"]
    boxes += [a.get_tightbbox() for a in _axes(figure, "bars")]
    boxes += [legend.get_window_extent() for legend in figure.legends]
    apart(boxes)


def test_nothing_overlaps() -> None:
    names = ("folder/" * 20 + "a.jpg", "b $x_1$ <&> \n c.jpg")
    _check_layout(market_explanation(names=names).plot())
    gallery = [noisy(s, (100, 90)) for s in range(12)]
    _check_layout(toy_explainer().explain_ranking(noisy(20), gallery, topk=11, same=[True] * 12).plot())


@pytest.mark.parametrize("count", [1, 2, 60])
def test_figures_for_few_and_many_attributes(count: int, tmp_path: Path) -> None:
    schema = AttributeSchema("n", tuple(f"a rather long attribute name number {k}" for k in range(count)))
    maps = np.ones((count, 1, 1), np.float32)
    parts = np.full(count, 1 / count)
    e = Explanation(
        1.0, "cosine", parts, parts, 0.0, schema, (maps, maps), (plain(1, size=(1, 1)), plain(2)), ("A", "B")
    )
    _check_layout(e.plot(tmp_path / "n.png"))
    assert Image.open(tmp_path / "n.png").width > 800
    assert "Cosine distance 1.00." in e.to_html()


def _account(distance: float, *values: tuple[str, str, float, str]) -> Account:
    rows = tuple(
        Row(part, what, value, value / distance, (), words or part) for part, what, value, words in values
    )
    regions = np.full((8, 4), PARTS.index(REST), np.int8)
    regions[1:4, 1:3] = PARTS.index(UPPER)
    return Account(distance, "euclidean", rows, (regions, regions))


def test_a_pair_figure_leads_with_the_whole_distance() -> None:
    account = _account(
        10.0,
        (UPPER, "upper-body colour", 6.0, "red against blue upper body"),
        (UPPER, "", 2.0, "the rest of the upper body"),
        (HEAD, "", -1.0, ""),
        (LOWER, "", 0.2, ""),  # within the error
        (REST, "", 2.8, "pose, build, camera and background"),
    )
    figure = dataclasses.replace(market_explanation(), account=account).plot(top=2)
    _check_layout(figure)
    (bar,) = _axes(figure, "account")
    # what adds is 11: the head takes 1 away and is named below the bar
    assert [p.get_width() for p in bar.patches] == pytest.approx([6 / 11, 2 / 11, 0.2 / 11, 2.8 / 11])
    assert [t.get_text() for t in bar.texts if t.get_text()] == [
        "red against blue upper body 60\u00a0%",
        "the rest 20\u00a0%",
        "pose, build, camera and background 28\u00a0%",
    ]
    shown = [t.get_text() for t in figure.texts]
    assert {
        "upper body 80\u00a0%",
        "head −10\u00a0%",
        "lower body 2.0\u00a0%",
        "rest of the picture 28\u00a0%",
    } <= set(shown)
    (note,) = (t for t in shown if t.startswith("by swapping"))
    assert "within the error of 5.0\u00a0%" in note and "brings them nearer: head −10\u00a0%" in note
    assert len(_axes(figure, "parts")) == 2 and len(_axes(figure, "map A")) == 2


@pytest.mark.parametrize("sizes", [((64, 128), (64, 128)), ((300, 100), (40, 100))])
def test_a_figure_of_a_model_alone_is_filled(sizes: tuple[tuple[int, int], tuple[int, int]]) -> None:
    account = _account(10.0, (UPPER, "", 6.0, ""), (LOWER, "", 0.3, ""), (REST, "", 3.7, "pose and build"))
    none, maps = np.zeros(0), np.zeros((0, 1, 1), np.float32)
    images = (noisy(1, sizes[0]), noisy(2, sizes[1]))
    e = Explanation(
        10.0, "euclidean", none, none, 0.0, AttributeSchema("none", ()), (maps, maps), images,
        ("folder/" * 30 + "a.jpg", "b.jpg"), account=account,
    )  # fmt: skip
    figure = e.plot()
    _check_layout(figure)
    rows = _axes(figure, "part")[-3:]
    assert [row.patches[0].get_width() for row in rows] == [6.0, 3.7, 0.3]  # the largest first
    shown = [t.get_text() for t in figure.texts]
    assert {"60\u00a0%", "37\u00a0%", "3.0\u00a0%", "within the error", "pose and build"} <= set(shown)
    for side in "AB":
        (photograph,), (parts,) = _axes(figure, f"photograph {side}"), _axes(figure, f"parts {side}")
        assert photograph.get_window_extent().size == pytest.approx(parts.get_window_extent().size)
    right = max(axes.get_window_extent().x1 for axes in figure.axes)
    assert right > 0.95 * figure.bbox.x1
    same = dataclasses.replace(e, distance=0.0).plot()
    _check_layout(same)
    assert {axes.get_label() for axes in same.axes} == {"photograph A", "photograph B"}
    assert any("nothing to explain" in t.get_text() for t in same.texts)


def test_parts_of_a_photograph_have_their_colours_and_the_rest_stays_grey() -> None:
    regions = np.full((4, 4), PARTS.index(REST), np.int8)
    regions[:, 2:] = PARTS.index(UPPER)  # #1f55c9
    seen = np.asarray(parts_picture(Image.new("RGB", (8, 8), (100, 100, 100)), regions))
    grey = 124  # 40 + 100 · 215 / 255, rounded down
    assert seen[0, 0].tolist() == [grey] * 3
    assert seen[0, 7].tolist() == [78, 104, 162]  # half of (124, 124, 124) and half of (31, 85, 201)
    assert (seen[:, 3] == 255).all() and not (seen[:, [2, 4]] == 255).any()  # the line between them


def test_figures_leave_no_global_state(tmp_path: Path) -> None:
    from matplotlib import pyplot

    market_explanation().plot(tmp_path / "pair.png")
    assert pyplot.get_fignums() == []


def test_ranking_figure(tmp_path: Path) -> None:
    explainer = toy_explainer()
    r = explainer.explain_ranking(
        noisy(0), [noisy(s) for s in range(1, 14)], topk=12, same=[True, False, None] + [False] * 10
    )
    figure = r.plot(tmp_path / "ranking.png", top=2)
    photographs = _axes(figure, "photograph")
    assert len(photographs) == 13  # query and twelve
    frames = [a.spines["top"].get_edgecolor() for a in photographs[1:]]
    from matplotlib.colors import to_rgba

    assert frames == [to_rgba(FRAMES[m]) for m in r.matches]
    assert len(_axes(figure, "account")) == 12
    explainer.account = False
    plain_ranking = explainer.explain_ranking(noisy(0), [noisy(s) for s in range(1, 14)], topk=12)
    assert len(_axes(plain_ranking.plot(top=2), "share")) == 24
    texts = [t.get_text() for t in figure.texts]
    for e in r:
        assert any(t.endswith(number(e.distance)) for t in texts)
    assert "The nearest 12 of 13" in " ".join(texts) and (tmp_path / "ranking.png").stat().st_size > 10_000


def test_ranking_figure_leads_with_the_whole_distance() -> None:
    r = toy_explainer().explain_ranking(noisy(0), [noisy(1), noisy(2)], topk=2, same=[True, False])
    account = _account(
        10.0,
        (UPPER, "upper-body colour", 2.0, "red against blue upper body"),
        (LOWER, "", 0.3, ""),  # within the error
        (HEAD, "", -0.9, ""),
        (REST, "", 8.6, "pose and build"),
    )
    explained = tuple(dataclasses.replace(e, account=account, distance=10.0) for e in r)
    figure = dataclasses.replace(r, explanations=explained).plot(top=2)
    _check_layout(figure)
    bars = _axes(figure, "account")
    assert len(bars) == 2 and not _axes(figure, "share")
    assert [p.get_width() for p in bars[0].patches] == pytest.approx([2 / 10.9, 0.3 / 10.9, 8.6 / 10.9])
    shown = Counter(t.get_text().replace("\n", " ") for t in figure.texts)
    assert (shown["86\u00a0%"], shown["20\u00a0%"], shown["−9.0\u00a0%"], shown["rest of the picture"]) == (
        2,
        2,
        0,
        2,
    )
    legend = [t.get_text() for t in figure.legends[0].get_texts()]
    assert legend[2:] == ["upper body", "lower body", "head", "rest of the picture"]
    alike = dataclasses.replace(explained[0], distance=0.0)
    same = dataclasses.replace(r, explanations=(alike, explained[1])).plot()
    assert len(_axes(same, "account")) == 1  # a distance of 0 is made of nothing


def test_shared_scale_and_colours() -> None:
    assert shared_scale([np.array([1.0, 3.0]), np.array([0.5, 2.0])]) == Scale(0.5, 3.0)
    assert shared_scale([np.array([-1.0, 3.0])]) == Scale(-3.0, 3.0)
    narrow = shared_scale([np.array([0.99, 1.01])])  # a fifth of 1.01 around 1
    assert (narrow.low, narrow.high) == pytest.approx((1 - 0.101, 1 + 0.101))
    assert np.asarray(tint(np.full((2, 2), 7.0), Scale(7.0, 7.0))).shape == (2, 2, 4)
    low, high = np.asarray(tint(np.array([[0.0, 1.0]]), Scale(0.0, 1.0)))[0]
    assert low[3] == 0 and high[3] > 160
    signed = np.asarray(tint(np.array([[-1.0, 0.0, 1.0]]), Scale(-1.0, 1.0)))[0]
    assert signed[1][3] < 5 and signed[0][2] > signed[0][0] and signed[2][0] > signed[2][2]  # blue, red


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (12.34, "12.3"), (151.29, "151"), (-0.0502, "−0.0502"), (0.4, "0.400"), (1234.5, "1234"),
     (2e-5, "2.00e−05"), (3.2e7, "3.20e+07"), (float("nan"), "nan")],
)  # fmt: skip
def test_numbers_in_words(value: float, said: str) -> None:
    assert number(value) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.214, "21"), (0.043, "4.3"), (0.0004, "0.04"), (0, "0"), (-0.021, "−2.1"), (1, "100"), (1e-9, "0"),
     (-1e-9, "0")],
)  # fmt: skip
def test_percentages_in_words(share: float, said: str) -> None:
    assert percent(share) == said + "\N{NO-BREAK SPACE}%"


def test_short_names() -> None:
    assert short_names(("q/a.jpg", "g/b.jpg")) == ("a.jpg", "b.jpg")
    assert short_names(("x/q/a.jpg", "x/g/a.jpg")) == ("q/a.jpg", "g/a.jpg")
    assert short_names(("A", "B")) == ("A", "B") and short_names(("q/a.jpg", "q/a.jpg")) == ("a.jpg", "a.jpg")


def test_fitting_text_and_thumbnails() -> None:
    assert shorten("short", 8, 5) == "short"
    cut = shorten("a very long name indeed", 8, 0.8)
    assert cut.endswith("…") and text_width(cut, 8) <= 0.8
    assert shorten("folder/photograph.jpg", 8, 0.8, keep_end=True).endswith(".jpg")
    assert wrap("white upper body", 8, 0.7) == ["white upper", "body"]
    assert len(wrap("one two three four five six", 8, 0.4, lines=2)) == 2 and wrap("", 8, 1) == []
    assert thumbnail(plain(1, size=(1000, 10)), 100, 100).size == (100, 1)
    assert thumbnail(plain(1, size=(10, 10)), 100, 100).size == (10, 10)


def test_writing_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    e = market_explanation()
    with pytest.raises(InputError, match=r"names no known format; use one of .*\.png"):
        e.plot(tmp_path / "pair.xyz")
    with pytest.raises(InputError, match="names no known format"):
        e.plot(tmp_path / "pair")
    e.plot(tmp_path / "pair.SVG")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot write"):
        e.save_html(tmp_path / "file" / "pair.html")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "pair.html").write_text("before")
    monkeypatch.setattr(Path, "write_text", full)
    for write in (e.save_html, e.to_json):
        with pytest.raises(InputError, match="No space left on device"):
            write(tmp_path / "pair.html")
    monkeypatch.undo()
    assert (tmp_path / "pair.html").read_text() == "before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "pair.SVG", "pair.html"]


def test_exclusive_and_common_are_told_apart() -> None:
    assert len({COLOURS[v] for v in (1, 0, -1)}) == 3


def test_below_a_map_stands_whether_the_person_has_it_where_that_is_known() -> None:
    """A wears hat and bag and no red coat; B neither hat nor red coat, and of the bag nothing is known."""
    figure = toy_explainer().explain(noisy(1), noisy(2), [1, 0, 1], [0, 0, -1]).plot()
    shown = Counter(t.get_text() for t in figure.texts)
    assert (shown["no hat"], shown["coat not red"], shown["no bag"]) == (1, 2, 0)
    assert (shown["hat"], shown["bag"]) == (1, 1)


@pytest.mark.parametrize(("size", "kind"), [((128, 128), "png"), ((129, 128), "jpeg"), ((64, 128), "png")])
def test_small_photographs_are_kept_as_they_are(size: tuple[int, int], kind: str) -> None:
    """Twice the size of Market-1501's photographs is still small."""
    assert picture_uri(noisy(1, size)).startswith(f"data:image/{kind};base64,")
