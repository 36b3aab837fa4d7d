"""Scoring a trained interpreter on test data: the four questions, removal, sanity and retrieval."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from yacs.config import CfgNode

from torchreid_amd import host
from torchreid_amd.config import get_default_config
from torchreid_amd.distances import DISTANCES, get_distance
from torchreid_amd.engine import ImageAMDEngine
from torchreid_amd.errors import InputError, unknown_name
from torchreid_amd.evaluation.decomposed_images import DecomposedImages
from torchreid_amd.evaluation.decomposition import evaluate_decomposition
from torchreid_amd.evaluation.linear_probe import fit_probes
from torchreid_amd.evaluation.photographs import Eye, Photographs
from torchreid_amd.evaluation.report_table import report_table
from torchreid_amd.evaluation.sanity_record import sanity_record
from torchreid_amd.evaluation.scene import (
    Scene,
    decomposed,
    effect_pairs,
    effect_record,
    place_record,
    removal_record,
)
from torchreid_amd.evaluation.synthetic_truth import truth_of
from torchreid_amd.explanation import write_json
from torchreid_amd.reweight import Reweighting, fit_reweighting, reweighting_record
from torchreid_amd.run import Run, load_run
from torchreid_amd.train import build_datamanager

SCORES = "scores.json"
PARTS = ("probe", "place", "effect", "removal", "sanity", "reweight")
NO_TRUTH = (
    "Right place and what would happen: not scored, the true regions of these photographs are not known "
    "(body-part priors are no ground truth)."
)


@dataclass(frozen=True)
class Settings:
    """How much to evaluate.

    Attributes:
        skip: expensive parts to leave out, of :data:`PARTS`.
        pairs: pairs for the counterfactuals.
        images: photographs for the scores of place.
        removal_pairs: pairs for removing and inserting.
        train_images: training photographs for probes and regression, at most.
        seed: of every sample.
        distractors_as_no: label distractors all "no", as published numbers do.

    Raises:
        InputError: a part is unknown, or a number below 1.
    """

    skip: Collection[str] = ()
    pairs: int = 100
    images: int = 400
    removal_pairs: int = 20
    train_images: int = 4000
    seed: int = 0
    distractors_as_no: bool = False

    def __post_init__(self) -> None:
        for part in self.skip:
            if part not in PARTS:
                raise unknown_name("part of the evaluation", part, PARTS)
        for name in ("pairs", "images", "removal_pairs", "train_images"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; give at least 1, or skip that part")


def evaluate(
    folder: str | os.PathLike[str],
    change: Callable[[Any], Any] = lambda cfg: cfg,
    weights: str | os.PathLike[str] | None = None,
    settings: Settings | None = None,
) -> dict[str, Any]:
    """Score a run on the test data of its configuration.

    Writes ``scores.json`` into the run folder, with every number, its interval, its baselines and
    the command, and figures beside it.

    Args:
        folder: the run folder.
        change: changes the run's configuration (other targets, another root …) and returns it.
        weights: the target's weights, if they have moved.
        settings: what to leave out, sample sizes and seed.

    Returns:
        The scores of each target data set, by name.
    """
    settings = settings or Settings()
    run = load_run(folder, weights)
    cfg = get_default_config()
    cfg.use_gpu = torch.cuda.is_available()
    cfg.merge_from_other_cfg(CfgNode(run.config))
    cfg = change(cfg)
    cfg.data.height, cfg.data.width = run.size
    cfg.data.norm_mean, cfg.data.norm_std = list(run.norm_mean), list(run.norm_std)
    host.torchreid().utils.set_random_seed(cfg.train.seed)
    engine = ImageAMDEngine(build_datamanager(cfg), run.interpreter, None, None, cfg.use_gpu, cfg)
    engine.normalize_feature = cfg.test.normalize_feature
    engine.set_model_mode("eval")
    eye = Eye(run.interpreter, run.size, run.norm_mean, run.norm_std)
    fitted = cache(lambda: _fit_reweighting(engine, eye, settings))  # once, for all targets
    scores = {}
    for name in engine.datamanager.test_loader:
        print(f"##### {name}: query and gallery are decomposed ...", flush=True)
        scores[name] = _score(engine, eye, name, settings, fitted)
        print(f"\n{report_table(scores[name])}\n", flush=True)
    _write(Path(folder), run, scores, settings)
    return scores


def _score(
    engine: ImageAMDEngine, eye: Eye, name: str, settings: Settings, fitted: Callable[[], Reweighting]
) -> dict[str, Any]:
    loaders = engine.datamanager.test_loader[name]
    query, gallery = (engine.decompose(name, loaders[side]) for side in ("query", "gallery"))
    if settings.distractors_as_no:
        query, gallery = query.with_distractors_as_no(), gallery.with_distractors_as_no()
    train = _train_photographs(engine, settings)
    needs_train = not {"probe", "effect"} <= set(settings.skip) and (train.labels >= 0).any()
    embedding = eye.embed_files(train.paths) if needs_train else torch.empty(0, 1)
    rankers = {}
    if "probe" not in settings.skip and needs_train:
        seen = functional.normalize(embedding) if engine.normalize_feature else embedding
        probes = fit_probes(seen, torch.from_numpy(train.labels), torch.from_numpy(train.pids))
        sides = (probes.probabilities(side.embedding) for side in (query, gallery))
        rankers["probe"] = tuple(sides)
    rates = torch.from_numpy(engine.labels.rates(engine.datamanager.train_loader.dataset.train))
    record: dict[str, Any] = evaluate_decomposition(
        query,
        gallery,
        get_distance(engine.model.metric),
        engine.model.form,
        engine.model.attributes.attributes,
        rates,
        engine.device,
        others=[get_distance(other) for other in DISTANCES],
        rankers=rankers,  # type: ignore[arg-type]
    ).to_dict()
    truth = truth_of(name, engine.model.attributes)
    photographs = [_test_photographs(engine, name, side) for side in ("query", "gallery")]
    scene = Scene(eye, photographs[0], photographs[1], train, embedding, truth, settings.seed)
    parts = _parts(scene, settings, rates, (query, gallery), fitted)
    for part, make in parts.items():
        print(f"{part} ...", flush=True)
        record[part] = make()
    if truth is None:
        record["no_truth"] = NO_TRUTH
    record["labelled"] = _labelled(engine.model.attributes.attributes, query, gallery)
    return record


def _labelled(names: Sequence[str], query: DecomposedImages, gallery: DecomposedImages) -> list[str]:
    """The attributes that are known of somebody on either side, by name: what the scores are of."""
    known = (query.known_labels >= 0).any(0) & (gallery.known_labels >= 0).any(0)
    return [name for name, there in zip(names, known.tolist(), strict=True) if there]


def _parts(
    scene: Scene,
    settings: Settings,
    rates: torch.Tensor,
    sides: tuple[DecomposedImages, DecomposedImages],
    fitted: Callable[[], Reweighting],
) -> dict[str, Callable[[], dict[str, Any]]]:
    found: dict[str, Callable[[], dict[str, Any]]] = {}
    if scene.truth is not None:
        found["place"] = lambda: place_record(scene, settings.images)
        found["effect"] = lambda: effect_record(effect_pairs(scene, settings.pairs))
    found["removal"] = lambda: removal_record(scene, settings.removal_pairs)
    found["sanity"] = lambda: sanity_record(scene, rates)
    found["reweight"] = lambda: _reweighted(scene, sides, fitted)
    return {part: make for part, make in found.items() if part not in settings.skip}


def _fit_reweighting(engine: ImageAMDEngine, eye: Eye, settings: Settings) -> Reweighting:
    train = decomposed(eye, _train_photographs(engine, settings), engine.normalize_feature)
    interpreter = eye.interpreter
    return fit_reweighting(train, get_distance(interpreter.metric), interpreter.form, device=eye.device)


def _reweighted(
    scene: Scene, sides: tuple[DecomposedImages, DecomposedImages], fitted: Callable[[], Reweighting]
) -> dict[str, Any]:
    interpreter = scene.eye.interpreter
    distance, names = get_distance(interpreter.metric), interpreter.attributes.attributes
    try:
        return reweighting_record(fitted(), *sides, distance, names, interpreter.form, scene.eye.device)
    except InputError as error:  # too few training identities; the other scores stand
        return {"not_scored": str(error)}


def _train_photographs(engine: ImageAMDEngine, settings: Settings) -> Photographs:
    items = engine.datamanager.train_loader.dataset.train
    labels = engine.labels.sources.labels([item[0] for item in items], [item[3] for item in items])
    return _photographs(items, labels).sample(settings.train_images, settings.seed)


def _test_photographs(engine: ImageAMDEngine, name: str, side: str) -> Photographs:
    items = getattr(engine.datamanager.test_loader[name][side].dataset, side)
    return _photographs(items, engine.labels.test(name, [item[0] for item in items]))


def _photographs(items: Sequence[Sequence[Any]], labels: np.ndarray) -> Photographs:
    paths, pids, camids = ([item[k] for item in items] for k in range(3))
    return Photographs(tuple(paths), np.array(pids, dtype=np.int64), np.array(camids, dtype=np.int64), labels)


def _write(folder: Path, run: Run, scores: dict[str, Any], settings: Settings) -> None:
    from torchreid_amd.report.scores_figure import save_score_figures

    record = {
        "run": str(folder.resolve()),
        "command": shlex.join(sys.argv),
        "seed": settings.seed,
        "skipped": sorted(settings.skip),
        "distractors_as_no": settings.distractors_as_no,
        "datasets": scores,
    }
    path = folder / SCORES
    write_json(record, path)
    print(f"Written: {path}")
    for name, found in scores.items():
        for figure in save_score_figures(found, run.schema.attributes, folder / "figures", name):
            print(f"Written: {figure}")
