"""What a model relies on, over a test set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from torchreid_amd.attributes.schema import NONE, AttributeSchema
from torchreid_amd.auditing.audited_set import AuditedSet, audited_sets
from torchreid_amd.auditing.compared import compare
from torchreid_amd.auditing.examples import Example, choose, without_heads, without_names
from torchreid_amd.auditing.findings import Findings, findings
from torchreid_amd.auditing.kept import KeptAccounts
from torchreid_amd.auditing.measured import Measured, explain, measure
from torchreid_amd.auditing.pairs import DIFFERENT, Pair, draw, search
from torchreid_amd.auditing.record import AuditRecord, Looked
from torchreid_amd.auditing.report.cell import audit_cell
from torchreid_amd.auditing.report.page import audit_page
from torchreid_amd.auditing.report.summary import audit_summary
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.files import json_text, save_text
from torchreid_amd.explanation.explainer import Explainer
from torchreid_amd.explanation.photographs import LabelsByPath
from torchreid_amd.gallery.mark import Mark
from torchreid_amd.gallery.store import Store
from torchreid_amd.gallery.stored_seen import embedding_of_files
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.distances import get_distance

if TYPE_CHECKING:  # matplotlib takes longer to import than everything else here
    from matplotlib.figure import Figure

PAIRS = 200  #: of each kind, at most


class Audit(AuditRecord):
    """What a model relies on, where it fails and how it compares with another; its numbers are those of
    :class:`~torchreid_amd.auditing.record.AuditRecord`, and :func:`audit` makes it.

    Example:
        >>> import tempfile, types
        >>> import torchreid_amd as amd
        >>> from PIL import Image
        >>> folder = tempfile.mkdtemp()
        >>> for person, colour in enumerate(("red", "navy")):
        ...     Image.new("RGB", (32, 64), colour).save(f"{folder}/{person}.png")
        >>> seen = [(f"{folder}/{person}.png", person, 0) for person in (0, 1)]
        >>> everybody = types.SimpleNamespace(query=seen, gallery=seen)
        >>> explainer = amd.Explainer.from_target("osnet_x0_25", size=(64, 32))  # as if it were trained
        >>> found = amd.audit(explainer, everybody, pairs=2)
        >>> found.findings.kinds["different persons"].pairs, "rank-1 is not known" in found.summary()
        (2, True)
    """

    def summary(self) -> str:
        """In sentences and a table."""
        return audit_summary(self)

    def to_html(self) -> str:
        """One self-contained page."""
        return audit_page(self)

    def save_html(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_html`.

        Raises:
            InputError: the file cannot be written.
        """
        save_text(self.to_html(), path)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The numbers as JSON.

        Args:
            path: also write it there.

        Raises:
            InputError: the file cannot be written.
        """
        text = json_text(self.to_dict())
        if path is not None:
            save_text(text, path)
        return text

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """A figure of mean accounts and attributes.

        Args:
            path: also save it there (.png, .pdf, .svg).

        Raises:
            InputError: the file cannot be written, or its ending names no known format.
        """
        from torchreid_amd.auditing.report.figure import draw_audit
        from torchreid_amd.explanation.report.layout import save_figure

        figure = draw_audit(self)
        if path is not None:
            save_figure(figure, path)
        return figure

    def blur_heads(self) -> Audit:
        """The same audit, with the head blurred in every photograph."""
        return replace(self, examples=without_heads(self.examples))

    def anonymous(self) -> Audit:
        """The same audit, without the names of photographs and runs."""
        return replace(
            self,
            findings=_without_run(self.findings),
            second=None if self.second is None else _without_run(self.second),
            examples=without_names(self.examples),
        )

    def _repr_html_(self) -> str:
        return audit_cell(self)

    def __str__(self) -> str:
        return self.summary()


def _without_run(found: Findings) -> Findings:
    return replace(found, made_by={key: value for key, value in found.made_by.items() if key != "run"})


def audit(
    explainer: Explainer,
    dataset: Any = None,
    *,
    root: str = "",
    pairs: int = PAIRS,
    seed: int = 0,
    compare_with: Explainer | None = None,
    labels: LabelsByPath | None = None,
    stores: Sequence[str | os.PathLike[str]] = (),
    keep: str | os.PathLike[str] | None = None,
) -> Audit:
    """Find what a model's distances are made of over a test set.

    Args:
        explainer: of a trained interpreter, or of a model alone: then accounts are in parts, and attributes
            are known from labels alone.
        dataset: the name of one of torchreid's data sets, or an object with lists ``query`` and ``gallery``
            of (path, person, camera), or several of either; those the run was tested on, if not given.
        root: torchreid's folder of data sets; that of the run, if not given.
        pairs: how many of each kind of pair to account for, at most.
        seed: of the pairs and permutations.
        compare_with: another model, which is asked of the same pairs.
        labels: of photographs, with ``schema`` and ``labels(paths)``; the data set's own, if not given.
        stores: files that have all its photographs (:func:`torchreid_amd.extract`): they are not embedded
            again then, and those of the pairs alone are opened. The other model embeds for itself.
        keep: a file where accounts are written as they are made, and looked up: an audit that was cut off
            goes on. It can be deleted when the audit is there.

    Raises:
        InputError: no test set, one that cannot be loaded or shows fewer than two persons, too few pairs,
            or two models whose distances have different metrics.

    Example:
        >>> import tempfile, types
        >>> import torchreid_amd as amd
        >>> from PIL import Image
        >>> explainer = amd.Explainer.from_target("osnet_x0_25", size=(64, 32))  # as if it were trained
        >>> folder, colours = tempfile.mkdtemp(), {1: "red", 2: "navy", 3: "white"}
        >>> for person, colour in colours.items():
        ...     for camera in (0, 1):
        ...         Image.new("RGB", (32, 64), colour).save(f"{folder}/{person}_{camera}.png")
        >>> query = [(f"{folder}/{person}_0.png", person, 0) for person in colours]
        >>> gallery = [(f"{folder}/{person}_1.png", person, 1) for person in colours]
        >>> found = amd.audit(explainer, types.SimpleNamespace(query=query, gallery=gallery), pairs=3)
        >>> list(found.findings.kinds["different persons"].subjects)
        ['clothing', 'person', 'things', 'background']
        >>> shares = found.to_dict()["model"]["kinds"]["different persons"]["parts"]
        >>> round(sum(part["value"] for part in shares.values()), 3)
        1.0
    """
    if pairs < 2:
        raise InputError(f"pairs is {pairs}; give at least 2 of each kind, better 100")
    if not explainer.account or (compare_with is not None and not compare_with.account):
        raise InputError("an audit is made of accounts; leave account=False out of the explainer")
    data = audited_sets(explainer, dataset, root, labels)
    metric = get_distance(explainer.interpreter.metric)
    if compare_with is not None and compare_with.interpreter.metric != metric.name:
        raise InputError(
            f"the first model's distance is {metric.name}, the second's "
            f"{compare_with.interpreter.metric}; compare models of one metric"
        )
    opened = [Store(path) for path in stores]
    for store in opened:
        store.check(Mark.of(explainer.decomposer))
    embedded = [_embed(explainer, one, opened) for one in data]
    searched = [search(metric, two, one) for two, one in zip(embedded, data, strict=True)]
    drawn = draw(searched, data, pairs, seed)
    _check(drawn, data)
    schema = _schema(explainer, data)
    kept = KeptAccounts(keep)
    measured = measure(explainer, data, drawn, schema, kept)
    found = findings(explainer.made_by, metric, data, embedded, searched, measured, schema, seed)
    second, compared = None, None
    if compare_with is not None:
        again = measure(compare_with, data, drawn, schema, kept)
        embedded = [_embed(compare_with, one) for one in data]
        searched = [search(metric, two, one) for two, one in zip(embedded, data, strict=True)]
        second = findings(compare_with.made_by, metric, data, embedded, searched, again, schema, seed)
        compared = compare(measured, again)
    shown = _examples(explainer, data, measured, found)
    return Audit(tuple(map(_looked, data)), pairs, seed, found, second, compared, shown)


def _embed(explainer: Explainer, data: AuditedSet, stores: Sequence[Store] = ()) -> tuple[Tensor, Tensor]:
    decomposer = Decomposer(explainer.interpreter, explainer.size, explainer.norm_mean, explainer.norm_std)
    query, gallery = (
        embedding_of_files(stores, side.paths) if stores else decomposer.embed_files(side.paths)
        for side in (data.query, data.gallery)
    )
    return query, gallery


def _schema(explainer: Explainer, data: Sequence[AuditedSet]) -> AttributeSchema:
    """The attributes whose labels are asked for: the interpreter's, or for a model alone the data set's."""
    labelled = [one for one in data if one.labelled]
    if not labelled:
        return AttributeSchema(NONE, ())
    return explainer.schema if len(explainer.schema) else labelled[0].schema


def _check(drawn: Sequence[Pair], data: Sequence[AuditedSet]) -> None:
    apart = [pair for pair in drawn if pair.kind == DIFFERENT]
    if len({data[pair.number].query.pids[pair.query] for pair in apart}) < 2:
        names = " and ".join(repr(one.name) for one in data)
        raise InputError(
            f"only {len(apart)} pairs of different persons can be drawn from {names}; an audit needs queries "
            "of at least two persons who are in the gallery too"
        )


def _examples(
    explainer: Explainer, data: Sequence[AuditedSet], measured: Measured, found: Findings
) -> tuple[Example, ...]:
    chosen = choose(measured, found)
    explained = explain(explainer, data, [measured.pairs[choice.pair] for choice in chosen])
    return tuple(Example(c.topic, c.rule, e, c.attribute) for c, e in zip(chosen, explained, strict=True))


def _looked(one: AuditedSet) -> Looked:
    pids = np.concatenate([one.query.pids, one.gallery.pids])
    cameras = np.concatenate([one.query.camids, one.gallery.camids])
    return Looked(
        one.name,
        one.domain,
        len(one.query),
        len(one.gallery),
        len(np.unique(pids)),
        len(np.unique(cameras)),
        one.labelled,
    )
