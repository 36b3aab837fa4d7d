"""torchreid's engine for interpreters: trains the head, leaves the target alone, scores both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as tree

from torchreid_amd.attributes.datamanager_labels import ManagerLabels
from torchreid_amd.config import active_config
from torchreid_amd.core import host
from torchreid_amd.core.devices import has_bf16
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.processes import by_first, count, is_first, together
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.core.whole_batch import rows_of_all
from torchreid_amd.engine.amd_model import InterpretedModel
from torchreid_amd.engine.before_training import check_folder, check_metric, check_steps
from torchreid_amd.engine.cache.parts import StoredTarget
from torchreid_amd.engine.cache.training import cache_path, stored_loader
from torchreid_amd.engine.compiled import compiled_step
from torchreid_amd.engine.learner import compute, precision, quick_interpreter, quicken, with_target
from torchreid_amd.engine.pair_loss import PairLoss
from torchreid_amd.engine.processes.batches import OwnLoader, own_batches
from torchreid_amd.engine.processes.shared_step import agree, check_share, shared_step
from torchreid_amd.engine.progress import write_progress
from torchreid_amd.engine.written_run import save_engine_run
from torchreid_amd.evaluation import DecomposedImages, DecompositionScores, score_table
from torchreid_amd.evaluation.data.decomposed_images import decompose_batches
from torchreid_amd.evaluation.pairs.shared_pairs import score_shared_pairs
from torchreid_amd.evaluation.retrieval import warn_where_nothing_counts
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.distances import get_distance
from torchreid_amd.interpreter.interpreter import Interpreter

_torchreid = host.torchreid()
Engine: Any = _torchreid.engine.Engine


def interpreter_of(model: nn.Module) -> Interpreter | None:
    """The interpreter inside a model, wrapped or one of the ``amd_*`` models; else None."""
    model = host.unwrap(model)
    if isinstance(model, InterpretedModel):
        return model.interpreter
    return model if isinstance(model, Interpreter) else None


class ImageAMDEngine(Engine):
    """Trains an interpreter with metric distillation and the attribute prior.

    The target stays frozen and in eval mode: its parameters and buffers are bit-identical
    afterwards. Each epoch starts from a seed of its own (``train.seed`` + epoch), so a run resumed
    after its last finished epoch ends like an uninterrupted one; the ``random_patch`` transform,
    which remembers patches across epochs in the main process, is the exception.

    Args:
        datamanager: a torchreid image data manager.
        model: an :class:`~torchreid_amd.interpreter.interpreter.Interpreter` or a model of an ``amd_*``
            factory entry, possibly in ``DataParallel``.
        optimizer: over the head's parameters (frozen ones are skipped).
        scheduler: learning-rate scheduler, stepped once an epoch.
        use_gpu: use CUDA where there is one.
        config: torchreid's tree with the ``amd`` node; default: the active configuration.
        labels: attribute labels; default: those of the data sets in use.

    Raises:
        InputError: the model holds no interpreter.
    """

    def __init__(
        self,
        datamanager: Any,
        model: nn.Module,
        optimizer: Any,
        scheduler: Any = None,
        use_gpu: bool = True,
        config: Any = None,
        labels: ManagerLabels | None = None,
    ) -> None:
        super().__init__(datamanager, use_gpu)
        self.train_loader: Any = datamanager.train_loader
        interpreter = interpreter_of(model)
        if interpreter is None:
            raise InputError(
                f"ImageAMDEngine was given a {type(model).__name__}; expected an interpreter: "
                "build the model as 'amd_<name>', or wrap it with create_interpreter"
            )
        self.config = active_config() if config is None else config
        self.model = interpreter.to("cuda") if self.use_gpu else interpreter
        self.optimizer, self.scheduler = optimizer, scheduler
        self.register_model("interpreter", interpreter, optimizer, scheduler)
        self.decomposer = Decomposer(
            interpreter,
            (datamanager.height, datamanager.width),
            self.config.data.norm_mean,
            self.config.data.norm_std,
        )
        self.labels = labels or ManagerLabels(self.config, interpreter.attributes)
        self.pair_loss = PairLoss(self.config, interpreter.attributes, interpreter.metric)
        self.scores: dict[str, DecompositionScores] = {}
        self.save_dir = ""
        self.learner = self.model  #: what a step computes with
        self.step: Callable[[Any, Tensor], Any] | None = None  #: in the place of :func:`compute` with it
        self.precision, _ = precision(self.device, False)

    def run(self, save_dir: str = "log", **kwargs: Any) -> None:
        """As torchreid's; progress goes to ``save_dir`` after every epoch.

        Raises:
            InputError: before the first epoch, where nothing would be trained, scored or kept.
        """
        check_metric(self.model.metric, kwargs.get("dist_metric", "euclidean"))
        if not kwargs.get("test_only"):
            self.train_loader = self.datamanager.train_loader
            check_steps(self, kwargs.get("max_epoch", 0))
            check_share(self.train_loader.batch_size)
            check_folder(self, save_dir)
        self.save_dir = save_dir
        if not kwargs.get("test_only"):
            self.prepare_steps()
        if not is_first():
            self.writer = SimpleNamespace(add_scalar=lambda *_: None, close=lambda: None)
        super().run(save_dir=save_dir, **kwargs)

    def prepare_steps(self) -> None:
        """Choose how steps are computed (``amd.fast``, ``amp``, ``cache``, ``compile``), and say it."""
        cfg, chosen, layout = self.config.amd, [], torch.contiguous_format
        self.learner = self.model
        if cfg.fast:
            self.learner, layout, done = quick_interpreter(self.model, cfg.amp and has_bf16(self.device))
            quicken(self.optimizer, self.device)
            chosen.append(done)
        self.precision, kind = precision(self.device, cfg.amp)
        if cfg.fast or cfg.amp:
            print(f"Steps: {', '.join([*chosen, kind])}")
        quick = self.learner.target
        if cfg.cache:
            path = cache_path(self.config, self.save_dir)
            given = self.config, self.train_loader, self.model, quick, path, self.precision
            self.train_loader = stored_loader(*given)
            self.learner = with_target(self.model, StoredTarget(self.model.target, layout))
        self.step = None
        if count() > 1:
            self.step = shared_step(self.learner, compute)
            self.train_loader = self.train_loader if cfg.cache else OwnLoader(self.train_loader)
        if cfg.compile:
            self.step, done = compiled_step(self, quick)
            print(f"Steps: {done}")

    def train(self, print_freq: int = 10, fixbase_epoch: int = 0, open_layers: Any = None) -> None:
        """One epoch, from its own seed."""
        _torchreid.utils.set_random_seed(self.config.train.seed + self.epoch)
        super().train(print_freq, fixbase_epoch, open_layers)
        agree(self.learnt)
        if self.save_dir and is_first():
            write_progress(self.save_dir, self.epoch + 1, self.learnt, self.optimizer, self.scheduler)

    def two_stepped_transfer_learning(self, *_: Any, **__: Any) -> None:
        """Nothing: torchreid would open all layers, the frozen target's too."""

    def forward_backward(self, data: dict[str, Any]) -> dict[str, float]:
        """One step on a batch; gives the terms of the losses."""
        images = tree.tree_map_only(Tensor, lambda t: t.to(self.device), data["img"])
        labels = torch.from_numpy(self.labels.train(data)).to(self.device)
        loss, summary = self.loss(images, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return summary

    def loss(self, images: Any, labels: Tensor) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch, and its terms by name; of several processes, of the batch of all of them.

        Args:
            images: (B, 3, H, W), or, in a cached training, what the target makes of them.
            labels: (B, M) of 1 yes, 0 no, −1 unknown.
        """
        with self.precision():
            made = self.step(images, labels) if self.step else compute(self.learner, images, labels)
        if isinstance(made, dict):
            whole = torch.stack(list(made.values())).sum()
            return whole, {"loss": whole.item()} | {name: value.item() for name, value in made.items()}
        iteration = self.epoch * len(self.train_loader) + self.batch_idx + 1
        embedding, components = made
        return self.pair_loss(embedding, components, labels, iteration)

    def decompose(self, dataset_name: str, loader: Any) -> DecomposedImages:
        """Decompose the embeddings of all images of a query or gallery loader."""
        pids, camids, paths = [], [], []
        own, size = own_batches(loader), loader.batch_size

        def batches() -> Iterator[Tensor]:
            for data in progress(
                own, "decomposing photographs", min(len(loader.dataset), len(own) * size), size
            ):
                images, pid, camid = self.parse_data_for_eval(data)
                pids.append(pid)
                camids.append(camid)
                paths.extend(data["impath"])
                yield images

        found = decompose_batches(self.decomposer, batches(), self.normalize_feature)
        everywhere = [path for part in together(paths) for path in part]
        labels = torch.from_numpy(self.labels.test(dataset_name, everywhere))
        return DecomposedImages(*found, rows_of_all(pids), rows_of_all(camids), labels)

    def _evaluate(
        self,
        dataset_name: str = "",
        query_loader: Any = None,
        gallery_loader: Any = None,
        dist_metric: str = "euclidean",
        normalize_feature: bool = False,
        visrank: bool = False,
        rerank: bool = False,
        use_metric_cuhk03: bool = False,
        **kwargs: Any,
    ) -> tuple[float, float]:
        """Score target and decomposition on one test set; rank-1 and mAP of the target.

        ``visrank``, ``rerank`` and CUHK03's own metric concern the target alone: torchreid's code
        does them, in a second pass.
        """
        check_metric(self.model.metric, dist_metric)
        metric = get_distance(self.model.metric)
        self.normalize_feature = normalize_feature
        print("Decomposing the embeddings of query and gallery ...")
        query = self.decompose(dataset_name, query_loader)
        gallery = self.decompose(dataset_name, gallery_loader)
        print(f"Scoring {len(query):,} × {len(gallery):,} pairs ...")
        warn_where_nothing_counts(query, gallery)
        rates = torch.from_numpy(self.labels.rates(self.datamanager.train_loader.dataset.train))
        state = score_shared_pairs(query, gallery, metric, self.model.form, rates, self.device)
        scores = state.scores(self.model.attributes.attributes)
        self.scores[dataset_name] = scores
        print(score_table(scores))
        if self.writer is not None:
            for name, value in scores.interpreter.items():
                if value is not None:
                    self.writer.add_scalar(f"Test/{dataset_name}/interpreter/{name}", value, self.epoch)
        counts = scores.target["mAP"] is not None  # torchreid's code stops where no query counts
        if counts and (visrank or rerank or use_metric_cuhk03):
            kwargs["ranks"] = [r for r in kwargs.get("ranks", (1,)) if r <= len(gallery)] or [1]
            theirs = partial(
                super()._evaluate,
                dataset_name=dataset_name,
                query_loader=query_loader,
                gallery_loader=gallery_loader,
                dist_metric=dist_metric,
                normalize_feature=normalize_feature,
                visrank=visrank,
                rerank=rerank,
                use_metric_cuhk03=use_metric_cuhk03,
                **kwargs,
            )
            result: tuple[float, float] = by_first(theirs)
            return result
        return _fraction(scores.target["rank-1"]), _fraction(scores.target["mAP"])

    @property
    def learnt(self) -> nn.Module:
        """What training changes, and a resumed run goes on with."""
        head: nn.Module = self.model.head
        return head

    @property
    def device(self) -> torch.device:
        """Where the interpreter is."""
        device: torch.device = self.model.device
        return device

    def extract_features(self, images: Tensor) -> Tensor:
        """The target's embeddings (B, D), for torchreid's own test code."""
        embedding: Tensor = self.model.target(images)
        return embedding

    def save_model(self, epoch: int, rank1: float, save_dir: str, is_best: bool = False) -> None:
        """Write the run folder (see :mod:`torchreid_amd.interpreter.run_folder`) to ``save_dir``.

        Where the configuration names no file with the target's weights, they are written to
        ``target.safetensors`` beside it.
        """
        if is_first():
            save_engine_run(self, save_dir, epoch + 1)


def _fraction(percent: float | None) -> float:
    return 0.0 if percent is None else percent / 100
