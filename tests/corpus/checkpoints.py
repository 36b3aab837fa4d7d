"""Files given as a target's weights; the run knows its target's fingerprint, so wrong weights show."""

from __future__ import annotations

import gzip
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from torchreid_amd.core import host

from . import World, case

Works = tuple[list[str], Callable[[], None]]


def state(world: World) -> dict[str, Tensor]:
    loaded: dict[str, Tensor] = torch.load(world.weights)
    return loaded


def given(world: World, folder: Path, file: Path) -> list[str]:
    out = ["--json", str(folder / "out.json")]
    return ["explain", str(world.run), world.a, world.b, "--weights", str(file), *out]


def works(world: World, folder: Path, content: Any = None) -> Works:
    """Explained with these weights, the distance is the run's own."""
    file = folder / "w.pth"
    if content is not None:
        torch.save(content, file)

    def check() -> None:
        told = json.loads((folder / "out.json").read_text(encoding="utf-8"))
        assert abs(told["distance"] - world.distance) <= 1e-6 * world.distance

    return given(world, folder, file), check


def model(world: World) -> nn.Module:
    made = host.build_model("osnet_x0_25", num_classes=6)
    made.load_state_dict(state(world))
    return made


@case()
def plain(world: World, folder: Path) -> Works:
    return works(world, folder, state(world))


@case()
def of_the_old_format(world: World, folder: Path) -> Works:
    torch.save(state(world), folder / "w.pth", _use_new_zipfile_serialization=False)
    return works(world, folder)


@case()
def safetensors_called_pth(world: World, folder: Path) -> Works:
    safetensors.torch.save_file(state(world), folder / "w.pth")
    return works(world, folder)


@case()
def torchreids_own(world: World, folder: Path) -> Works:
    return works(world, folder, {"state_dict": state(world), "epoch": 3, "rank1": np.float64(0.2)})


@case()
def compiled(world: World, folder: Path) -> Works:
    return works(world, folder, {f"_orig_mod.{k}": v for k, v in state(world).items()})


@case()
def compiled_in_parallel(world: World, folder: Path) -> Works:
    return works(world, folder, {"model": {f"module._orig_mod.{k}": v for k, v in state(world).items()}})


@case()
def a_moving_average(world: World, folder: Path) -> Works:
    return works(world, folder, AveragedModel(model(world)).state_dict())


@case()
def an_attribute_of_a_wrapper(world: World, folder: Path) -> Works:
    return works(world, folder, {"net": {f"reid.backbone.{k}": v for k, v in state(world).items()}})


@case()
def under_a_name_of_ones_own(world: World, folder: Path) -> Works:
    return works(world, folder, {"our_reid": state(world), "optimizer": {"lr": torch.ones(1)}})


@case()
def without_a_classifier(world: World, folder: Path) -> Works:
    return works(world, folder, {k: v for k, v in state(world).items() if not k.startswith("classifier")})


@case()
def of_an_old_pytorch(world: World, folder: Path) -> Works:
    old = state(world)
    return works(world, folder, {k: v for k, v in old.items() if not k.endswith("num_batches_tracked")})


@case()
def with_counters_of_another_form(world: World, folder: Path) -> Works:
    own = state(world)
    return works(
        world, folder, {k: v.float().reshape(1) if k.endswith("tracked") else v for k, v in own.items()}
    )


@case(says="NaN or infinity in 1 tensors")
def of_a_training_that_diverged(world: World, folder: Path) -> list[str]:
    own = state(world)
    own["conv1.conv.weight"][0, 0, 0, 0] = float("nan")
    torch.save(own, folder / "w.pth")
    return given(world, folder, folder / "w.pth")


@case(says="do not fit|do not belong|other weights|fingerprint")
def of_another_model(world: World, folder: Path) -> list[str]:
    torch.save(host.build_model("osnet_x0_5", num_classes=6).state_dict(), folder / "w.pth")
    return given(world, folder, folder / "w.pth")


@case(says="could run code")
def a_whole_pickled_model(world: World, folder: Path) -> list[str]:
    torch.save(model(world), folder / "w.pth")
    return given(world, folder, folder / "w.pth")


@case(says="is a TorchScript program")
def torchscript(world: World, folder: Path) -> list[str]:
    torch.jit.trace(nn.Linear(1, 1), torch.ones(1)).save(str(folder / "w.pth"))
    return given(world, folder, folder / "w.pth")


@case(says="is a zip archive of 'best/w.pth'")
def zipped(world: World, folder: Path) -> list[str]:
    with zipfile.ZipFile(folder / "w.zip", "w") as archive:
        archive.write(world.weights, "best/w.pth")
    return given(world, folder, folder / "w.zip")


@case(says="is a gzip archive")
def gzipped(world: World, folder: Path) -> list[str]:
    (folder / "w.pth.gz").write_bytes(gzip.compress(world.weights.read_bytes()))
    return given(world, folder, folder / "w.pth.gz")


@case(says="unpacked checkpoint: pack it again")
def unpacked(world: World, folder: Path) -> list[str]:
    zipfile.ZipFile(world.weights).extractall(folder / "w")
    return given(world, folder, folder / "w")


@case(says="Git LFS pointer")
def a_pointer(world: World, folder: Path) -> list[str]:
    (folder / "w.safetensors").write_bytes(
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    )
    return given(world, folder, folder / "w.safetensors")


@case(says="is a web page")
def a_web_page(world: World, folder: Path) -> list[str]:
    (folder / "w.pth").write_bytes(b"<html>Google Drive - Quota exceeded</html>")
    return given(world, folder, folder / "w.pth")


@case(says="is damaged or no checkpoint")
def cut_short(world: World, folder: Path) -> list[str]:
    (folder / "w.pth").write_bytes(world.weights.read_bytes()[:5000])
    return given(world, folder, folder / "w.pth")


@case(says="is an empty file")
def nothing(world: World, folder: Path) -> list[str]:
    (folder / "w.pth").touch()
    return given(world, folder, folder / "w.pth")


@case(says="holds no state dict")
def no_weights_at_all(world: World, folder: Path) -> list[str]:
    torch.save({"epoch": 3, "args": {"lr": 0.1}}, folder / "w.pth")
    return given(world, folder, folder / "w.pth")


@case(says="are not at|no weights at")
def nowhere(world: World, folder: Path) -> list[str]:
    return given(world, folder, folder / "none.pth")


@case()
def moved_beside_the_run(world: World, folder: Path) -> Works:
    shutil.copy(world.weights, folder / "w.pth")
    return works(world, folder)
