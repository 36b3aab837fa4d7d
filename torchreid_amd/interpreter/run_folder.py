"""The run folder: what training leaves behind and explaining starts from.

``interpreter.safetensors`` holds the weights of the head, ``run.json`` all the rest: which target,
where its weights are and their fingerprint, the attributes, metric, input size, configuration,
versions and scores. The target's own weights are not copied.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.attributes.sets import with_known_parts
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.files import atomic_path
from torchreid_amd.core.images import IMAGENET_MEAN, IMAGENET_STD
from torchreid_amd.interpreter.interpreter import Interpreter, create_interpreter
from torchreid_amd.interpreter.run_record import JSON_NAME, read_run, run_json
from torchreid_amd.targets.state_dicts import other_sets, read_state_dict, split_key
from torchreid_amd.targets.weights import fingerprint, has_fingerprint, load_weights

WEIGHTS_NAME = "interpreter.safetensors"


@dataclass(frozen=True)
class Run:
    """A trained interpreter and what is known about it.

    Attributes:
        folder: the run folder.
        interpreter: target and trained head, in eval mode.
        model: name of the target in torchreid.
        num_classes: identities the target was trained on.
        loss: the loss name the target was built with.
        weights: the file the target's weights were read from.
        fingerprint: of the target's weights; see :func:`torchreid_amd.targets.weights.fingerprint`.
        schema: the attributes.
        metric: the distance that is decomposed.
        form: ``'mean'`` or ``'sum'``.
        size: (H, W) of the input in pixels.
        norm_mean: channel means of the input normalisation.
        norm_std: channel standard deviations of it.
        config: the whole configuration, nested.
        scores: what the last evaluation gave.
        versions: of the packages at the time of writing.
        command: the command line that made the run.
    """

    folder: Path
    interpreter: Interpreter
    model: str
    num_classes: int
    loss: str
    weights: Path
    fingerprint: str
    schema: AttributeSchema
    metric: str
    form: str
    size: tuple[int, int]
    norm_mean: tuple[float, ...]
    norm_std: tuple[float, ...]
    config: dict[str, Any]
    scores: dict[str, Any]
    versions: dict[str, str]
    command: str


_MOST_IDENTITIES = 10**6  # a classifier of more would not fit into memory: the file is damaged


def save_run(
    folder: str | os.PathLike[str],
    interpreter: Interpreter,
    *,
    model: str,
    num_classes: int,
    loss: str = "softmax",
    weights: str | os.PathLike[str] = "",
    size: Sequence[int] | None = None,
    norm_mean: Sequence[float] = IMAGENET_MEAN,
    norm_std: Sequence[float] = IMAGENET_STD,
    config: Mapping[str, Any] | None = None,
    scores: Mapping[str, Any] | None = None,
    command: str = "",
) -> Path:
    """Write a run folder; both files are complete before either takes its place.

    Args:
        folder: made where it is missing.
        interpreter: target and head.
        model: name of the target in torchreid.
        num_classes: identities the target was trained on.
        loss: the loss name the target was built with.
        weights: file of the target's weights, remembered as an absolute path.
        size: (H, W) of the input in pixels; what the target is made for, if not given.
        norm_mean: channel means of the input normalisation.
        norm_std: channel standard deviations of it.
        config: the configuration, nested; a yacs node will do.
        scores: nested; values that are no finite number become null.
        command: the command line, for the record.

    Returns:
        The folder.

    Raises:
        InputError: the folder cannot be written to; what stood there is untouched.

    Example:
        >>> import tempfile, torchreid_amd as amd
        >>> interpreter = amd.create_interpreter("osnet_x0_25", head="amd")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = amd.save_run(f"{folder}/run", interpreter, model="osnet_x0_25", num_classes=1000)
        ...     sorted(file.name for file in run.iterdir())
        ['interpreter.safetensors', 'run.json']
    """
    folder = Path(folder)
    state = {k: v.detach().cpu().contiguous().clone() for k, v in interpreter.head.state_dict().items()}
    record = {
        "target": {
            "model": model,
            "num_classes": int(num_classes),
            "loss": loss,
            "weights": str(Path(weights).expanduser().resolve()) if str(weights) else "",
            "fingerprint": fingerprint(interpreter.target.model),
        },
        "interpreter": {
            "head": interpreter.head_name,
            "options": interpreter.head_options,
            "fingerprint": fingerprint(state),
            "metric": interpreter.metric,
            "form": interpreter.form,
        },
        "attributes": interpreter.attributes.to_dict(),
        "input": {
            "size": list(size or interpreter.target.size),
            "norm_mean": list(norm_mean),
            "norm_std": list(norm_std),
        },
        "scores": scores or {},
        "config": config or {},
        "command": command,
    }
    data = safetensors.torch.save(state)
    with atomic_path(folder / JSON_NAME) as beside_json, atomic_path(folder / WEIGHTS_NAME) as beside_weights:
        beside_weights.write_bytes(data)
        beside_json.write_text(run_json(record), encoding="utf-8")
    return folder


def load_run(
    folder: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = None,
    device: torch.device | str | None = None,
) -> Run:
    """Rebuild the interpreter of a run folder.

    Args:
        folder: the run folder.
        weights: the target's weights, where they are no longer at the path the run remembers; a
            relative path is tried as given, then from the run folder.
        device: where to put the interpreter; the CPU, if not given.

    Raises:
        InputError: as :func:`read_run`, or the target's weights are missing or not those the
            interpreter was trained for.

    Example:
        >>> import tempfile, torch, torchreid_amd as amd
        >>> from torchreid import models
        >>> target = models.build_model("osnet_x0_25", num_classes=751, pretrained=False)
        >>> interpreter = amd.create_interpreter(target, head="amd", metric="cosine")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.save(target.state_dict(), f"{folder}/target.pth")
        ...     _ = amd.save_run(folder, interpreter, model="osnet_x0_25", num_classes=751)
        ...     run = amd.load_run(folder, weights=f"{folder}/target.pth")
        >>> run.model, run.metric, run.size, len(run.schema)
        ('osnet_x0_25', 'cosine', (256, 128), 26)
    """
    folder = Path(folder).expanduser()
    record = read_run(folder)
    try:
        target, parts, given = record["target"], record["interpreter"], record["input"]
        model, classes, loss = str(target["model"]), int(target["num_classes"]), str(target["loss"])
        schema = with_known_parts(AttributeSchema.from_dict(record["attributes"]))
        metric, form, head = str(parts["metric"]), str(parts["form"]), str(parts["head"])
        height, width = (int(n) for n in given["size"])
        mean, std = (tuple(float(v) for v in given[k]) for k in ("norm_mean", "norm_std"))
        options, expected = dict(parts["options"]), (str(target["fingerprint"]), str(parts["fingerprint"]))
        remembered = str(target["weights"])
        config, scores, versions = (dict(record.get(k, {})) for k in ("config", "scores", "versions"))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{str(folder / JSON_NAME)!r} is damaged ({type(error).__name__}: {error}); "
            "train again or restore the file"
        ) from None
    usable = len(mean) == len(std) == 3 and all(map(math.isfinite, (*mean, *std))) and min(std) > 0
    if not usable or min(height, width) < 1 or not 1 <= classes <= _MOST_IDENTITIES:
        raise InputError(
            f"{str(folder / JSON_NAME)!r} is damaged: images of {height}×{width} pixels, norm_mean "
            f"{list(mean)[:4]}, norm_std {list(std)[:4]}, {classes} identities; train again or restore "
            "the file"
        )
    file = _find_weights(folder, remembered, weights)
    state = _read_head(folder, expected[1])
    made_for = {"size": (height, width)} if model.startswith(host.TIMM) else {}
    network = host.build_model(model, num_classes=classes, loss=loss, **made_for)
    if not _load_target(network, file, expected[0]):
        raise InputError(
            f"weights {str(file)!r} are not those of {str(folder)!r} (other fingerprint); "
            "give the file the interpreter was trained for, or train an interpreter for this one"
        )
    interpreter = create_interpreter(network, head, schema, metric, form, name=model, **options)
    try:
        interpreter.head.load_state_dict(state)
    except RuntimeError:
        raise InputError(
            f"{str(folder / WEIGHTS_NAME)!r} does not fit head {head!r} with {options}; train again"
        ) from None
    return Run(
        folder=folder,
        interpreter=interpreter.to(device or "cpu").eval(),
        model=model,
        num_classes=classes,
        loss=loss,
        weights=file,
        fingerprint=expected[0],
        schema=schema,
        metric=metric,
        form=form,
        size=(height, width),
        norm_mean=mean,
        norm_std=std,
        config=config,
        scores=scores,
        versions=versions,
        command=str(record.get("command", "")),
    )


def _find_weights(folder: Path, remembered: str, given: str | os.PathLike[str] | None) -> Path:
    asked = str(given) if given else remembered
    if not asked:
        raise InputError(f"run {str(folder)!r} remembers no weights of its target; pass weights=PATH")
    path = Path(asked).expanduser()
    for candidate in (path, folder / path, folder / path.name):
        if split_key(candidate)[0].exists():
            return candidate
    told = "give an existing file" if given else "if the file has moved, pass weights=PATH"
    raise InputError(f"the target's weights are not at {str(path)!r}; {told}")


def _load_target(network: nn.Module, file: Path, expected: str) -> bool:
    """Whether the weights with a fingerprint are in a file; of several sets there, they are looked for."""
    load_weights(network, file, quiet=True)
    if has_fingerprint(network, expected):
        return True
    for key in other_sets(file):
        load_weights(network, f"{file}#{key}", quiet=True)
        if has_fingerprint(network, expected):
            return True
    return False


def _read_head(folder: Path, expected: str) -> dict[str, torch.Tensor]:
    path = folder / WEIGHTS_NAME
    if not path.exists():
        raise InputError(f"{str(folder)!r} has no {WEIGHTS_NAME}, so it is no finished run; train it first")
    state = read_state_dict(path)
    if fingerprint(state) != expected:
        raise InputError(f"{str(path)!r} does not belong to the {JSON_NAME} beside it; train again")
    return state
