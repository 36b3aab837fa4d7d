"""The only place that knows torchreid's private parts and its two package layouts.

PyPI's torchreid keeps everything under ``torchreid.reid.*`` and exposes ``models``, ``data``,
``engine``, ``losses`` … as attributes; the original 1.4 has them as subpackages. Going through
attributes works for both.
"""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType
from typing import Any

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[Any] = []


def import_torchvision() -> ModuleType:
    """torchvision, also where its compiled operators do not match the installed torch.

    CPU torch beside the registry's torchvision fails on import with "operator torchvision::nms
    does not exist". Only then are the two operator schemas declared, with one line of warning;
    everything but those operators works afterwards.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    _declared.append(library)  # the declaration lives as long as this object
    module = importlib.import_module("torchvision")
    warnings.warn(
        "torchvision's compiled operators do not match this torch; nms and qnms are declared "
        "without code so that it can be imported (torchreid does not use them)",
        stacklevel=2,
    )
    return module


def torchreid() -> Any:
    """The torchreid package, imported with everything it needs in place."""
    import_torchvision()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Cython evaluation")
        return importlib.import_module("torchreid")
