"""Training an interpreter with torchreid's engine: the target untouched, resumable, scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_market import write_tiny_market

import torchreid_amd as amd
from torchreid_amd.config import engine_run_kwargs, get_default_config, merge
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.engine.engine import ImageAMDEngine
from torchreid_amd.engine.train import build_datamanager, build_engine, train
from torchreid_amd.interpreter.interpreter import Interpreter
from torchreid_amd.interpreter.run_folder import load_run
from torchreid_amd.losses import batch_pairs

torchreid = host.torchreid()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_market(tmp_path_factory.mktemp("data"))


def config(root: Path, save_dir: Path | str = "", *opts: Any) -> Any:
    cfg = get_default_config()
    cfg.use_gpu = False
    cfg.data.root, cfg.data.save_dir = str(root), str(save_dir)
    cfg.data.sources = cfg.data.targets = ["market1501_attr"]
    pairs = {
        "model.name": "osnet_x0_25",
        "model.pretrained": False,
        "data.height": 64,
        "data.width": 32,
        "data.workers": 0,
        "train.batch_size": 6,
        "train.max_epoch": 2,
        "train.lr": 0.001,
        "train.print_freq": 1,
        "test.ranks": [1],
        "amd.head": "amd",
    }
    merge(cfg, "", [str(x) for pair in pairs.items() for x in pair] + [str(o) for o in opts])
    return cfg


def engine_for(cfg: Any) -> ImageAMDEngine:
    torchreid.utils.set_random_seed(cfg.train.seed)
    return build_engine(cfg, build_datamanager(cfg))


def frozen_copy(interpreter: Interpreter) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in interpreter.target.state_dict().items()}


def test_the_additive_head_trains_adds_up_and_resumes(root: Path, tmp_path: Path) -> None:
    cfg = config(root, tmp_path / "run", "amd.head", "additive")
    engine = engine_for(cfg)
    before = frozen_copy(engine.model)
    directions = engine.model.head.directions
    assert not directions().any()
    engine.run(**engine_run_kwargs(cfg))
    assert directions().any() and engine.model.form == "additive"
    assert directions.count == 2 * len(engine.train_loader) * cfg.train.batch_size
    assert all(torch.equal(v, before[k]) for k, v in engine.model.target.state_dict().items())
    scores = engine.scores["market1501_attr"].interpreter
    assert scores["ADRE max"] < 1e-2 and scores["explained"] is not None
    again = load_run(tmp_path / "run", tmp_path / "run" / "target.safetensors").interpreter
    images = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(again(images).components, engine.model.eval()(images).components)


def test_the_target_is_bit_identical_after_training(root: Path, tmp_path: Path) -> None:
    engine = engine_for(config(root, tmp_path / "run"))
    before = frozen_copy(engine.model)
    head = {k: v.clone() for k, v in engine.model.head.state_dict().items()}
    engine.run(save_dir=str(tmp_path / "run"), max_epoch=2, print_freq=1, ranks=[1])
    after = engine.model.target.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[k], after[k]) for k in before)
    assert not any(m.training for m in engine.model.target.modules())
    moved = [k for k, v in engine.model.head.state_dict().items() if not torch.equal(v, head[k])]
    assert {"decomposition.spatial.weight", "decomposition.project.weight"} <= set(moved)
    assert any(k.startswith("body.") for k in moved)


def test_run_folder_and_scores(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = train(config(root, tmp_path / "run"))
    printed = capsys.readouterr().out
    assert "image-free prior" in printed and "X-mAP_e" in printed
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["target"]["model"] == "osnet_x0_25" and record["target"]["num_classes"] == 6
    assert record["scores"]["datasets"]["market1501_attr"]["pairs"] == scores["market1501_attr"]["pairs"]
    assert (
        scores["market1501_attr"]["pairs"]["used"] == 16
    )  # 4 queries × 4 gallery images, none in one camera
    written = {p.name for p in (tmp_path / "run").iterdir()}
    assert {"interpreter.safetensors", "run.json", "target.safetensors", "progress.pth.tar"} <= written
    assert any(name.startswith("events.out.tfevents") for name in written)
    explanation = amd.Explainer.from_pretrained(tmp_path / "run").explain(*_two_photographs(root))
    total = float(explanation.contributions.sum()) + explanation.residual
    assert total == pytest.approx(explanation.distance, rel=1e-4)


def _two_photographs(root: Path) -> list[str]:
    return [str(p) for p in sorted(root.rglob("query/*.jpg"))[:2]]


def test_resumed_run_ends_like_an_uninterrupted_one(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("train.max_epoch", 3, "data.transforms", "['random_flip','random_crop','random_erase']")
    options += ("train.stepsize", "[1]", "test.eval_freq", 1)
    train(config(root, tmp_path / "whole", *options))

    class Killed(Exception):
        pass

    finished = ImageAMDEngine.train

    def killed_in_the_third_epoch(self: ImageAMDEngine, *args: Any, **kwargs: Any) -> None:
        if self.epoch == 2:
            raise Killed
        finished(self, *args, **kwargs)

    monkeypatch.setattr(ImageAMDEngine, "train", killed_in_the_third_epoch)
    again = (*options, "model.resume", tmp_path / "cut")
    with pytest.raises(Killed):
        train(config(root, tmp_path / "cut", *again))
    monkeypatch.setattr(ImageAMDEngine, "train", finished)
    torch.rand(17)  # whatever happens in between
    train(config(root, tmp_path / "cut", *again))
    whole, cut = ((tmp_path / name / "interpreter.safetensors").read_bytes() for name in ("whole", "cut"))
    assert whole == cut


def test_same_seed_same_result(root: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        train(config(root, tmp_path / name, "train.max_epoch", 1))
    train(config(root, tmp_path / "c", "train.max_epoch", 1, "train.seed", 2))
    a, b, c = ((tmp_path / n / "interpreter.safetensors").read_bytes() for n in "abc")
    assert a == b and a != c


def test_every_epoch_has_its_own_seed_and_a_resumed_run_the_same_ones(root: Path, tmp_path: Path) -> None:
    """Batches of each epoch: other ones, and those of epoch 2 whether or not epochs 0 and 1 ran before."""
    options = ("data.transforms", "['random_crop','random_erase']", "train.seed", 40)

    def epochs(first: int, last: int, disturbed: int) -> dict[int, tuple[int, list[torch.Tensor]]]:
        engine = engine_for(config(root, tmp_path, *options))
        torch.rand(disturbed)
        seen: dict[int, tuple[int, list[torch.Tensor]]] = {}

        def note(data: dict[str, Any]) -> dict[str, float]:
            seen.setdefault(engine.epoch, (torch.initial_seed(), []))[1].append(data["img"].clone())
            return {"loss": 0.0}

        engine.forward_backward = note  # type: ignore[method-assign]
        for engine.epoch in range(first, last):
            engine.max_epoch = last
            engine.train()
        return seen

    whole, resumed = epochs(0, 3, 5), epochs(2, 3, 17)
    assert {epoch: seed for epoch, (seed, _) in whole.items()} == {0: 40, 1: 41, 2: 42}
    first, second, third = (torch.stack(whole[epoch][1]) for epoch in range(3))
    assert not torch.equal(first, second) and not torch.equal(second, third)
    assert resumed[2][0] == 42 and torch.equal(torch.stack(resumed[2][1]), third)


def test_progress_of_another_interpreter_is_refused(root: Path, tmp_path: Path) -> None:
    train(config(root, tmp_path / "run", "train.max_epoch", 1))
    with pytest.raises(InputError, match="does not belong to this interpreter"):
        engine_for(
            config(root, tmp_path / "other", "amd.head", "attrimeter", "model.resume", tmp_path / "run")
        )


def test_loss_against_a_double_loop(root: Path) -> None:
    """The engine's loss from every pair on its own, by the formulas of the paper."""
    engine = engine_for(config(root))
    images = torch.randn(4, 3, 64, 32)
    labels = torch.randint(-1, 2, (4, 26))
    engine.epoch, engine.batch_idx = 0, 0
    torch.nn.init.normal_(engine.model.head.decomposition.project.weight, std=0.5)  # away from the start
    with torch.no_grad():
        loss, summary = engine.loss(images, labels)
        out = engine.model(images)
        gaps, group, exclusive, common = [], [], [], []
        for i in range(4):
            for j in range(i + 1, 4):
                d = (out.embedding[i] - out.embedding[j]).norm().item()
                parts = [(out.components[i, k] - out.components[j, k]).norm().item() for k in range(26)]
                gaps.append(abs(d - sum(parts) / 26))
                known = [k for k in range(26) if labels[i, k] >= 0 and labels[j, k] >= 0]
                if not known:
                    continue
                p = {k: parts[k] / sum(parts[m] for m in known) for k in known}
                differ = [k for k in known if labels[i, k] != labels[j, k]]
                m, n = len(known), len(differ)
                if 0 < n < m:
                    tau = (n / m) ** 0.5
                    low = high = (tau * (1 - tau) / (n * (m - n))) ** 0.5
                    group.append(max(0.0, tau - sum(p[k] for k in differ)))
                else:
                    low, high = 0.7 / m, 2 / m
                    group.append(0.0)
                exclusive.append(sum(max(0.0, low - p[k]) for k in differ))
                common.append(sum(max(0.0, p[k] - high) for k in known if k not in differ))
    mean = lambda values: sum(values) / len(values)  # noqa: E731
    expected = mean(gaps) + 10 * (2 * mean(group) + 10 * mean(exclusive) + 10 * mean(common))
    assert summary["gap"] == pytest.approx(mean(gaps), rel=1e-3)
    assert summary["group"] == pytest.approx(mean(group), rel=1e-3)
    assert loss.item() == pytest.approx(expected, rel=1e-3)


