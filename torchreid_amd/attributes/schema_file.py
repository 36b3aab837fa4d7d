"""The optional file that says what the columns of an attribute table mean.

JSON, or the same in YAML; every entry may be left out::

    {"name": "campus",
     "attributes": ["hat", "red", "blue"],
     "groups": {"upper-body colour": ["red", "blue"]},
     "words": {"red": ["red upper body", "upper body not red"], "hat": "wears a hat"},
     "parts": {"red": "upper body", "blue": "upper body", "hat": "head"}}

``attributes`` gives their order (otherwise the table's), ``groups`` those of which a person has
at most one, ``words`` what yes and no mean, ``parts`` where an attribute belongs: upper body, lower
body, head, carried or rest of the picture.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.registry import attribute_sets

_KEYS = ("name", "attributes", "groups", "words", "parts")
_SUFFIXES = (".json", ".yaml", ".yml")


def read_schema(path: str | os.PathLike[str], attributes: Sequence[str] = ()) -> AttributeSchema:
    """The schema written in a ``.json``, ``.yaml`` or ``.yml`` file.

    Args:
        path: the file; without ``name`` in it, the schema is named after the file.
        attributes: the attributes of a file that names none.

    Raises:
        InputError: the file is missing or is not such a schema.
    """
    file = Path(path)
    text = read_text(file, "attribute schema")
    try:
        data = json.loads(text) if file.suffix.lower() == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise InputError(f"{str(file)!r} cannot be read: {' '.join(str(error).split())}") from None
    return schema_from(data, file, attributes)


def schema_from(data: Any, file: Path, attributes: Sequence[str]) -> AttributeSchema:
    """The schema of a mapping that may leave out its name and its attributes."""
    if not isinstance(data, Mapping) or not data.keys() <= set(_KEYS):
        found = ", ".join(map(str, data)) if isinstance(data, Mapping) else type(data).__name__
        raise InputError(f"{str(file)!r}: found {found}; expected entries among {', '.join(_KEYS)}")
    if not data.get("attributes") and not attributes:
        raise InputError(f"{str(file)!r}: no attributes; add their names as 'attributes'")
    whole = {
        **data,
        "name": data.get("name") or file.stem,
        "attributes": data.get("attributes") or attributes,
    }
    try:
        return AttributeSchema.from_dict(whole)
    except InputError as error:
        raise InputError(f"{str(file)!r}: {error}") from None


def resolve_schema(
    schema: AttributeSchema | str | os.PathLike[str], attributes: Sequence[str] = ()
) -> AttributeSchema:
    """A schema as it is, or by the name of a registered set, or from a schema file.

    Raises:
        InputError: neither a registered set nor a readable schema file.
    """
    if isinstance(schema, AttributeSchema):
        return schema
    if Path(schema).suffix.lower() in _SUFFIXES:
        return read_schema(schema, attributes)
    registered: AttributeSchema = attribute_sets[str(schema)]()
    return registered


def read_text(file: Path, kind: str) -> str:
    """A text file, or one line that says why it cannot be read."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{kind} {str(file)!r} cannot be read: {error.strerror}; check the path") from None
    except UnicodeDecodeError:
        raise InputError(f"{kind} {str(file)!r} is not text; expected UTF-8") from None
