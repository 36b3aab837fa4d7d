"""Arrange the hand-drawn boxes of Market-1501 as torchreid's market1501, to interpret a real model.

    python examples/hand_drawn_market.py gt_bbox market_attribute.mat reid-data --train-images 6

The boxes drawn by hand lie in one folder; the annotation says which identities are for training
and which for testing. Queries are one photograph of each test identity and camera, the first by
name; the other photographs of test identities are the gallery, without distractors, so retrieval
is easier than under the official protocol. Nothing is drawn at random: the same files give the
same data set. Files are copied; the folder given stays as it is.

Zheng et al., *Scalable Person Re-identification: A Benchmark*, ICCV 2015. Annotation: Lin et al.,
*Improving Person Re-identification by Attribute and Identity Learning*, Pattern Recognition 2019.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from torchreid_amd.attributes.mat import read_mat
from torchreid_amd.attributes.sets import market1501
from torchreid_amd.core.errors import InputError

NAME = re.compile(r"(\d{4})_c(\d)[^.]*(\.jpg)+$")  # some files of the set end in .jpg.jpg
PLACE = Path("market1501") / "Market-1501-v15.09.15"
Photographs = dict[int, dict[int, list[str]]]  # file names by identity and camera, in order


def photographs(folder: Path) -> Photographs:
    """The boxes of a folder; other files in it are left out."""
    found: Photographs = defaultdict(lambda: defaultdict(list))
    for path in sorted(folder.iterdir() if folder.is_dir() else ()):
        if match := NAME.match(path.name):
            found[int(match[1])][int(match[2])].append(path.name)
    if not found:
        raise InputError(f"no photographs named like 0001_c1s1_001051_00.jpg in {str(folder)!r}")
    return found


def some(cameras: dict[int, list[str]], most: int) -> list[str]:
    """At most ``most`` names (0: all), from every camera in turn, spread evenly over each one's."""
    names = sorted(name for camera in cameras.values() for name in camera)
    if not most or len(names) <= most:
        return names
    takes = dict.fromkeys(sorted(cameras), 0)
    while most:
        for camera in takes:
            if most and takes[camera] < len(cameras[camera]):
                takes[camera] += 1
                most -= 1
    return [cameras[c][i * len(cameras[c]) // take] for c, take in takes.items() for i in range(take)]


def arrange(folder: Path, annotation: Path, root: Path, train_images: int = 0, test_images: int = 0) -> Path:
    """Copy the photographs and the annotation to where torchreid looks for them.

    Args:
        folder: the boxes, ``<identity>_c<camera>….jpg``.
        annotation: ``market_attribute.mat``.
        root: torchreid's root of data sets; must not have a ``market1501`` yet.
        train_images: at most so many of a training identity; 0 for all.
        test_images: at most so many gallery photographs of a test identity; 0 for all.

    Returns:
        The folder of the three image folders.

    Raises:
        InputError: no photographs, an annotation that cannot be read, or a root in use.
    """
    people = photographs(folder)
    pids = {split: read_mat(annotation, market1501(), split).keys for split in ("train", "test")}
    if (root / "market1501").exists():
        raise InputError(f"{str(root / 'market1501')!r} exists already; give another ROOT, or delete it")
    chosen: dict[str, list[str]] = {"bounding_box_train": [], "query": [], "bounding_box_test": []}
    for pid in sorted(set(pids["train"]) & set(people)):
        chosen["bounding_box_train"] += some(people[int(pid)], train_images)
    for pid in sorted(set(pids["test"]) & set(people)):
        chosen["query"] += [names[0] for _, names in sorted(people[int(pid)].items())]
        rest = {camera: names[1:] for camera, names in people[int(pid)].items()}
        chosen["bounding_box_test"] += some(rest, test_images)
    for place, names in chosen.items():
        copy(folder, names, root / PLACE / place)
        print(f"{place:<20}{len(names):>7,} photographs of {len({n[:4] for n in names}):,} identities")
    shutil.copyfile(annotation, root / "market1501" / "market_attribute.mat")
    return root / PLACE


def copy(folder: Path, names: Sequence[str], to: Path) -> None:
    to.mkdir(parents=True)
    for name in names:
        shutil.copyfile(folder / name, to / (name.split(".", 1)[0] + ".jpg"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of the hand-drawn boxes")
    parser.add_argument("annotation", type=Path, metavar="MAT", help="market_attribute.mat")
    parser.add_argument("root", type=Path, metavar="ROOT", help="torchreid's root of data sets")
    parser.add_argument("--train-images", type=int, default=0, help="of an identity, at most (default: all)")
    parser.add_argument("--test-images", type=int, default=0, help="of an identity, at most (default: all)")
    args = parser.parse_args()
    try:
        print(arrange(args.folder, args.annotation, args.root, args.train_images, args.test_images))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
