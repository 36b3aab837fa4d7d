"""Figures for papers: rows of pairs, contact sheets, fonts that survive, colours everybody tells apart."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from figure_layout import apart, inside
from made_explanations import market_explanation
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from toy_interpreter import SIZE, noisy, plain, toy_explainer

import torchreid_amd as amd
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.cli import main
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.images import to_pixels
from torchreid_amd.explanation.report.layout import COLOURS, FRAMES, PART_COLOURS
from torchreid_amd.explanation.report.text import fraction


def _axes(figure: Figure, label: str) -> list[Any]:
    return [a for a in figure.axes if str(a.get_label()).startswith(label)]


def _inside_and_apart(figure: Figure) -> None:
    """Everything inside the figure, and no words over others."""
    apart(inside(figure))


# -- rows of pairs --------------------------------------------------------------------------------------


def test_a_pair_is_a_row_with_maps_of_what_adds_most() -> None:
    e = market_explanation(signed=True)
    figure = e.plot(layout="paper", top=4)
    _inside_and_apart(figure)
    wanted = [e.attributes[k] for k in e.order()[:4]]
    assert [a.get_label() for a in _axes(figure, "map A")] == [f"map A {name}" for name in wanted]
    assert len(_axes(figure, "map B")) == 4 and len(_axes(figure, "photograph")) == 2
    (scale,) = _axes(figure, "colour scale")
    sizes = [(128, 64), (200, 300)]
    values = [e.map(s, a, sizes[s]) for s in (0, 1) for a in wanted]
    assert scale.get_xlim() == pytest.approx((min(v.min() for v in values), max(v.max() for v in values)))
    shown = [t.get_text() for t in figure.texts]
    for k in e.order()[:4]:
        kind = int(e.exclusive[k])
        yes = kind != 0 or e.labels[0][k] == 1
        words = {1: "≠ ", 0: "= ", -1: ""}[kind] + e.schema.say(e.attributes[k], yes)
        assert any(t.replace("\n", " ") == words for t in shown), (words, shown)
    bars = [a.get_window_extent().width for a in _axes(figure, "part")]
    sizes_of_parts = [abs(fraction(e, k)) for k in e.order()[:4]]
    assert np.array(bars) / bars[0] == pytest.approx(np.array(sizes_of_parts) / sizes_of_parts[0])
    assert "distance 10.0" in shown and figure.get_size_inches()[0] < 7.2


def test_a_ranking_is_a_row_for_each_on_one_scale(tmp_path: Path) -> None:
    r = toy_explainer(account=False).explain_ranking(noisy(0), [noisy(s) for s in range(1, 5)], topk=3)
    figure = r.plot(tmp_path / "rows.png", layout="paper", top=99)
    _inside_and_apart(figure)
    assert len(_axes(figure, "photograph")) == 6 and len(_axes(figure, "map A")) == 3 * 3
    assert len(_axes(figure, "colour scale")) == 1


def test_what_has_no_maps_and_no_layout_says_so() -> None:
    e, nothing = market_explanation(), np.zeros((0, 1, 1), np.float32)
    alone = dataclasses.replace(
        e, schema=AttributeSchema("none", ()), contributions=np.zeros(0), shares=np.zeros(0), labels=None,
        attention=(nothing, nothing),
    )  # fmt: skip
    with pytest.raises(InputError, match="a model alone has none"):
        alone.plot(layout="paper")
    with pytest.raises(InputError, match="unknown layout 'papr'; did you mean 'paper'"):
        e.plot(layout="papr")


def test_what_is_nearly_nothing_is_left_out_of_the_bars_and_counted() -> None:
    parts = np.zeros(26)
    parts[:4] = 6.0, 3.0, 0.051, 0.049  # of a distance of 10: 0.051 is above half a percent, 0.049 is not
    e = dataclasses.replace(
        market_explanation(), contributions=parts, shares=parts / parts.sum(), remainder=0.9, residual=0.0
    )
    figure = e.plot()
    _inside_and_apart(figure)
    (bars,) = _axes(figure, "bars")
    assert [p.get_width() for p in bars.patches] == [6.0, 3.0, 0.051, 0.9]
    assert [t.get_text() for t in bars.get_yticklabels()] == ["backpack", "bag", "pants", "shared remainder"]
    assert "23 attributes below 0.5\u00a0% each are left out" in [t.get_text() for t in figure.texts]


# -- contact sheets -------------------------------------------------------------------------------------


def test_mean_maps_are_means_over_those_with_and_those_without() -> None:
    explainer = toy_explainer()
    photographs = [noisy(s) for s in range(5)]
    labels = [[1, 0, -1], [1, 1, -1], [0, 1, -1], [-1, 0, -1], None]
    found = amd.mean_maps(explainer, photographs, labels, batch_size=2)
    maps = [explainer.explain(p, noisy(9)).attention[0] for p in photographs]
    assert found.counts.tolist() == [[1, 2, 0], [2, 2, 0]]
    assert found.maps[1, 0] == pytest.approx((maps[0][0] + maps[1][0]) / 2, abs=1e-6)  # with the first one
    assert found.maps[0, 0] == pytest.approx(maps[2][0], abs=1e-6)
    assert found.maps[0, 1] == pytest.approx((maps[0][1] + maps[3][1]) / 2, abs=1e-6)
    assert not found.maps[:, 2].any()  # nobody is known
    seen = np.mean([to_pixels(p, SIZE) for p in photographs], axis=0)
    assert np.abs(np.asarray(found.photograph) - seen).max() <= 0.5


def test_a_contact_sheet_has_two_panels_for_each_attribute_on_one_scale(tmp_path: Path) -> None:
    found = amd.mean_maps(toy_explainer(), [noisy(0), noisy(1)], [[1, 0, -1], [1, 1, -1]])
    figure = amd.contact_sheet(found, tmp_path / "sheet.pdf")
    _inside_and_apart(figure)
    assert [a.get_label() for a in _axes(figure, "map")] == [
        f"map {name} {yes}" for name in ("hat", "red", "bag") for yes in (1, 0)
    ]
    drawn = [len(a.images) for a in _axes(figure, "map")]  # the photograph, and a map where there is somebody
    assert drawn == [2, 1, 2, 2, 1, 1]
    assert len(_axes(figure, "colour scale")) == 1 and (tmp_path / "sheet.pdf").exists()
    assert "hat\n2" in [t.get_text() for t in figure.texts]


def test_a_sheet_of_nobody_says_so() -> None:
    with pytest.raises(InputError, match="nothing is known of the persons on 2 photograph"):
        amd.mean_maps(toy_explainer(), [noisy(0), noisy(1)])
    with pytest.raises(InputError, match="there are 1 labels for 2 photographs"):
        amd.mean_maps(toy_explainer(), [noisy(0), noisy(1)], [[1, 1, 1]])


# -- fonts and colours ----------------------------------------------------------------------------------


def test_fonts_survive_and_the_same_figure_is_the_same_file(tmp_path: Path) -> None:
    e = market_explanation()
    for name in ("a.pdf", "b.pdf", "a.svg", "b.svg"):
        e.plot(tmp_path / name, layout="paper")
    pdf, svg = (tmp_path / "a.pdf").read_bytes(), (tmp_path / "a.svg").read_text()
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf  # TrueType, embedded
    assert e.schema.say(e.attributes[e.order()[0]]) in "".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))
    for ending in ("pdf", "svg"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


#: what is seen without red, green or blue cones, in linear RGB (Machado et al., 2009, severity 1)
BLINDNESS = {
    "none": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def lab(colour: str, seen: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """CIE L*a*b* (D65) of a colour as it is seen."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = (np.array(seen) @ linear).clip(0, 1)
    to_xyz = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])
    x, y, z = np.cbrt(to_xyz @ linear / (0.9505, 1.0, 1.0888))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


