"""Weights are found whatever they were wrapped in, and fit whatever their names have in common."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from small_model import Small, one_line, same, state_of
from torch import nn
from torch.optim.swa_utils import AveragedModel

from torchreid_amd.core.errors import InputError
from torchreid_amd.targets.state_dicts import read_state_dict
from torchreid_amd.targets.weights import load_weights


def saved(content: Any, folder: Path) -> Path:
    torch.save(content, folder / "w.pth")
    return folder / "w.pth"


class Wrapper(nn.Module):
    """A model as an attribute, as training frameworks keep it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.reid = model


WRAPPED = {
    "torch.compile": lambda m: {f"_orig_mod.{k}": v for k, v in state_of(m).items()},
    "compile in parallel": lambda m: {f"module._orig_mod.{k}": v for k, v in state_of(m).items()},
    "parallel in compile": lambda m: {f"_orig_mod.module.{k}": v for k, v in state_of(m).items()},
    "parallel twice": lambda m: nn.DataParallel(nn.DataParallel(m)).state_dict(),
    "moving average": lambda m: AveragedModel(m).state_dict(),
    "model": lambda m: {"model": m.state_dict(), "epoch": 7},
    "net": lambda m: {"net": m.state_dict(), "acc": 0.5, "args": {"lr": torch.ones(1)}},
    "an own name": lambda m: {"our_reid": m.state_dict(), "optimizer": {"state": {}, "best": torch.ones(1)}},
    "two levels": lambda m: {"model": {"state_dict": m.state_dict(), "name": "small"}},
    "beside its optimizer": lambda m: {"state_dict": m.state_dict(), "optim": {"exp_avg": torch.ones(2)}},
}


@pytest.mark.parametrize("name", WRAPPED)
def test_wrapped_weights_are_the_models_own(tmp_path: Path, name: str) -> None:
    source, model = Small(), Small()
    file = saved(WRAPPED[name](source), tmp_path)
    assert same(read_state_dict(file), state_of(source))
    load_weights(model, file)
    assert same(state_of(model), state_of(source))


def test_several_sets_under_unusual_names_are_named(tmp_path: Path) -> None:
    state = state_of(Small())
    with pytest.raises(InputError, match="several sets of weights \\('first', 'second'\\)") as error:
        read_state_dict(saved({"first": state, "second": state}, tmp_path))
    one_line(error)


def test_a_common_prefix_is_taken_off_or_put_before_with_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    source, model = Small(), Small()
    load_weights(model, saved(Wrapper(Wrapper(source)).state_dict(), tmp_path))
    assert same(state_of(model), state_of(source))
    assert caplog.messages == ["w.pth: 'reid.reid.' taken off all names"]
    caplog.clear()
    inside = Small()
    load_weights(Wrapper(inside), saved(source.state_dict(), tmp_path))
    assert same(state_of(inside), state_of(source))
    assert caplog.messages == ["w.pth: 'reid.' put before all names"]
    caplog.clear()
    renamed = {f"net.{k}": v for k, v in state_of(source).items()}
    load_weights(Wrapper(inside), saved(renamed, tmp_path))
    assert caplog.messages == ["w.pth: 'net.' taken off and 'reid.' put before all names"]
    caplog.clear()
    load_weights(inside, saved(renamed, tmp_path), quiet=True)
    assert not caplog.messages


def test_a_model_whose_own_part_is_called_module(tmp_path: Path) -> None:
    source, model = nn.Module(), nn.Module()
    source.module, model.module = Small(), Small()
    load_weights(model, saved(source.state_dict(), tmp_path))
    assert same(state_of(model), state_of(source))


def test_a_prefix_of_some_names_alone_is_no_prefix(tmp_path: Path) -> None:
    state = {f"net.{k}": v for k, v in state_of(Small()).items()} | {"center": torch.ones(1)}
    model = Small()
    before = state_of(model)
    with pytest.raises(InputError, match="do not fit"):
        load_weights(model, saved(state, tmp_path))
    assert same(state_of(model), before)


