"""Models in any floating-point precision are explained in single precision; the others are refused."""

from __future__ import annotations

import logging
import warnings

import pytest
import torch
from small_model import one_line, same, state_of
from torch import Tensor, nn

import torchreid_amd as amd
from torchreid_amd.core.errors import InputError


class Embedder(nn.Module):
    """Two convolutions, a global average and a linear layer: (B, 3, H, W) -> (B, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.early, self.late = nn.Conv2d(3, 4, 3, stride=2), nn.Conv2d(4, 4, 3, stride=2)
        self.fc = nn.Linear(4, 2)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.fc(self.late(torch.relu(self.early(images))).mean((2, 3)))
        return out


MAKERS = {
    "build_target": amd.build_target,
    "cut": lambda m: amd.cut(m, map="late", stem="early"),
    "automatic": lambda m: amd.create_interpreter(m, head="additive", attributes=["hat"]).target,
}


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_precision_is_explained_in_single_precision(
    maker: str, dtype: torch.dtype, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    model = Embedder().to(dtype).eval()
    before = state_of(model)
    target = MAKERS[maker](model)
    images = torch.rand(3, 3, 64, 32)
    reference = Embedder().eval()
    reference.load_state_dict({k: v.float() for k, v in before.items()})
    assert torch.allclose(target(images), reference(images), rtol=1e-5, atol=1e-6)
    assert torch.allclose(target(images).to(dtype), model(images.to(dtype)), rtol=0.03, atol=0.03)
    assert target.law_error(images) < 1e-5
    assert same(state_of(model), before) and all(p.requires_grad for p in model.parameters())
    assert amd.fingerprint(target.model) == amd.fingerprint(reference)
    assert len(caplog.messages) == 1 and str(dtype).removeprefix("torch.") in caplog.messages[0]


def test_a_model_in_single_precision_is_the_target_itself(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    model = Embedder()
    assert amd.build_target(model).model is model and not caplog.messages


def test_a_half_model_of_torchreids_by_its_entry(build) -> None:
    model = build("osnet_x0_25").half()
    target = amd.build_target(model)
    images = torch.rand(2, 3, 128, 64)
    assert target.name == "osnet_x0_25" and target.law_error(images) < 1e-5
    assert torch.equal(target(images), build("osnet_x0_25").half().float()(images))


def test_contributions_of_a_half_model_add_up(build) -> None:
    interpreter = amd.create_interpreter(build("osnet_x0_25").half(), attributes=["hat", "bag"])
    with torch.no_grad():
        out = interpreter(torch.rand(2, 3, 128, 64))
    pair = interpreter.compare(out[:1], out[1:])
    assert pair.distance.dtype == torch.float32
    a, b = out.embedding.double()
    assert pair.distance.item() == pytest.approx((a - b).norm().item(), rel=1e-4)  # by the definition


def test_quantised_models_and_models_without_values_are_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small = torch.ao.quantization.quantize_dynamic(Embedder().eval(), {nn.Linear}, dtype=torch.qint8)
    for maker in MAKERS.values():
        with pytest.raises(InputError, match="is quantised .int8.; .*before it was quantised") as error:
            maker(small)
        one_line(error)
    with pytest.raises(InputError, match="no values in its weights") as error:
        amd.build_target(Embedder().to("meta"))
    one_line(error)


def test_a_model_that_fails_says_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    class Halves(Embedder):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images.half())

    with pytest.raises(InputError, match="does not run on 256×128 images .RuntimeError: .*Half") as error:
        amd.build_target(Halves().half())
    one_line(error)
    assert capsys.readouterr().err == ""
