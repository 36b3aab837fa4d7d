"""The registry of targets, the automatic cut and tails; the laws are in test_every_target.py."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.registry import list_targets, targets
from torchreid_amd.targets import Target, automatic_cut, cut_by_name, tail
from torchreid_amd.targets.build import build_target


def images(batch=2, height=128, width=64):
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(3))


def calibrated(name):
    """A model whose BatchNorm statistics fit its input, so that activations keep a sane scale."""
    torch.manual_seed(0)
    model = host.build_model(name, num_classes=3)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    model.train()
    with torch.no_grad():
        model(images(4))
    return model.eval()


def test_every_family_is_registered():
    for pattern, number in {
        "osnet*": 9,
        "resnet*": 9,
        "resnext*": 2,
        "mobilenetv2*": 2,
        "shufflenet_v2*": 4,
        "densenet*": 5,
        "squeezenet*": 3,
        "*": 49,
    }.items():
        assert len(list_targets(pattern)) == number, pattern


@pytest.mark.parametrize("name", ["osnet_x0_25", "osnet_ain_x0_25", "resnet18", "resnet50_ibn_a"])
def test_automatic_cut_agrees_with_the_entry(name):
    model = calibrated(name)
    by_entry, by_tracing = targets[name](model), automatic_cut(model)
    assert torch.equal(by_entry.features(images())[1], by_tracing.features(images())[1])
    assert by_tracing.law_error(images()) <= 1e-5


@pytest.mark.parametrize("name", ["osnet_x0_25", "mobilenetv2_x1_0", "squeezenet1_0_fc512", "resnet50_fc512"])
def test_components_are_the_tail_of_the_weighted_map(name):
    """Against the definition e_k = T(A_k ⊙ F), one attribute at a time."""
    target = build_target(calibrated(name), name=name)
    _, features = target.features(images(3))
    maps = torch.rand(3, 5, *features.shape[2:]) * 2
    fast = target.tail.components(maps, features)
    slow = torch.stack([target.tail(maps[:, k : k + 1] * features) for k in range(5)], dim=1)
    assert fast.shape == slow.shape
    assert (fast - slow).abs().max() <= 1e-5 * slow.abs().max()


@pytest.mark.parametrize("name", list_targets())
def test_model_is_recognised(name):
    with torch.device("meta"):
        model = host.build_model(name, num_classes=7)
    assert host.model_name(model) == name


def test_wrapped_model_is_recognised():
    assert build_target(nn.DataParallel(host.build_model("osnet_x0_25", num_classes=7))).name == "osnet_x0_25"


def test_target_stays_frozen_whatever_is_called_around_it():
    target = build_target("osnet_x0_25", num_classes=3)
    nn.Sequential(target).train()
    assert not any(m.training for m in target.modules())
    assert not any(p.requires_grad for p in target.parameters())
    assert not any(m.training for part in (target.stem, target.body, target.tail) for m in part.modules())


def test_state_dict_holds_every_weight_once():
    model = host.build_model("densenet121", num_classes=3)
    keys = {f"model.{k}" for k in model.state_dict()}
    assert set(build_target(model).state_dict()) == keys


class Plain(nn.Module):
    """No torchreid model: two convolutions, a mean and a linear layer."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=4, padding=1)
        self.second = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(6, 5)

    def forward(self, x, scale=1.0):
        return self.fc(self.pool(F.relu(self.second(F.relu(self.first(x))))).flatten(1)) * scale


class MaxPooled(Plain):
    def forward(self, x):
        return self.fc(F.relu(self.second(self.first(x))).amax((2, 3)))


class Splitting(Plain):
    """Two maps of which neither carries everything."""

    def __init__(self):
        super().__init__()
        self.third = nn.Conv2d(6, 6, 3, padding=1)

    def forward(self, x):
        x = self.second(self.first(x))
        return self.fc(x.mean((2, 3)) + self.third(x).amax((2, 3)))


class Branching(Plain):
    def forward(self, x):
        return x.sum() if x.sum() > 0 else self.fc(self.pool(self.first(x)).flatten(1))


def test_tail_that_is_no_average_is_evaluated_by_the_definition(monkeypatch):
    target = build_target(MaxPooled())
    assert not target.tail.linear and build_target(Plain()).tail.linear
    _, features = target.features(images(3))
    maps = torch.rand(3, 5, *features.shape[2:]).requires_grad_()
    slow = torch.stack([target.tail(maps[:, k : k + 1] * features) for k in range(5)], dim=1)
    gradient = torch.autograd.grad(slow.square().sum(), maps)[0]
    for block in (1, 4 * features[0].numel(), 10**9):
        monkeypatch.setattr(tail, "BLOCK", block)
        fast = target.tail.components(maps, features)
        torch.testing.assert_close(fast, slow)
        torch.testing.assert_close(torch.autograd.grad(fast.square().sum(), maps)[0], gradient)


def test_automatic_cut_of_a_stranger():
    target = build_target(Plain())
    assert target.features(images())[1].shape == (2, 6, 16, 8)
    assert target.law_error(images()) == 0
    assert target.name == ""


def test_cut_by_hand():
    model = Plain()
    relu = nn.ReLU()
    model.relu = relu
    target = cut_by_name(model, ("first", "relu"), ("second", "relu"), "pool", ("fc",))
    assert target.law_error(images()) == 0
    with pytest.raises(InputError, match="Plain has no module 'third'; its modules are first, second"):
        cut_by_name(model, ("first",), ("third",), "pool")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Branching(), "Branching cannot be cut automatically: tracing stopped"),
        (Splitting(), "there are still convolutions .third.: its output is made of several maps"),
        (nn.Sequential(nn.Flatten(1), nn.Linear(7, 2)), "does not run on 256×128 images"),
        (nn.Sequential(nn.Flatten(1), nn.Linear(3 * 256 * 128, 2)), "0 map.s. carry every path"),
    ],
)
def test_what_cannot_be_cut_says_why(model, message):
    with pytest.raises(InputError, match=message) as error:
        build_target(model)
    assert "torchreid_amd.cut(model, map='…', stem='…')" in str(error.value) and "\n" not in str(error.value)


def test_no_model_at_all():
    with pytest.raises(InputError, match="not int"):
        build_target(3)
    with pytest.raises(InputError, match="unknown model 'osnet_x0_26'; did you mean 'osnet_x0_25'"):
        build_target("osnet_x0_26")


def test_parts_given_make_a_target():
    stem, body = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
    whole = build_target(Plain())
    target = Target(stem, body, whole.tail)
    assert list(dict(target.named_children())) == ["model"]
