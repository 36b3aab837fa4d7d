"""Which stages of a target head ``amd`` copies: the last ones, the others are shared and frozen."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from torchreid_amd import create_interpreter
from torchreid_amd.config import amd_kwargs, get_default_config, merge
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.interpreter.run_folder import load_run, save_run
from torchreid_amd.targets import AveragePoolTail, Target
from torchreid_amd.targets.cuts.later import cut_later
from torchreid_amd.targets.weights import fingerprint, write_checkpoint

MODEL = "resnet18"


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(3)
    return host.build_model(MODEL, num_classes=5)


def images() -> Tensor:
    return torch.randn(3, 3, 128, 64, generator=torch.Generator().manual_seed(1))


def test_the_last_stage_alone_is_copied_and_says_the_same_at_the_start(model: nn.Module) -> None:
    whole = create_interpreter(model, "amd", name=MODEL)
    last = create_interpreter(model, "amd", name=MODEL, stages=1)
    layer4 = {f"0.{key}": value for key, value in model.layer4.state_dict().items()}  # type: ignore[operator,union-attr]
    assert last.head.body.state_dict().keys() == layer4.keys()
    assert all(torch.equal(value, layer4[key]) for key, value in last.head.body.state_dict().items())
    assert all(p.requires_grad for p in last.head.body.parameters())
    assert not any(p.requires_grad for p in model.parameters())
    last.head.decomposition.load_state_dict(whole.head.decomposition.state_dict())
    with torch.no_grad():
        one, two = whole(images()), last(images())
    torch.testing.assert_close(two.maps, one.maps)
    torch.testing.assert_close(two.components, one.components)
    assert last.target.law_error(images()) < 1e-5


def test_early_features_are_those_of_the_last_shared_stage(model: nn.Module) -> None:
    target = create_interpreter(model, "amd", name=MODEL, stages=1).target
    x = images()
    with torch.no_grad():
        for step in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3"):
            x = model.get_submodule(step)(x)
    torch.testing.assert_close(target.features(images())[0], x)
    assert (target.cut_point.stem, target.cut_point.maps, target.name) == ("layer3", ("layer4",), MODEL)


def test_all_stages_and_none_named_are_one_and_the_same(model: nn.Module) -> None:
    for stages in (0, 2):
        made = create_interpreter(model, "amd", name=MODEL, stages=stages)
        assert made.target.cut_point.stem == "layer2" and len(made.head.body) == 2
    again = create_interpreter(made.target, "amd", stages=1)
    assert create_interpreter(again.target, "amd", stages=1).target is again.target


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        (3, r"last 3 stages of resnet18 \(amd.stages\).* has 2; expected 1 to 2, or 0 for all"),
        (-1, r"last -1 stages .*expected 1 to 2, or 0 for all"),
    ],
)
def test_stages_that_are_not_there(model: nn.Module, stages: int, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        create_interpreter(model, "amd", name=MODEL, stages=stages)
    assert "\n" not in str(error.value)


def test_a_body_that_is_no_chain_has_no_stages() -> None:
    function = Target.from_callables(lambda x: x, lambda x: x, lambda x: x.mean((2, 3)), size=(8, 4))
    steps, tail = nn.Sequential(nn.ReLU(), nn.ReLU()), AveragePoolTail(nn.Flatten(1))
    several = Target(nn.Identity(), steps, tail, trunk=nn.ReLU())  # what is copied is not the body
    for target in (function, several):
        with pytest.raises(InputError, match="not made of stages one after the other; expected 0 for all"):
            cut_later(target, 1)


def test_a_run_knows_its_stages(tmp_path: Path, model: nn.Module) -> None:
    made = create_interpreter(model, "amd", name=MODEL, stages=1)
    weights = tmp_path / "w.pth"
    write_checkpoint(weights, model.state_dict())
    save_run(tmp_path / "run", made, model=MODEL, num_classes=5, weights=weights)
    run = load_run(tmp_path / "run")
    assert run.interpreter.head_options["stages"] == 1 and run.interpreter.target.cut_point.stem == "layer3"
    assert fingerprint(run.interpreter.head) == fingerprint(made.head)


def test_the_key_of_the_configuration() -> None:
    cfg = get_default_config()
    merge(cfg, "", ["amd.head", "amd", "amd.stages", "1"])
    assert amd_kwargs(cfg)["stages"] == 1
    cfg.amd.head = "attrimeter"
    assert "stages" not in amd_kwargs(cfg)
