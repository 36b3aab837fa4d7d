"""Checkpoints are read without running code, and what is none is refused in one line."""

from __future__ import annotations

import gzip
import os
import pickle
import struct
import tarfile
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from small_model import Small, one_line, same, state_of
from torch import nn

from torchreid_amd.core import host
from torchreid_amd.core.errors import InputError
from torchreid_amd.core.safe_load import read_checkpoint
from torchreid_amd.targets.state_dicts import read_state_dict


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
    with pytest.raises(InputError, match="is a TorchScript program.*model.state_dict") as error:
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
    "web page": ("<!DOCTYPE html><p>Quota überschritten".encode(), "is a web page"),
    "noise": (bytes(range(256)) * 8, "damaged or no checkpoint"),
    "empty zip": (b"PK\x05\x06" + bytes(18), "is a zip archive of nothing"),
    "cut zip": (b"PK\x03\x04" + bytes(18), "damaged or no checkpoint"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "'git lfs pull'"),
    "gzip": (gzip.compress(b"weights"), "is a gzip archive; .*unpack it"),
    "photograph": (b"\xff\xd8\xff\xe0" + bytes(40), "is a JPEG image"),
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


def test_archives_name_what_is_in_them(tmp_path: Path) -> None:
    torch.save(state_of(Small()), tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "w.pth", "best/w.pth")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "w.pth", "w.pth")
    np.savez(tmp_path / "a.npz", weight=np.ones(2))
    for name, said in (("a.zip", "'best/w.pth'"), ("a.tar", "tar archive"), ("a.npz", "NumPy arrays")):
        with pytest.raises(InputError, match=said) as error:
            read_state_dict(tmp_path / name)
        one_line(error)


def test_an_unpacked_checkpoint_is_named_and_reads_again_when_packed(tmp_path: Path) -> None:
    state = state_of(Small())
    torch.save(state, tmp_path / "w.pth")
    zipfile.ZipFile(tmp_path / "w.pth").extractall(tmp_path / "out")
    for given in (tmp_path / "out", tmp_path / "out" / "w"):
        with pytest.raises(InputError, match="is a folder.*unpacked checkpoint.*zip -0 -r weights.pth 'w'"):
            read_state_dict(given)
    packed = tmp_path / "weights.pth"
    with zipfile.ZipFile(packed, "w") as archive:  # what that command does
        for file in sorted((tmp_path / "out").rglob("*")):
            archive.write(file, file.relative_to(tmp_path / "out"))
    assert same(read_state_dict(packed), state)


def test_a_folder_names_the_checkpoints_in_it(tmp_path: Path) -> None:
    for name in ("model.pth.tar-60", "model.safetensors", "notes.txt"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"inside it: 'model.pth.tar-60', 'model.safetensors'$"):
        read_state_dict(tmp_path)
