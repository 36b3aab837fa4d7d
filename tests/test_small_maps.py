"""Convolutions of small maps whose weights learn by matrix products: the same gradients."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from torchreid_amd.core import host
from torchreid_amd.engine import small_maps
from torchreid_amd.engine.learner import quick_interpreter, quicken
from torchreid_amd.engine.small_maps import SmallMapConv2d, by_products
from torchreid_amd.interpreter.interpreter import create_interpreter

CPU = torch.device("cpu")


def whole_numbers(*shape: int, seed: int) -> Tensor:
    """Numbers from −2 to 2: their products and short sums are exact in bfloat16."""
    return torch.randint(-2, 3, shape, generator=torch.Generator().manual_seed(seed)).float()


def gradients(conv: nn.Conv2d, images: Tensor, half: bool) -> list[Tensor]:
    """Output, and gradients of images, weights and biases, where the output's gradient is whole numbers."""
    images = images.clone().requires_grad_(True)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        out = conv(images)
    given = whole_numbers(*out.shape, seed=3).to(out.dtype)
    wanted = [images, *conv.parameters()]
    return [out.float(), *torch.autograd.grad(out, wanted, given)]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Grows by one with each gradient by products."""
    calls: list[Any] = []
    own = small_maps._of_weight
    monkeypatch.setattr(small_maps, "_of_weight", lambda *given: (calls.append(1), own(*given))[1])
    return calls


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "bias"),
    [
        ((4, 2), 3, 1, 1, False),
        ((8, 4), 3, 2, 1, False),
        ((8, 4), 1, 2, 0, False),
        ((7, 5), (3, 1), (2, 1), (1, 0), True),  # a last row that no cell of the output sees
        ((6, 5), (2, 3), (3, 2), (0, 2), True),
    ],
)
def test_gradients_are_those_of_the_library(
    counted: list[Any], size: Any, kernel: Any, stride: Any, padding: Any, bias: bool
) -> None:
    conv = nn.Conv2d(5, 3, kernel, stride, padding, bias=bias)
    with torch.no_grad():
        for n, parameter in enumerate(conv.parameters()):
            parameter.copy_(whole_numbers(*parameter.shape, seed=n))
    images = whole_numbers(2, 5, *size, seed=2)
    expected = gradients(conv, images, half=False)
    by_products(conv)
    found = gradients(conv, images, half=True)
    assert counted == [1]
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one.float(), two, rtol=0.01, atol=0)


def test_real_numbers_and_channels_last(counted: list[Any]) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 32, 3, padding=1, bias=False)
    images = torch.randn(8, 64, 4, 2)
    expected = gradients(conv, images, half=False)
    by_products(conv.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
    found = gradients(conv, images.contiguous(memory_format=torch.channels_last), half=True)
    for one, two in zip(found, expected, strict=True):
        assert (one - two).abs().max() < 0.02 * two.abs().max()
    assert counted == [1] and found[2].dtype == torch.float32


@pytest.mark.parametrize(
    ("conv", "size", "half"),
    [
        (nn.Conv2d(4, 4, 3, padding=1), (8, 8), False),
        (nn.Conv2d(4, 4, 3, padding=1), (13, 5), True),  # 65 cells
        (nn.Conv2d(4, 4, 3, padding=1, groups=2), (4, 4), True),
        (nn.Conv2d(4, 4, 3, padding=2, dilation=2), (4, 4), True),
        (nn.Conv2d(4, 4, 3, padding="same"), (4, 4), True),
        (nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), (4, 4), True),
        (nn.Conv2d(4, 4, 3, padding=1).requires_grad_(False), (4, 4), True),
    ],
)
def test_others_go_the_librarys_way(counted: list[Any], conv: nn.Conv2d, size: Any, half: bool) -> None:
    plain = copy.deepcopy(conv)
    by_products(conv)
    images = torch.randn(2, 4, *size, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        out, expected = conv(images), plain(images)
    out.sum().backward()
    assert torch.equal(out, expected) and not counted


def test_heads_that_learn_in_bfloat16_learn_so() -> None:
    interpreter = create_interpreter(host.build_model("osnet_x0_25", num_classes=3), "amd", ["hat", "bag"])
    before = interpreter.head.state_dict()
    quick_interpreter(interpreter, half=False)
    assert not any(isinstance(m, SmallMapConv2d) for m in interpreter.head.modules())
    quick_interpreter(interpreter, half=True)
    convolutions = [m for m in interpreter.head.modules() if isinstance(m, nn.Conv2d)]
    assert convolutions and all(type(m) is SmallMapConv2d for m in convolutions)
    assert not any(isinstance(m, SmallMapConv2d) for m in interpreter.target.modules())
    after = interpreter.head.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[k], after[k]) for k in before)


@pytest.mark.parametrize("amsgrad", [False, True])
def test_adam_in_one_pass_changes_weights_alike(amsgrad: bool) -> None:
    torch.manual_seed(0)
    one = nn.Linear(7, 5)
    two = copy.deepcopy(one)
    options = {"lr": 0.01, "weight_decay": 0.1, "amsgrad": amsgrad}
    plain, quick = (torch.optim.Adam(m.parameters(), **options) for m in (one, two))  # type: ignore[arg-type]
    quicken(quick, CPU)
    for step in range(5):
        images = torch.randn(4, 7, generator=torch.Generator().manual_seed(step))
        for model, optimizer in ((one, plain), (two, quick)):
            optimizer.zero_grad()
            model(images).square().sum().backward()
            optimizer.step()
    assert quick.param_groups[0]["fused"] and not plain.param_groups[0]["fused"]
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_other_optimizers_and_devices_are_left_alone() -> None:
    parameters = list(nn.Linear(2, 2).parameters())
    quicken(torch.optim.SGD(parameters, 0.1), CPU)
    adam = torch.optim.Adam(parameters)
    quicken(adam, torch.device("cuda"))
    assert not adam.param_groups[0]["fused"]
