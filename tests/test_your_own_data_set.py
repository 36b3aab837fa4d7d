"""The example of a data set of one's own: labels right in training, in evaluation and when explaining."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from torchreid_amd.core import host


def test_labels_are_right_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(__file__).parents[1] / "examples" / "your_own_data_set.py"
    spec = importlib.util.spec_from_file_location("your_own_data_set", path)
    assert spec is not None and spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    sizes = ["--train-ids", "6", "--test-ids", "4", "--images-per-id", "4", "--epochs", "1"]
    try:
        assert example.main(["--out", str(tmp_path), *sizes]) == 0
    finally:
        host.image_datasets().pop(example.NAME, None)
    said = [line for line in capsys.readouterr().out.splitlines() if ": labels of " in line]
    assert said == [
        "training: labels of 24 of 24 photographs are right",
        "evaluation: labels of 16 of 16 photographs are right",
        "explaining: labels of 40 of 40 photographs are right",
    ]
    assert (tmp_path / "elsewhere" / "pair.html").is_file()
