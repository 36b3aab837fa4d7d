"""Pages as files: what they say, that they load nothing, and that names from outside stay words."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from made_explanations import accounted_explanation, market_explanation
from PIL import Image
from toy_interpreter import noisy, plain, toy_explainer

from torchreid_amd.attributes.parts import HEAD, PARTS
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.core.errors import InputError
from torchreid_amd.explanation.explanation import Explanation
from torchreid_amd.explanation.report.bar import bar_of
from torchreid_amd.explanation.report.layers import region_layer
from torchreid_amd.explanation.report.lead import lead
from torchreid_amd.explanation.report.pieces import pieces
from torchreid_amd.explanation.report.text import number

EVIL = "<img src=x onerror=alert(1)>.jpg"


class Page(HTMLParser):
    """Tags, ids and words of a page; refuses tags that do not match."""

    void = {"meta", "img", "br", "link"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.inside: dict[str, str] = {}
        self.words = ""
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        tag = self.open[-1] if self.open else ""
        self.inside[tag] = self.inside.get(tag, "") + data
        if tag not in ("script", "style", "textarea"):
            self.words += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [a for t, a in self.tags if t == tag]

    def of_class(self, name: str) -> list[dict[str, str]]:
        return [a for _, a in self.tags if name in a.get("class", "").split()]


def picture(uri: str) -> Image.Image:
    """The image in a data URI."""
    assert re.match(r"data:image/(png|jpeg);base64,", uri)
    return Image.open(BytesIO(base64.b64decode(uri.split(",", 1)[1], validate=True)))


def check(text: str) -> Page:
    """A page that loads nothing, runs its own script alone and refers only to what it holds."""
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "base", "form")
        assert not any(name.startswith("on") or name in ("href", "srcset") for name in attributes)
        assert tag != "script" or "src" not in attributes
        if tag == "img":
            picture(attributes["src"]).load()
            assert "alt" in attributes
    assert "http:" not in text and "https:" not in text and "url(" not in text and "@import" not in text
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        for name in ("data-layers", "data-rows"):
            assert set(attributes.get(name, "").split()) <= set(ids)
    (policy,) = (a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert "default-src 'none'" in policy and f"script-src 'sha256-{digest}';" in policy
    return page


@pytest.mark.parametrize("signed", [False, True])
def test_pair_page(tmp_path: Path, signed: bool) -> None:
    e = market_explanation(signed, names=(EVIL, 'b" onload="x & y.jpg'))
    e.save_html(tmp_path / "pair.html")
    page = check((tmp_path / "pair.html").read_text(encoding="utf-8"))
    assert EVIL in page.words and 'b" onload="x & y.jpg' in page.words
    assert not any(b.get("aria-pressed") == "true" for b in page.all("button"))
    assert all("hidden" in a for a in page.of_class("layer"))  # photographs in colour to begin with
    assert len(page.of_class("map")) == 52 and len(page.all("table")) == 1
    for k in range(26):
        assert number(float(e.contributions[k])) in page.words
    assert "Euclidean distance 10.0" in page.words and "prefers-color-scheme" in page.text
    assert len(page.text) < 1_000_000


def test_numbers_of_a_page_are_those_of_the_explanation() -> None:
    e = market_explanation(names=(EVIL, "b"))
    assert json.loads(check(e.to_html()).inside["textarea"]) == e.to_dict()
    r = toy_explainer().explain_ranking(noisy(0), [noisy(s) for s in range(1, 5)], topk=3)
    assert json.loads(check(r.to_html()).inside["textarea"]) == r.to_dict()


def test_pieces_add_up_and_the_bar_shows_them_in_proportion() -> None:
    e = market_explanation(signed=True)  # 26, 25, … 6, −5, … −1 of 321, times 9, of a distance of 10
    found = pieces(e)
    assert sum(p.value for p in found) == pytest.approx(10.0)
    bar = bar_of(e)
    assert sum(r["value"] for r in bar["rows"]) == pytest.approx(10.0)
    assert sum(r["width"] for r in bar["up"]) == pytest.approx(1.0)
    assert sum(r["width"] for r in bar["down"]) == pytest.approx(1 - bar["distance"])
    assert [r["n"] for r in bar["rows"]] == list(range(1, len(bar["rows"]) + 1))
    assert (
        bar["rows"][0]["words"] == e.schema.say(e.attributes[0]) and bar["rows"][0]["share"] == "7.3\u00a0%"
    )


def test_no_row_of_a_page_is_nothing() -> None:
    e = market_explanation()
    parts = np.zeros(26)
    parts[:3] = 6.0, 3.0, -7.35e-18
    e = dataclasses.replace(e, contributions=parts, shares=abs(parts) / 9, remainder=1.0, residual=1e-16)
    page = check(e.to_html())
    assert "e−" not in page.words and ">0\u00a0%" not in page.text
    assert [r["share"] for r in bar_of(e)["rows"]] == ["60\u00a0%", "30\u00a0%", "10\u00a0%", "≈ 0\u00a0%"]
    assert "24 smaller ones together" in page.words and "Less than 0.1\u00a0% each:" in page.words
    assert lead(e) == "Above all backpack 60\u00a0% and bag 30\u00a0%; 10\u00a0% belongs to no attribute."


def test_a_page_of_one_photograph_twice() -> None:
    e = market_explanation()
    e = dataclasses.replace(e, distance=0.0, contributions=np.zeros(26), residual=0.0)
    page = check(e.to_html())
    assert "there is nothing to explain" in page.words and not page.of_class("bar")
    r = toy_explainer().explain_ranking(plain(9), [plain(9), plain(9)])
    assert "The nearest 2 of 2" in check(r.to_html()).words


def test_ranking_page() -> None:
    gallery = [noisy(s, (400, 800)) for s in range(1, 6)]
    r = toy_explainer().explain_ranking(noisy(0), gallery, topk=3, same=[True, False, None, None, None])
    page = check(r.to_html())
    assert len(page.of_class("card")) == 3 and len(page.all("table")) == 3
    assert "The nearest 3 of 5" in page.words
    for e, same in zip(r, r.matches, strict=True):
        assert number(e.distance) in page.words
        assert same is None or ("✓ same" if same else "✗ different") in page.words
    assert "data:image/jpeg" in page.text  # a large photograph is made smaller
    assert all("hidden" in a for a in page.of_class("layer"))


def test_names_from_outside_stay_words_in_a_ranking(tmp_path: Path) -> None:
    for name in (EVIL, "</script><script>alert(2)<", "b.jpg"):
        noisy(len(name)).save(tmp_path / name.replace("/", "∕"), "PNG")
    files = [str(p) for p in sorted(tmp_path.iterdir())]
    page = check(toy_explainer().explain_ranking(files[0], files).to_html())
    assert EVIL in page.words


def test_what_two_distances_differ_by_adds_up() -> None:
    r = toy_explainer().explain_ranking(noisy(0), [noisy(s) for s in range(1, 5)], topk=4)
    (data,) = re.findall(r'<script type="application/json" id="compared">(.*?)</script>', r.to_html())
    compared = json.loads(data)
    for card, e in zip(compared["cards"], r, strict=True):
        assert sum(card["pieces"].values()) == pytest.approx(e.distance)
        assert set(card["pieces"]) <= set(compared["words"])


def test_a_page_holds_nothing_of_the_files_but_their_pixels(tmp_path: Path) -> None:
    noisy(1, (300, 600)).save(
        tmp_path / "a.jpg", comment=b"taken at home", icc_profile=b"profile of a camera"
    )
    e = toy_explainer().explain(tmp_path / "a.jpg", noisy(2))
    shots = [picture(a["src"]) for a in check(e.to_html()).of_class("shot")]
    assert not any({"comment", "icc_profile", "exif"} & set(s.info) for s in shots)


def test_a_region_stays_light_and_the_rest_becomes_dark() -> None:
    region = np.zeros((8, 4), np.float32)
    region[:4] = 1
    layer = picture(region_layer(region, plain(9, size=(64, 128)))).convert("LA")
    assert layer.size == (128, 256)
    alpha = np.asarray(layer)[..., 1]
    assert (alpha[:100] == 0).mean() > 0.95 and (alpha[150:] > 160).all()
    lightness = np.asarray(layer)[..., 0]
    assert (lightness[100:135] == 255).any(1).sum() >= 1  # a line around it


def test_an_account_leads_its_page() -> None:
    e = accounted_explanation()
    assert sum(p.value for p in pieces(e)) == pytest.approx(e.distance)
    bar = bar_of(e)
    assert [g["part"] for g in bar["groups"]] == ["upper body", "lower body", "head", "rest of the picture"]
    assert [g["share"] for g in bar["groups"]] == ["55\u00a0%", "25\u00a0%", "10\u00a0%", "10\u00a0%"]
    said = [(r["words"], r["share"], r["certain"]) for r in bar["rows"]]
    assert said[:2] == [
        ("red against blue upper body", "40\u00a0%", True),
        ("the rest of the upper body", "15\u00a0%", True),
    ]
    assert said[3] == ("the rest of the lower body", "3.0\u00a0%", False)  # within the error of 5 points
    assert [r["value"] for r in bar["down"]] == [-1.0] and bar["distance"] == pytest.approx(10 / 11)
    assert lead(e) == (
        "Above all red against blue upper body 40\u00a0%, short lower body 22\u00a0% "
        "and the rest of the upper body 15\u00a0%; "
        "10\u00a0% is not the person but the rest of the picture."
    )
    page = check(e.to_html())
    assert "Things carried" not in page.words and ">0\u00a0%" not in page.text
    assert len(page.of_class("region")) == 2 * 5 and "off by 5 points on average" in page.words
    upper = next(a for a in page.of_class("region") if a["id"] == "A-region-0")
    alpha = np.asarray(picture(upper["src"]).convert("LA"))[..., 1]
    assert (alpha[60:120, 50:110] == 0).all() and (alpha[150:] > 150).all()  # light above the middle alone


def test_a_page_without_attributes_shows_its_account() -> None:
    e, nothing = accounted_explanation(), np.zeros((0, 1, 1), np.float32)
    e = dataclasses.replace(
        e, schema=AttributeSchema("none", ()), contributions=np.zeros(0), shares=np.zeros(0), labels=None,
        attention=(nothing, nothing), residual=0.0, remainder=10.0,
        account=dataclasses.replace(e.account, rows=tuple(r for r in e.account.rows if not r.what)),
    )  # fmt: skip
    page = check(e.to_html())
    assert not page.all("table") and len(page.of_class("region")) == 10 and "upper body" in page.words


def test_accounts_in_a_ranking(tmp_path: Path) -> None:
    r = toy_explainer().explain_ranking(noisy(0), [noisy(s) for s in range(1, 4)], topk=2)
    e = accounted_explanation()
    nearer = dataclasses.replace(e, distance=5.0, account=dataclasses.replace(e.account, distance=5.0))
    rows = tuple(dataclasses.replace(row, contribution=row.contribution / 2) for row in e.account.rows)
    nearer = dataclasses.replace(nearer, account=dataclasses.replace(nearer.account, rows=rows))
    page = check(dataclasses.replace(r, schema=e.schema, explanations=(nearer, e)).to_html())
    assert len(page.of_class("region")) == 3 + 2 * 3  # upper, lower body and rest: on the query and on both
    assert "rest of the picture" in page.words and "attribute differs" not in page.words


def test_a_threshold_is_said_and_marked() -> None:
    e = accounted_explanation()
    far, near = e.with_threshold(4.0), e.with_threshold(12.0)
    assert (
        "The threshold is 4.00, and they are not nearer: taken for two persons." in check(far.to_html()).words
    )
    assert "they are nearer: taken for one person" in check(near.to_html()).words
    (mark,) = check(far.to_html()).of_class("threshold")
    assert mark["style"] == f"left:{4 / 11:.2%}" and not check(near.to_html()).of_class("threshold")
    assert far.to_dict()["threshold"] == 4.0 and e.to_dict()["threshold"] is None
    r = toy_explainer().explain_ranking(noisy(0), [noisy(1), noisy(2)])
    between = (r[0].distance + r[1].distance) / 2
    words = check(r.with_threshold(between).to_html()).words
    assert words.count("within the threshold") == words.count("beyond the threshold") == 1
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="expected a distance, a positive number"):
            e.with_threshold(wrong)


def test_what_made_it_is_said() -> None:
    e = toy_explainer().explain(noisy(1), noisy(2))
    assert e.made_by["model"] == "toy" and e.to_dict()["made_by"] == e.made_by
    assert "model toy" in check(e.to_html()).words


@pytest.mark.parametrize("make", [market_explanation, accounted_explanation])
def test_heads_are_blurred_in_every_picture(make: Callable[[], Explanation]) -> None:
    e = make()
    pixels = [np.zeros((100, 40, 3), np.uint8) for _ in range(2)]
    for side in pixels:
        side[::2, ::2] = 255  # as fine as it gets
    e = dataclasses.replace(e, images=tuple(Image.fromarray(side) for side in pixels))
    blurred = e.blur_heads()
    for image in blurred.images:
        found = np.asarray(image).astype(int)
        assert np.abs(np.diff(found[:24], axis=1)).max() < 20  # nothing fine left where heads are
        assert (found[30:] == pixels[0][30:]).all()
    assert (np.asarray(e.images[0]) == pixels[0]).all()  # the explanation itself is as it was
    shots = [picture(a["src"]) for a in check(blurred.to_html()).of_class("shot")]
    assert len(shots) == 2
    for shot in shots:
        assert np.abs(np.diff(np.asarray(shot.convert("L")).astype(int)[:20], axis=1)).max() < 40
    assert blurred.to_dict() == e.to_dict()


def test_a_head_that_reaches_lower_is_blurred_as_far_as_it_reaches() -> None:
    e = accounted_explanation()
    regions = e.account.regions[0].copy()
    regions[:8, 4:6] = PARTS.index(HEAD)  # down to 40 %
    e = dataclasses.replace(
        e, account=dataclasses.replace(e.account, regions=(regions, e.account.regions[1]))
    )
    a, b = (np.asarray(image).astype(int) for image in e.blur_heads().images)
    assert np.abs(np.diff(a[:55], axis=1)).max() < 30  # of 128 rows
    assert np.abs(np.diff(b[100:120], axis=1)).max() > 60  # of 300: noise is left from 25 % on


def test_no_name_of_a_file_is_left(tmp_path: Path) -> None:
    for name in ("secret_a.jpg", "secret_b.jpg", "secret_c.jpg"):
        noisy(len(name)).save(tmp_path / name)
    files = [str(p) for p in sorted(tmp_path.iterdir())]
    explainer = toy_explainer()
    explainer.made_by = {"model": "toy", "run": "secret_run"}
    ranking = explainer.explain_ranking(files[0], files[1:])
    for written in (explainer.explain(*files[:2]), ranking):
        assert "secret" in written.to_html() + json.dumps(written.to_dict()) + written.summary()
        hidden = written.anonymous()
        assert "secret" not in hidden.to_html() + json.dumps(hidden.to_dict()) + hidden.summary()
        assert "secret" not in repr(hidden) + hidden._repr_html_() and str(tmp_path) not in hidden.to_html()
        hidden.plot(tmp_path / "figure.svg")
        assert "secret" not in (tmp_path / "figure.svg").read_text()
    assert ranking.anonymous()[0].names == ("query", f"gallery {ranking.order[0] + 1}")


@pytest.mark.parametrize("make", [market_explanation, accounted_explanation])
def test_a_cell_of_a_notebook(make: Callable[..., Explanation]) -> None:
    e = make(names=(EVIL, "b.jpg"))
    page = Page(e._repr_html_())
    assert lead(e) in page.words and EVIL in page.words and not page.all("script")
    assert len(page.all("img")) == 2 and all(picture(a["src"]) for a in page.all("img"))
    r = toy_explainer().explain_ranking(noisy(0), [noisy(s) for s in range(1, 15)], topk=12)
    page = Page(r._repr_html_())
    assert len(page.all("img")) == 11 and "The nearest 10 of 14" in page.words


def test_heads_of_a_ranking_are_blurred_the_querys_too() -> None:
    fine = np.zeros((100, 40, 3), np.uint8)
    fine[::2, ::2] = 255
    r = toy_explainer().explain_ranking(Image.fromarray(fine), [Image.fromarray(fine[:, ::-1]), noisy(1)])
    blurred = r.blur_heads()
    assert [e.images[0] for e in blurred] != [e.images[0] for e in r]
    for image in (blurred.query, *(e.images[0] for e in blurred)):
        found = np.asarray(image).astype(int)
        assert np.abs(found[2:20] - 255 / 4).max() < 16  # a quarter of the pixels is white
        assert (found[-20:] == fine[-20:]).all()


def test_every_photograph_has_its_own_regions() -> None:
    e = accounted_explanation()
    other = np.full_like(e.account.regions[0], PARTS.index(HEAD))
    account = dataclasses.replace(e.account, regions=(e.account.regions[0], other))
    page = check(dataclasses.replace(e, account=account).to_html())
    heads = {a["id"][0]: picture(a["src"]).convert("LA") for a in page.of_class("region") if "-2" in a["id"]}
    shaded = {side: (np.asarray(layer)[..., 1] > 150).mean() for side, layer in heads.items()}
    assert shaded["A"] > 0.7 and shaded["B"] == 0  # all of B is head


def test_the_nearer_one_is_within_the_threshold_and_what_takes_away_goes_back() -> None:
    r = toy_explainer().explain_ranking(noisy(0), [noisy(1), noisy(2)])
    words = check(r.with_threshold((r[0].distance + r[1].distance) / 2).to_html()).words
    assert words.index("within the threshold") < words.index("beyond the threshold")
    e = market_explanation(signed=True)
    e = dataclasses.replace(e, contributions=np.r_[e.contributions[:-2], -1.0, -2.0])
    down = [row["n"] for row in bar_of(e)["down"]]
    assert len(down) > 1 and down == sorted(down, reverse=True)
