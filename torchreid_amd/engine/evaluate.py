"""Scoring a trained interpreter on test data: the four questions, removal, sanity and retrieval."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from torchreid_amd.config import config_of_run
from torchreid_amd.config.values import check_values
from torchreid_amd.core import host
from torchreid_amd.core.files import write_json
from torchreid_amd.core.processes import is_first
from torchreid_amd.engine.engine import ImageAMDEngine
from torchreid_amd.engine.processes.answers import answers
from torchreid_amd.engine.train import build_datamanager
from torchreid_amd.evaluation.baselines.linear_probe import fit_probes
from torchreid_amd.evaluation.data.ground_truth import truth_of
from torchreid_amd.evaluation.data.labelled_images import LabelledImages
from torchreid_amd.evaluation.data.stored_images import stored_images
from torchreid_amd.evaluation.data.testbed import Testbed, decomposed
from torchreid_amd.evaluation.pairs.shared_pairs import score_shared_pairs
from torchreid_amd.evaluation.questions import NO_TRUTH, Settings, labelled_attributes, questions
from torchreid_amd.evaluation.report.tables import report_table
from torchreid_amd.evaluation.reranking.choice import fit_reranker
from torchreid_amd.evaluation.reranking.question import SeenTestbed
from torchreid_amd.evaluation.reranking.record import retrieval_row, rows_beside
from torchreid_amd.evaluation.retrieval import warn_where_nothing_counts
from torchreid_amd.evaluation.reweighting import Reweighting, fit_reweighting
from torchreid_amd.gallery.mark import Mark
from torchreid_amd.gallery.rerank import NAME as RERANKER
from torchreid_amd.gallery.rerank import Reranker
from torchreid_amd.gallery.seen import look
from torchreid_amd.gallery.store import Store
from torchreid_amd.interpreter.distances import DISTANCES, get_distance
from torchreid_amd.interpreter.run_folder import Run, load_run

SCORES = "scores.json"


def evaluate(
    folder: str | os.PathLike[str],
    change: Callable[[Any], Any] = lambda cfg: cfg,
    weights: str | os.PathLike[str] | None = None,
    settings: Settings | None = None,
    stores: Sequence[str | os.PathLike[str]] = (),
) -> dict[str, Any]:
    """Score a run on the test data of its configuration.

    Writes ``scores.json`` into the run folder, with every number, its interval, its baselines and
    the command, and figures beside it.

    Args:
        folder: the run folder.
        change: changes the run's configuration (other targets, another root …) and returns it.
        weights: the target's weights, if they have moved.
        settings: what to leave out, sample sizes and seed.
        stores: files of stored features that have the test photographs, so that they are not decomposed
            again; see :func:`torchreid_amd.extract`.

    Returns:
        The scores of each target data set, by name.
    """
    settings = settings or Settings()
    run = load_run(folder, weights)
    cfg = config_of_run(run.config)
    cfg.use_gpu = torch.cuda.is_available()
    cfg = change(cfg)
    check_values(cfg)
    cfg.data.load_train_targets = False  # nothing is trained
    cfg.data.height, cfg.data.width = run.size
    cfg.data.norm_mean, cfg.data.norm_std = list(run.norm_mean), list(run.norm_std)
    host.torchreid().utils.set_random_seed(cfg.train.seed)
    engine = ImageAMDEngine(build_datamanager(cfg), run.interpreter, None, None, cfg.use_gpu, cfg)
    engine.normalize_feature = cfg.test.normalize_feature
    engine.set_model_mode("eval")
    fitted = cache(lambda: _fit_reweighting(engine, settings))  # once, for all targets
    reranker = cache(lambda: _fit_reranker(engine, settings, Path(folder)))
    opened = [Store(path) for path in stores]
    for store in opened:
        store.check(Mark.of(engine.decomposer), whole=True)
    scores = {}
    for name in engine.datamanager.test_loader:
        print(f"##### {name}: query and gallery are {'read' if opened else 'decomposed'} ...", flush=True)
        scores[name] = _score(engine, name, settings, fitted, reranker, opened)
        print(f"\n{report_table(scores[name])}\n", flush=True)
    if is_first():
        _write(Path(folder), run, scores, settings)
    return scores


def _score(
    engine: ImageAMDEngine,
    name: str,
    settings: Settings,
    fitted: Callable[[], Reweighting],
    reranker: Callable[[], Reranker],
    stores: Sequence[Store],
) -> dict[str, Any]:
    loaders = engine.datamanager.test_loader[name]
    photographs = [_test_photographs(engine, name, side) for side in ("query", "gallery")]
    if stores:
        query, gallery = (stored_images(stores, side, engine.normalize_feature) for side in photographs)
    else:
        query, gallery = (engine.decompose(name, loaders[side]) for side in ("query", "gallery"))
    if settings.distractors_as_no:
        query, gallery = query.with_distractors_as_no(), gallery.with_distractors_as_no()
    train = _train_photographs(engine, settings)
    needs_train = not {"probe", "effect"} <= set(settings.skip) and (train.labels >= 0).any()
    embedding = engine.decomposer.embed_files(train.paths) if needs_train else torch.empty(0, 1)
    rankers: dict[str, tuple[Tensor, Tensor]] = {}
    if "probe" not in settings.skip and needs_train:
        seen = functional.normalize(embedding) if engine.normalize_feature else embedding
        probes = fit_probes(seen, torch.from_numpy(train.labels), torch.from_numpy(train.pids))
        rankers["probe"] = probes.probabilities(query.embedding), probes.probabilities(gallery.embedding)
    rates = torch.from_numpy(engine.labels.rates(engine.datamanager.train_loader.dataset.train))
    warn_where_nothing_counts(query, gallery)
    state = score_shared_pairs(
        query,
        gallery,
        get_distance(engine.model.metric),
        engine.model.form,
        rates,
        engine.device,
        others=[get_distance(other) for other in DISTANCES],
        rankers=rankers,
    )
    record: dict[str, Any] = state.scores(engine.model.attributes.attributes).to_dict()
    truth = truth_of(name, engine.model.attributes)
    testbed = Testbed(
        engine.decomposer, photographs[0], photographs[1], train, embedding, truth, settings.seed
    )
    as_seen = SeenTestbed(testbed, reranker, rates, rankers, engine.normalize_feature, stores)
    record |= answers(questions(testbed, settings, rates, (query, gallery), fitted, as_seen))
    if "rows" in record.get("rerank", {}):
        others = retrieval_row(state.target, state.decomposed), record.get("reweight", {}).get("rows", {})
        record["rerank"]["rows"] |= rows_beside(*others)
    if truth is None:
        record["no_truth"] = NO_TRUTH
    record["labelled"] = labelled_attributes(engine.model.attributes.attributes, query, gallery)
    return record


def _fit_reweighting(engine: ImageAMDEngine, settings: Settings) -> Reweighting:
    train = decomposed(engine.decomposer, _train_photographs(engine, settings), engine.normalize_feature)
    interpreter = engine.model
    return fit_reweighting(train, get_distance(interpreter.metric), interpreter.form, device=engine.device)


def _fit_reranker(engine: ImageAMDEngine, settings: Settings, folder: Path) -> Reranker:
    train, interpreter = _train_photographs(engine, settings), engine.model
    seen = look(engine.decomposer, train.paths)
    reranker = fit_reranker(
        seen.normalized() if engine.normalize_feature else seen,
        torch.from_numpy(train.labels),
        torch.from_numpy(train.pids),
        torch.from_numpy(train.camids),
        interpreter.attributes,
        interpreter.metric,
        interpreter.target,
    )
    if not engine.normalize_feature:  # what photographs are compared by elsewhere, too
        reranker.save(folder / RERANKER)
    return reranker


def _train_photographs(engine: ImageAMDEngine, settings: Settings) -> LabelledImages:
    items = engine.datamanager.train_loader.dataset.train
    labels = engine.labels.sources.labels([item[0] for item in items], [item[3] for item in items])
    return _photographs(items, labels).sample(settings.train_images, settings.seed)


def _test_photographs(engine: ImageAMDEngine, name: str, side: str) -> LabelledImages:
    items = getattr(engine.datamanager.test_loader[name][side].dataset, side)
    return _photographs(items, engine.labels.test(name, [item[0] for item in items]))


def _photographs(items: Sequence[Sequence[Any]], labels: np.ndarray) -> LabelledImages:
    paths, pids, camids = ([item[k] for item in items] for k in range(3))
    return LabelledImages(
        tuple(paths), np.array(pids, dtype=np.int64), np.array(camids, dtype=np.int64), labels
    )


def _write(folder: Path, run: Run, scores: dict[str, Any], settings: Settings) -> None:
    from torchreid_amd.evaluation.report.figures import save_score_figures

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
