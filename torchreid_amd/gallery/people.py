"""Photographs of people whose attributes are known: what readouts are fitted on."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchreid_amd.attributes.configured import source_of, splits_of
from torchreid_amd.attributes.identity import IdentityRule
from torchreid_amd.attributes.schema import UNKNOWN, AttributeSchema
from torchreid_amd.attributes.table_file import read_table
from torchreid_amd.config import config_of_run
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.images import list_images

MOST = 4000  #: photographs that readouts are fitted on; more hardly make them better
CAMERA = r"_c(\d+)"  #: where the name of a file says which camera took it: as Market-1501's do
SEED = 0  #: of the sample


@dataclass(frozen=True)
class LabelledPeople:
    """N photographs of people whose attributes are known.

    Attributes:
        paths: of the files.
        people: (N,) identities.
        cameras: (N,) which camera took it.
        labels: (N, M) 1 yes, 0 no, −1 unknown.
        schema: the M attributes.
    """

    paths: tuple[str, ...]
    people: NDArray[np.int64]
    cameras: NDArray[np.int64]
    labels: NDArray[np.int8]
    schema: AttributeSchema

    def __len__(self) -> int:
        return len(self.paths)

    def sample(self, most: int = MOST, seed: int = SEED) -> LabelledPeople:
        """At most so many of them, drawn from a seed, in their own order."""
        if len(self) <= most:
            return self
        return self.part(np.sort(np.random.default_rng(seed).permutation(len(self))[:most]))

    def part(self, rows: NDArray[np.integer]) -> LabelledPeople:
        """Some of them, by position."""
        paths = tuple(self.paths[i] for i in rows)
        return LabelledPeople(paths, self.people[rows], self.cameras[rows], self.labels[rows], self.schema)


def people_of_run(config: Mapping[str, Any], schema: AttributeSchema) -> LabelledPeople:
    """The training photographs of a run.

    Args:
        config: the run's configuration, nested (``Run.config``).
        schema: the attributes to answer in.

    Raises:
        InputError: there is no configuration, or its data sets are not there.
    """
    if not config:
        raise InputError(
            "this explainer comes from no run, so nobody is known whose attributes could be learnt; give "
            "labelled people (amd.rerank.labelled_folder)"
        )
    cfg = config_of_run(dict(config))
    paths: list[str] = []
    people: list[int] = []
    cameras: list[int] = []
    labels = []
    for name in cfg.data.sources:
        try:
            items = splits_of(cfg, name)["training"]
        except Exception as error:  # a data set is foreign code: anything may come out of it
            said = " ".join(str(error).split())[:200] or type(error).__name__
            raise InputError(
                f"the training data {name!r} of this run is not found under {cfg.data.root!r} ({said}); give "
                "--root, or a re-ranker that was fitted before"
            ) from None
        first_person, first_camera = max(people, default=-1) + 1, max(cameras, default=-1) + 1
        here = [item[0] for item in items]
        paths += here
        people += [first_person + int(item[1]) for item in items]
        cameras += [first_camera + int(item[2]) for item in items]
        labels.append(source_of(cfg, name, "train").project(schema).labels(here))
    return LabelledPeople(
        tuple(paths), np.array(people), np.array(cameras), np.concatenate(labels).astype(np.int8), schema
    )


def labelled_folder(
    folder: str | os.PathLike[str],
    table: str | os.PathLike[str],
    schema: AttributeSchema | str | os.PathLike[str] | None = None,
    identity: str = "",
    camera: str = CAMERA,
) -> LabelledPeople:
    """The photographs of a folder that a table knows the attributes of.

    Args:
        folder: image files, in folders too.
        table: labels by pid or by image, see :func:`torchreid_amd.attributes.table_file.read_table`.
        schema: what its columns mean; optional.
        identity: a regular expression whose first group is the person in a path; as Market-1501 names
            its files (``0002_c1s1_….jpg``), if not given.
        camera: the same for the camera.

    Raises:
        InputError: nothing can be read, a rule is no regular expression with a group or does not find a
            number in a path, or the table knows nobody of the folder.
    """
    known = read_table(table, schema)
    paths = list_images(folder)
    rule = IdentityRule("folder", identity)
    pids = [rule.raw(path) for path in paths]
    labels = known.labels(paths if known.by == "image" else pids)
    taken = _cameras(paths, camera)
    kept = [n for n, row in enumerate(labels) if (row != UNKNOWN).any() and pids[n] is not None]
    if not kept:
        raise InputError(
            f"{str(table)!r} has labels of nobody in {str(folder)!r}, as the names of its {len(paths)} files "
            f"are read: the person by {rule.pattern!r}; give another rule (identity)"
        )
    return LabelledPeople(
        tuple(str(paths[n]) for n in kept),
        np.array([pids[n] for n in kept], dtype=np.int64),
        np.array([taken[n] for n in kept], dtype=np.int64),
        labels[kept],
        known.schema,
    )


def _cameras(paths: list[str], rule: str) -> list[int]:
    """The camera in each path."""
    try:
        search, groups = re.compile(rule).search, re.compile(rule).groups
    except re.error as error:
        raise InputError(f"the rule for cameras {rule!r} is no regular expression ({error})") from None
    if not groups:
        raise InputError(f"the rule for cameras {rule!r} has no group; put the number in parentheses")
    found = [search(path.replace(os.sep, "/")) for path in paths]
    for path, match in zip(paths, found, strict=True):
        if match is None or not str(match[1]).isdigit():
            raise InputError(
                f"no camera is found in {path!r} by {rule!r}; name the files as Market-1501 does "
                "(0002_c1s1_….jpg), or give another rule (camera)"
            )
    return [int(match[1]) for match in found if match is not None]
