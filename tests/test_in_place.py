"""Models that overwrite what they have computed: cut where that can be followed, refused where not."""

from __future__ import annotations

import pytest
import torch
from small_model import one_line
from torch import Tensor, nn

import torchreid_amd as amd
from torchreid_amd.core.errors import InputError
from torchreid_amd.targets.cuts.automatic import automatic_cut

SIZE = (64, 32)


class Base(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.early, self.late = nn.Conv2d(3, 4, 3, 2), nn.Conv2d(4, 8, 3, 2, padding=1)
        self.fc = nn.Linear(8, 6)

    def map(self, images: Tensor) -> Tensor:
        out: Tensor = self.late(torch.relu(self.early(images)))
        return out

    def end(self, features: Tensor) -> Tensor:
        out: Tensor = self.fc(features.mean((2, 3)))
        return out


class AddsToTheMap(Base):
    def forward(self, images: Tensor) -> Tensor:
        features = self.map(images)
        features += 1
        return self.end(features)


class ClampsInALineOfItsOwn(Base):
    def forward(self, images: Tensor) -> Tensor:
        features = self.map(images)
        features.clamp_(min=0.1)
        return self.end(features)


class ScalesSomeChannels(Base):
    def forward(self, images: Tensor) -> Tensor:
        features = self.map(images)
        features[:, :4] *= 0.5
        return self.end(features)


class ErasesARow(Base):
    def forward(self, images: Tensor) -> Tensor:
        features = self.map(images)
        features[:, :, 0] = 0
        return self.end(features)


class WritesThroughAView(Base):
    def forward(self, images: Tensor) -> Tensor:
        features = self.map(images)
        flat = features.view(features.size(0), -1)
        flat.mul_(2)
        return self.end(features)


class ShiftsTheImages(Base):
    def forward(self, images: Tensor) -> Tensor:
        images.sub_(0.5)
        return self.end(self.map(images))


class ShiftsTheImagesAfterAQuestion(Base):
    """Control flow, so it is run again; the images put in then are all one memory location."""

    def forward(self, images: Tensor) -> Tensor:
        if images.sum() > -1e9:
            images -= 0.5
        return self.end(self.map(images))


class OverwritesWhatWasSkipped(Base):
    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        shifted = self.before(images * 1)
        shifted += 1
        if shifted.sum() > -1e9:
            shifted[:, 0] = 0
        return self.end(self.map(shifted))


KINDS = [
    AddsToTheMap,
    ClampsInALineOfItsOwn,
    ScalesSomeChannels,
    ErasesARow,
    WritesThroughAView,
    ShiftsTheImages,
    ShiftsTheImagesAfterAQuestion,
    OverwritesWhatWasSkipped,
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_gives_the_models_own_embedding_of_fresh_images(kind: type[Base]) -> None:
    model = kind().eval()
    images = torch.rand(3, 3, *SIZE)
    with torch.no_grad():
        own = model(images.clone())
    target = amd.cut(model, map="late", stem="early", size=SIZE)
    given = images.clone()
    embedding = target.tail(target.features(given)[1])
    torch.testing.assert_close(embedding, own, rtol=1e-5, atol=1e-6)
    assert torch.equal(given, images)  # the caller's images are as they were
    torch.testing.assert_close(target(images.clone()), own)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", ["additive", "amd"])
def test_an_interpreter_learns_and_adds_up(kind: type[Base], head: str) -> None:
    target = amd.cut(kind().eval(), map="late", stem="early", size=SIZE)
    interpreter = amd.create_interpreter(target, head, ["hat", "bag"], "squared_euclidean").train()
    out = interpreter(torch.rand(2, 3, *SIZE))
    if head == "amd":
        out.components.sum().backward()
        assert any(p.grad is not None and p.grad.any() for p in interpreter.head.parameters())
    pair = interpreter.compare(out[:1], out[1:])
    own = (out.embedding[0] - out.embedding[1]).square().sum()
    torch.testing.assert_close(pair.distance[0], own)


@pytest.mark.parametrize("kind", [AddsToTheMap, ClampsInALineOfItsOwn, ShiftsTheImages])
def test_the_automatic_cut_follows_what_a_trace_shows(kind: type[Base]) -> None:
    model = kind().eval()
    images = torch.rand(2, 3, *SIZE)
    with torch.no_grad():
        own = model(images.clone())
    target = automatic_cut(model, SIZE)
    torch.testing.assert_close(target.tail(target.features(images)[1]), own, rtol=1e-5, atol=1e-6)


def test_the_automatic_cut_refuses_what_it_would_get_wrong() -> None:
    with pytest.raises(InputError, match="do not give its own embedding back.*name the cut by hand") as error:
        automatic_cut(WritesThroughAView().eval(), SIZE)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="tracing stopped.*name the cut by hand") as error:
        automatic_cut(ErasesARow().eval(), SIZE)
    one_line(error)
