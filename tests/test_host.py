"""Registration into torchreid: complete, idempotent, undone by uninstall, in both package layouts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import torchreid_amd as amd
from torchreid_amd.config import activate, get_default_config
from torchreid_amd.core import host
from torchreid_amd.engine.amd_model import InterpretedModel
from torchreid_amd.interpreter.decomposition import Decomposition

torchreid = host.torchreid()


def state() -> dict[str, Any]:
    """Everything in torchreid that registration touches."""
    return {
        "models": dict(host.model_factory()),
        "datasets": dict(torchreid.data.register_image_dataset.__globals__["__image_datasets"]),
        "engine": {k: v for k, v in vars(torchreid.engine).items() if not k.startswith("__")},
        "losses": {k: v for k, v in vars(torchreid.losses).items() if not k.startswith("__")},
    }


def test_importing_registers_everything() -> None:
    names = [n for n in host.model_factory() if not n.startswith("amd_")]
    assert len(names) == 49
    assert all(f"amd_{n}" in host.model_factory() for n in names)
    assert set(amd.list_datasets()) <= set(state()["datasets"])
    assert torchreid.engine.ImageAMDEngine.__name__ == "ImageAMDEngine"
    assert {"MetricDistillationLoss", "AttributePriorLoss"} <= set(state()["losses"])


def test_registration_is_idempotent_and_undone() -> None:
    first = state()
    amd.install()
    assert state() == first
    amd.uninstall()
    bare = state()
    try:
        assert not any(n.startswith("amd_") for n in bare["models"]) and len(bare["models"]) == 49
        assert not set(amd.list_datasets()) & set(bare["datasets"])
        assert "ImageAMDEngine" not in bare["engine"] and "AttributePriorLoss" not in bare["losses"]
        assert torchreid.engine.ImageSoftmaxEngine.__mro__[1] is torchreid.engine.Engine
        amd.uninstall()
        assert state() == bare
    finally:
        amd.install()
    again = state()
    assert {k: set(v) for k, v in again.items()} == {k: set(v) for k, v in first.items()}


def test_a_name_that_is_taken_is_left_alone() -> None:
    amd.uninstall()
    mine = object()
    host.model_factory()["amd_resnet18"] = mine
    try:
        amd.install()
        assert host.model_factory()["amd_resnet18"] is mine
        amd.uninstall()
        assert host.model_factory()["amd_resnet18"] is mine
    finally:
        del host.model_factory()["amd_resnet18"]
        amd.install()


def build(name: str = "amd_osnet_x0_25", **kwargs: Any) -> InterpretedModel:
    options = {"num_classes": 4, "loss": "softmax", "pretrained": False, "use_gpu": False}
    model: InterpretedModel = torchreid.models.build_model(name, **(options | kwargs))
    return model


def use_head_of_the_paper() -> None:
    cfg = get_default_config()
    cfg.amd.head = "amd"
    activate(cfg)


@pytest.mark.parametrize("name", ["osnet_x0_25", "resnet18", "shufflenet_v2_x0_5", "squeezenet1_1"])
def test_factory_entry_gives_the_targets_embedding_bit_by_bit(name: str) -> None:
    model = build(f"amd_{name}").eval()
    plain = host.build_model(name, num_classes=4)
    plain.load_state_dict(model.interpreter.target.model.state_dict())
    images = torch.randn(2, 3, 128, 64)
    with torch.no_grad():
        assert torch.equal(model(images), plain.eval()(images))
        assert isinstance(model.train()(images), Decomposition)
        assert torch.equal(model.eval()(images), plain(images))


def test_its_state_is_the_targets_plus_the_heads() -> None:
    model = build()
    keys = set(model.state_dict())
    own = {k for k in keys if not k.startswith("interpreter.")}
    assert own == set(host.build_model("osnet_x0_25", num_classes=4).state_dict())
    assert keys - own == {f"interpreter.head.{k}" for k in model.interpreter.head.state_dict()}


def test_a_plain_checkpoint_loads_and_the_head_follows() -> None:
    use_head_of_the_paper()
    torch.manual_seed(5)
    plain = host.build_model("osnet_x0_25", num_classes=4)
    model = build()
    body = model.interpreter.head.body
    assert not torch.equal(body[0][0].conv1.conv.weight, plain.conv4[0].conv1.conv.weight)
    model.load_state_dict(plain.state_dict(), strict=False)
    assert torch.equal(model.interpreter.target.model.conv1.conv.weight, plain.conv1.conv.weight)
    assert torch.equal(body[0][0].conv1.conv.weight, plain.conv4[0].conv1.conv.weight)


def test_a_checkpoint_with_a_trained_head_keeps_it() -> None:
    trained, fresh = build(), build()
    for p in trained.interpreter.head.parameters():
        nn.init.normal_(p)
    fresh.load_state_dict(trained.state_dict())
    for a, b in zip(trained.state_dict().values(), fresh.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_torchreids_own_loader_reads_a_plain_checkpoint(tmp_path: Path) -> None:
    use_head_of_the_paper()
    plain = host.build_model("osnet_x0_25", num_classes=4)
    torch.save(plain.state_dict(), tmp_path / "plain.pth")
    model = nn.DataParallel(build()).module
    torchreid.utils.load_pretrained_weights(model, str(tmp_path / "plain.pth"))
    images = torch.randn(2, 3, 128, 64)
    assert torch.equal(model.eval()(images), plain.eval()(images))
    assert torch.equal(model.interpreter.head.body[0][0].conv1.conv.weight, plain.conv4[0].conv1.conv.weight)


_IN_BOTH_LAYOUTS = """
import sys, warnings
warnings.simplefilter("ignore")
import torch, torchreid_amd as amd
from torchreid_amd.core import host
from torchreid_amd.config import activate, get_default_config
package = host.torchreid()
assert package.__file__.startswith(sys.argv[1]), package.__file__
assert package.models.__name__ == "torchreid.models", package.models.__name__
import torchreid.engine
assert torchreid.engine.ImageAMDEngine is package.engine.ImageAMDEngine
model = package.models.build_model("amd_osnet_x0_25", 3, loss="softmax", pretrained=False, use_gpu=False)
plain = host.build_model("osnet_x0_25", num_classes=3)
plain.load_state_dict(model.interpreter.target.model.state_dict())
images = torch.randn(2, 3, 64, 32)
assert torch.equal(model.eval()(images), plain.eval()(images))
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from tiny_market import write_tiny_market
root = write_tiny_market(Path(sys.argv[3]))
from torchreid_amd.cli import main
code = main(["train", "--root", str(root), "-s", "market1501_attr", "-t", "market1501_attr",
    "model.name", "osnet_x0_25", "model.pretrained", "False", "data.height", "64", "data.width", "32",
    "data.workers", "0", "train.batch_size", "4", "train.max_epoch", "1", "test.ranks", "[1]",
    "data.save_dir", str(root / "run")])
