"""Small data sets on disk for the tests: folders of tiny JPEGs and annotation files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

from torchreid_amd.attributes import AttributeSchema

MARKET_FOLDERS = "market1501/Market-1501-v15.09.15"
DUKE_FOLDERS = "dukemtmc-reid/DukeMTMC-reID"


def codes(schema: AttributeSchema, yes: Mapping[str, Sequence[str]]) -> dict[str, dict[str, int]]:
    """Annotation codes (1 no, 2 yes) by identity: the attributes named are yes, the others no."""
    return {pid: {a: 2 if a in given else 1 for a in schema.attributes} for pid, given in yes.items()}


def write_mat(path: Path, variable: str, splits: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Path:
    """An annotation file; the fields of ``test`` stand in the reverse order of those of ``train``."""
    whole = {}
    for split, rows in splits.items():
        names = list(next(iter(rows.values())))
        fields: dict[str, object] = {n: np.array([r[n] for r in rows.values()], np.uint8) for n in names}
        fields["image_index"] = np.array(list(rows), dtype=object)
        order = list(fields) if split == "train" else list(fields)[::-1]
        whole[split] = {name: fields[name] for name in order}
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {variable: whole})
    return path


def write_images(folder: Path, names: Sequence[str]) -> list[str]:
    """Tiny JPEGs; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (4, 8), (len(name) * 7 % 256, 90, 160)).save(folder / name)
    return [str(folder / name) for name in names]


def market_folders(root: Path, train: Sequence[str], query: Sequence[str], gallery: Sequence[str]) -> Path:
    """Market-1501's folders; names are ``<pid>_c<cam>…`` without the suffix."""
    return _folders(root / MARKET_FOLDERS, train, query, gallery)


def duke_folders(root: Path, train: Sequence[str], query: Sequence[str], gallery: Sequence[str]) -> Path:
    """DukeMTMC-reID's folders."""
    return _folders(root / DUKE_FOLDERS, train, query, gallery)


def _folders(base: Path, train: Sequence[str], query: Sequence[str], gallery: Sequence[str]) -> Path:
    for folder, names in (("bounding_box_train", train), ("query", query), ("bounding_box_test", gallery)):
        write_images(base / folder, [f"{name}.jpg" for name in names])
    return base
