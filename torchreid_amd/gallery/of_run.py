"""What a run folder keeps beside its interpreter: readouts of attributes, made when they are first needed."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.gallery.people import people_of_run
from torchreid_amd.gallery.readouts import AttributeReadouts, fit_readouts
from torchreid_amd.gallery.rerank import NAME, Reranker
from torchreid_amd.gallery.seen import look
from torchreid_amd.interpreter.decomposer import Decomposer

_log = logging.getLogger(__name__)


def readouts_of_run(
    decomposer: Decomposer,
    config: Mapping[str, Any],
    schema: AttributeSchema,
    folder: str | os.PathLike[str] | None = None,
) -> AttributeReadouts:
    """Readouts of a run: those its re-ranker has, else fitted on its training photographs.

    Args:
        decomposer: the run's interpreter and its input.
        config: the run's configuration, nested.
        schema: its attributes.
        folder: its folder.

    Raises:
        InputError: nobody is known whose attributes could be learnt, or their photographs are not found.
    """
    if folder is not None and (Path(folder) / NAME).exists():
        return Reranker.load(Path(folder) / NAME).checked(decomposer.interpreter.target).readouts
    people = people_of_run(config, schema).sample()
    _log.info(f"attributes are learnt from {len(people)} training photographs of the run ...")
    seen = look(decomposer, people.paths)
    return fit_readouts(seen.features, torch.from_numpy(people.labels), torch.from_numpy(people.people))[0]
