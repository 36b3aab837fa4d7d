"""ResNets whose last stage keeps its resolution: the weights of the plain ones, four times the cells."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torchreid import models

import torchreid_amd as amd
from torchreid_amd.core.errors import InputError


@pytest.mark.parametrize("name", ["resnet18", "resnet50_ibn_a"])
def test_four_times_the_cells_with_the_same_weights(name: str) -> None:
    target = amd.build_target(f"stride1_{name}")
    plain = models.build_model(name, num_classes=1000, pretrained=False).eval()
    target.model.load_state_dict(plain.state_dict())
    images = torch.rand(1, 3, 384, 128)
    assert target.features(images)[1].shape[2:] == (24, 8)
    assert target.law_error(images) < 1e-5 and target.name == f"stride1_{name}"
    assert amd.fingerprint(target.model) == amd.fingerprint(plain)
    # the first step of layer4 sees every position, the plain one every other: the same where they meet
    early = target.model.layer3(target.stem(images)) if name == "resnet18" else None
    if early is not None:
        block, other = target.model.layer4[0], plain.layer4[0]
        with torch.no_grad():
            assert torch.allclose(block.conv1(early)[:, :, ::2, ::2], other.conv1(early), atol=1e-5)


def test_a_run_of_one_is_found_again(tmp_path: Path) -> None:
    target = models.build_model("stride1_resnet18", num_classes=5, pretrained=False)
    torch.save(target.state_dict(), tmp_path / "target.pth")
    interpreter = amd.create_interpreter(target, head="amd")
    assert interpreter.target.name == "stride1_resnet18" and interpreter.target.cut_point.stem == "layer2"
    amd.save_run(
        tmp_path / "run",
        interpreter,
        model="stride1_resnet18",
        num_classes=5,
        weights=tmp_path / "target.pth",
    )
    images = torch.rand(1, 3, 64, 32)
    with torch.no_grad():
        again = amd.load_run(tmp_path / "run").interpreter(images)
        assert again.maps.shape[2:] == (4, 2) and torch.equal(again.maps, interpreter(images).maps)
    assert models.build_model("amd_stride1_resnet18", num_classes=5, pretrained=False).interpreter.target.name


@pytest.mark.parametrize("name", ["osnet_x0_25", "pcb_p4", "resnet51"])
def test_others_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="no stage layer4 with a stride|unknown model 'resnet51'"):
        models.build_model(f"stride1_{name}", num_classes=5, pretrained=False)
