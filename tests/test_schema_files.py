"""Schema files: order, groups and words of attributes, and what is wrong with a file in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchreid_amd.attributes import (
    label_source,
    read_schema,
    read_table,
)
from torchreid_amd.core.errors import InputError

YAML = """
groups:
  upper-body colour: [red, blue]
words:
  red: [red upper body, upper body not red]
  hat: wears a hat
"""


def refused(path: Path) -> str:
    with pytest.raises(InputError) as error:
        read_schema(path)
    message = str(error.value)
    assert path.name in message and "\n" not in message
    return message


@pytest.mark.parametrize("name", ["meaning.yaml", "meaning.yml", "meaning.json"])
def test_schema_file_gives_groups_and_words(tmp_path: Path, name: str) -> None:
    (tmp_path / "mine.csv").write_text("pid,hat,red,blue\n2,1,1,0\n")
    (tmp_path / name).write_text(
        '{"groups": {"upper-body colour": ["red", "blue"]}, "words": {"hat": "wears a hat", '
        '"red": ["red upper body", "upper body not red"]}}'
        if name.endswith("json")
        else YAML
    )
    schema = read_table(tmp_path / "mine.csv", tmp_path / name).schema
    assert (schema.name, schema.attributes) == ("meaning", ("hat", "red", "blue"))
    assert schema.group_indices() == [[1, 2]]
    assert (schema.say("red"), schema.say("red", False)) == ("red upper body", "upper body not red")
    assert schema.say("hat", False) == "not wears a hat"
    assert label_source("viper", tmp_path, tmp_path / "mine.csv", tmp_path / name).schema == schema


def test_schema_file_gives_the_order(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("pid,hat,red\n2,1,0\n")
    (tmp_path / "s.json").write_text('{"name": "campus", "attributes": ["red", "skirt", "hat"]}')
    table = read_table(tmp_path / "mine.csv", tmp_path / "s.json")
    assert table.schema.name == "campus" and table.matrix.tolist() == [[0, -1, 1]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"attributes": ["hat"]', "cannot be read"),
        ("[1, 2]", "expected entries among name, attributes, groups, words"),
        ('{"attribute": ["hat"]}', "found attribute; expected entries among"),
        ("{}", "no attributes"),
        ('{"attributes": ["hat"], "groups": {"c": ["rde"]}}', "unknown attribute of 's' 'rde'"),
    ],
)
def test_bad_schema_file(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(text)
    assert says in refused(path)


def test_schema_that_is_neither_file_nor_set(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("pid,hat\n2,1\n")
    refused(tmp_path / "gone.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1, 2\nb: }")
    refused(tmp_path / "bad.yaml")
    with pytest.raises(InputError, match="unknown attribute set 'markt1501'; did you mean 'market1501'"):
        read_table(tmp_path / "mine.csv", "markt1501")