assert code == 0 and (root / "run" / "run.json").is_file()
amd.uninstall()
assert not any(name.startswith("amd_") for name in host.model_factory())
print("both layouts work")
"""


def test_the_layout_of_torchreid_1_4(tmp_path: Path) -> None:
    """A stand-in with real subpackages, made from the installed torchreid by moving its modules up."""
    inner = Path(torchreid.models.__file__).parents[1]
    if inner.name != "reid":
        pytest.skip("the installed torchreid has that layout already")
    package = tmp_path / "torchreid"
    shutil.copytree(inner, package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in package.rglob("*.py"):
        file.write_text(file.read_text().replace("torchreid.reid", "torchreid"))
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(here.parent)])}
    command = [sys.executable, "-c", _IN_BOTH_LAYOUTS, str(tmp_path), str(here), str(tmp_path / "data")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.strip().endswith("both layouts work")


def test_weights_that_cannot_be_downloaded_are_one_line_with_the_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreachable(*_: object, **options: object) -> nn.Module:
        if options["pretrained"]:
            raise OSError("HTTPSConnectionPool(host='drive.google.com'):\nMax retries exceeded")
        return nn.Linear(1, 1)

    monkeypatch.setitem(host.model_factory(), "osnet_x0_25", unreachable)
    with pytest.raises(amd.InputError) as error:
        build(pretrained=True)
    text = str(error.value)
    assert "ImageNet weights of osnet_x0_25" in text and "drive.google.com" in text and "\n" not in text
    assert "model.load_weights FILE" in text and "model.pretrained False" in text
    assert isinstance(host.build_model("osnet_x0_25"), nn.Linear)
