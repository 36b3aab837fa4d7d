"""Which photographs the data set consists of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from torchreid_amd.datasets.synthetic.options import CAMERAS, SyntheticOptions, stream

QUERIES = 2  #: of each test identity
TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"  #: folder names of Market-1501


@dataclass(frozen=True)
class Record:
    """Which photograph: identity, camera 1–6, sequence and frame number of its file name."""

    pid: int
    camera: int
    sequence: int
    frame: int

    @property
    def file_name(self) -> str:
        """Name in the manner of Market-1501."""
        return f"{self.pid:04d}_c{self.camera}s{self.sequence}_{self.frame:06d}_01.jpg"


def records(options: SyntheticOptions, pid: int) -> list[Record]:
    """The photographs of one identity, by camera and frame.

    At least two cameras see everybody, and at least two of them more than once, so that a query
    always has a match from another camera in the gallery.
    """
    rng = stream(options.key, "records", pid)
    spread = min(2, options.images_per_id - 4)
    number = options.images_per_id + int(rng.integers(-spread, spread + 1))
    most = min(CAMERAS, number - 2)
    cameras = rng.permutation(CAMERAS)[: int(rng.integers(min(4, most), most + 1))] + 1
    counts = np.ones(len(cameras), int)
    counts[:2] += 1
    for _ in range(number - int(counts.sum())):
        counts[int(rng.integers(len(cameras)))] += 1
    sequence, found = int(rng.integers(1, 7)), []
    for camera, count in sorted(zip(cameras.tolist(), counts.tolist(), strict=True)):
        start = int(rng.integers(1, 90000))
        steps = np.cumsum(rng.integers(9, 60, size=count))
        found += [Record(pid, camera, sequence, start + int(step)) for step in steps]
    return found


def files(options: SyntheticOptions, pid: int) -> list[tuple[str, Record]]:
    """Folder and record of each photograph of one identity.

    Of a test identity, one photograph in each of two cameras is a query and the others are the
    gallery: about four gallery images for each query, as in Market-1501.
    """
    mine = records(options, pid)
    if pid in options.pids("train"):
        return [(TRAIN, record) for record in mine]
    cameras = sorted({record.camera for record in mine})
    asking = set(stream(options.key, "queries", pid).permutation(cameras)[:QUERIES].tolist())
    placed = []
    for record in mine:
        placed.append((QUERY if record.camera in asking else GALLERY, record))
        asking.discard(record.camera)
    return placed
