"""Words of pages, figures and sentences: one table for each language, and nothing beside it."""

from __future__ import annotations

import ast
import dataclasses
import json
import logging
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from made_audits import made_audit
from made_explanations import accounted_explanation, market_explanation
from matplotlib.text import Text
from toy_interpreter import noisy, toy_explainer

import torchreid_amd as amd
from torchreid_amd.account.phrase import Phrase
from torchreid_amd.attributes.parts import HEAD, LOWER, REST, UPPER
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.attributes.sets import dukemtmcreid, market1501
from torchreid_amd.cli import main
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.language import FOLDER, languages, listed, placeholders, read_table, set_language
from torchreid_amd.explanation.report.text import number, percent

PACKAGE = Path(__file__).parents[1] / "torchreid_amd"
ENGLISH = read_table(FOLDER / "en.json")


@pytest.fixture(autouse=True)
def _english_afterwards() -> Iterator[None]:
    yield
    set_language("en")


@pytest.fixture
def german() -> None:
    set_language("de")


# -- tables -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", languages())
def test_a_language_has_every_key_and_placeholder(name: str) -> None:
    table = read_table(FOLDER / f"{name}.json")
    assert table.keys() == ENGLISH.keys()
    assert all(placeholders(table[key]) == placeholders(ENGLISH[key]) for key in table)
    assert all(table.values())
    assert table["language.code"] == name and {"en", "de"} <= set(languages())


def test_every_attribute_of_a_set_has_words_in_every_language() -> None:
    for schema in (market1501(), dukemtmcreid()):
        for attribute in schema.attributes:
            assert f"attributes.{attribute}.yes" in ENGLISH and f"attributes.{attribute}.no" in ENGLISH
        assert all(f"groups.{group}" in ENGLISH for group in schema.groups)


TEMPLATES = sorted([*PACKAGE.rglob("templates/*.html"), *PACKAGE.rglob("templates/*.js")])


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda f: f.name)
def test_no_template_has_words_of_its_own(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".js":
        said = re.findall(r"'([^'\n]*)'", re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
        assert not [s for s in said if re.search(r"[A-Za-z]{2,} [A-Za-z]|^[A-Z][a-z]+$", s) and "," not in s
                    and s not in {"Escape", "Enter"}]  # fmt: skip
        return
    text = re.sub(r"\{#.*?#\}|\{% block style %\}.*?\{% endblock %\}", "", text, flags=re.DOTALL)
    used = re.findall(r"""say\('([^']*)'""", text)
    assert set(used) <= ENGLISH.keys() | {key for key in used if key.endswith(".")}
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", text, flags=re.DOTALL)
    attributes = re.findall(r'(?:alt|title|aria-label|placeholder|data-said|data-idle)="([^"]*)"', text)
    assert not [words for words in attributes if re.search("[A-Za-z]", words)]
    text = re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL)
    assert not re.findall("[A-Za-z]{2,}", text)  # A and B are the photographs in every language


#: what looks like words and is none for readers: looks (CSS classes) and labels of axes, for tests
NO_WORDS = {"colour scale", "upper left", "lower left", "Glyph .* missing from"}
SPEAKING = [
    *sorted((PACKAGE / "explanation" / "report").glob("*.py")),
    *sorted((PACKAGE / "auditing" / "report").rglob("*.py")),
    *(PACKAGE / "account" / name for name in ("account.py", "division.py", "phrase.py")),
]


@pytest.mark.parametrize("file", SPEAKING, ids=lambda f: f.stem)
def test_no_module_that_speaks_has_words_of_its_own(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    silent = {id(n) for raised in ast.walk(tree) if isinstance(raised, ast.Raise) for n in ast.walk(raised)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):  # docstrings
            silent.add(id(node.value))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {
            "progress", "warning", "info", "InputError",
        }:  # fmt: skip
            silent |= {id(inner) for inner in ast.walk(node)}
    said = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent
    ]
    assert not [s for s in said if re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}", s) and s not in NO_WORDS
                and not s.startswith("default-src")]  # fmt: skip


# -- German, all of it --------------------------------------------------------------------------------