def test_no_self_pairs() -> None:
    i, j = batch_pairs(5)
    assert len(i) == 10 and (i < j).all()


def test_the_decay_of_the_prior_counts_the_steps_of_all_epochs(root: Path) -> None:
    """The gap, and the prior by √step: step 1 at first, 5 n at the end of the fifth epoch of n steps."""
    engine = engine_for(config(root, "", "amd.loss.prior.decay", True, "amd.head", "attrimeter"))
    torch.nn.init.normal_(engine.model.head.decomposition.project.weight, std=0.5)
    images, labels = torch.randn(4, 3, 64, 32), torch.randint(0, 2, (4, 26))
    steps = len(engine.train_loader)
    found = []
    for engine.epoch, engine.batch_idx in ((0, 0), (4, steps - 1)):
        loss, summary = engine.loss(images, labels)
        found.append(loss.item() - summary["gap"])
    assert found[0] > 0.1
    assert found[1] == pytest.approx(found[0] / (5 * steps) ** 0.5, rel=1e-3)


def test_a_step_is_taken_on_its_own_batch_alone(root: Path) -> None:
    """Gradients of the batch before are gone: the same batch twice gives the same ones."""
    engine = engine_for(config(root, "", "amd.head", "attrimeter"))
    torch.nn.init.normal_(engine.model.head.decomposition.project.weight, std=0.5)
    for group in engine.optimizer.param_groups:
        group["lr"] = 0.0
    batch = next(iter(engine.train_loader))
    engine.epoch, engine.batch_idx = 0, 0
    seen = []
    for _ in range(2):
        engine.forward_backward(batch)
        seen.append([p.grad.clone() for p in engine.model.head.parameters() if p.grad is not None])
    assert any(gradient.any() for gradient in seen[0])
    for first, second in zip(*seen, strict=True):
        torch.testing.assert_close(first, second)


