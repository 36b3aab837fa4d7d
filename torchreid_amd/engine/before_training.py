"""What can be said before training is said before training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torchreid_amd.config import to_dict, with_whole_paths
from torchreid_amd.config.merge import flat
from torchreid_amd.core.errors import InputError
from torchreid_amd.interpreter.distances import get_distance
from torchreid_amd.interpreter.run_record import JSON_NAME, read_run
from torchreid_amd.targets.weights import has_fingerprint

#: Keys that change nothing about what is trained and scored.
_INDIFFERENT = (
    *("data.save_dir", "data.workers", "model.resume", "train.start_epoch", "train.print_freq"),
    *(
        "test.evaluate",
        "test.eval_freq",
        "test.start_eval",
        "test.batch_size",
        "amd.overwrite",
        "amd.cache_file",
        "use_gpu",
    ),
)


def check_metric(metric: str, dist_metric: str) -> None:
    """That target and explanation are ranked by the same distance.

    Raises:
        InputError: they are not.
    """
    distance = get_distance(metric)
    if distance.host_metric != dist_metric:
        raise InputError(
            f"test.dist_metric is {dist_metric!r}, but the interpreter decomposes {distance.name!r}; "
            f"use test.dist_metric {distance.host_metric} or another amd.metric"
        )


def check_steps(engine: Any, max_epoch: int) -> None:
    """That training makes steps, and that there is something to learn in them.

    Args:
        engine: an :class:`~torchreid_amd.engine.engine.ImageAMDEngine`.
        max_epoch: of the run.

    Raises:
        InputError: no epoch, no batch, no pair in a batch, or no label.
    """
    size, items = engine.train_loader.batch_size, engine.train_loader.dataset.train
    if max_epoch < 1:
        raise InputError(f"train.max_epoch is {max_epoch}, so nothing would be trained; give at least 1")
    if size < 2:
        raise InputError(
            f"train.batch_size is {size}; an interpreter learns from the pairs of a batch: give at least 2"
        )
    if next(iter(engine.train_loader.batch_sampler), None) is None:
        people = len({item[1] for item in items})
        raise InputError(
            f"{len(items)} training photographs of {people} people fill no batch of train.batch_size {size} "
            f"(sampler.train_sampler {engine.config.sampler.train_sampler}), so nothing would be trained; "
            "give a smaller batch or more photographs"
        )
    batch = {"impath": [item[0] for item in items], "dsetid": [item[3] for item in items]}
    if not (engine.labels.train(batch) >= 0).any():
        raise InputError(
            f"none of the {len(items)} training photographs has a known label, so nothing would be trained; "
            "check amd.attributes.file and its identities, or choose another amd.attributes.set"
        )


def check_folder(engine: Any, save_dir: str) -> None:
    """That no finished run of another configuration is overwritten without being told to.

    Raises:
        InputError: one would be; it says what differs.
    """
    cfg, folder = engine.config, Path(save_dir)
    if cfg.amd.overwrite or not (folder / JSON_NAME).is_file():
        return
    if cfg.model.resume and Path(cfg.model.resume).expanduser().resolve().is_relative_to(folder.resolve()):
        return
    help_ = "choose another data.save_dir, or set amd.overwrite True"
    try:
        record = read_run(folder)
        before, now = (dict(flat(c)) for c in (record["config"], to_dict(with_whole_paths(cfg))))
        weights = str(record["target"]["fingerprint"])
    except (InputError, KeyError, TypeError, AttributeError):
        raise InputError(f"{save_dir!r} holds a {JSON_NAME} that cannot be read; {help_}") from None
    different = [k for k in now if k not in _INDIFFERENT and not _same(k, before.get(k, now[k]), now[k])]
    if different:
        key = different[0]
        more = f" and {len(different) - 1} more" if different[1:] else ""
        raise InputError(
            f"{save_dir!r} holds a finished run of another configuration ({key} was {before[key]!r} and "
            f"is now {now[key]!r}{more}); {help_}"
        )
    if not cfg.amd.finetune and not has_fingerprint(engine.model.target.model, weights):
        raise InputError(f"{save_dir!r} holds a finished run for other weights of the target; {help_}")


def _same(key: str, before: Any, now: Any) -> bool:
    if key == "data.root":  # written as it was typed by older versions
        before = str(Path(str(before)).expanduser().resolve())
    return bool(before == now)
