"""A Market-1501 of a few coloured rectangles, small enough to train on in a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from annotated_folders import codes, duke_folders, write_mat
from PIL import Image

from torchreid_amd.attributes.sets import dukemtmcreid, market1501

COLOURS = {
    "upred": (200, 30, 30),
    "upblue": (30, 30, 200),
    "upgreen": (30, 180, 30),
    "upwhite": (230, 230, 230),
}


def write_tiny_market(root: Path, train: int = 6, test: int = 4, cameras: int = 2) -> Path:
    """Identities with an upper colour and perhaps a hat, seen once by each camera, 64×32."""
    base = root / "market1501" / "Market-1501-v15.09.15"
    rows: dict[str, dict[str, list[str]]] = {"train": {}, "test": {}}
    for split, first, count in (("train", 1, train), ("test", 101, test)):
        for pid in range(first, first + count):
            colour = list(COLOURS)[pid % len(COLOURS)]
            rows[split][f"{pid:04d}"] = [colour] + (["hat"] if pid % 2 else [])
            for camera in range(1, cameras + 1):
                _image(base, split, pid, camera, colour, bool(pid % 2))
    mat = {split: codes(market1501(), people) for split, people in rows.items()}
    write_mat(root / "market1501" / "market_attribute.mat", "market_attribute", mat)
    return root


def _image(base: Path, split: str, pid: int, camera: int, colour: str, hat: bool) -> None:
    random = np.random.default_rng([pid, camera])
    picture = random.normal(110 + 10 * camera, 12, (64, 32, 3))
    picture[20:40, 8:24] = COLOURS[colour] + random.normal(0, 8, (20, 16, 3))
    if hat:
        picture[4:10, 10:22] = (20, 20, 20)
    folder = "bounding_box_train" if split == "train" else "query" if camera == 1 else "bounding_box_test"
    (base / folder).mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
    image.save(base / folder / f"{pid:04d}_c{camera}s1_000001_00.jpg", quality=95)


def market_and_duke(folder: Path) -> Path:
    """A tiny Market-1501 and a DukeMTMC-reID of two persons."""
    write_tiny_market(folder)
    names = ["0005_c1_f1", "0006_c1_f1"], ["0007_c1_f1", "0008_c1_f1"], ["0007_c2_f1", "0008_c2_f1"]
    duke_folders(folder, *names)
    people = {
        "train": {"0005": ["upred", "top"], "0006": []},
        "test": {"0007": ["upblue", "boots"], "0008": ["hat"]},
    }
    splits = {split: codes(dukemtmcreid(), rows) for split, rows in people.items()}
    write_mat(folder / "dukemtmc-reid" / "duke_attribute.mat", "duke_attribute", splits)
    return folder
