"""Joint fine-tuning: which layers learn, from what, and that a run folder holds what came of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from small_model import one_line
from test_engine import config, engine_for, frozen_copy
from tiny_market import write_tiny_market

import torchreid_amd as amd
from torchreid_amd.config import engine_run_kwargs
from torchreid_amd.core.errors import InputError
from torchreid_amd.engine.finetune import ImageFinetuneEngine
from torchreid_amd.engine.train import train
from torchreid_amd.interpreter.run_folder import load_run

JOINT = ("amd.head", "additive", "amd.finetune", "on")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_market(tmp_path_factory.mktemp("data"))


def joint(root: Path, save_dir: Path | str = "", *opts: Any) -> ImageFinetuneEngine:
    engine = engine_for(config(root, save_dir, *JOINT, *opts))
    assert isinstance(engine, ImageFinetuneEngine)
    return engine


def batch_of(engine: ImageFinetuneEngine) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    data = next(iter(engine.train_loader))
    return data["img"], data["pid"], torch.from_numpy(engine.labels.train(data))


def of_target(engine: ImageFinetuneEngine, loss: torch.Tensor) -> list[torch.Tensor]:
    """Gradients of a loss in the target's open parameters; zeros where there are none."""
    parameters = list(engine.open.learning())
    found = torch.autograd.grad(loss, parameters, allow_unused=True, retain_graph=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]


