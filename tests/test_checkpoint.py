"""Weights are loaded whole or not at all, written safely, and recognised."""

from __future__ import annotations

import hashlib
import struct
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from small_model import Small, one_line, same, state_of
from torch import nn

from torchreid_amd import config
from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.safe_load import read_checkpoint
from torchreid_amd.targets.state_dicts import read_state_dict
from torchreid_amd.targets.weights import fingerprint, load_weights, write_checkpoint

# --- loading -------------------------------------------------------------------------------------


def saved(model_or_state: nn.Module | dict[str, torch.Tensor], path: Path) -> Path:
    torch.save(model_or_state.state_dict() if isinstance(model_or_state, nn.Module) else model_or_state, path)
    return path


def test_everything_is_loaded(tmp_path: Path) -> None:
    source, model = Small(), Small()
    report = load_weights(model, saved(source, tmp_path / "w.pth"))
    assert same(state_of(model), state_of(source))
    assert report.loaded == tuple(source.state_dict()) and report.skipped == ()


def test_a_classifier_of_another_size_is_skipped_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("INFO", "torchreid_amd")
    source, model = Small(classes=7), Small(classes=4)
    before = state_of(model)
    report = load_weights(model, saved(source, tmp_path / "w.pth"))
    assert report.skipped == ("classifier.weight", "classifier.bias")
    [said] = caplog.messages
    assert "\n" not in said and "7 identities" in said and "4" in said
    after = state_of(model)
    assert torch.equal(after["classifier.weight"], before["classifier.weight"])
    assert torch.equal(after["conv.weight"], source.conv.weight)
    load_weights(model, tmp_path / "w.pth", quiet=True)
    assert len(caplog.messages) == 1 and capsys.readouterr().out == ""  # a library does not print


@pytest.mark.parametrize("name", ["pcb_p4", "hacnn", "mlfn"])
def test_classifiers_of_other_forms_are_recognised(tmp_path: Path, build, name: str) -> None:
    """PCB has a list of classifiers, HACNN two under other names."""
    report = load_weights(build(name, 3), saved(build(name, 5), tmp_path / "w.pth"), quiet=True)
    assert report.skipped and all("classifier" in key for key in report.skipped)


def wrong_shape(state: dict[str, torch.Tensor]) -> None:
    state["conv.weight"] = torch.ones(3, 3, 1, 1)


def missing(state: dict[str, torch.Tensor]) -> None:
    del state["bn.weight"], state["conv.bias"]


def unexpected(state: dict[str, torch.Tensor]) -> None:
    state["layer4.weight"] = torch.ones(1)


def wrong_type(state: dict[str, torch.Tensor]) -> None:
    state["conv.weight"] = state["conv.weight"].to(torch.uint8)


def other_features(state: dict[str, torch.Tensor]) -> None:
    state["classifier.weight"] = torch.ones(4, 99)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (wrong_shape, r"1 of another shape \(conv.weight 3×3×1×1 float32 where the model has 3×3×3×3"),
        (missing, r"2 missing \(conv.bias, bn.weight\)"),
        (unexpected, r"1 unexpected \(layer4.weight\)"),
        (wrong_type, r"conv.weight 3×3×3×3 uint8"),
        (other_features, r"classifier.weight 4×99"),
    ],
)
def test_any_other_difference_is_an_error_and_changes_nothing(tmp_path: Path, spoil, said: str) -> None:
    state, model = state_of(Small()), Small()
    spoil(state)
    before = state_of(model)
    with pytest.raises(InputError, match=said) as error:
        load_weights(model, saved(state, tmp_path / "w.pth"))
    assert "another model?" in one_line(error)
    assert same(state_of(model), before)


def test_a_checkpoint_of_another_model_of_the_zoo(tmp_path: Path, build) -> None:
    model = build("osnet_x0_25")
    before = state_of(model)
    with pytest.raises(InputError, match="another model") as error:
        load_weights(model, saved(build("resnet18"), tmp_path / "w.pth"))
    one_line(error)
    assert same(state_of(model), before)


def test_half_precision_old_and_parallel_checkpoints(tmp_path: Path) -> None:
    source, model = Small(), Small()
    state = {"module." + k: v.half() if v.is_floating_point() else v for k, v in state_of(source).items()}
    del state["module.bn.num_batches_tracked"]
    load_weights(nn.DataParallel(model), saved(state, tmp_path / "w.pth"))
    assert model.conv.weight.dtype == torch.float32
    assert torch.equal(model.conv.weight, source.conv.weight.half().float())


def test_a_plain_checkpoint_fits_a_model_with_an_interpreter(tmp_path: Path) -> None:
    source, model = Small(), Small()
    model.interpreter = nn.Linear(2, 2)
    load_weights(model, saved(source, tmp_path / "w.pth"))
    assert torch.equal(model.conv.weight, source.conv.weight)
    half = state_of(model)
    del half["interpreter.bias"]
    with pytest.raises(InputError, match="1 missing"):
        load_weights(model, saved(half, tmp_path / "w.pth"))


