"""What an audit looks at: the query and gallery photographs of a data set, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from torchreid_amd.attributes.configured import is_labelled, source_of
from torchreid_amd.attributes.schema import NONE, UNKNOWN, AttributeSchema
from torchreid_amd.config import config_of_run, dataset_kwargs, get_default_config
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.evaluation.data.labelled_images import LabelledImages
from torchreid_amd.explanation.explainer import Explainer
from torchreid_amd.explanation.photographs import LabelsByPath

SIDES = ("query", "gallery")


@dataclass(frozen=True)
class AuditedSet:
    """Query and gallery of one data set.

    Attributes:
        name: of the data set.
        query, gallery: its photographs, with labels in the order of ``schema``.
        schema: the attributes that are labelled; none where nothing is.
        domain: the time of day, where the data set says it (``'day'``, ``'night'``).
    """

    name: str
    query: LabelledImages
    gallery: LabelledImages
    schema: AttributeSchema
    domain: str = ""

    def labels(self, schema: AttributeSchema) -> tuple[np.ndarray, np.ndarray]:
        """(Q, M) and (G, M) int8 labels in another schema, by name; what it alone knows is −1."""
        columns = [
            self.schema.attributes.index(a) if a in self.schema.attributes else -1 for a in schema.attributes
        ]
        return tuple(_columns(side.labels, columns) for side in (self.query, self.gallery))  # type: ignore[return-value]

    @property
    def labelled(self) -> bool:
        """Whether anything is known of anybody on both sides."""
        return all(bool((side.labels != UNKNOWN).any()) for side in (self.query, self.gallery))


def _columns(labels: np.ndarray, columns: Sequence[int]) -> np.ndarray:
    found = np.full((len(labels), len(columns)), UNKNOWN, np.int8)
    for k, column in enumerate(columns):
        if column >= 0:
            found[:, k] = labels[:, column]
    return found


def audited_sets(
    explainer: Explainer, datasets: Any, root: str = "", labels: LabelsByPath | None = None
) -> list[AuditedSet]:
    """The data sets that somebody means.

    Args:
        explainer: of a run, whose configuration says where data sets lie and what labels them.
        datasets: names, or objects with lists ``query`` and ``gallery`` of (path, person, camera, …); one or
            several; those the run was tested on where it is empty.
        root: torchreid's folder of data sets; that of the run, if not given.
        labels: of photographs, with a ``schema``; the data set's own, if not given.

    Raises:
        InputError: none is named, one cannot be loaded, or there are no two persons in it.
    """
    config = config_of_run(explainer.config) if explainer.config else get_default_config()
    wanted = [datasets] if isinstance(datasets, str) or hasattr(datasets, "query") else list(datasets or ())
    if not wanted and explainer.config:
        wanted = list(config.data.targets)
    if not wanted:
        raise InputError("no test set is named; name a data set (-t market1501_attr)")
    config.data.root = root or config.data.root
    names = [name for name in wanted if isinstance(name, str)]
    config.data.targets = names
    if not explainer.config:
        config.data.sources = names
    found = [
        _named(config, d, labels) if isinstance(d, str) else _given(d, explainer, labels) for d in wanted
    ]
    for one in found:
        _check(one)
    return found


def _named(config: Any, name: str, labels: LabelsByPath | None) -> AuditedSet:
    root = config.data.root
    kind = host.image_dataset_class(name)
    if not Path(root).expanduser().is_dir() and not (getattr(kind, "on_demand", False) and not root):
        raise InputError(f"{root!r} is not a folder; give that which holds {name!r} (--root)")
    try:
        data = host.image_dataset(name, **dataset_kwargs(config))
    except InputError:
        raise
    except (RuntimeError, AssertionError, OSError, ValueError, TypeError) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(f"cannot load {name!r} under {root!r}: {said}; check --root and -t") from None
    if labels is None and is_labelled(config, name):
        source = source_of(config, name, "test")
        return _set_of(name, data, source, source.schema)
    return _set_of(name, data, labels, getattr(labels, "schema", None))


def _given(data: Any, explainer: Explainer, labels: LabelsByPath | None) -> AuditedSet:
    known = explainer.labels if labels is None else labels
    schema = getattr(known, "schema", None if known is None else explainer.schema)
    return _set_of(str(getattr(data, "name", "") or type(data).__name__), data, known, schema)


def _set_of(name: str, data: Any, labels: LabelsByPath | None, schema: AttributeSchema | None) -> AuditedSet:
    schema = AttributeSchema(NONE, ()) if schema is None else schema
    sides = []
    for side in SIDES:
        try:
            rows = [(str(item[0]), int(item[1]), int(item[2])) for item in getattr(data, side)]
        except (AttributeError, TypeError, ValueError, IndexError) as error:
            raise InputError(
                f"{name!r} is no data set ({type(error).__name__}: {error}); expected a name, or lists query "
                "and gallery of (path, person, camera)"
            ) from None
        if not rows:
            raise InputError(f"the {side} of {name!r} is empty; an audit needs a test set with both sides")
        paths, pids, cameras = zip(*rows, strict=True)
        known = np.full((len(rows), len(schema)), UNKNOWN, np.int8)
        if labels is not None and len(schema):
            known = np.asarray(labels.labels(list(paths)), np.int8)
        sides.append(LabelledImages(tuple(paths), np.array(pids), np.array(cameras), known))
    return AuditedSet(name, sides[0], sides[1], schema, str(getattr(data, "domain", "")))


def _check(one: AuditedSet) -> None:
    people = set(one.query.pids.tolist()) & set(one.gallery.pids.tolist())
    if len(people) < 2:
        who = f"person {people.pop()} alone is" if people else "nobody is"
        raise InputError(
            f"{who} in query and gallery of {one.name!r}; an audit compares at least two persons, give "
            "another test set"
        )
