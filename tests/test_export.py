"""Exported interpreters give the numbers of PyTorch's, and what cannot be exported is said in one line."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from small_model import one_line
from stored_features import coloured_explainer, write_photographs
from torch import nn
from toy_interpreter import SCHEMA, toy_interpreter

import torchreid_amd as amd
from torchreid_amd.core.errors import InputError
from torchreid_amd.interpreter import export as module
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.export import export
from torchreid_amd.interpreter.interpreter import Interpreter

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def numpy_alone() -> ModuleType:
    path = Path(__file__).parents[1] / "examples" / "explain_with_numpy.py"
    spec = importlib.util.spec_from_file_location("explain_with_numpy", path)
    assert spec and spec.loader
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    assert not {"torch", "torchreid_amd"} & set(vars(example))
    return example


def test_the_file_explains_a_pair_without_pytorch(
    tmp_path: Path, numpy_alone: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    explainer = coloured_explainer()
    assert export(explainer.decomposer, tmp_path / "toy.onnx") < 1e-5
    assert explainer.interpreter.head.noise.training  # as it was given
    photographs = write_photographs(tmp_path / "photographs", 5)
    session = onnxruntime.InferenceSession(str(tmp_path / "toy.onnx"))
    about = json.loads(session.get_modelmeta().custom_metadata_map["torchreid_amd"])
    assert about["words"] == [SCHEMA.say(a) for a in SCHEMA.attributes] and about["size"] == [8, 4]
    images = explainer.decomposer.read(photographs)
    assert np.allclose(numpy_alone.read(str(photographs[3]), about)[0], images[3].numpy(), atol=1e-6)
    whole = explainer.decomposer.decompose(images)
    found = session.run(None, {"images": images.numpy()})  # five at once; it was made with two
    for value, name in zip(found, ("embedding", "maps", "components"), strict=True):
        assert np.allclose(value, getattr(whole, name).numpy(), rtol=1e-4, atol=1e-5)
    explained = explainer.explain(photographs[0], photographs[4])
    numpy_alone.main(str(tmp_path / "toy.onnx"), str(photographs[0]), str(photographs[4]))
    printed = capsys.readouterr().out
    assert f"euclidean distance {explained.distance:.4f}"[:-1] in printed
    attribute, value, _ = explained.top(1)[0]
    assert (
        f"{value:+.4f}"[:-1] in printed.splitlines()[1] and SCHEMA.say(attribute) in printed.splitlines()[1]
    )


@pytest.mark.parametrize("form", ["mean", "sum", "additive"])
@pytest.mark.parametrize("metric", ["euclidean", "squared_euclidean", "cosine"])
def test_the_example_divides_distances_as_the_interpreter_does(
    form: str, metric: str, numpy_alone: ModuleType
) -> None:
    embeddings, components = torch.rand(2, 3), torch.rand(2, 3, 3)
    toy = toy_interpreter(metric)
    toy.form = form
    wholes = [
        amd.Decomposition(embeddings[n : n + 1], torch.ones(1, 3, 1, 1), components[n : n + 1])
        for n in (0, 1)
    ]
    pair = toy.compare(*wholes)
    about = {"metric": metric, "form": form}
    values, remainder = numpy_alone.contributions(about, embeddings.numpy(), components.numpy())
    assert values == pytest.approx(pair.contributions[0].numpy(), rel=1e-4, abs=1e-6)
    assert remainder == pytest.approx(float(pair.remainder), rel=1e-4, abs=1e-6)
    distance = numpy_alone.distance_of(*embeddings.numpy(), metric)
    assert distance == pytest.approx(float(pair.distance), rel=1e-4)


def test_a_file_that_differs_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_ERROR", -1.0)
    (tmp_path / "toy.onnx").write_text("before")
    with pytest.raises(InputError, match="differs from PyTorch's by .* nothing was written") as error:
        export(coloured_explainer().decomposer, tmp_path / "toy.onnx")
    one_line(error)
    assert (tmp_path / "toy.onnx").read_text() == "before" and len(list(tmp_path.iterdir())) == 1


class _Unwritable(nn.Module):
    """What ONNX has no operation for."""

    def forward(self, early: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        weights = torch.linalg.eigvals(features.mean(1) @ features.mean(1).transpose(1, 2)).real
        return torch.ones(len(features), 3, 1, 1) * weights.sum(1).view(-1, 1, 1, 1)


def test_what_cannot_be_exported_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = coloured_explainer().interpreter
    other = Decomposer(Interpreter(toy.target, _Unwritable(), SCHEMA), (8, 4))
    with pytest.raises(InputError, match="cannot be written as ONNX") as error:
        export(other, tmp_path / "x.onnx")
    one_line(error)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        InputError, match=r"export needs onnxruntime; install it with: pip install 'torchreid_amd\[onnx\]'"
    ):
        export(coloured_explainer().decomposer, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.heavy
@pytest.mark.parametrize("head", ["additive", "amd", "attrimeter"])
@pytest.mark.parametrize("model", ["osnet_x0_25", "resnet18"])
def test_every_head(head: str, model: str, tmp_path: Path) -> None:
    explainer = amd.Explainer(amd.create_interpreter(model, head), (64, 32))
    assert export(explainer.decomposer, tmp_path / "x.onnx") < 1e-4