def words_in(text: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[^\W\d_]{3,}", text)}


GERMAN = read_table(FOLDER / "de.json")
#: words of the English table that German does not have; "modern" words that both have drop out
ONLY_ENGLISH = words_in(" ".join(ENGLISH.values())) - words_in(" ".join(GERMAN.values()))
ONLY_ENGLISH |= {"photograph", "interpreter's", "distance", "the", "and", "with", "share", "query", "gallery"}


class Shown(HTMLParser):
    """What a reader of a page sees or hears; not the numbers to copy, which have names and not words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.within: list[str] = []
        self.text: list[str] = []
        self.language = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.language = self.language or given.get("lang") or ""
        spoken = ("alt", "title", "aria-label", "data-said", "data-idle", "data-where")
        self.text += [given[name] or "" for name in spoken if name in given]
        if tag not in {"img", "meta", "br", "input"}:
            self.within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.within and self.within.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not {"style", "script", "textarea"} & set(self.within):
            self.text.append(data)


def ranking(account: bool = True) -> Any:
    explainer = toy_explainer(account=account)
    explainer.schema = explainer.interpreter.attributes
    r = explainer.explain_ranking(
        noisy(0), [noisy(s) for s in range(1, 6)], topk=4, same=[True, False, None, False, True]
    )
    return r.with_threshold(r[1].distance)


def everything() -> list[Any]:
    signed = market_explanation(signed=True)
    return [
        market_explanation(),
        market_explanation(labels=False),
        dataclasses.replace(signed, remainder=1.0, residual=0.0),
        dataclasses.replace(market_explanation(), residual=-1.0, metric="squared_euclidean"),
        dataclasses.replace(market_explanation(), distance=0.0, metric="cosine"),
        accounted_explanation(),
        accounted_explanation().with_threshold(12.0),
        accounted_explanation().with_threshold(4.0),
        ranking(),
        made_audit(),
        made_audit(compared=True, times=True),
    ]


def said_by(written: Any) -> Iterator[tuple[str, str]]:
    for page in (written.to_html(), written._repr_html_()):
        shown = Shown(page)
        assert shown.language == "de"
        yield "page", " ".join(shown.text)
    figure = written.plot()
    figure.draw_without_rendering()
    yield "figure", " ".join(t.get_text() for t in figure.findobj(Text))
    yield "summary", written.summary()


#: the toys' words, which are their user's
OWN = {"hat", "red", "coat", "toy", "model", "top", "blue", "short", "bag", "female", "upper", "colour"}


def test_nothing_english_is_left_in_german(german: None) -> None:
    for written in everything():
        for kind, text in said_by(written):
            left = (words_in(text) & ONLY_ENGLISH) - OWN
            assert not left, (kind, left)
            numbers = re.sub(r"torch\w* [\w.+]+", "", text)  # versions are left out
            assert not re.search(r"\d\.\d", numbers), (kind, numbers)  # a comma, not a point


def test_english_is_as_it_was(german: None) -> None:
    e = accounted_explanation()
    assert "Vor allem rotes gegen blaues Oberteil 40\u00a0%, kurzes Unterteil 22\u00a0%" in e.to_html()
    set_language("en")
    assert "Above all red against blue upper body 40\u00a0%, short lower body 22\u00a0%" in e.to_html()
    assert Shown(e.to_html()).language == "en"


# -- phrases ------------------------------------------------------------------------------------------


def test_phrases_in_both_directions_and_languages() -> None:
    schema = market1501()
    red, purple, none = (("upred", True),), (("uppurple", True),), (("upred", False),)
    short, long = (("up", True),), (("up", False),)
    phrases = [
        (Phrase(UPPER, (red, purple), schema, True),
         "red against purple upper body", "rotes gegen violettes Oberteil"),
        (Phrase(UPPER, (purple, red), schema, True),
         "purple against red upper body", "violettes gegen rotes Oberteil"),
        (Phrase(UPPER, (red + purple, (("upwhite", True),)), schema, True),
         "red and purple against white upper body", "rotes und violettes gegen weißes Oberteil"),
        (Phrase(UPPER, (none, purple), schema, True),
         "upper body not red against purple upper body", "Oberteil nicht rot gegen violettes Oberteil"),
        (Phrase(UPPER, (red + purple,), schema, True),
         "red or purple upper body", "rotes oder violettes Oberteil"),
        (Phrase(UPPER, (short, long), schema),
         "short sleeves against long sleeves", "kurze Ärmel gegen lange Ärmel"),
        (Phrase(UPPER, (long, short), schema),
         "long sleeves against short sleeves", "lange Ärmel gegen kurze Ärmel"),
        (Phrase(HEAD),
         "head", "Kopf"),
        (Phrase(LOWER, divided=True),
         "the rest of the lower body", "der übrige Unterkörper"),
        (Phrase(REST),
         "pose, build, camera and background", "Haltung, Statur, Kamera und Hintergrund"),
    ]  # fmt: skip
    assert [str(phrase) for phrase, _, _ in phrases] == [en for _, en, _ in phrases]
    set_language("de")
    assert [str(phrase) for phrase, _, _ in phrases] == [de for _, _, de in phrases]


def test_words_of_an_account_follow_the_language_and_names_stay(german: None) -> None:
    account = accounted_explanation().account
    data = account.to_dict()
    assert data["rows"][0]["words"] == "rotes gegen blaues Oberteil" and data["rows"][0]["part"] == UPPER
    assert list(data["by_part"]) == list(account.parts)
    set_language("en")
    assert account.rows[0].words == "red against blue upper body"


def test_a_users_own_words_are_said_as_they_are(german: None) -> None:
    own = AttributeSchema("own", ("hat", "scarf", "up"), words={"hat": ("cap", "no cap")})
    assert (own.say("hat"), own.say("hat", False)) == ("cap", "no cap")
    assert (own.say("up"), own.say("scarf", False)) == ("up", "ohne scarf")
    stored = AttributeSchema.from_dict({"name": "s", "attributes": ["scarf"], "words": {"scarf": "Schal"}})
    assert stored.say("scarf", False) == "nicht Schal"
    old = AttributeSchema.from_dict(market1501().to_dict())  # as a run keeps it
    assert (old.say("up", False), old.say("upred")) == ("lange Ärmel", "rotes Oberteil")
    assert market1501().to_dict()["words"]["up"] == ["short sleeves", "long sleeves"]


def test_numbers_and_lists(german: None) -> None:
    assert (number(12.34), number(-0.0502), percent(0.043)) == ("12,3", "−0,0502", "4,3\u00a0%")
    assert (listed(["a", "b", "c"]), listed(["a"]), listed([])) == ("a, b und c", "a", "")


# -- which language -----------------------------------------------------------------------------------


def test_a_translators_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "fr.json"
    toque = {"yes": "toque", "no": "sans toque"}
    words = {"language": {"code": "fr"}, "lead": {"same": "Les mêmes."}, "attributes": {"cap": toque}}
    file.write_text(json.dumps(words), encoding="utf-8")
    with caplog.at_level(logging.WARNING, "torchreid_amd"):
        amd.set_language(file)
    assert (
        f"{len(ENGLISH) - 2} of the {len(ENGLISH)} words" in caplog.text and "'language.name'" in caplog.text
    )
    own = AttributeSchema("own", ("cap", "up"), words={"cap": ("cap", "no cap"), "up": ("upstairs", "not")})
    assert (own.say("cap", False), own.say("up")) == ("sans toque", "upstairs")
    page = Shown(ranking().to_html())
    assert page.language == "fr" and "Who is nearest" in " ".join(page.text)
    file.write_text((FOLDER / "de.json").read_text(encoding="utf-8"), encoding="utf-8")
    caplog.clear()
    amd.set_language(str(file))
    assert not caplog.text and percent(0.043) == "4,3\u00a0%"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read (No such file or directory); give a JSON file in the form of"),
        ("{", "cannot be read (Expecting property name"),
        ("[]", "is no table; expected {key: words}"),
        ('{"lead": {"same": 3}}', "lead.same is 3; expected words"),
        ('{"lead": {"saem": "x"}}', "unknown key of language"),
        ('{"lead": {"above": "{thing}"}}', "lead.above names {thing}; expected of: things"),
        ('{"lead": {"same": "{x}"}}', "lead.same names {x}; expected of: none"),
        ('{"lead": {"above": "{things"}}', "lead.above has braces that do not fit"),
    ],
)
def test_a_file_that_is_no_language_is_one_line(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "x.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(said)) as error:
        set_language(file)
    assert "\n" not in str(error.value) and percent(0.5) == "50\u00a0%"  # the language is as before


def test_an_unknown_language_is_said_before_anything_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "run", "a.jpg", "b.jpg", "--language", "dee"]) == 2
    said = capsys.readouterr()
    assert said.err == "torchreid-amd: unknown language 'dee'; did you mean 'de'? known: de, en, FILE.json\n"
    assert said.out == ""


def test_the_command_speaks_the_language_it_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for n in (1, 2):
        noisy(n, (32, 64)).save(tmp_path / f"{n}.png")
    files = [str(tmp_path / f"{n}.png") for n in (1, 2)]
    options = ["--model", "osnet_x0_25", "--size", "64", "32"]
    assert main(["explain", *options, *files, "--language", "de"]) == 0
    assert "Euklidischer Abstand" in capsys.readouterr().out
    assert main(["explain", *options, *files]) == 0
    assert "Euclidean distance" in capsys.readouterr().out
