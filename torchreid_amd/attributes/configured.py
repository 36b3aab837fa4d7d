"""What a configuration says of labels: which data set is labelled by what, and which photographs it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torchreid_amd.attributes.identity import OPTION, Splits
from torchreid_amd.attributes.labels import LabelSource, label_source
from torchreid_amd.attributes.table_file import read_table
from torchreid_amd.config import dataset_kwargs
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.registry import datasets


def has_own_labels(name: str) -> bool:
    """Whether the data set comes with attribute labels."""
    return name in datasets and hasattr(datasets[name], "attribute_table")


def is_labelled(cfg: Any, name: str) -> bool:
    """Whether a data set of the configuration has labels, its own or the user's."""
    return has_own_labels(name) or _speaks_for(cfg, name)


def source_of(cfg: Any, name: str, split: str) -> LabelSource:
    """The labels of a data set as the configuration has them.

    A table of the user's own stands for the data sets without labels; where all have some, for all of
    them. The rule ``amd.attributes.identity`` is for the data sets that table stands for.

    Args:
        cfg: torchreid's tree with the ``amd`` node.
        name: one of its data sets.
        split: ``'train'``, ``'test'`` or ``'all'``.

    Raises:
        InputError: a data set without labels, or a table that does not fit it.
    """
    attributes = cfg.amd.attributes
    bare = [n for n in _bare([*cfg.data.sources, *cfg.data.targets]) if _is_meant(cfg, n)]
    if not attributes.file or (bare and name not in bare):
        rule = "" if attributes.file else attributes.identity
        return label_source(name, cfg.data.root, split=split, identity=rule)
    source = label_source(
        name, cfg.data.root, attributes.file, attributes.schema, split, identity=attributes.identity
    )
    if len(bare) > 1 and source.table.by == "pid":
        raise InputError(
            f"{attributes.file!r} labels people by pid, but {' and '.join(bare)} have no labels of their own "
            "and count their identities independently; use an 'image' column, or one of them"
        )
    if attributes.identity and source.table.by == "image":
        raise InputError(
            f"{OPTION} is {attributes.identity!r}, but {attributes.file!r} labels images, not identities, "
            "and needs no rule; leave the option out, or use a table by pid"
        )
    return source


def splits_of(cfg: Any, name: str) -> Splits:
    """The photographs of a data set, (path, pid, camera, …) by split; junk is left out.

    Raises:
        Exception: whatever the data set's own code raises where its files are not there.
    """
    data = host.image_dataset(name, **dataset_kwargs(cfg))
    junk = set(getattr(data, "_junk_pids", ()))  # of the test identities: training ones are numbered from 0
    test = [item for item in [*data.query, *data.gallery] if item[1] >= 0 and item[1] not in junk]
    return {"training": data.train, "test": test}


def shares_table(cfg: Any) -> bool:
    """Whether one table of the user's stands for several data sets."""
    return len([n for n in _bare([*cfg.data.sources, *cfg.data.targets]) if _is_meant(cfg, n)]) > 1


def _is_meant(cfg: Any, name: str) -> bool:
    return name in cfg.data.sources or _speaks_for(cfg, name)


def _speaks_for(cfg: Any, name: str) -> bool:
    """Whether the user's table may label a target without labels of its own.

    A table by pid numbers the people of the sources it was made for, not those of another data set.
    """
    if not cfg.amd.attributes.file:
        return False
    if name in cfg.data.sources or not _bare(cfg.data.sources):
        return True
    return read_table(cfg.amd.attributes.file, cfg.amd.attributes.schema or None).by == "image"


def _bare(names: Sequence[str]) -> list[str]:
    """Those without labels of their own, each once."""
    return [n for n in dict.fromkeys(names) if not has_own_labels(n)]