def test_the_same_with_a_model_of_an_amd_factory_entry(tmp_path: Path, build) -> None:
    """The wrapper gives the plain model's embeddings and shares its fingerprint."""
    source = build("osnet_x0_25", seed=1)
    model = build("amd_osnet_x0_25", seed=2)
    report = load_weights(model, saved(source, tmp_path / "w.pth"))
    assert report.loaded == tuple(source.state_dict()) and report.skipped == ()
    assert fingerprint(model) == fingerprint(source)
    images = torch.rand(2, 3, 256, 128)
    with torch.no_grad():
        assert torch.equal(model(images), source(images))


@pytest.mark.parametrize("how", ["load_weights", "load_state_dict"])
def test_a_trained_head_comes_back_from_the_checkpoint_of_an_amd_model(
    tmp_path: Path, build, how: str
) -> None:
    """Its own copy of the body as trained: not the target's, from which an untrained one starts."""
    cfg = config.get_default_config()
    cfg.amd.head = "amd"
    config.activate(cfg)
    trained, model = build("amd_osnet_x0_25", seed=1), build("amd_osnet_x0_25", seed=2)
    with torch.no_grad():  # as training leaves it: every weight of the head has moved, statistics too
        for value in trained.interpreter.head.state_dict().values():
            value.add_(torch.rand_like(value) if value.is_floating_point() else 3)
    assert any(key.startswith("interpreter.head.body.") for key in trained.state_dict())
    if how == "load_weights":
        load_weights(model, saved(trained, tmp_path / "w.pth"))
    else:
        model.load_state_dict(read_state_dict(saved(trained, tmp_path / "w.pth")))
    assert same(state_of(model), state_of(trained))
    images = torch.rand(2, 3, 64, 32)
    with torch.no_grad():
        ours, theirs = (m.interpreter.eval()(images) for m in (model, trained))
    assert torch.equal(ours.maps, theirs.maps) and torch.equal(ours.components, theirs.components)


def test_the_real_checkpoint_gives_torchreids_own_embeddings(real_file, build) -> None:
    """Embeddings equal to those after torchreid's loading, classifier of another size or not."""
    file = real_file("osnet_x0_25_market1501.pth")
    images = torch.rand(4, 3, 256, 128)
    for classes in (751, 10):
        ours, theirs = build("osnet_x0_25", classes, seed=1), build("osnet_x0_25", classes, seed=2)
        report = load_weights(ours, file, quiet=True)
        host.torchreid().utils.load_pretrained_weights(theirs, str(file))
        with torch.no_grad():
            assert (ours(images) - theirs(images)).abs().max() <= 1e-6
        assert bool(report.skipped) == (classes != 751)


# --- writing -------------------------------------------------------------------------------------


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "new" / "w.pth", {"epoch": 2, "state_dict": state_of(Small())})
    assert read_checkpoint(tmp_path / "new" / "w.pth")["epoch"] == 2
    assert set(read_state_dict(tmp_path / "new" / "w.pth")) == set(Small().state_dict())


def test_a_full_disk_leaves_the_old_checkpoint(small_disk: Path) -> None:
    write_checkpoint(small_disk / "w.pth", {"epoch": 1})
    before = (small_disk / "w.pth").read_bytes()
    with pytest.raises(InputError, match="No space left on device") as error:
        write_checkpoint(small_disk / "w.pth", {"epoch": 2, "weights": torch.ones(1_000_000)})
    one_line(error)
    assert [p.name for p in small_disk.iterdir()] == ["w.pth"]
    assert (small_disk / "w.pth").read_bytes() == before


# --- fingerprint ---------------------------------------------------------------------------------


def test_fingerprint_by_its_definition() -> None:
    state = {"b": torch.tensor([1, 2], dtype=torch.int16), "a": torch.tensor(1.5)}
    a = b"a torch.float32 ()\n" + struct.pack("<f", 1.5)
    b = b"b torch.int16 (2,)\n" + struct.pack("<2h", 1, 2)
    assert fingerprint(state) == hashlib.sha256(a + b).hexdigest()


def test_fingerprint_ignores_what_no_embedding_depends_on() -> None:
    model = Small()
    first = fingerprint(model)
    assert fingerprint(nn.DataParallel(model)) == first
    assert fingerprint(OrderedDict(reversed(list(model.state_dict().items())))) == first
    model.bn.num_batches_tracked += 5
    model.classifier = nn.Linear(3, 99)
    model.interpreter = nn.Linear(2, 2)
    assert fingerprint(model) == first


@pytest.mark.parametrize("change", ["value", "statistics", "name", "type", "shape"])
def test_fingerprint_sees_every_other_change(change: str) -> None:
    state = state_of(Small())
    first = fingerprint(state)
    if change == "value":
        state["conv.weight"].view(-1)[5] += 1e-7 + state["conv.weight"].view(-1)[5].abs() * 1e-6
    elif change == "statistics":
        state["bn.running_mean"][0] += 1
    elif change == "name":
        state["conv2.weight"] = state.pop("conv.weight")
    elif change == "type":
        state["conv.weight"] = state["conv.weight"].half()
    else:
        state["conv.weight"] = state["conv.weight"].reshape(9, 3, 3, 1)
    assert fingerprint(state) != first


def test_fingerprint_of_empty_and_strided_tensors() -> None:
    grid = torch.arange(6.0).reshape(2, 3)
    assert fingerprint({"a": grid.T}) == fingerprint({"a": grid.T.contiguous()}) != fingerprint({"a": grid})
    assert fingerprint({"a": torch.empty(0, 3)}) != fingerprint({"a": torch.empty(3, 0)})
