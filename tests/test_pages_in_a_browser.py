"""Pages in a real Chromium: pointer, keyboard, finger, two widths, print, and not one request.

Needs the package ``playwright`` and a Chromium (``apt-get install chromium``), found on the PATH or named by
``CHROMIUM``; skipped where either is missing.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_audits import made_audit
from made_explanations import accounted_explanation, market_explanation
from toy_interpreter import noisy, toy_explainer

from torchreid_amd.core.language import set_language
from torchreid_amd.explanation.report.text import number

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
if not CHROMIUM:
    pytest.skip("no Chromium: apt-get install chromium, or name one by CHROMIUM", allow_module_level=True)

WIDTHS = {"wide": (1440, 900), "narrow": (360, 720)}
EVIL = "<img src=x onerror=alert(1)>.jpg"
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_api.sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        except sync_api.Error as error:
            pytest.skip(f"{CHROMIUM} does not start: {str(error).splitlines()[0]}")
        yield started
        started.close()


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens what has a page; by the end nothing may have been requested, printed or asked."""
    contexts: list[Any] = []
    troubles: list[str] = []
    file = tmp_path / "page.html"

    def asked(request: Any) -> None:
        if request.url != file.as_uri() and not request.url.startswith("data:image/"):
            troubles.append(request.url)

    def open_page(written: Any, width: str = "wide", **options: Any) -> Any:
        written.save_html(file)
        size = dict(zip(("width", "height"), WIDTHS[width], strict=True))
        contexts.append(browser.new_context(viewport=size, has_touch=width == "narrow", **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: (troubles.append(dialog.message), dialog.dismiss()))
        page.on("request", asked)
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


def seen(page: Any) -> list[str]:
    """Ids of the layers that are shown."""
    found: list[str] = page.eval_on_selector_all(".layer:not([hidden])", "all => all.map(layer => layer.id)")
    return found


def ranking(account: bool = True) -> Any:
    same = [True, False, None, False, True]
    return toy_explainer(account=account).explain_ranking(
        noisy(0), [noisy(s) for s in range(1, 6)], topk=4, same=same
    )


def two_models() -> Any:
    return made_audit(compared=True, times=True)


@pytest.mark.parametrize("width", list(WIDTHS))
@pytest.mark.parametrize("make", [market_explanation, accounted_explanation, ranking, made_audit, two_models])
def test_nothing_is_wider_than_the_window(visit: Open, width: str, make: Callable[[], Any]) -> None:
    page = visit(make(), width)
    page.eval_on_selector_all("details", "all => all.forEach(details => { details.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width][0]
    assert page.locator(".shot").first.evaluate("image => image.naturalWidth") > 0


def test_pointing_at_a_row_shows_where_it_is_and_no_longer(visit: Open) -> None:
    e = market_explanation()
    page = visit(e)
    assert seen(page) == []  # photographs in colour
    page.hover("#row-2")
    k = e.order()[1]
    assert seen(page) == [f"A-map-{k}", f"B-map-{k}"]
    assert page.inner_text("#shown") == f"{e.schema.say(e.attributes[k])}: 6.4\u00a0%"  # 9 · 25 / 351 of 10
    assert page.locator(".bar .on").get_attribute("data-row") == "row-2"
    page.mouse.move(5, 5)
    assert seen(page) == []
    page.hover(".bar [data-row=row-1]")
    assert seen(page) == [f"A-map-{e.order()[0]}", f"B-map-{e.order()[0]}"]


def test_a_part_shows_its_region_and_all_its_segments(visit: Open) -> None:
    page = visit(accounted_explanation())
    page.hover("#part-1")
    assert seen(page) == ["A-region-0", "B-region-0"] and page.locator(".bar .on").count() == 2
    assert page.locator(".photo.muted").count() == 0  # a region is shown in colour
    page.hover("#row-3")
    assert seen(page) == ["A-region-1", "B-region-1"] and page.locator(".bar .on").count() == 1
    page.click(".head summary")
    page.hover(".head tbody button >> nth=0")
    assert all("-map-" in layer for layer in seen(page)) and page.locator(".photo.muted").count() == 2


def test_the_keyboard_reaches_everything(visit: Open) -> None:
    e = market_explanation()
    first, second = (f"A-map-{k}" for k in e.order()[:2])
    page = visit(e)
    page.keyboard.press("Tab")
    assert first in seen(page)
    page.keyboard.press("ArrowDown")
    assert second in seen(page) and page.evaluate("document.activeElement.id") == "row-2"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert page.get_attribute("#row-1", "aria-pressed") == "true"
    page.evaluate("document.activeElement.blur()")
    assert first in seen(page)  # it stays
    page.keyboard.press("Escape")
    assert seen(page) == [] and page.get_attribute("#row-1", "aria-pressed") == "false"
    page.focus("summary")
    page.keyboard.press("Enter")
    assert page.is_visible(".head table")


def test_a_finger_chooses_and_takes_back(visit: Open) -> None:
    page = visit(market_explanation(), "narrow")
    page.tap("#row-3")
    assert len(seen(page)) == 2
    box = page.locator(".stage").bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] <= 720  # the photographs stay in sight
    page.tap("#row-4")
    assert page.get_attribute("#row-3", "aria-pressed") == "false" and len(seen(page)) == 2
    page.tap("#row-4")
    page.tap("h1")
    assert seen(page) == []


def test_numbers_are_copied_as_they_are(visit: Open) -> None:
    e = market_explanation(names=(EVIL, "b"))
    page = visit(e, permissions=["clipboard-read", "clipboard-write"])
    page.click(".numbers summary")
    page.click("#copy")
    sync_api.expect(page.locator("#copied")).to_have_text("copied")
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == e.to_dict()


@pytest.mark.parametrize("name", [EVIL, "</title></style></textarea></script><script>alert(1)</script>"])
def test_names_from_outside_are_harmless(visit: Open, name: str) -> None:
    page = visit(market_explanation(names=("a/" + name, "b.jpg")))
    assert page.query_selector("img[src=x]") is None and page.locator("script").count() == 1
    assert page.locator("figcaption").first.get_attribute("title") == "a/" + name


@pytest.mark.parametrize("account", [True, False])
def test_why_one_is_above_another(visit: Open, account: bool) -> None:
    r = ranking(account)
    page = visit(r)
    page.select_option("#near", "2")
    page.select_option("#far", "4")
    apart = r[3].distance - r[1].distance
    assert f"It is {number(apart)} nearer" in page.inner_text("#because")
    said = page.locator("#differences .n").all_inner_texts()
    assert sum(float(s.replace("−", "-")) for s in said) == pytest.approx(apart, rel=0.02)
    assert page.locator(".card.chosen").evaluate_all("cards => cards.map(c => c.id)") == ["c2", "c4"]
    page.click("#c3 .compare")
    page.click("#c1 .compare")
    assert [page.input_value("#near"), page.input_value("#far")] == ["1", "3"]
    kind = "region" if account else "map"
    page.hover("#c1 .rows button")
    assert [layer.split("-")[:2] for layer in seen(page)] == [[s, kind] for s in ("query", "c1")]


@pytest.mark.parametrize("make", [accounted_explanation, ranking])
def test_what_a_script_says_is_of_the_language_too(visit: Open, make: Callable[[], Any]) -> None:
    set_language("de")
    try:
        page = visit(make(), "narrow", permissions=["clipboard-read", "clipboard-write"])
    finally:
        set_language("en")
    page.hover("button[data-layers] >> nth=0")
    assert page.evaluate("document.querySelector('.layer:not([hidden])').alt").startswith("wo das ist: ")
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS["narrow"][0]
    box = page.locator("#shown").bounding_box()
    assert box["x"] + page.locator("#shown").evaluate("e => e.scrollWidth") <= WIDTHS["narrow"][0] - 16
    page.click(".numbers summary")
    page.click("#copy")
    sync_api.expect(page.locator("#copied")).to_have_text("kopiert")
    if make is ranking:
        assert "näher am gesuchten Foto" in page.inner_text("#because")
        options = page.locator("#near option").all_inner_texts()
        assert options == [f"Rang {n}" for n in range(1, 5)]
        assert all("." not in n for n in page.locator("#differences .n").all_inner_texts())  # a comma
        page.click("#c3 .compare")
        assert page.inner_text("#c1 .compare") == "mit 3"
    said = page.inner_text("body").lower().split()
    assert not {"the", "and", "of", "rank", "compare", "with", "nearer", "where", "copied"} & set(said)


def test_dark_and_light(visit: Open) -> None:
    for scheme, low, high in (("dark", 0, 60), ("light", 230, 255)):
        page = visit(market_explanation(), color_scheme=scheme)
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert all(low <= int(v) <= high for v in ground.strip("rgb()").split(","))


def test_everything_is_open_on_paper(visit: Open) -> None:
    page = visit(market_explanation())
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.is_visible(".head table") and not page.is_visible(".numbers")
    assert len(page.pdf()) > 10_000


@pytest.mark.parametrize("width", list(WIDTHS))
@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("make", [market_explanation, accounted_explanation, ranking, two_models])
def test_axe_finds_nothing(visit: Open, make: Callable[[], Any], scheme: str, width: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-playwright-python")
    page = visit(make(), width, color_scheme=scheme, bypass_csp=True)  # axe is a script of its own
    page.eval_on_selector_all("details", "all => all.forEach(details => { details.open = true; })")
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_an_audit_shows_the_camera_pairs_that_are_chosen(visit: Open) -> None:
    a = made_audit()
    page = visit(a)
    shown = (
        "() => [...document.querySelectorAll('[data-grid]')].filter(g => !g.hidden).map(g => g.dataset.grid)"
    )
    assert page.evaluate(shown) == ["different persons/rest of the picture"]
    page.focus("#grid")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(shown) == ["different persons/upper body"]
    page.select_option("#grid", "the same person/head")
    assert page.evaluate(shown) == ["the same person/head"]
    cells = page.locator("[data-grid='the same person/head'] .cell:not(.none)").all_inner_texts()
    found = a.findings.cameras["the same person"].cells.values()
    assert sorted(cell.split()[0] for cell in cells) == sorted(
        f"{100 * v['head']:.0f}" if v["head"] >= 0.0995 else f"{100 * v['head']:.1f}" for v in found
    )
    assert sum(int(cell.split()[-1]) for cell in cells) == a.findings.kinds["the same person"].pairs


def test_an_audits_numbers_are_copied_and_its_bars_are_as_long_as_they_say(visit: Open) -> None:
    a = made_audit(compared=True)
    page = visit(a, permissions=["clipboard-read", "clipboard-write"])
    page.click(".numbers summary")
    page.click("#copy")
    sync_api.expect(page.locator("#copied")).to_have_text("copied")
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == json.loads(a.to_json())
    clothing = [found.kinds["different persons"].subjects["clothing"].value for found in a.models]
    length = "(bars) => bars.map(b => b.offsetWidth / b.parentNode.offsetWidth)"
    drawn = page.locator("section[aria-labelledby=relies] .shares li").first.locator(".track b")
    assert drawn.evaluate_all(length) == pytest.approx(clothing, abs=0.01)


def test_an_audit_on_paper_and_with_names_from_outside(visit: Open) -> None:
    page = visit(made_audit(names=("a/" + EVIL, "b.jpg")))
    assert page.query_selector("img[src=x]") is None and page.locator("script").count() == 1
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.is_visible("details table") and not page.is_visible(".numbers")
    assert len(page.pdf()) > 10_000
