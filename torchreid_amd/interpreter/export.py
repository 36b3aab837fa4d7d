"""An interpreter as an ONNX file, to be run where there is no PyTorch, and checked before it is kept."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.files import atomic_path
from torchreid_amd.heads.directions import Directions
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.targets.tracing import noise

OUTPUTS = ("embedding", "maps", "components")
LARGEST_ERROR = 1e-4  #: of an output against PyTorch's, relative to the largest number in it
OPSET = 18


class _Outputs(nn.Module):
    """Images -> the three outputs, as a tuple."""

    def __init__(self, interpreter: nn.Module) -> None:
        super().__init__()
        self.interpreter = interpreter

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        out = self.interpreter(images)
        return out.embedding, out.maps, out.components


class _Fixed(nn.Module):
    """What a module without inputs gives, once and for all."""

    value: Tensor

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value.detach().clone(), persistent=False)

    def forward(self) -> Tensor:
        return self.value


def export(decomposer: Decomposer, path: str | os.PathLike[str]) -> float:
    """Write an ONNX file: ``images`` (B, 3, H, W), normalised -> ``embedding``, ``maps``, ``components``.

    The number of images is free, their size is the run's. What else is needed to explain a pair stands in
    the file's metadata under ``torchreid_amd``, as JSON: attributes, words, metric, form, size, norm_mean,
    norm_std.

    Args:
        decomposer: an interpreter with its input.
        path: the file to write.

    Returns:
        The largest error of an output against PyTorch's, relative to the largest number in that output.

    Raises:
        InputError: the packages for it are not installed, the model has an operation that ONNX lacks, or
            the error is larger than :data:`LARGEST_ERROR`; nothing is then written.
    """
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  (PyTorch's exporter needs it, and says so less clearly)
    except ImportError as missing:
        raise InputError(
            f"export needs {missing.name}; install it with: pip install 'torchreid_amd[onnx]'"
        ) from None
    interpreter = decomposer.interpreter
    images = noise(2, decomposer.size).to(decomposer.device)
    with _as_exported(interpreter), torch.no_grad():
        wrapped = _Outputs(interpreter).eval()
        program = _program(wrapped, images)
        program.model.metadata_props["torchreid_amd"] = json.dumps(_about(decomposer))
        with atomic_path(path) as beside:
            program.save(str(beside), external_data=False)
            session = onnxruntime.InferenceSession(str(beside), providers=["CPUExecutionProvider"])
            error = max(_error(session, wrapped, noise(count, decomposer.size)) for count in (1, 3))
            if not error <= LARGEST_ERROR:
                raise InputError(
                    f"the exported model differs from PyTorch's by {error:.1e} of its largest number, more "
                    f"than {LARGEST_ERROR:.0e}; nothing was written, export another head or model"
                )
    return error


def _program(wrapped: nn.Module, images: Tensor) -> Any:
    free = {"images": {0: torch.export.Dim("B")}}
    chatter = io.StringIO()
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(chatter):
            warnings.simplefilter("ignore")
            return torch.onnx.export(
                wrapped,
                (images,),
                input_names=["images"],
                output_names=list(OUTPUTS),
                dynamic_shapes=free,
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # the exporter may fail anywhere
        said = " ".join(str(error.__cause__ or error).split())[:150]
        raise InputError(
            f"this model cannot be written as ONNX ({type(error).__name__}: {said}); export another head, or "
            "a target without such operations"
        ) from None
    finally:
        quiet.setLevel(level)


@contextlib.contextmanager
def _as_exported(interpreter: Any) -> Iterator[None]:
    """In eval mode, with constants where a head works out something that depends on no image."""
    modes = [(module, module.training) for module in interpreter.modules()]
    interpreter.eval()
    fixed = {n: m for n, m in interpreter.head.named_children() if isinstance(m, Directions)}
    try:
        for name, module in fixed.items():
            setattr(interpreter.head, name, _Fixed(module()))
        yield
    finally:
        for name, module in fixed.items():
            setattr(interpreter.head, name, module)
        for module, training in modes:
            module.training = training


def _about(decomposer: Decomposer) -> dict[str, Any]:
    interpreter = decomposer.interpreter
    schema = interpreter.attributes
    return {
        "model": interpreter.target.name,
        "head": interpreter.head_name,
        "metric": interpreter.metric,
        "form": interpreter.form,
        "attributes": list(schema.attributes),
        "words": [schema.say(attribute) for attribute in schema.attributes],
        "size": list(decomposer.size),
        "norm_mean": list(decomposer.norm_mean),
        "norm_std": list(decomposer.norm_std),
    }


def _error(session: Any, wrapped: nn.Module, images: Tensor) -> float:
    device = next(wrapped.parameters()).device
    expected = [value.float().cpu().numpy() for value in wrapped(images.to(device))]
    found = session.run(list(OUTPUTS), {"images": images.numpy()})
    return max(
        float(np.abs(a - b).max() / max(float(np.abs(a).max()), 1e-12))
        for a, b in zip(expected, found, strict=True)
        if a.size
    )
