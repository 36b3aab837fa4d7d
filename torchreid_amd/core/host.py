"""The only place that knows torchreid's private parts and its two package layouts.

PyPI's torchreid keeps everything under ``torchreid.reid.*`` and exposes ``models``, ``data``,
``engine``, ``losses`` … as attributes; the original 1.4 has them as subpackages. Going through
attributes works for both.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import nn

from torchreid_amd.core.errors import InputError, unknown_name
from torchreid_amd.core.registry import natural_key

PREFIX = "amd_"  #: of the factory names that build a target with its interpreter
TIMM = "timm_"  #: of the factory names that build a model of timm
STRIDE1 = "stride1_"  #: of the factory names that build a ResNet whose last stride is 1

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[Any] = []


def with_operators(load: Callable[[], None]) -> None:
    """``load()``, which imports torchvision, also where its compiled operators do not match torch.

    CPU torch beside the registry's torchvision fails on import with "operator torchvision::nms
    does not exist". Only then are the two operator schemas declared, with one line of warning;
    everything but those operators works afterwards. Importing this package makes every later
    import of torchvision run in here.
    """
    try:
        return load()
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    _declared.append(library)  # the declaration lives as long as this object
    load()
    warnings.warn(
        "torchvision's compiled operators do not match this torch; nms and qnms are declared "
        "without code so that it can be imported (torchreid does not use them)",
        stacklevel=2,
    )


def torchreid() -> Any:
    """The torchreid package."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Cython evaluation")
        return importlib.import_module("torchreid")


def submodule_aliases() -> dict[str, ModuleType]:
    """Modules by the names they have in torchreid 1.4 and not in PyPI's torchreid; there, none.

    ``torchreid.utils`` for the module ``torchreid.reid.utils``, ``torchreid.utils.tools`` for what
    lies in it, and so on: the very modules, so nothing is executed twice.
    """
    inner = f"{torchreid().utils.__name__.rpartition('.')[0]}."
    if inner == "torchreid.":
        return {}
    found = {f"torchreid.{n.removeprefix(inner)}": m for n, m in sys.modules.items() if n.startswith(inner)}
    return {alias: module for alias, module in found.items() if alias not in sys.modules}


def model_factory() -> dict[str, Any]:
    """torchreid's dictionary of model constructors; a private global of ``torchreid.models``."""
    factory: dict[str, Any] = getattr(torchreid().models, "__model_factory")  # noqa: B009
    return factory


def build_model(name: str, **kwargs: Any) -> torch.nn.Module:
    """A model of torchreid's factory.

    Args:
        name: its name, e.g. ``'osnet_x0_25'``.
        **kwargs: ``num_classes`` (default 1000), ``loss``, ``pretrained`` (default False), ``use_gpu``;
            for ``timm_…`` also those of :class:`~torchreid_amd.targets.timm.model.TimmModel`.

    Raises:
        InputError: no model has that name, or its ImageNet weights could not be fetched.
    """
    factory = model_factory()
    if name not in factory:
        plain = [n for n in factory if not n.startswith(PREFIX)]
        raise unknown_name("model", name, sorted(plain, key=natural_key))
    options = {"num_classes": 1000, "loss": "softmax", "pretrained": False, "use_gpu": False} | kwargs
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The pretrained weights")
        try:
            model: torch.nn.Module = factory[name](**options)
        except InputError:
            raise
        except Exception as error:  # torchreid and what it downloads with may raise anything
            if not options["pretrained"]:
                raise
            said = " ".join(str(error).split())[:120] or type(error).__name__
            raise InputError(
                f"the ImageNet weights of {name} could not be downloaded or loaded ({said}); connect to the "
                "internet, give a checkpoint of your own (model.load_weights FILE), or start without "
                "(model.pretrained False)"
            ) from None
    return model


def model_name(model: torch.nn.Module) -> str:
    """The factory name under which torchreid builds this very architecture, or ``''``.

    A model may say it itself (``factory_name``). Else names whose models are of the same class are
    built without weights (on the meta device), and the shapes of all weights but the classifier's are
    compared.
    """
    own = getattr(model, "factory_name", "")
    if isinstance(own, str) and own:
        return own
    shapes = _shapes(model)
    kind = f"{type(model).__module__}.{type(model).__name__}"
    for name, make in model_factory().items():
        if name.startswith(PREFIX) or getattr(make, "__module__", "") != type(model).__module__:
            continue
        with torch.device("meta"):
            try:
                other = make(num_classes=1, loss="softmax", pretrained=False, use_gpu=False)
            except Exception:  # a constructor that computes with its weights cannot be built so
                continue
        if f"{type(other).__module__}.{type(other).__name__}" == kind and _shapes(other) == shapes:
            return name
    return ""


def _shapes(model: torch.nn.Module) -> dict[str, torch.Size | None]:
    return {k: None if "classifier" in k else v.shape for k, v in model.state_dict().items()}


def image_dataset_class(name: str) -> Any:
    """The class torchreid builds the image data set ``name`` from.

    Raises:
        InputError: no data set has that name.
    """
    classes = image_datasets()
    if name not in classes:
        raise unknown_name("dataset", name, classes)
    return classes[name]


def image_dataset(name: str, root: str, **options: Any) -> Any:
    """A torchreid image data set, for its lists of images: ``train``, ``query``, ``gallery``.

    Args:
        name: of the data set.
        root: torchreid's folder of data sets.
        **options: what torchreid's data manager passes on (``split_id`` …).
    """
    return image_dataset_class(name)(root=root, mode="train", verbose=False, **options)


def reading_globals() -> dict[str, Any]:
    """The globals of the module whose data sets read photographs; ``read_image`` is one of them."""
    names: dict[str, Any] = torchreid().data.ImageDataset.__getitem__.__globals__
    return names


def building_globals() -> dict[str, Any]:
    """The globals of the module whose data managers build transforms; ``build_transforms`` is one of them."""
    names: dict[str, Any] = torchreid().data.ImageDataManager.__init__.__globals__
    return names


def image_datasets() -> dict[str, Any]:
    """torchreid's dictionary of image data sets; a private global of ``torchreid.data``."""
    registered: dict[str, Any] = torchreid().data.register_image_dataset.__globals__["__image_datasets"]
    return registered


def unwrap(model: nn.Module) -> nn.Module:
    """The model that ``DataParallel``, ``DistributedDataParallel`` or ``torch.compile`` wraps."""
    while True:
        if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            model = model.module
        elif isinstance(getattr(model, "_orig_mod", None), nn.Module):  # torch.compile's OptimizedModule
            model = model._orig_mod  # type: ignore[assignment]
        else:
            return model
