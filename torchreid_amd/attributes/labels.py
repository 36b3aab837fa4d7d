"""Labels of a data set's images, looked up by image path.

What survives torchreid's numbering of identities is the path of an image: a table by identity needs
a rule that reads it off there, see :mod:`torchreid_amd.attributes.identity`.
"""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Iterable, Sequence

import numpy as np

from torchreid_amd.attributes.identity import NO_PID, IdentityRule, Splits, one_to_one
from torchreid_amd.attributes.schema import UNKNOWN, AttributeSchema
from torchreid_amd.attributes.table import AttributeTable
from torchreid_amd.attributes.table_file import read_table
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.registry import datasets

_log = logging.getLogger(__name__)


class LabelSource:
    """The labels of one data set.

    Args:
        table: its labels, by identity or by image.
        name: the data set, as torchreid knows it.
        own: the labels are the user's own, which :meth:`check` holds against the data set.
        identity: a regular expression whose first group is the identity in an image's path; default:
            the data set's own, see :class:`~torchreid_amd.attributes.identity.IdentityRule`.

    Raises:
        InputError: a table by pid for a data set whose file names do not tell the identity, or
            one with labels for junk or distractors.
    """

    def __init__(self, table: AttributeTable, name: str, own: bool = False, identity: str = "") -> None:
        self.table = table
        self.name = name
        self.own = own
        base = name.removesuffix("_attr")
        if table.by == "pid" and base in NO_PID and not identity:
            raise InputError(
                f"{table.source}: labels by pid cannot be used with {name!r}, where {NO_PID[base]}; "
                "use an 'image' column with file names"
            )
        self.rule = IdentityRule(name, identity or _own_pattern(name))
        nobody = [pid for pid in table.keys if table.by == "pid" and int(pid) < self.rule.first]
        if nobody:
            raise InputError(
                f"{table.source}: pid {nobody[0]} is not a person of {name!r} but stands for junk or "
                "distractors, which have no attributes; remove that row"
            )

    @property
    def schema(self) -> AttributeSchema:
        """The attributes and their order."""
        return self.table.schema

    def project(self, schema: AttributeSchema) -> LabelSource:
        """The same labels in another schema, by attribute name; new names are unknown."""
        projected = copy.copy(self)
        projected.table = self.table.project(schema)
        return projected

    def pids(self, impaths: Iterable[str]) -> list[int | None]:
        """The identity in each file name, before any relabelling.

        None for junk, for distractors, and for a file that is not named like the data set's.
        """
        return self.rule.pids(impaths)

    def labels(self, impaths: Sequence[str]) -> np.ndarray:
        """Labels of images.

        Args:
            impaths: N paths, as in a torchreid batch's ``impath``.

        Returns:
            (N, M) int8 of 1 yes, 0 no, −1 unknown; junk, distractors, identities without a row
            and pictures from elsewhere are unknown.
        """
        return self.table.labels(impaths if self.table.by == "image" else self.pids(impaths))

    def labels_once(self, impaths: Sequence[str]) -> np.ndarray:
        """Labels of the rows that speak for these images, each row once: (N, M) int8.

        What the share of "yes" over the training identities is counted from, where a table
        covers other splits too.
        """
        rows = {self.table.find(key) for key in (impaths if self.table.by == "image" else self.pids(impaths))}
        return self.table.matrix[sorted(rows - {-1})]

    def check(self, impaths: Iterable[str]) -> str:
        """Hold the labels against all images of the data set (training, query and gallery).

        Returns:
            One line to print if identities (or images) have no row and stay unknown, else ``''``.

        Raises:
            InputError: rows of the user's own table belong to no image of the data set.
        """
        paths = list(impaths)
        if self.table.by == "pid":
            return self.check_pids(pid for pid in self.pids(paths) if pid is not None)
        rows = [self.table.find(path) for path in paths]
        used = {self.table.keys[row] for row in rows if row >= 0}
        self._no_strangers([key for key in self.table.keys if key not in used])
        return self._line(rows.count(-1), len(paths), "images")

    def check_pids(self, known: Iterable[int]) -> str:
        """:meth:`check` for a table by pid, given the identities of the data set."""
        pids = {pid for pid in known if pid >= self.rule.first}
        self._no_strangers([pid for pid in self.table.keys if pid not in pids])
        return self._line(sum(not self.table.known(pid) for pid in pids), len(pids), "identities")

    def check_splits(self, splits: Splits, strangers: bool = True) -> list[str]:
        """:meth:`check`, and the rule for identities against the data set's own.

        Args:
            splits: the data set's photographs, (path, pid, …) by split.
            strangers: whether rows of the user's own table that belong to no photograph are an error.

        Returns:
            Lines to print.

        Raises:
            InputError: as :meth:`check`, or the rule and the data set contradict each other, or a row
                by image speaks for photographs of two persons; two photographs show it.
        """
        lines = []
        if self.table.by == "pid":
            lines = self.rule.check(splits)
        else:
            one_to_one(
                splits,
                lambda path: None if (row := self.table.find(path)) < 0 else self.table.keys[row],
                self.name,
                f"by the rows of {self.table.source}",
                "write the folder into the row's 'image', too",
                reverse=False,
            )
        if self.own and strangers:
            lines.append(self.check(item[0] for items in splits.values() for item in items))
        return [line for line in lines if line]

    def _no_strangers(self, keys: list[int | str]) -> None:
        if keys and self.own:
            shown = ", ".join(map(str, keys[:5])) + (f", … ({len(keys)} in all)" if len(keys) > 5 else "")
            raise InputError(
                f"{self.table.source}: unknown {self.table.by} {shown}: not in data set {self.name!r}; "
                "remove such rows, or name the data set they belong to"
            )

    def _line(self, missing: int, total: int, what: str) -> str:
        if not missing:
            return ""
        return (
            f"{self.table.source}: {missing} of {total} {what} of {self.name!r} have no row; "
            "they are kept with unknown labels"
        )


