"""The same photograph with one attribute changed."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from torchreid_amd.core.errors import InputError
from torchreid_amd.datasets.synthetic.options import SyntheticOptions
from torchreid_amd.datasets.synthetic.people.person import Person, people
from torchreid_amd.datasets.synthetic.photograph import Pixels, RenderedImage, take
from torchreid_amd.datasets.synthetic.records import Record, files
from torchreid_amd.datasets.synthetic.rendering import read_options

_NAME = re.compile(r"^(\d+)_c([1-6])s(\d+)_(\d+)_\d+\.jpg$")


def counterfactual(
    image: str | os.PathLike[str] | Record,
    attribute: str,
    value: Any,
    options: SyntheticOptions | None = None,
) -> Pixels:
    """A photograph re-rendered with one attribute changed and everything else as it was.

    Setting a colour to 1 takes the place of the one worn; setting the worn one to 0 gives a colour
    that no attribute names. Setting an attribute to the value it has gives the photograph itself,
    bit by bit.

    Args:
        image: path of a rendered image, or its record.
        attribute: name in the schema.
        value: 0 or 1.
        options: of the data set a record belongs to; read from the folder for a path.

    Returns:
        ``(h, w, 3)`` uint8 RGB, after JPEG as the file is.

    Raises:
        InputError: not an image of a rendered data set, unknown attribute or value.
    """
    return counterfactual_photograph(image, attribute, value, options).pixels


def counterfactual_photograph(
    image: str | os.PathLike[str] | Record,
    attribute: str,
    value: Any,
    options: SyntheticOptions | None = None,
) -> RenderedImage:
    """Like :func:`counterfactual`, with the true regions ``(M, h, w)`` of the changed photograph."""
    record, found = find_record(image, options)
    return take(person_of(record.pid, found).with_attribute(attribute, value), record, found)


def find_record(
    image: str | os.PathLike[str] | Record, options: SyntheticOptions | None = None
) -> tuple[Record, SyntheticOptions]:
    """The record of a rendered image, and the options it was rendered with."""
    if isinstance(image, Record):
        return image, options or SyntheticOptions()
    path = Path(image).absolute()
    match = _NAME.match(path.name)
    if not match or len(path.parents) < 3:
        raise InputError(
            f"{str(image)!r} is not an image of synthetic_attr; expected a name like 0002_c1s1_000451_01.jpg"
        )
    found = options or read_options(path.parents[2])
    pid, camera, sequence, frame = (int(k) for k in match.groups())
    record = Record(pid, camera, sequence, frame)
    known = pid in found.pids("train") or pid in found.pids("test")
    if not known or record not in [r for _, r in files(found, pid)]:
        raise InputError(f"{str(image)!r} is not one of the images its data set was rendered with")
    return record, found


def person_of(pid: int, options: SyntheticOptions) -> Person:
    """The identity with this number.

    Raises:
        InputError: the data set has no such identity.
    """
    for split in ("train", "test"):
        pids = options.pids(split)
        if pid in pids:
            return people(options, split)[pids.index(pid)]
    raise InputError(
        f"synthetic_attr has no identity {pid}; expected 1 to {options.train_ids + options.test_ids}"
    )
