"""A training step with the frozen part folded, and in bfloat16: the same losses, the target untouched."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from test_engine import config, engine_for, frozen_copy
from tiny_market import write_tiny_market
from torch import nn

from torchreid_amd.config import engine_run_kwargs
from torchreid_amd.core.devices import has_bf16
from torchreid_amd.engine import learner as learner_module
from torchreid_amd.engine.learner import precision, quick_interpreter
from torchreid_amd.interpreter.interpreter import create_interpreter
from torchreid_amd.targets.build import build_target
from torchreid_amd.targets.folding import QuickTarget, folded

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_market(tmp_path_factory.mktemp("data"))


def stirred(model: nn.Module) -> nn.Module:
    """With batch statistics that matter."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return model


def test_a_folded_convolution_by_hand() -> None:
    # y = (3x + 1 − 4) / √(15 + 1) · 2 + 5 = 1.5x + 3.5, with ε = 1
    conv, norm = nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1, eps=1.0)
    with torch.no_grad():
        conv.weight.fill_(3), conv.bias.fill_(1), norm.weight.fill_(2), norm.bias.fill_(5)
    norm.running_mean.fill_(4)
    norm.running_var.fill_(15)
    quick, count = folded(nn.Sequential(conv, norm).eval())
    assert count == 1 and not any(isinstance(m, nn.BatchNorm2d) for m in quick.modules())
    assert quick(torch.full((1, 1, 1, 1), 2.0)).item() == pytest.approx(1.5 * 2 + 3.5)


class Twice(nn.Module):
    """A convolution that is read twice, or that runs at two places, is not one with what is behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return self.norm(y) + y


class Again(Twice):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(self.norm(self.conv(x)))


@pytest.mark.parametrize("kind", [Twice, Again])
def test_what_is_used_elsewhere_is_not_folded(kind: type[nn.Module]) -> None:
    module = stirred(kind()).eval()
    images = torch.randn(2, 2, 3, 3)
    expected = module(images)
    quick, count = folded(module)
    assert count == 0 and torch.equal(quick(images), expected)


@pytest.mark.parametrize(("name", "norms"), [("osnet_x0_25", 79)])
def test_a_quick_target_sees_the_same_and_shares_no_weight(name: str, norms: int) -> None:
    target = build_target(name)
    stirred(target.model)
    quick = QuickTarget(target)
    assert quick.folded == norms
    images = torch.randn(2, 3, 64, 32)
    for ours, theirs in (
        (quick.features(images)[1], target.features(images)[1]),
        *zip(quick.levels(images)[0], target.levels(images)[0], strict=True),
    ):
        assert (ours - theirs).abs().max() < 1e-4 * theirs.abs().max()
    own = {p.data_ptr() for part in (target.stem, target.body) for p in part.parameters()}
    assert own.isdisjoint(p.data_ptr() for part in (quick.stem, quick.body) for p in part.parameters())


def test_a_part_that_folding_changes_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    target = build_target("resnet18")
    stirred(target.model)
    monkeypatch.setattr("torchreid_amd.targets.folding.fuse_conv_bn_eval", lambda conv, norm: conv)  # wrong
    quick = QuickTarget(target)
    assert quick.folded == 0 and quick.stem is target.stem and quick.body is target.body


@pytest.mark.parametrize("head", ["additive", "amd"])
def test_losses_of_a_quick_step_are_the_same(root: Path, head: str) -> None:
    found = []
    for fast in (False, True):
        engine = engine_for(config(root, "", "amd.head", head, "amd.fast", fast))
        stirred(engine.model.target.model)
        engine.prepare_steps()
        engine.epoch = engine.batch_idx = 0
        engine.set_model_mode("train")
        torch.manual_seed(1)
        data = next(iter(engine.train_loader))
        found.append([engine.forward_backward(data) for _ in range(2)])
    for (plain, quick), off in zip(zip(*found, strict=True), (1e-4, 1e-2), strict=True):  # Adam widens gaps
        assert plain.keys() == quick.keys() and all(torch.isfinite(torch.tensor(list(plain.values()))))
        for term, value in plain.items():
            assert quick[term] == pytest.approx(value, rel=off, abs=off * plain["loss"]), term


@pytest.mark.parametrize("head", ["additive", "amd"])
def test_the_target_is_bit_identical_after_quick_training(
    root: Path, tmp_path: Path, head: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("amd.head", head, "amd.fast", True, "amd.amp", True, "train.max_epoch", 1)
    cfg = config(root, tmp_path / "run", *options)
    engine = engine_for(cfg)
    before = frozen_copy(engine.model)
    engine.run(**engine_run_kwargs(cfg))
    after = engine.model.target.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[k], after[k]) for k in before)
    said = capsys.readouterr().out
    kind = "bfloat16, distances in float32" if has_bf16(CPU) else "float32 (this machine has no bfloat16)"
    assert f"Steps: 79 batch normalisations folded, channels last, {kind}\n" in said


def test_bfloat16_where_the_machine_has_none_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner_module, "has_bf16", lambda device: False)
    context, said = precision(CPU, True)
    with context():
        assert not torch.is_autocast_enabled("cpu")
    assert said == "float32 (this machine has no bfloat16)"


@pytest.mark.parametrize("head", ["additive", "amd"])
def test_shares_in_bfloat16(head: str) -> None:
    torch.manual_seed(0)
    interpreter = create_interpreter("osnet_x0_25", head)
    stirred(interpreter.target.model)
    if head != "additive":
        nn.init.normal_(interpreter.head.decomposition.project.weight, std=0.5)  # maps that differ
    quick, *_ = quick_interpreter(interpreter, half=True)
    images = torch.randn(6, 3, 64, 32)
    with torch.no_grad():
        exact = interpreter(images)
        with torch.autocast("cpu", torch.bfloat16):
            half = quick(images)
            with torch.autocast("cpu", enabled=True, dtype=torch.bfloat16):
                assert quick.target.features(images)[1].dtype == torch.bfloat16
    assert half.components.dtype == half.embedding.dtype == torch.float32
    shares = [interpreter.compare(out[:3], out[3:]).shares for out in (exact, half)]
    assert shares[0].std() > 0 or head == "additive"
    assert (shares[0] - shares[1]).abs().max() < 1e-2