class SourceLabels:
    """The labels of several data sets that torchreid added together.

    Args:
        sources: one for each data set, in the order of torchreid's ``sources``; the position is
            the ``dsetid`` of a batch.
        schema: the attributes to answer in; each source is projected onto it by name. Default:
            that of the first.
    """

    def __init__(self, sources: Sequence[LabelSource], schema: AttributeSchema | None = None) -> None:
        if not sources:
            raise InputError("no label source given; expected one for each data set")
        self.schema = sources[0].schema if schema is None else schema
        self.sources = tuple(source.project(self.schema) for source in sources)

    def labels(self, impaths: Sequence[str], dsetids: Iterable[int] | None = None) -> np.ndarray:
        """Labels of a batch's images.

        Args:
            impaths: N paths.
            dsetids: for each image, which source it is from (a sequence or tensor of N); needed
                where there are several, since different data sets use the same file names.

        Returns:
            (N, M) int8 of 1 yes, 0 no, −1 unknown.
        """
        if dsetids is None and len(self.sources) > 1:
            raise InputError(f"{len(self.sources)} label sources; give the data set of each image (dsetids)")
        which = np.zeros(len(impaths), int) if dsetids is None else np.asarray([int(d) for d in dsetids])
        out = np.full((len(impaths), len(self.schema)), UNKNOWN, np.int8)
        for number in np.unique(which):
            if not 0 <= number < len(self.sources):
                raise InputError(
                    f"dsetid {number}; expected 0 to {len(self.sources) - 1}, one for each source"
                )
            rows = np.flatnonzero(which == number)
            out[rows] = self.sources[number].labels([impaths[int(row)] for row in rows])
        return out


def label_source(
    dataset_name: str,
    root: str | os.PathLike[str],
    attributes_file: str | os.PathLike[str] = "",
    schema_file: str | os.PathLike[str] = "",
    split: str = "train",
    known_pids: Iterable[int] | None = None,
    identity: str = "",
) -> LabelSource:
    """The labels of a data set, its own or the user's.

    Args:
        dataset_name: a data set with attributes (``market1501_attr`` …), or any of torchreid's
            together with ``attributes_file``.
        root: torchreid's root folder of data sets.
        attributes_file: the user's table (see :func:`read_table`); it takes the place of the
            data set's own labels, and covers all splits.
        schema_file: what its columns mean; also the name of a registered attribute set.
        split: ``'train'``, ``'test'`` or ``'all'`` (as for torchreid's ``combineall``).
        known_pids: the data set's identities over all splits, before relabelling. If given, a
            row for another one is an error, and identities without a row are counted in one
            logged line; :meth:`LabelSource.check` does the same from image paths.
        identity: where the identity stands in a path; see :class:`LabelSource`.

    Raises:
        InputError: no labels for that data set, or they cannot be read.
    """
    if split not in ("train", "test", "all"):
        raise InputError(f"unknown split {split!r}; expected 'train', 'test' or 'all'")
    if attributes_file:
        table = read_table(attributes_file, schema_file or None)
    else:
        table = _own_table(dataset_name, root, split)
    source = LabelSource(table, dataset_name, bool(attributes_file), identity)
    if known_pids is not None and table.by == "pid":
        line = source.check_pids(known_pids)
        if line:
            _log.info(line)
    return source


def _own_pattern(name: str) -> str:
    """What the data set's class says of its paths, in either registry."""
    found = datasets[name] if name in datasets else host.image_datasets().get(name)
    return str(getattr(found, "pid_pattern", ""))


def _own_table(name: str, root: str | os.PathLike[str], split: str) -> AttributeTable:
    reader = getattr(datasets[name], "attribute_table", None) if name in datasets else None
    if reader is None:
        raise InputError(
            f"data set {name!r} has no attribute labels of its own; give a table with amd.attributes.file, "
            f"or use one of {', '.join(datasets.list('*_attr*')) or 'the *_attr data sets'}"
        )
    tables: list[AttributeTable] = [
        reader(root, s) for s in (("train", "test") if split == "all" else (split,))
    ]
    return tables[0] if len(tables) == 1 else tables[0].join(tables[1])