def test_torchreids_own_script_trains_an_interpreter(root: Path, tmp_path: Path) -> None:
    """What torchreid's training script does, line by line, with the adapters imported from here."""
    from torchreid_amd.config import (
        engine_run_kwargs,
        imagedata_kwargs,
        lr_scheduler_kwargs,
        optimizer_kwargs,
    )

    cfg = config(root, tmp_path / "run", "model.name", "amd_osnet_x0_25", "amd.head", "attrimeter")
    cfg.train.max_epoch = 1
    datamanager = torchreid.data.ImageDataManager(**imagedata_kwargs(cfg))
    model = torchreid.models.build_model(
        name=cfg.model.name,
        num_classes=datamanager.num_train_pids,
        loss=cfg.loss.name,
        pretrained=cfg.model.pretrained,
        use_gpu=cfg.use_gpu,
    )
    torchreid.utils.compute_model_complexity(model, (1, 3, cfg.data.height, cfg.data.width))
    optimizer = torchreid.optim.build_optimizer(model, **optimizer_kwargs(cfg))
    scheduler = torchreid.optim.build_lr_scheduler(optimizer, **lr_scheduler_kwargs(cfg))
    engine = torchreid.engine.ImageSoftmaxEngine(
        datamanager, model, optimizer=optimizer, scheduler=scheduler, use_gpu=False, label_smooth=True
    )
    before = frozen_copy(model.interpreter)
    engine.run(**engine_run_kwargs(cfg))
    assert isinstance(engine, torchreid.engine.ImageAMDEngine)
    assert all(torch.equal(before[k], v) for k, v in model.interpreter.target.state_dict().items())
    assert json.loads((tmp_path / "run" / "run.json").read_text())["interpreter"]["head"] == "attrimeter"


def test_torchreids_engine_still_trains_its_own_models(root: Path) -> None:
    cfg = config(root)
    datamanager = build_datamanager(cfg)
    model = host.build_model("osnet_x0_25", num_classes=6)
    optimizer = torchreid.optim.build_optimizer(model)
    engine = torchreid.engine.ImageSoftmaxEngine(datamanager, model, optimizer, use_gpu=False)
    assert type(engine).__name__ == "ImageSoftmaxEngine" and not isinstance(engine, ImageAMDEngine)
    assert {"loss", "acc"} <= engine.forward_backward(next(iter(engine.train_loader))).keys()


def test_a_model_without_interpreter_is_refused(root: Path) -> None:
    datamanager = build_datamanager(config(root))
    with pytest.raises(InputError, match="given a OSNet; expected an interpreter"):
        ImageAMDEngine(datamanager, host.build_model("osnet_x0_25", num_classes=6), None)


def test_a_metric_that_is_not_the_tested_one_is_refused(root: Path, tmp_path: Path) -> None:
    cfg = config(
        root, tmp_path, "train.max_epoch", 1, "amd.metric", "euclidean", "test.dist_metric", "cosine"
    )
    with pytest.raises(
        InputError, match="test.dist_metric is 'cosine', but the interpreter decomposes 'euclidean'"
    ):
        train(cfg)


@pytest.mark.parametrize("metric", ["squared_euclidean", "cosine"])
def test_other_metrics_train(root: Path, tmp_path: Path, metric: str) -> None:
    host_metric = "cosine" if metric == "cosine" else "euclidean"
    options = ("train.max_epoch", 1, "amd.metric", metric, "test.dist_metric", host_metric, "amd.form", "sum")
    scores = train(config(root, tmp_path, *options))["market1501_attr"]
    assert scores["metric"] == metric and scores["form"] == "sum" and scores["interpreter"]["ADRE"] > 0
