"""The pages for readers: their commands parse, their links lead somewhere, their keys exist."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from torchreid_amd.cli import adapt, evaluate, train
from torchreid_amd.cli.parser import command_parser
from torchreid_amd.config import get_default_config, to_dict
from torchreid_amd.config.merge import merge
from torchreid_amd.config.values import check_training_values
from torchreid_amd.core.registry import heads, targets

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "examples/GUIDE.md", "examples/RESULTS.md", ".github/CONTRIBUTING.md")


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text(page), re.M | re.S)


def commands(page: str) -> list[list[str]]:
    """Every command of the page's shell blocks, with their variables put in, as words."""
    found = []
    for block in blocks(page, "bash"):
        variables: dict[str, str] = {"run": "log/run"}
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            line = re.sub(r"^for \w+ in .*?; do (.*); done$", r"\1", line)
            for name, value in variables.items():
                line = line.replace(f"${name}", value)
            words = shlex.split(line, comments=True)
            while words and (given := re.fullmatch(r"(\w+)=(.*)", words[0])):
                variables[given[1]] = given[2]
                words = words[1:]
            found += [words] if words else []
    return found


@pytest.mark.parametrize("page", PAGES)
def test_commands_parse(page: str) -> None:
    ours = [words for words in commands(page) if words[0] == "torchreid-amd"]
    assert ours or page not in ("README.md", "examples/RESULTS.md")
    for words in ours:
        args, rest = command_parser().parse_known_args(words[1:])
        pairs = rest + getattr(args, "opts", [])
        assert args.run in (adapt.run, train.run, evaluate.run) or not pairs, words
        get_default_config().merge_from_list(pairs)


@pytest.mark.parametrize("recipe", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_recipes_can_be_trained(recipe: Path) -> None:
    cfg = merge(get_default_config(), recipe)
    check_training_values(cfg)
    assert cfg.model.name in targets and cfg.amd.head in heads


@pytest.mark.parametrize("page", PAGES)
def test_scripts_and_links_are_there(page: str) -> None:
    folder = (ROOT / page).parent
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text(page)):
        assert link.startswith("https://") or (folder / link).exists(), link
    for words in commands(page):
        for word in words:
            if re.match(r"(examples|tests)/[\w./]+\.(sh|py|yaml)$", word):
                assert (ROOT / word).is_file(), word


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_headings(page: str) -> None:
    for link, heading in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", text(page)):
        other = text(page) if not link else ((ROOT / page).parent / link).resolve().read_text("utf-8")
        titles = re.findall(r"^#+ (.+)$", other, re.M)
        slugs = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]
        assert heading in slugs, (link, heading)


@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_are_python(page: str) -> None:
    for block in blocks(page, "python"):
        ast.parse(block)


def test_the_head_that_contributors_are_shown_works() -> None:
    block = next(block for block in blocks(".github/CONTRIBUTING.md", "python") if "my_head" in block)
    try:
        exec(
            f"{block}\nimport torchreid_amd as amd\n"
            "with torch.no_grad():\n"
            "    out = amd.create_interpreter('osnet_x0_25', head='my_head')(torch.rand(1, 3, 64, 32))\n"
            "assert out.components.shape == (1, 26, 512)\n",
            {},
        )
    finally:
        heads.remove("my_head")


def test_the_table_of_keys_is_that_of_the_configuration() -> None:
    rows = re.findall(r"^\| `amd\.([\w.]+?)(\.\*)?` \|.*?\| (.*) \|$", text("README.md"), re.M)
    told = set()
    for name, several, meaning in rows:
        members = re.findall(r"`(\w+)`", meaning) if several else [""]
        told |= {f"{name}.{member}".rstrip(".") for member in members}

    def leaves(node: dict[str, Any], before: str = "") -> set[str]:
        return {
            leaf
            for key, value in node.items()
            for leaf in (leaves(value, f"{before}{key}.") if isinstance(value, dict) else {before + key})
        }

    known = leaves(to_dict(get_default_config().amd))
    assert told <= known, told - known
    assert known <= told, known - told
