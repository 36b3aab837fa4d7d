"""What every test shares: seeds, one thread, small models, and real data where there is some."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from torchreid_amd import config
from torchreid_amd.core import host
from torchreid_amd.evaluation.data.testbed import Testbed

torch.set_num_threads(1)

Testbed.__test__ = False  # type: ignore[attr-defined]  # its name begins like a test's


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """The same random numbers, and no active configuration, for every test, whichever are run."""
    config._active.clear()
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real annotations and weights, for tests that read them.

    ``TORCHREID_AMD_DATA`` names it; a test that needs one of its files should go through
    :func:`real_file`.
    """
    folder = Path(os.environ.get("TORCHREID_AMD_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set TORCHREID_AMD_DATA")
    return folder


@pytest.fixture(scope="session")
def real_file(real_data: Path) -> Callable[[str], Path]:
    """A file of :func:`real_data` by name; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        if not (real_data / name).is_file():
            pytest.skip(f"{name} is not in {real_data}")
        return real_data / name

    return find


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of OSNet ×0.25, of random weights."""
    path = tmp_path_factory.mktemp("weights") / "osnet.pth"
    torch.save(host.build_model("osnet_x0_25", num_classes=751).state_dict(), path)
    return path


@pytest.fixture
def build() -> Callable[..., nn.Module]:
    """A torchreid model in eval mode: ``build('osnet_x0_25', num_classes=5)``; random weights.

    Batch statistics are random too, so that a mistake in loading them shows.
    """

    def make(name: str = "osnet_x0_25", num_classes: int = 5, seed: int = 0) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = host.build_model(name, num_classes=num_classes)
            for key, value in model.state_dict().items():
                if key.endswith("running_mean"):
                    value.normal_(0, 0.1)
                elif key.endswith("running_var"):
                    value.uniform_(0.5, 1.5)
        return model.eval()

    return make


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB, where the tests may make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True
        )
    except OSError:
        pytest.skip("there is no mount command")
    if mounted.returncode:
        pytest.skip("mounting a small file system takes root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)
