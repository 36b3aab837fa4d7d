"""Train, evaluate and explain on a data set of your own, whose files are not named like Market-1501's.

    python examples/your_own_data_set.py --out examples/output/own

The data set: one folder a person, one file a frame (``013/0002_c4.jpg``), and a table of labels by
person. It is added by torchreid's public function; ``amd.attributes.identity`` says where a path has
the person's number. (To have something to photograph, people are rendered and filed that way.)
Training runs in one folder, evaluation and explaining in others; each time the labels are compared
with the truth of every photograph, and the script ends with 1 if one is wrong.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import torchreid_amd as amd
from torchreid_amd.attributes.datamanager_labels import ManagerLabels
from torchreid_amd.cli import main as torchreid_amd
from torchreid_amd.config import get_default_config, merge
from torchreid_amd.core import host
from torchreid_amd.datasets.synthetic import render_dataset
from torchreid_amd.datasets.synthetic.dataset import SyntheticAttr

torchreid = host.torchreid()
NAME = "campus"
IDENTITY = r"(\d+)/[^/]+$"  # the folder of a photograph
WORN = ("backpack", "hat", "hair", "up", "upred", "upblue", "upblack", "downblack", "downblue")
Truth = dict[Path, tuple[int, ...]]


class Campus(torchreid.data.ImageDataset):  # type: ignore[misc]
    """As torchreid's documentation says it: three lists of (path, identity, camera)."""

    dataset_dir = NAME

    def __init__(self, root: str = "", **kwargs: Any) -> None:
        base = Path(root).expanduser().absolute() / self.dataset_dir
        train, test = (self.listed(base / split) for split in ("train", "test"))
        number = {pid: n for n, pid in enumerate(sorted({pid for _, pid, _ in train}))}
        query = [item for item in test if item[2] % 2 == 0]
        gallery = [item for item in test if item[2] % 2]
        super().__init__([(path, number[pid], c) for path, pid, c in train], query, gallery, **kwargs)

    @staticmethod
    def listed(folder: Path) -> list[tuple[str, int, int]]:
        paths = sorted(folder.glob("*/*.jpg"))
        return [(str(p), int(p.parent.name), int(p.stem.split("_c")[1]) - 1) for p in paths]


def photograph(root: Path, train_ids: int, test_ids: int, images: int) -> Truth:
    """Render people and file them as ``campus``; the truth of each photograph."""
    folder = render_dataset(
        root / "rendered", train_ids=train_ids, test_ids=test_ids, images_per_id=images, workers=1
    )
    truth: Truth = {}
    rows: dict[int, tuple[int, ...]] = {}
    for split, folders in (("train", ["bounding_box_train"]), ("test", ["query", "bounding_box_test"])):
        table = SyntheticAttr.attribute_table(root / "rendered", split)
        columns = [table.schema.index(attribute) for attribute in WORN]
        frames: dict[int, int] = {}
        for path in sorted(p for name in folders for p in folder.rglob(f"{name}/*.jpg")):
            pid, camera = int(path.name.split("_")[0]), int(path.name.split("_c")[1][0])
            if not table.known(pid):
                continue  # a passer-by
            frames[pid] = frames.get(pid, 0) + 1
            to = root / NAME / split / f"{pid:03d}" / f"{frames[pid]:04d}_c{camera}.jpg"
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to)
            rows[pid] = tuple(int(v) for v in table.labels([pid])[0, columns])
            truth[to] = rows[pid]
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("pid", *WORN), *((pid, *row) for pid, row in sorted(rows.items()))])
    return truth


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in another folder for a while."""
    before = Path.cwd()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def compare(where: str, paths: list[str], labels: np.ndarray, truth: Truth) -> bool:
    """Whether the labels are those of the people on the photographs; it is printed."""
    right = sum(tuple(row) == truth[Path(p)] for p, row in zip(paths, labels.tolist(), strict=True))
    print(f"{where}: labels of {right} of {len(paths)} photographs are right")
    return right == len(paths) > 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--out", default="examples/output/own", help="folder for everything")
    parser.add_argument("--train-ids", type=int, default=30)
    parser.add_argument("--test-ids", type=int, default=12)
    parser.add_argument("--images-per-id", type=int, default=6)
    parser.add_argument("--epochs", default="5")
    parser.add_argument(
        "opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs, e.g. model.load_weights W.pth"
    )
    args = parser.parse_args(arguments)
    root = Path(args.out).absolute() / "data"
    shutil.rmtree(root / NAME, ignore_errors=True)
    truth = photograph(root, args.train_ids, args.test_ids, args.images_per_id)
    if NAME not in host.image_datasets():
        torchreid.data.register_image_dataset(NAME, Campus)

    options = ["amd.attributes.file", "labels.csv", "amd.attributes.identity", IDENTITY]
    options += ["model.name", "osnet_x0_25", "model.pretrained", "False", "data.height", "128"]
    options += ["data.width", "64", "data.workers", "0", "train.batch_size", "16", "test.ranks", "[1, 5]"]
    options += ["train.max_epoch", args.epochs, "amd.overwrite", "True", *args.opts]
    sets = ["-s", NAME, "-t", NAME]
    with inside(root):  # paths as they are typed there
        if torchreid_amd(["train", "--root", ".", *sets, *options, "data.save_dir", "../run"]):
            return 1
        cfg = merge(get_default_config(), opts=[*options, "data.root", "."])
        cfg.data.sources, cfg.data.targets = [NAME], [NAME]
        known, data = ManagerLabels(cfg), host.image_dataset(NAME, ".")
        train = [item[0] for item in data.train]
        good = compare("training", train, known.train({"impath": train, "dsetid": [0] * len(train)}), truth)
        test = [item[0] for item in [*data.query, *data.gallery]]
        good &= compare("evaluation", test, known.test(NAME, test), truth)

    with inside(root.parent / "elsewhere"):
        skipped = [
            x for part in ("place", "effect", "removal", "sanity", "reweight") for x in ("--skip", part)
        ]
        if torchreid_amd(["evaluate", "../run", *skipped]):
            return 1
        a, b = (os.path.relpath(path) for path in (data.query[0][0], data.gallery[-1][0]))
        if torchreid_amd(["explain", "../run", a, b, "--html", "pair.html", "--figure", "pair.png"]):
            return 1
        explainer = amd.Explainer.from_pretrained("../run")
        paths = sorted(map(str, truth))
        assert explainer.labels is not None
        seen = explainer.labels.labels([os.path.relpath(path) for path in paths])
        good &= compare("explaining", paths, np.asarray(seen), truth)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