CSS = (Path(amd.__file__).parent / "explanation/report/templates/page.css").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"\.(p\d) { --piece: (#\w+); }", part)) for part in re.split("@media screen", CSS)
)


def test_pages_have_the_colours_of_figures() -> None:
    assert list(LIGHT.values()) == list(PART_COLOURS.values())[:4] and DARK.keys() == LIGHT.keys()


@pytest.mark.parametrize("kind", list(BLINDNESS))
@pytest.mark.parametrize(
    "colours",
    [PART_COLOURS, COLOURS, FRAMES, DARK],
    ids=["parts", "attributes", "frames", "parts in the dark"],
)
def test_colours_are_told_apart_by_everybody(colours: dict[Any, str], kind: str) -> None:
    seen = [lab(colour, BLINDNESS[kind]) for colour in colours.values()]
    nearest = min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2))
    assert nearest > 15  # 2 is just noticed by neighbouring areas


def test_the_command_takes_a_layout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for n in (1, 2):
        Image.fromarray(np.asarray(plain(40 * n, size=(32, 64)))).save(tmp_path / f"{n}.png")
    files = [str(tmp_path / f"{n}.png") for n in (1, 2)]
    options = ["--model", "osnet_x0_25", "--size", "64", "32", "--figure", str(tmp_path / "f.png")]
    assert main(["explain", *options, *files, "--layout", "paper"]) == 2  # the layout is asked for
    said = capsys.readouterr().err
    assert "the layout 'paper' shows maps of attributes" in said and not (tmp_path / "f.png").exists()