def test_a_missing_classifier_is_as_good_as_one_of_another_size(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    source, model = Small(), Small()
    before = state_of(model)
    state = {k: v for k, v in state_of(source).items() if not k.startswith("classifier")}
    report = load_weights(model, saved(state, tmp_path))
    assert report.skipped == ("classifier.weight", "classifier.bias")
    after = state_of(model)
    assert torch.equal(after["conv.weight"], source.conv.weight)
    assert torch.equal(after["classifier.weight"], before["classifier.weight"])
    assert len(caplog.messages) == 1 and "no classifier in it" in caplog.messages[0]
    with pytest.raises(InputError, match=r"7 missing \(conv.weight|do not fit"):
        load_weights(model, saved({"other.weight": torch.ones(1)}, tmp_path))


@pytest.mark.parametrize("count", [torch.ones(1), torch.tensor([7]), torch.tensor(7, dtype=torch.int32)])
def test_the_form_of_a_batch_counter_does_not_matter(tmp_path: Path, count: torch.Tensor) -> None:
    source, model = Small(), Small()
    state = state_of(source) | {"bn.num_batches_tracked": count}
    load_weights(model, saved(state, tmp_path))
    assert torch.equal(model.conv.weight, source.conv.weight)
    assert model.bn.num_batches_tracked.shape == () and model.bn.num_batches_tracked.dtype == torch.int64


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["conv.weight", "bn.running_var"])
def test_weights_that_are_no_numbers_are_reported(tmp_path: Path, value: float, name: str) -> None:
    state, model = state_of(Small()), Small()
    state[name].view(-1)[1] = value
    before = state_of(model)
    with pytest.raises(InputError, match=rf"NaN or infinity in 1 tensors \({name}\)") as error:
        load_weights(model, saved(state, tmp_path))
    one_line(error)
    assert same(state_of(model), before)


def test_a_mask_may_be_infinite_and_a_half_model_may_not_overflow(tmp_path: Path) -> None:
    source, model = Small(), Small()
    for m in (source, model):
        m.register_buffer("mask", torch.tensor([0.0, float("-inf")]))
    load_weights(model, saved(source.state_dict(), tmp_path))
    state = state_of(Small())
    state["conv.bias"][0] = 1e6  # half precision ends at 65,504
    with pytest.raises(InputError, match="conv.bias"):
        load_weights(Small().half(), saved(state, tmp_path))


@pytest.mark.parametrize(
    ("wrapped", "default", "other"),
    [
        ({"state_dict": 0.0, "state_dict_ema": 1.0, "arch": "x"}, 1.0, "state_dict"),  # timm's
        ({"model": 0.0, "model_ema": 1.0, "epoch": 3}, 0.0, "model_ema"),  # DeiT's, ConvNeXt's
        ({"state_dict": 0.0, "ema_state_dict": 1.0}, 0.0, "ema_state_dict"),  # OpenMMLab's
        ({"model": 0.0, "teacher": 1.0}, 0.0, "teacher"),
    ],
)
def test_which_of_several_sets(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, wrapped: dict[str, Any], default: float, other: str
) -> None:
    torch.manual_seed(0)
    zero = state_of(Small())
    content = {
        k: ({n: t + v if n == "conv.weight" else t for n, t in zero.items()} if isinstance(v, float) else v)
        for k, v in wrapped.items()
    }
    file = saved(content, tmp_path)
    caplog.set_level(logging.INFO)
    model = Small()
    load_weights(model, file)
    assert torch.allclose(model.conv.weight, zero["conv.weight"] + default)
    assert len(caplog.messages) == 1 and "are taken" in caplog.messages[0]
    assert f"w.pth#{other}" in caplog.messages[0]
    caplog.clear()
    load_weights(model, f"{file}#{other}")
    assert torch.allclose(model.conv.weight, zero["conv.weight"] + 1 - default) and caplog.messages == []
    with pytest.raises(InputError, match="no weights 'best' in .*which holds "):
        load_weights(model, f"{file}#best")


def test_a_key_for_unusual_names_and_for_one_set(tmp_path: Path) -> None:
    first, second = state_of(Small()), state_of(Small())
    file = saved({"first": first, "second": second}, tmp_path)
    assert same(read_state_dict(f"{file}#second"), second)
    with pytest.raises(InputError, match="say which is meant: .*w.pth#first"):
        read_state_dict(file)
    alone = saved(first, tmp_path)
    with pytest.raises(InputError, match="is one set of weights, without keys"):
        read_state_dict(f"{alone}#model")
    with pytest.raises(InputError, match="no weights at"):
        load_weights(Small(), f"{tmp_path / 'none.pth'}#model")


def test_a_file_may_have_the_sign_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "run#2"
    folder.mkdir()
    state = state_of(Small())
    torch.save(state, folder / "w#1.pth")
    assert same(read_state_dict(folder / "w#1.pth"), state)
    torch.save({"a": state, "b": state}, folder / "w.pth")
    assert same(read_state_dict(f"{folder / 'w.pth'}#a"), state)
