"""Labels of photographs that happen to lie in a run's own data sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from yacs.config import CfgNode

from torchreid_amd.attributes.labels import LabelSource, label_source
from torchreid_amd.attributes.schema import UNKNOWN, AttributeSchema
from torchreid_amd.config import get_default_config
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.host import image_dataset_class


class PhotographLabels:
    """Labels by path, for photographs inside the data sets a run was trained and tested on.

    A photograph from elsewhere is unknown, whatever its file is called; so is everything once
    the data sets are gone.

    Args:
        config: the configuration of a run (``Run.config``).
        schema: the attributes to answer in.
    """

    def __init__(self, config: dict[str, Any], schema: AttributeSchema) -> None:
        cfg = get_default_config()
        cfg.use_gpu = False
        cfg.merge_from_other_cfg(CfgNode(config))
        self.schema = schema
        self._sources: list[tuple[Path, LabelSource]] = []
        root = Path(cfg.data.root).expanduser().absolute()
        for name in dict.fromkeys([*cfg.data.sources, *cfg.data.targets]):
            try:
                folder = root / str(image_dataset_class(name).dataset_dir)
                if folder.is_dir():
                    attributes = cfg.amd.attributes
                    source = label_source(name, root, attributes.file, attributes.schema, "all")
                    self._sources.append((folder, source.project(schema)))
            except InputError:  # no labels there (any more): explaining goes on without
                continue

    def labels(self, impaths: Sequence[str]) -> np.ndarray:
        """(N, M) int8 of 1 yes, 0 no, −1 unknown."""
        rows = [np.full((1, len(self.schema)), UNKNOWN, np.int8)] * len(impaths)
        for number, given in enumerate(impaths):
            path = Path(given).expanduser().absolute()
            for folder, source in self._sources:
                if folder in path.parents:
                    rows[number] = source.labels([str(path)])
        return np.concatenate(rows)