def test_chosen_layers_learn_and_the_folder_holds_them(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = joint(root, tmp_path / "run", "amd.finetuning.layers", "['conv5','fc','classifier']")
    before = frozen_copy(engine.model)
    engine.run(**engine_run_kwargs(engine.config))
    assert "Fine-tuning: conv5, fc, classifier of the target" in capsys.readouterr().out
    after = engine.model.target.state_dict()
    moved = {k.split(".")[1] for k in before if not torch.equal(before[k], after[k])}
    assert moved == {"conv5", "fc", "classifier"}
    assert not any(m.training for m in engine.model.target.modules())
    assert not any(p.requires_grad for p in engine.model.target.parameters())
    run = load_run(tmp_path / "run")
    assert run.weights == (tmp_path / "run" / "target.safetensors").resolve()
    images = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        a, b = run.interpreter(images), engine.model.eval()(images)
    assert torch.equal(a.embedding, b.embedding) and torch.equal(a.components, b.components)
    scores = engine.scores["market1501_attr"].interpreter
    assert scores["ADRE max"] < 1e-2  # of the target that came of it, it adds up


def test_the_folder_does_not_take_the_weights_it_started_from(
    root: Path, weights: Path, tmp_path: Path
) -> None:
    train(config(root, tmp_path / "run", *JOINT, "model.load_weights", weights, "train.max_epoch", 1))
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["target"]["weights"].endswith("target.safetensors")
    assert record["config"]["model"]["load_weights"] == str(weights)
    amd.Explainer.from_pretrained(tmp_path / "run")
    with pytest.raises(InputError, match="other fingerprint"):
        load_run(tmp_path / "run", weights)


def test_by_default_all_behind_the_stem_learns(root: Path) -> None:
    engine = joint(root)
    assert engine.open.layers == ("conv4", "conv5", "fc", "classifier")
    stem = {id(p) for p in engine.model.target.stem.parameters()}
    assert not stem & {id(p) for p in engine.open.learning()}
    groups = engine.optimizer.param_groups
    assert [g["lr"] for g in groups] == [0.001, 0.0003] and len(groups[1]["params"]) == len(
        list(engine.open.learning())
    )


@pytest.mark.parametrize("weight", [0.0, 2.0])
def test_recognition_teaches_the_target_times_its_weight(root: Path, weight: float) -> None:
    one, other = joint(root), joint(root, "", "amd.finetuning.weight", weight)
    found = []
    for engine in (one, other):
        engine.set_model_mode("train")
        engine.prepare_steps()
        engine.two_stepped_transfer_learning()
        torch.manual_seed(0)
        images, _, labels = batch_of(engine)
        torch.manual_seed(0)  # of dropout
        loss, _ = engine.loss(images, labels)
        head = torch.autograd.grad(loss, engine.model.head.eye.score.weight, retain_graph=True)[0]
        found.append((loss, head, of_target(engine, loss)))
    (loss, head, once), (other_loss, other_head, weighted) = found
    assert torch.equal(loss, other_loss) and torch.equal(head, other_head)  # the head learns all the same
    assert any(g.abs().max() > 1e-6 for g in once)
    for g, w in zip(once, weighted, strict=True):
        assert torch.allclose(w, weight * g, rtol=1e-4, atol=1e-7)


def test_open_layers_follow_the_batches_and_the_others_do_not(root: Path) -> None:
    engine = joint(root, "", "amd.finetuning.layers", "['conv5']")
    engine.set_model_mode("train")
    engine.two_stepped_transfer_learning()
    before = frozen_copy(engine.model)
    images, people, _ = batch_of(engine)
    outputs = engine.open.outputs(images)
    assert outputs.shape == (6, 6) and not engine.open.model.training  # logits of 6 people, and as it was
    moved = {k for k, v in engine.model.target.state_dict().items() if not torch.equal(v, before[k])}
    assert moved and all(".conv5." in f".{k}" for k in moved)
    loss = engine.own_loss(images, people)
    assert list(loss) == ["softmax"]
    # label smoothing by 0.1, as torchreid's: 0.9 × the person's own + 0.1 × the mean of all
    log = engine.open.outputs(images).log_softmax(1)
    expected = -(0.9 * log.gather(1, people[:, None])[:, 0] + 0.1 * log.mean(1)).mean()
    assert loss["softmax"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_triplet_loss_is_torchreids_with_its_weights(root: Path) -> None:
    options = ("loss.name", "triplet", "loss.triplet.weight_t", 3.0, "loss.triplet.margin", 100.0)
    options += ("sampler.train_sampler", "RandomIdentitySampler", "sampler.num_instances", 2)
    engine = joint(root, "", *options)
    engine.set_model_mode("train")
    engine.two_stepped_transfer_learning()
    images, people, _ = batch_of(engine)
    found = engine.own_loss(images, people)
    assert list(found) == ["triplet"]  # weight_x is 0
    _, e = engine.open.outputs(images)
    far = torch.cdist(e, e)
    same = people[:, None] == people
    hardest = far.masked_fill(~same, 0).amax(1) - far.masked_fill(same, float("inf")).amin(1) + 100
    assert found["triplet"].item() == pytest.approx(3 * hardest.mean().item(), rel=1e-4)


def test_directions_are_those_of_the_target_that_came_of_it(root: Path, tmp_path: Path) -> None:
    engine = joint(root, tmp_path / "run")
    engine.run(**engine_run_kwargs(engine.config))
    items = engine.train_loader.dataset.train
    paths = [item[0] for item in items]
    labels = engine.labels.sources.labels(paths, [item[3] for item in items]).clip(0)
    with torch.no_grad():
        embeddings = engine.model.target(engine.decomposer.read(paths)).double()
    directions = engine.model.head.directions
    assert directions.count == 12  # 6 people under 2 cameras
    expected = torch.from_numpy(labels).double().T @ embeddings
    assert torch.allclose(directions.labels_embeddings, expected, rtol=1e-4, atol=1e-4)


def test_a_resumed_run_ends_like_an_uninterrupted_one(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(config(root, tmp_path / "whole", *JOINT))

    class Killed(Exception):
        pass

    def killed(self: ImageFinetuneEngine, *_: Any, **__: Any) -> None:
        raise Killed

    again = config(root, tmp_path / "cut", *JOINT, "model.resume", tmp_path / "cut")
    finished = ImageFinetuneEngine.train

    def second_epoch_is_killed(self: ImageFinetuneEngine, *args: Any, **kwargs: Any) -> None:
        if self.epoch == 1:
            raise Killed
        finished(self, *args, **kwargs)

    monkeypatch.setattr(ImageFinetuneEngine, "train", second_epoch_is_killed)
    with pytest.raises(Killed):
        train(again)
    monkeypatch.setattr(ImageFinetuneEngine, "train", finished)
    train(config(root, tmp_path / "cut", *JOINT, "model.resume", tmp_path / "cut"))
    for name in ("interpreter.safetensors", "target.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()


@pytest.mark.parametrize(
    ("opts", "said"),
    [
        (("amd.cache", "on"), "amd.cache is for one that is frozen"),
        (("amd.fast", "on"), "amd.fast is for one that is frozen"),
        (("amd.head", "amd"), "head 'amd' is taught by distances; set amd.head additive"),
        (
            ("amd.finetuning.layers", "['conv9']"),
            "names 'conv9', which osnet_x0_25 does not have; its layers are",
        ),
        (("amd.finetuning.layers", "['global_avgpool']"), "nothing to learn in global_avgpool"),
        (("amd.finetuning.lr", 0), "amd.finetuning.lr is 0.0; expected a number above 0"),
        (("amd.finetuning.weight", -1), "amd.finetuning.weight is -1.0; expected a number, 0 for none"),
    ],
)
def test_contradictions_are_one_line(root: Path, tmp_path: Path, opts: tuple[Any, ...], said: str) -> None:
    with pytest.raises(InputError) as error:
        train(config(root, tmp_path / "run", *JOINT, *opts))
    assert said in one_line(error)
    assert not (tmp_path / "run" / "run.json").exists()
