"""Reading the user's own attribute table: CSV, JSON or HDF5.

One row an identity (``pid``: the number in the data set's file names, before torchreid relabels
it) or an image (``image``: its file name, or the end of its path where names repeat)::

    pid,hat,red,blue                CSV: 1 yes, 0 no, blank unknown
    2,1,0,1
    7,0,,1

    {"by": "pid",                   JSON: 1, 0 or null; true and false work too
     "attributes": ["hat", "red", "blue"],
     "labels": {"2": [1, 0, 1], "7": {"hat": 0, "blue": 1}}}

HDF5 has the datasets ``pid`` (N integers) or ``image`` (N strings) and ``labels`` (N, M) of 1, 0
and −1 for unknown, and the names of the columns as the file's attribute ``attributes``. A JSON
table may carry the ``name``, ``groups`` and ``words`` of a schema file itself.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from torchreid_amd.attributes.schema import UNKNOWN, AttributeSchema
from torchreid_amd.attributes.schema_file import read_text, resolve_schema, schema_from
from torchreid_amd.attributes.table import AttributeTable, By
from torchreid_amd.core.errors import InputError

_CELLS = {"1": 1, "1.0": 1, "0": 0, "0.0": 0, "": UNKNOWN}  # 1.0: a column with blanks, out of a data frame


@dataclass
class _Rows:
    """What a file says, before a schema gives it its order."""

    by: By
    attributes: list[str]
    keys: list[int | str] = field(default_factory=list)
    labels: Any = field(default_factory=list)
    meaning: dict[str, Any] = field(default_factory=dict)


def read_table(
    path: str | os.PathLike[str], schema: AttributeSchema | str | os.PathLike[str] | None = None
) -> AttributeTable:
    """The attribute table in a ``.csv``, ``.json``, ``.h5`` or ``.hdf5`` file.

    Args:
        path: the table.
        schema: a schema, the name of a registered attribute set, or a schema file (``.json``,
            ``.yaml``). Every column must be in it; its attributes without a column are unknown.
            Without it the columns are the schema, in their order and without groups or words.

    Returns:
        A table by pid or by image, in the schema's order.

    Raises:
        InputError: the file is missing or damaged, has no rows, a wrong header, an unknown
            column, a row given twice, or a value that is not yes, no or unknown.
    """
    file = Path(path)
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise InputError(f"attribute table {str(file)!r} is of no known kind; expected .csv, .json or .h5")
    rows = reader(file)
    _check_names(rows.attributes, file)
    if schema is None:
        schema = schema_from(rows.meaning, file, rows.attributes)
    schema = resolve_schema(schema, rows.attributes)
    try:
        columns = [schema.index(attribute) for attribute in rows.attributes]
    except InputError as error:
        raise InputError(f"{str(file)!r}: unknown column: {error}") from None
    table = AttributeTable(schema.select(rows.attributes), rows.keys, rows.labels, rows.by, str(file))
    labels = np.full((len(table), len(schema)), UNKNOWN, np.int8)
    labels[:, columns] = table.matrix
    return AttributeTable(schema, table.keys, labels, rows.by, str(file))


def _check_names(attributes: list[str], file: Path) -> None:
    if not attributes or not all(attributes):
        raise InputError(f"{str(file)!r}: attributes {attributes}; expected at least one, each with a name")
    twice = sorted({a for a in attributes if attributes.count(a) > 1})
    if twice:
        raise InputError(f"{str(file)!r}: attribute {twice[0]!r} stands twice; names must differ")


def _by(name: str, where: str) -> By:
    if name == "pid":
        return "pid"
    if name == "image":
        return "image"
    raise InputError(f"{where}: rows are by {name!r}; expected 'pid' or 'image'")


def _key(text: str, by: By, where: str) -> int | str:
    if by == "image" and text:
        return text
    if by == "pid" and re.fullmatch(r"-?[0-9]+", text):
        return int(text)
    raise InputError(f"{where}: {by} {text!r}; expected {'an integer' if by == 'pid' else 'a file name'}")


def _read_csv(file: Path) -> _Rows:
    lines = csv.reader(io.StringIO(read_text(file, "attribute table"), newline=""), strict=True)
    try:
        return _csv_rows(lines, file)
    except csv.Error as error:
        raise InputError(
            f"{str(file)!r}, line {lines.line_num}: {error}; expected comma-separated values"
        ) from None


def _csv_rows(lines: Any, file: Path) -> _Rows:
    header = [name.strip() for name in next(lines, [])]
    if len(header) < 2 or header[0] not in ("pid", "image"):
        raise InputError(
            f"{str(file)!r}, line 1: header {','.join(header)[:80]!r}; expected pid,<attribute>,… "
            "or image,<attribute>,… separated by commas"
        )
    rows = _Rows(_by(header[0], str(file)), header[1:])
    first: dict[int | str, int] = {}
    for row in lines:
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        where = f"{str(file)!r}, line {lines.line_num}"
        if len(cells) != len(header):
            raise InputError(f"{where}: {len(cells)} values; expected {len(header)}, as in the header")
        key = _key(cells[0], rows.by, where)
        if key in first:
            raise InputError(f"{where}: {rows.by} {key!r} has a row already, on line {first[key]}; keep one")
        for name, cell in zip(header[1:], cells[1:], strict=True):
            if cell not in _CELLS:
                raise InputError(f"{where}: {name} = {cell!r}; expected 1 (yes), 0 (no) or blank (unknown)")
        first[key] = lines.line_num
        rows.keys.append(key)
        rows.labels.append([_CELLS[cell] for cell in cells[1:]])
    return rows


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    whole = dict(pairs)
    if len(whole) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} stands twice; keep one")
    return whole


def _read_json(file: Path) -> _Rows:
    text = read_text(file, "attribute table")
    try:
        data = json.loads(text, object_pairs_hook=_once)
    except ValueError as error:
        raise InputError(f"{str(file)!r} cannot be read: {error}") from None
    shape = '{"by": "pid", "attributes": ["hat", …], "labels": {"2": [1, …], …}}'
    if not isinstance(data, dict) or not isinstance(data.get("labels"), dict):
        raise InputError(f"{str(file)!r} has no object of labels; expected {shape}")
    names = data.get("attributes")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{str(file)!r} has no list of attribute names; expected {shape}")
    rows = _Rows(_by(data.get("by", "pid"), str(file)), names)
    rows.meaning = {k: v for k, v in data.items() if k not in ("by", "labels")}
    for key, given in data["labels"].items():
        where = f"{str(file)!r}, {rows.by} {key!r}"
        rows.keys.append(_key(key, rows.by, where))
        rows.labels.append(_json_row(given, names, where))
    return rows


def _json_row(given: Any, names: list[str], where: str) -> list[int]:
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in names]
        if unknown:
            raise InputError(
                f"{where}: {unknown[0]!r} is not among the attributes; known: {', '.join(names)}"
            )
        given = [given.get(name) for name in names]
    if not isinstance(given, list) or len(given) != len(names):
        raise InputError(f"{where}: expected {len(names)} values, or an object of attribute: value")
    for name, value in zip(names, given, strict=True):
        if value not in (None, 0, 1):
            raise InputError(f"{where}: {name} = {value!r}; expected 1 (yes), 0 (no) or null (unknown)")
    return [UNKNOWN if value is None else int(value) for value in given]


def _read_hdf5(file: Path) -> _Rows:
    if not file.is_file():
        raise InputError(f"attribute table {str(file)!r} cannot be read: no such file; check the path")
    try:
        with h5py.File(file, "r") as data:
            by = next((name for name in ("pid", "image") if name in data), "")
            if not by or "labels" not in data or "attributes" not in data.attrs:
                raise InputError(
                    f"{str(file)!r} has {', '.join(data) or 'nothing'}; expected the datasets 'pid' or "
                    "'image' and 'labels', and the column names as the file's attribute 'attributes'"
                )
            names = [_text(name) for name in np.atleast_1d(data.attrs["attributes"])]
            keys = np.atleast_1d(data[by][()])
            labels = np.asarray(data["labels"][()])
    except InputError:
        raise
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{str(file)!r} cannot be read as HDF5 ({' '.join(str(error).split())})") from None
    if labels.size and np.isin(labels, (1, -1)).all() and (labels == -1).any():
        raise InputError(
            f'{str(file)!r} holds 1 and -1 and not a single 0, so nobody would have a "no"; expected 1 yes, '
            "0 no, -1 unknown: write 0 where -1 means no"
        )
    return _Rows(
        _by(by, str(file)), names, keys.tolist() if by == "pid" else [_text(k) for k in keys], labels
    )


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


_READERS: dict[str, Callable[[Path], _Rows]] = {
    ".csv": _read_csv,
    ".json": _read_json,
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
}
