"""The executed notebook: the command that makes its output, on a stand-in, and what the kept one shows."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from toy_interpreter import noisy

import torchreid_amd as amd
from torchreid_amd.core import host

pytest.importorskip("nbclient", reason="nbclient is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")
EXAMPLES = Path(__file__).parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))
main = importlib.import_module("run_notebook").main
KEPT = EXAMPLES / "explain.ipynb"


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


def pages(path: Path) -> list[str]:
    """What cells show themselves as."""
    shown = [output.get("data", {}) for cell in cells(path) for output in cell["outputs"]]
    return ["".join(data["text/html"]) for data in shown if "text/html" in data]


def stand_in(folder: Path) -> list[str]:
    """A run that is not trained, and four photographs of noise."""
    target = host.build_model("osnet_x0_25", num_classes=5)
    torch.save(target.state_dict(), folder / "target.pth")
    interpreter = amd.create_interpreter(target, head="additive", attributes="market1501")
    options: dict[str, Any] = {"weights": folder / "target.pth", "size": (64, 32)}
    amd.save_run(folder / "run", interpreter, model="osnet_x0_25", num_classes=5, **options)
    (folder / "people").mkdir()
    for n in range(4):
        noisy(n, (32, 64)).save(folder / "people" / f"{n}.jpg")
    return ["--run", str(folder / "run"), "--photographs", str(folder / "people")]


def test_the_command_runs_every_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES.parent))
    to = tmp_path / "made.ipynb"
    assert main([*stand_in(tmp_path), "--to", str(to)]) == 0
    made, kept = cells(to), cells(KEPT)
    assert [cell["source"] for cell in made] == [cell["source"] for cell in kept]
    kinds = [[output["output_type"] for output in cell["outputs"]] for cell in made]
    assert kinds == [[output["output_type"] for output in cell["outputs"]] for cell in kept]
    pair, ranking, german = pages(to)
    assert 'lang="en"' in pair and "rank 3" in ranking and 'lang="de"' in german


def test_the_kept_notebook_is_small_and_has_no_path_of_its_maker() -> None:
    text = KEPT.read_text(encoding="utf-8")
    assert len(text) < 300_000 and '"output_type": "error"' not in text and "Warning" not in text
    assert not any(word in text for word in ("/home/", "/work/", "/tmp/", "/Users/"))
    assert [cell["execution_count"] for cell in cells(KEPT)] == list(range(1, len(cells(KEPT)) + 1))
    pair, _, german = pages(KEPT)
    assert "purple against red upper body" in pair and "violettes gegen rotes Oberteil" in german


def test_a_cell_that_fails_is_said_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = json.loads(KEPT.read_text(encoding="utf-8"))
    broken["cells"] = [{**cells(KEPT)[0], "source": "1 / 0"}]
    (tmp_path / "broken.ipynb").write_text(json.dumps(broken), encoding="utf-8")
    assert main(["--notebook", str(tmp_path / "broken.ipynb"), "--to", str(tmp_path / "to.ipynb")]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err and not (tmp_path / "to.ipynb").exists()
