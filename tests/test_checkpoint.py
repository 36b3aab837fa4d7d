"""Weights are read without running code, loaded whole or not at all, and recognised."""

from __future__ import annotations

import hashlib
import os
import pickle
import struct
import zipfile
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from torchreid_amd import host
from torchreid_amd.checkpoint import fingerprint, load_weights, read_state_dict, write_checkpoint
from torchreid_amd.errors import InputError
from torchreid_amd.safe_load import read_checkpoint


class Small(nn.Module):
    """A network with every kind of entry a ReID state dict has."""

    def __init__(self, classes: int = 4, width: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
        self.bn = nn.BatchNorm2d(width)
        self.classifier = nn.Linear(width, classes)


def state_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def one_line(error: pytest.ExceptionInfo[InputError]) -> str:
    text = str(error.value)
    assert "\n" not in text and len(text) < 500
    return text


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("legacy", [False, True])
def test_plain_state_dict_in_both_formats(tmp_path: Path, legacy: bool) -> None:
    state = state_of(Small())
    torch.save(state, tmp_path / "w.pth", _use_new_zipfile_serialization=not legacy)
    assert same(read_state_dict(tmp_path / "w.pth"), state)


def test_safetensors_by_content_and_by_suffix(tmp_path: Path) -> None:
    state = state_of(Small())
    for name in ("w.safetensors", "w.bin"):
        safetensors.torch.save_file(state, tmp_path / name)
        assert same(read_state_dict(tmp_path / name), state)


def test_torchreids_own_checkpoint(tmp_path: Path) -> None:
    """Written by torchreid's save_checkpoint, with optimizer, scheduler and a NumPy rank-1."""
    model = Small()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    sum(p.sum() for p in model.parameters()).backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 5])
    content = {
        "state_dict": model.state_dict(),
        "epoch": 3,
        "rank1": np.float64(0.25),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
    }
    host.torchreid().utils.save_checkpoint(content, str(tmp_path))
    read = read_checkpoint(tmp_path / "model.pth.tar-3")
    assert read["epoch"] == 3
    assert read["rank1"] == 0.25 and f"{read['rank1']:.1%}" == "25.0%"
    assert read["scheduler"]["milestones"] == Counter([2, 5])
    optimizer.load_state_dict(read["optimizer"])
    assert same(read_state_dict(tmp_path / "model.pth.tar-3"), state_of(model))


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
@pytest.mark.parametrize("value", [np.float64(0.75), np.float32(0.5), np.int64(-7), np.bool_(True)])
def test_numpy_numbers_of_either_numpy(tmp_path: Path, module: str, value: np.generic) -> None:
    torch.save({"rank1": value}, tmp_path / "here.pth")
    swapped = tmp_path / "w.pth"
    with zipfile.ZipFile(tmp_path / "here.pth") as source, zipfile.ZipFile(swapped, "w") as out:
        for item in source.namelist():
            data = source.read(item)
            for name in (b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"):
                data = data.replace(name, f"c{module}\n".encode())
            out.writestr(item, data)
    read = read_checkpoint(swapped)["rank1"]
    assert read == value and type(read) is type(value)


def test_defaultdict_is_read_as_a_plain_one(tmp_path: Path) -> None:
    torch.save({"optimizer": defaultdict(dict, {1: {"step": 2}})}, tmp_path / "w.pth")
    assert read_checkpoint(tmp_path / "w.pth")["optimizer"] == {1: {"step": 2}}


def test_numpy_objects_are_refused(tmp_path: Path) -> None:
    """A NumPy "object" number can hold anything; only true numbers are rebuilt."""
    torch.save({"rank1": np.dtype("O")}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="damaged or no checkpoint"):
        read_checkpoint(tmp_path / "w.pth")


def test_data_parallel_prefix_is_taken_off(tmp_path: Path) -> None:
    model = Small()
    torch.save({"state_dict": nn.DataParallel(model).state_dict()}, tmp_path / "w.pth")
    assert same(read_state_dict(tmp_path / "w.pth"), state_of(model))


def test_a_module_really_called_module_keeps_its_name(tmp_path: Path) -> None:
    state = {"module.weight": torch.ones(1), "bias": torch.ones(1)}
    torch.save(state, tmp_path / "w.pth")
    assert set(read_state_dict(tmp_path / "w.pth")) == set(state)


class Touch:
    """Unpickled with Python's own reader, this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def raw_pickle(content: object, path: Path, protocol: int) -> None:
    path.write_bytes(pickle.dumps(content, protocol=protocol))


@pytest.mark.parametrize("how", ["zip", "legacy", "protocol 0", "protocol 2", "protocol 4", "as safetensors"])
def test_a_pickle_that_runs_code_does_not_run(tmp_path: Path, how: str) -> None:
    mark, file = tmp_path / "ran", tmp_path / ("w.safetensors" if how == "as safetensors" else "w.pth")
    content = {"state_dict": Touch(mark)}
    if how in ("zip", "legacy"):
        torch.save(content, file, _use_new_zipfile_serialization=how == "zip")
    else:
        raw_pickle(content, file, int(how[-1]) if how[-1].isdigit() else 2)
    with pytest.raises(InputError) as error:
        read_state_dict(file)
    assert not mark.exists()
    text = one_line(error)
    if how in ("zip", "legacy", "protocol 2"):  # the others are no checkpoints at all
        assert "system" in text and "could run code" in text


def test_the_payload_of_that_test_would_run_otherwise(tmp_path: Path) -> None:
    raw_pickle(Touch(tmp_path / "ran"), tmp_path / "w.pth", 2)
    pickle.loads((tmp_path / "w.pth").read_bytes())
    assert (tmp_path / "ran").exists()


def test_a_whole_pickled_model_is_refused(tmp_path: Path) -> None:
    torch.save(Small(), tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"Python object \(\S*Small\).*save model.state_dict\(\)") as error:
        read_state_dict(tmp_path / "w.pth")
    one_line(error)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_refused(tmp_path: Path) -> None:
    class Double(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * x

    torch.jit.trace(Double(), torch.ones(1)).save(str(tmp_path / "w.pt"))
    with pytest.raises(InputError, match="no checkpoint") as error:
        read_state_dict(tmp_path / "w.pt")
    one_line(error)


@pytest.mark.parametrize("how", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.95])
def test_truncated_files(tmp_path: Path, how: str, kept: float) -> None:
    file = tmp_path / ("w.safetensors" if how == "safetensors" else "w.pth")
    if how == "safetensors":
        safetensors.torch.save_file(state_of(Small()), file)
    else:
        torch.save(state_of(Small()), file, _use_new_zipfile_serialization=how == "zip")
    file.write_bytes(file.read_bytes()[: max(1, int(kept * file.stat().st_size))])
    with pytest.raises(InputError) as error:
        read_state_dict(file)
    assert str(file) in one_line(error)


BAD_FILES = {
    "text": (b"not a model\n", "is a text file"),
    "web page": ("<!DOCTYPE html><p>Quota überschritten".encode(), "is a text file"),
    "noise": (bytes(range(256)) * 8, "damaged or no checkpoint"),
    "zip of other things": (b"PK\x05\x06" + bytes(18), "damaged or no checkpoint"),
    "safetensors of absurd size": (struct.pack("<Q", 1 << 60) + b"{}", "damaged or no checkpoint"),
    "empty": (b"", "is an empty file"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_that_are_no_checkpoints(tmp_path: Path, name: str) -> None:
    content, said = BAD_FILES[name]
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(InputError, match=said) as error:
        read_state_dict(tmp_path / "w.pth")
    one_line(error)


def test_missing_file_names_the_model_zoo_and_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="MODEL_ZOO") as error:
        read_state_dict(tmp_path / "none.pth")
    one_line(error)
    with pytest.raises(InputError, match="is a folder") as error:
        read_state_dict(tmp_path)
    one_line(error)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"epoch": 3},
        {"state_dict": {}},
        {"state_dict": {"a": 1}},
        {1: torch.ones(1)},
        {"a\nb": torch.ones(1)},
        [torch.ones(1)],
    ],
)
def test_checkpoints_without_weights(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(InputError, match="state dict") as error:
        read_state_dict(tmp_path / "w.pth")
    one_line(error)


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
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, model = Small(classes=7), Small(classes=4)
    before = state_of(model)
    report = load_weights(model, saved(source, tmp_path / "w.pth"))
    assert report.skipped == ("classifier.weight", "classifier.bias")
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1 and "7 identities" in printed and "4" in printed
    after = state_of(model)
    assert torch.equal(after["classifier.weight"], before["classifier.weight"])
    assert torch.equal(after["conv.weight"], source.conv.weight)
    load_weights(model, tmp_path / "w.pth", quiet=True)
    assert capsys.readouterr().out == ""


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
