"""A data set of somebody's own, named unlike Market-1501, added as torchreid's documentation shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from torchreid_amd.core import host

TRAIN, TEST, CAMERAS = range(1, 13), range(21, 29), (1, 2, 3)
FOLDERS = r"(\d+)/[^/]+$"  #: the rule for 013/0002_c4.jpg
FILES = r"person_(\d+)_"  #: the rule for person_013_004.jpg


def red(pid: int) -> int:
    """Whether a person wears red: an odd number."""
    return pid % 2


def hat(pid: int) -> int:
    """Whether a person wears a hat: every third."""
    return int(pid % 3 == 0)


class Campus(host.torchreid().data.ImageDataset):  # type: ignore[misc]
    """Folder = person, file = frame number: ``013/0002_c4.jpg``."""

    dataset_dir = "campus"

    def __init__(self, root: str = "", **kwargs: Any) -> None:
        base = Path(root).expanduser().absolute() / self.dataset_dir
        train, test = (
            [(str(path), *self.read(path)) for path in sorted((base / split).rglob("*.jpg"))]
            for split in ("train", "test")
        )
        number = {pid: n for n, pid in enumerate(sorted({pid for _, pid, _ in train}))}
        super().__init__(
            [(path, number[pid], camera) for path, pid, camera in train],
            [item for item in test if item[2] == 1],
            [item for item in test if item[2] != 1],
            **kwargs,
        )

    @staticmethod
    def read(path: Path) -> tuple[int, int]:
        """Person and camera."""
        return int(path.parent.name), int(path.stem.split("_c")[1])

    @staticmethod
    def name(pid: int, camera: int) -> str:
        """Where a photograph lies."""
        return f"{pid:03d}/{camera:04d}_c{camera}.jpg"


class CampusFiles(Campus):
    """The naming that torchreid's maintainer recommends: ``person_013_004.jpg``."""

    dataset_dir = "campus_files"

    @staticmethod
    def read(path: Path) -> tuple[int, int]:
        _, pid, camera = path.stem.split("_")
        return int(pid), int(camera)

    @staticmethod
    def name(pid: int, camera: int) -> str:
        return f"person_{pid:03d}_{camera:03d}.jpg"


@contextmanager
def registered() -> Iterator[None]:
    """Both data sets, by torchreid's public function."""
    classes = {kind.dataset_dir: kind for kind in (Campus, CampusFiles)}
    for name, kind in classes.items():
        host.torchreid().data.register_image_dataset(name, kind)
    yield
    for name in classes:
        host.image_datasets().pop(name)


def write(root: Path, kind: type[Campus] = Campus) -> Path:
    """The photographs; the path of a table by pid."""
    for split, pids in (("train", TRAIN), ("test", TEST)):
        for pid in pids:
            for camera in CAMERAS:
                path = root / kind.dataset_dir / split / kind.name(pid, camera)
                path.parent.mkdir(parents=True, exist_ok=True)
                _picture(pid, camera).save(path)
    table = root / f"{kind.dataset_dir}.csv"
    table.write_text("pid,red,hat\n" + "".join(f"{p},{red(p)},{hat(p)}\n" for p in [*TRAIN, *TEST]))
    return table


def _picture(pid: int, camera: int) -> Image.Image:
    random = np.random.default_rng([pid, camera])
    picture = random.normal(110 + 10 * camera, 12, (64, 32, 3))
    picture[20:40, 8:24] = ((200, 30, 30) if red(pid) else (30, 30, 200)) + random.normal(0, 8, (20, 16, 3))
    if hat(pid):
        picture[4:10, 10:22] = 20
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))
