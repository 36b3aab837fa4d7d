"""A small network and what tests of checkpoints ask of its state."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from torchreid_amd.core.errors import InputError


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
