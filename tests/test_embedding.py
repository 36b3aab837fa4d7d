"""A target gives one embedding for each image; what gives something else is told so, however it is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from networks import conv
from torch import Tensor, nn
from torch.nn import functional as F

import torchreid_amd as amd
from torchreid_amd.cli import main
from torchreid_amd.core.errors import InputError
from torchreid_amd.targets import Target
from torchreid_amd.targets.build import build_target
from torchreid_amd.targets.cuts.automatic import automatic_cut
from torchreid_amd.targets.embedding import check_embedding

SIZE = (64, 32)


class Several(nn.Module):
    """A network whose features are given in some form."""

    def __init__(self, form: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.backbone = nn.Sequential(conv(3, 8), conv(8, 8), conv(8, 16), conv(16, 16))
        self.head = nn.Linear(16, 5)
        self.form = form

    def forward(self, x: Tensor) -> Any:
        f = self.backbone(x).mean((2, 3))
        return self.form(f, self.head(f))


FORMS: dict[str, tuple[Callable[[Tensor, Tensor], Any], str]] = {
    "logits and features": (lambda f, y: (y, f), "returns a tuple of 2 (2×5, 2×16) for two images"),
    "dictionary": (
        lambda f, y: {"logits": y, "features": f},
        "returns a dict of 2 (logits: 2×5, features: 2×16) for two images",
    ),
    "parts": (lambda f, y: list(f.chunk(4, 1)), "returns a list of 4 (2×4, 2×4, 2×4, 2×4) for two images"),
    "one in a tuple": (lambda f, y: (f,), "returns a tuple of 1 (2×16)"),
    "squeezed": (lambda f, y: f.squeeze(0), "returns a tensor of shape 16 for one image"),
    "turned": (lambda f, y: f.t(), "returns a tensor of shape 16×2 for two images"),
    "a map": (lambda f, y: f[:, :, None, None], "returns a tensor of shape 2×16×1×1 for two images"),
    "a score": (lambda f, y: f.sum(), "returns a tensor of shape () (one number) for two images"),
    "centred": (lambda f, y: f - f.mean(0), "another embedding when another image is beside it"),
    "dropped out": (lambda f, y: F.dropout(f, 0.5), "gives the same image another embedding each time"),
    "flattened": (lambda f, y: f.reshape(1, -1).expand(len(f), -1), "embeddings of 16 numbers for one image"),
    "text": (lambda f, y: "features", "returns a str"),
}


def cuts(model: nn.Module) -> dict[str, Callable[[], Any]]:
    """Every way to make a target."""
    return {
        "automatic": lambda: automatic_cut(model, SIZE),
        "build": lambda: build_target(model),
        "interpreter": lambda: amd.create_interpreter(model),
        "named": lambda: amd.cut(model, map="backbone.3", stem="backbone.1", size=SIZE),
        "functions": lambda: Target.from_callables(
            model.backbone[:2],  # type: ignore[index, operator]
            model.backbone[2:],  # type: ignore[index, operator]
            lambda m: model.form(m.mean((2, 3)), model.head(m.mean((2, 3)))),  # type: ignore[operator]
            size=SIZE,
        ),
    }


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", ["automatic", "build", "interpreter", "named", "functions"])
def test_what_is_no_embedding(form: str, way: str) -> None:
    give, said = FORMS[form]
    with pytest.raises(InputError) as error:
        cuts(Several(give).eval())[way]()
    assert said in str(error.value) and "\n" not in str(error.value)
    assert "wrap it in a module" in str(error.value)


@pytest.mark.parametrize("way", ["automatic", "build", "named", "functions"])
def test_what_is_one(way: str) -> None:
    model = Several(lambda f, y: f).eval()
    target = cuts(model)[way]()
    images = torch.randn(3, 3, *SIZE)
    assert torch.allclose(target(images), model(images), atol=1e-6)


def test_a_target_made_part_by_part_is_checked_when_it_is_used() -> None:
    plain = automatic_cut(Several(lambda f, y: f).eval(), SIZE)
    target = Target(plain.stem, plain.body, plain.tail, model=Several(lambda f, y: (y, f)), size=SIZE)
    with pytest.raises(InputError, match="returns a tuple of 2"):
        amd.create_interpreter(target)


def test_half_precision_is_no_other_embedding() -> None:
    check_embedding(Several(lambda f, y: f).eval().double(), SIZE)


def test_inspect_says_it_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "circles.py").write_text(
        "from test_embedding import Several\n"
        "def both():\n    return Several(lambda f, y: (y, f))\n"
        "def fine():\n    return Several(lambda f, y: f)\n"
    )
    assert main(["inspect", "circles:both", "--size", "64", "32"]) == 2
    said = capsys.readouterr().err
    assert "Several returns a tuple of 2 (2×5, 2×16) for two images in eval mode" in said
    assert said.count("\n") == 1
    assert main(["inspect", "circles:fine", "--size", "64", "32"]) == 0
    assert "one of 16 numbers for each image" in capsys.readouterr().out
