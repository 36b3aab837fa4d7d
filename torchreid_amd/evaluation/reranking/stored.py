"""A re-ranker out of a file, or fitted and put there."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from torchreid_amd.core.errors import InputError
from torchreid_amd.evaluation.reranking.choice import Explains, fit
from torchreid_amd.gallery.people import LabelledPeople
from torchreid_amd.gallery.rerank import Reranker

_log = logging.getLogger(__name__)


def stored_or_fitted(
    explainer: Explains,
    path: str | os.PathLike[str] | None,
    people: LabelledPeople | None,
    knows: bool | None = None,
    again: bool = False,
) -> Reranker:
    """The re-ranker of a file, where there is one and it is of this target; else a new one, which goes there.

    Args:
        explainer: of the target.
        path: the file; nothing is kept without one.
        people: whose attributes are known.
        knows: whether the target was trained on them, where that is known.
        again: fit, whatever is in the file.

    Raises:
        InputError: there is neither a file nor anybody to learn from, or what is there is of other weights.
    """
    if path is not None and Path(path).exists() and not again:
        return Reranker.load(path).checked(explainer.decomposer.interpreter.target)
    if people is None:
        where = "" if path is None else f"no re-ranker at {str(path)!r}; "
        raise InputError(f"{where}give labelled people: --people FOLDER --labels TABLE")
    _log.info(f"attributes are learnt from {len(people.sample())} photographs ...")
    reranker = fit(explainer, people, knows=knows)
    if path is not None:
        reranker.save(path)
        _log.info(f"Written: {path}")
    return reranker
