"""The labels of everything a torchreid data manager loads."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from torchreid_amd.attributes.configured import (
    has_own_labels,
    is_labelled,
    shares_table,
    source_of,
    splits_of,
)
from torchreid_amd.attributes.identity import Splits
from torchreid_amd.attributes.labels import LabelSource, SourceLabels
from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.attributes.sets import schema_named
from torchreid_amd.attributes.table_file import read_table
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.registry import datasets

_log = logging.getLogger(__name__)


class ManagerLabels:
    """Labels of a data manager's training batches and of its test images.

    Args:
        cfg: torchreid's tree with the ``amd`` node: ``data.root``, ``data.sources``,
            ``data.targets``, ``data.combineall``, ``amd.attributes``. A table of the user's own
            stands for the data sets without labels; where all have some, for all of them.
        schema: the attributes to answer in; default: those of the first source.

    Raises:
        InputError: a source without labels, or a table that does not fit its data set.
    """

    def __init__(self, cfg: Any, schema: AttributeSchema | None = None) -> None:
        self.cfg = cfg
        self._splits: dict[str, Splits] = {}
        sources = [self._source(name, "all" if cfg.data.combineall else "train") for name in cfg.data.sources]
        self.sources = SourceLabels(sources, schema)
        self.schema = self.sources.schema
        self._test: dict[str, LabelSource | None] = {}
        line = _one_sided(self.schema, self._train_rows())
        if line:
            _log.warning(line)
        for name in cfg.data.targets:  # whatever is wrong with them is said before training
            self.test(name, [])

    def train(self, batch: dict[str, Any]) -> np.ndarray:
        """Labels (B, M) of a training batch of torchreid (``impath`` and ``dsetid``)."""
        return self.sources.labels(batch["impath"], batch["dsetid"])

    def _train_rows(self) -> np.ndarray:
        """The label rows of the training photographs (…, M), each once."""
        rows = []
        for source in self.sources.sources:
            splits = self._splits[source.name]
            names = splits if self.cfg.data.combineall else ("training",)
            rows.append(source.labels_once([item[0] for name in names for item in splits[name]]))
        return np.concatenate(rows)

    def rates(self, items: Sequence[tuple[str, int, int, int]]) -> np.ndarray:
        """Share of "yes" among the known labels of the training identities (M,): the image-free prior.

        Args:
            items: the training images as torchreid lists them: (path, pid, camera, dsetid).
        """
        labels = np.concatenate(
            [
                source.labels_once([item[0] for item in items if item[3] == number])
                for number, source in enumerate(self.sources.sources)
            ]
        )
        return (labels == 1).sum(0) / np.maximum((labels >= 0).sum(0), 1)

    def test(self, name: str, impaths: list[str]) -> np.ndarray:
        """Labels (N, M) of a target's images; all unknown where the target has no labels.

        A target with a schema of its own answers for the attributes it has by name.
        """
        if name not in self._test:
            labelled = is_labelled(self.cfg, name)
            self._test[name] = self._source(name, "test").project(self.schema) if labelled else None
        source = self._test[name]
        if source is None:
            return np.full((len(impaths), len(self.schema)), -1, np.int8)
        return source.labels(impaths)

    def _source(self, name: str, split: str) -> LabelSource:
        source = source_of(self.cfg, name, split)
        if name not in self._splits:
            self._splits[name] = splits_of(self.cfg, name)
            for line in source.check_splits(self._splits[name], not shares_table(self.cfg)):
                _log.info(line)
        return source


def _one_sided(schema: AttributeSchema, rows: np.ndarray) -> str:
    """One line that names the attributes that nobody or everybody has in rows (N, M), '' if none."""
    yes, no = (rows == 1).any(0), (rows == 0).any(0)
    said = []
    sides = (
        ("nobody has", no & ~yes),
        ("everybody has", yes & ~no),
        ("nobody's label is known of", ~yes & ~no),
    )
    for who, found in sides:
        names = [schema.attributes[k] for k in np.flatnonzero(found)]
        if names:
            more = f", … ({len(names)} in all)" if len(names) > 5 else ""
            said.append(f"{who} {', '.join(names[:5])}{more}")
    if not said or len(rows) < 2:
        return ""
    return f"in the training labels {'; '.join(said)}; nothing can be learnt of that"


def schema_of(cfg: Any) -> AttributeSchema:
    """The attributes a configuration asks for.

    ``amd.attributes.set`` names a registered set; without it, the columns of
    ``amd.attributes.file``; without that, the labels of the first source that has some.

    Raises:
        InputError: none of the three says.
    """
    if cfg.amd.attributes.set:
        return schema_named(cfg.amd.attributes.set)
    for name in cfg.data.sources:
        if has_own_labels(name) and not cfg.amd.attributes.file:
            own: AttributeSchema = datasets[name].attribute_schema()
            return own
    if cfg.amd.attributes.file:
        return read_table(cfg.amd.attributes.file, cfg.amd.attributes.schema or None).schema
    raise InputError(
        f"no attributes are known for {', '.join(cfg.data.sources)}; give a table with amd.attributes.file, "
        f"a set with amd.attributes.set, or use one of {', '.join(datasets.list('*_attr*'))}"
    )
