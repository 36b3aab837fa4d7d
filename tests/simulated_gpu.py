"""A GPU without a GPU: tensors in the memory of the CPU that say they are on ``cuda`` and mix with no others.

A tensor is "on the GPU" if its storage is marked so; views share the mark, and so does a parameter whose
data is replaced. Inside :func:`simulated_gpu` factories, ``.to``, ``.cuda``, ``.cpu``, ``.device`` and
``torch.cuda.is_available`` behave as on a machine with CUDA; autograd is PyTorch's own. An operation that
is given a tensor on either side stops as CUDA would; only CPU tensors without dimensions may join.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

GPU = torch.device("cuda", 0)
_T = torch.Tensor


class WrongDevice(RuntimeError):
    """Tensors of both sides in one operation."""


def on_gpu(tensor: Tensor) -> bool:
    """Whether a tensor is on the simulated GPU."""
    with torch._C.DisableTorchFunction():
        return hasattr(tensor.untyped_storage(), "simulated_gpu")


def _marked(tensor: Tensor) -> Tensor:
    tensor.untyped_storage().simulated_gpu = True  # type: ignore[attr-defined]
    return tensor


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)


def _is_gpu(device: Any) -> bool:
    return torch.device("cuda" if isinstance(device, int) else device).type == "cuda"


#: what tensors of both sides may take part in: one is copied to where the other is, or compared by name
_CROSSING = {_T.copy_, _T.data.__set__, torch._has_compatible_shallow_copy_type, _T.__deepcopy__}  # type: ignore[attr-defined]
_TO_NUMPY = {_T.numpy, _T.__array__}


class _SimulatedGPU(TorchFunctionMode):
    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if function == _T.device.__get__:  # type: ignore[attr-defined]
            return GPU if on_gpu(args[0]) else function(*args)
        if function == _T.is_cuda.__get__:  # type: ignore[attr-defined]
            return on_gpu(args[0])
        if function == _T.is_cpu.__get__:  # type: ignore[attr-defined]
            return not on_gpu(args[0])
        if function in (_T.to, _T.cuda, _T.cpu):
            return _moved(function, args, kwargs)
        if function in _TO_NUMPY and on_gpu(args[0]):
            raise TypeError(
                "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy it first"
            )
        given = list(_tensors([args, kwargs]))
        gpu = any(map(on_gpu, given))
        if function not in _CROSSING:
            _check(function, args, given, gpu)
        if kwargs.get("device") is not None:
            gpu = _is_gpu(kwargs.pop("device"))
        if function is _T.copy_ or not gpu:
            return function(*args, **kwargs)
        result = function(*args, **kwargs)
        for tensor in _tensors(result):
            _marked(tensor)
        return result


def _moved(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """``.to``, ``.cuda`` and ``.cpu``: a copy on the other side, or the tensor itself."""
    tensor, *rest = args
    if function is not _T.to:
        wanted, moved = function is _T.cuda, tensor
    else:
        device, like = kwargs.pop("device", None), None
        if rest and isinstance(rest[0], Tensor):
            like = rest.pop(0)
            device, kwargs["dtype"] = (GPU if on_gpu(like) else "cpu"), like.dtype
        elif rest and isinstance(rest[0], (str, torch.device, int)):
            device = rest.pop(0)
        if like is None and rest and (rest[0] is None or isinstance(rest[0], torch.dtype)):
            kwargs["dtype"] = rest.pop(0)
        if len(rest) > 1:  # non_blocking, copy
            kwargs["copy"] = rest[1]
        kwargs.pop("non_blocking", None)
        wanted = on_gpu(tensor) if device is None else _is_gpu(device)
        kept = {key: value for key, value in kwargs.items() if value is not None}
        moved = tensor.to(**kept) if kept else tensor
    if moved is tensor and wanted != on_gpu(tensor):
        moved = tensor.clone()
    return _marked(moved) if wanted else moved


def _check(function: Any, args: tuple[Any, ...], given: Iterable[Tensor], gpu: bool) -> None:
    """Stop where CUDA would."""
    if not gpu:
        return
    if function is _T.__getitem__ or function is _T.__setitem__:
        indices = list(_tensors(args[1]))
        if not on_gpu(args[0]) and any(map(on_gpu, indices)):
            raise WrongDevice("indices should be on the CPU, as the indexed tensor is, and are on cuda:0")
        if not indices:  # a slice is copied into
            return
        given = [args[0], *_tensors(args[2:])]
    strangers = [t for t in given if not on_gpu(t) and t.dim() > 0]
    if strangers:
        name = getattr(function, "__name__", str(function))
        raise WrongDevice(
            f"Expected all tensors to be on the same device, but {name} got one of shape "
            f"{tuple(strangers[0].shape)} on cpu beside others on cuda:0"
        )


@contextmanager
def simulated_gpu() -> Iterator[None]:
    """A machine with one GPU."""
    answers = {"is_available": True, "device_count": 1, "current_device": 0, "is_bf16_supported": False}
    with _SimulatedGPU():
        patches = [mock.patch.object(torch.cuda, k, lambda *_, v=v, **__: v) for k, v in answers.items()]
        for patch in patches:
            patch.start()
        try:
            yield
        finally:
            for patch in patches:
                patch.stop()
