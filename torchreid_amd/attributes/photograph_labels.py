"""Labels of photographs that happen to belong to a run's own data sets."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from torchreid_amd.attributes.configured import is_labelled, source_of, splits_of
from torchreid_amd.attributes.identity import IdentityRule
from torchreid_amd.attributes.labels import LabelSource
from torchreid_amd.attributes.schema import UNKNOWN, AttributeSchema
from torchreid_amd.config import config_of_run
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.host import image_datasets

Person = tuple[str, str, int]  #: data set, split, and the number there
_NAMED_SO = ("market1501", "dukemtmcreid", "synthetic", "synthetic_attr_night")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Member:
    """A photograph of a data set: its path there, who is on it, and what knows its labels."""

    path: str
    person: Person | None
    source: LabelSource | None


class PhotographLabels:
    """Labels by path, for photographs of the data sets a run was trained and tested on.

    A photograph that those data sets do not list is unknown, whatever its file is called. Where labels
    were known at training and cannot be found any more, one line says so.

    Args:
        config: the configuration of a run (``Run.config``).
        schema: the attributes to answer in.

    Raises:
        InputError: the configuration holds a key that this version lacks.
    """

    def __init__(self, config: dict[str, Any], schema: AttributeSchema) -> None:
        self._cfg = config_of_run(config)
        self.schema = schema

    def labels(self, impaths: Sequence[str]) -> np.ndarray:
        """(N, M) int8 of 1 yes, 0 no, −1 unknown."""
        rows = np.full((len(impaths), len(self.schema)), UNKNOWN, np.int8)
        for number, member in enumerate(self._find(path) for path in impaths):
            if member is not None and member.source is not None:
                rows[number] = member.source.labels([member.path])[0]
        return rows

    @property
    def names_tell(self) -> bool:
        """Whether all files of the run are named as Market-1501 names them: so are its copies elsewhere."""
        names = (*self._cfg.data.sources, *self._cfg.data.targets)
        return all(name.removesuffix("_attr") in _NAMED_SO for name in names)

    def persons(self, impaths: Sequence[str]) -> list[Person | None]:
        """Who is on each photograph, as the data sets themselves have it; None where nobody knows."""
        found = (self._find(path) for path in impaths)
        return [None if member is None else member.person for member in found]

    def _find(self, path: str) -> _Member | None:
        return next((self._members[p] for p in _spellings(path) if p in self._members), None)

    @cached_property
    def _members(self) -> dict[str, _Member]:
        found: dict[str, _Member] = {}
        for name in dict.fromkeys([*self._cfg.data.sources, *self._cfg.data.targets]):
            labelled = True
            try:
                labelled = is_labelled(self._cfg, name)
                members = self._members_of(name, labelled)
            except Exception as error:  # a data set is foreign code: anything may come out of it
                said = " ".join(str(error).split()) or type(error).__name__
                if labelled:
                    _log.warning("labels of %r were known at training and are not found now: %s", name, said)
                continue
            for path, member in members.items():
                if path not in found or found[path].source is None:
                    found[path] = member
        return found

    def _members_of(self, name: str, labelled: bool) -> dict[str, _Member]:
        cfg = self._cfg
        _check_there(name, cfg.data.root)
        source = source_of(cfg, name, "all").project(self.schema) if labelled else None
        first = IdentityRule(name).first
        folders: dict[str, str] = {}
        members = {}
        for split, items in splits_of(cfg, name).items():
            for path, pid, *_ in items:
                person = None if split == "test" and pid < first else (name, split, int(pid))
                folder, file = os.path.split(path)
                if folder not in folders:
                    folders[folder] = os.path.realpath(folder)
                members[os.path.join(folders[folder], file)] = _Member(path, person, source)
        return members


def _check_there(name: str, root: str) -> None:
    """That the data set's folder is there: its class might download or render it otherwise.

    Raises:
        InputError: it is not.
    """
    if name not in image_datasets():
        raise InputError("nothing registers it here; import the module that does")
    folder = Path(root).expanduser() / str(getattr(image_datasets()[name], "dataset_dir", ""))
    if not folder.is_dir():
        typed = "" if folder.is_absolute() else " here; this run knows its data by the path as it was typed"
        raise InputError(f"no folder {str(folder)!r}{typed}")


def _spellings(path: str) -> tuple[str, str]:
    """A path without symbolic links among its folders, and without any."""
    full = os.path.expanduser(path)
    folder, file = os.path.split(full)
    return os.path.join(os.path.realpath(folder), file), os.path.realpath(full)
