"""The target's finer maps: where they come from and that nothing is computed otherwise."""

import pytest
import torch
from torch import nn

from torchreid_amd.core import host
from torchreid_amd.targets import Target
from torchreid_amd.targets.build import build_target
from torchreid_amd.targets.pyramid import Alone, Chain, is_map_of, pyramid_of


def images(batch=2, size=(128, 64)):
    return torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(0))


def test_levels_of_osnet_by_hand():
    target = build_target("osnet_x0_25")
    levels, features = target.levels(images())
    assert [tuple(f.shape[1:]) for f in levels] == [(16, 32, 16), (64, 16, 8), (96, 8, 4), (128, 8, 4)]
    early, own = target.features(images())
    assert torch.equal(levels[2], early) and torch.equal(levels[3], own) and torch.equal(features, own)
    first = target.model.maxpool(target.model.conv1(images()))
    assert torch.equal(levels[0], first) and not levels[0].requires_grad


@pytest.mark.parametrize("name", ["resnet18", "shufflenet", "squeezenet1_1", "mobilenetv2_x1_0"])
def test_levels_of_other_targets(name):
    target = build_target(name)
    x = images(size=target.size)
    levels, features = target.levels(x)
    early, own = target.features(x)
    assert torch.equal(levels[-1], own)
    assert torch.equal(levels[-2], early)
    rows = [f.shape[2] for f in levels]
    assert rows == sorted(rows, reverse=True) and 4 * rows[0] <= x.shape[2] + 4
    assert len(levels) >= 3
    assert all(is_map_of(f, x) for f in levels)


def test_a_map_that_is_overwritten_in_place_is_left_out():
    stem = nn.Sequential(
        nn.Conv2d(3, 4, 3, 4, 1), nn.ReLU(inplace=True), nn.Conv2d(4, 5, 3, 2, 1), nn.Conv2d(5, 6, 3, 1, 1)
    )
    pyramid = pyramid_of(stem, images())
    assert isinstance(pyramid, Chain) and pyramid.kept == (1,)
    fine, early = pyramid(images())
    assert fine.shape[1:] == (4, 32, 16) and (fine >= 0).all() and torch.equal(early, stem(images()))
    ends_in_place = nn.Sequential(nn.Conv2d(3, 4, 3, 4, 1), nn.ReLU6(inplace=True))
    assert pyramid_of(ends_in_place, images()).kept == ()


def test_a_stem_of_functions_gives_its_early_features():
    target = Target.from_callables(
        lambda x: x[:, :, ::4, ::4], lambda x: x[:, :, ::2, ::2], lambda x: x.mean((2, 3))
    )
    assert isinstance(pyramid_of(target.stem, images()), Alone)
    levels, _ = target.levels(images())
    assert [tuple(f.shape[1:]) for f in levels] == [(3, 32, 16), (3, 16, 8)]


def test_several_early_features_are_no_level():
    target = build_target("hacnn")
    levels, features = target.levels(images(size=target.size))
    assert len(levels) == 1 and torch.equal(levels[0], features[0])


def test_what_is_no_map_is_left_out():
    x = images()
    assert is_map_of(torch.zeros(2, 7, 16, 8), x)
    assert not is_map_of(torch.zeros(2, 16, 8, 7), x)  # channels last
    assert not is_map_of(torch.zeros(2, 128, 7), x) and not is_map_of((x, x), x)


def test_vit_looks_at_its_tokens():
    target = build_target(
        host.build_model("timm_vit_tiny_patch16_224", num_classes=3), name="timm_vit_tiny_patch16_224"
    )
    levels, _ = target.levels(images(size=target.size))
    assert [f.shape[1:] for f in levels] == [(192, 16, 8)]
