"""Models as people have them, given to the library."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

import torchreid_amd as amd

from . import World, case

Works = tuple[Callable[[], None], Callable[[], None]]
SIZE = (64, 32)


class Net(nn.Module):
    """Two convolutions, an average, a linear layer; ``then`` changes what it returns."""

    def __init__(self, then: Callable[[Tensor], object] = lambda e: e) -> None:
        super().__init__()
        self.early, self.late = nn.Conv2d(3, 4, 3, 2), nn.Conv2d(4, 8, 3, 2)
        self.fc, self.then = nn.Linear(8, 6), then

    def forward(self, images: Tensor) -> object:
        return self.then(self.fc(self.late(torch.relu(self.early(images))).mean((2, 3))))


def works(net: nn.Module, tolerance: float = 1e-5) -> Works:
    """Its distances, explained, are those of its own embeddings."""
    images = torch.rand(2, 3, *SIZE)
    dtype = next(net.parameters()).dtype
    with torch.no_grad():
        own: Tensor = net.eval()(images.to(dtype))  # type: ignore[assignment]
    found: list[float] = []

    def explain() -> None:
        target = amd.cut(net, map="late", stem="early", size=SIZE)
        interpreter = amd.create_interpreter(target, "additive", ["hat", "bag"])
        out = interpreter(images)
        found.append(interpreter.compare(out[:1], out[1:]).distance.item())

    def check() -> None:
        a, b = own.double()
        assert abs(found[0] - (a - b).norm().item()) <= tolerance * a.norm().item()

    return explain, check


def refused(then: Callable[[Tensor], object]) -> Callable[[], object]:
    return lambda: amd.build_target(Net(then))


@case()
def single(world: World, folder: Path) -> Works:
    return works(Net())


@case()
def half(world: World, folder: Path) -> Works:
    return works(Net().half(), 5e-3)


@case()
def bfloat16(world: World, folder: Path) -> Works:
    return works(Net().bfloat16(), 5e-2)


@case()
def double(world: World, folder: Path) -> Works:
    return works(Net().double())


@case()
def in_data_parallel(world: World, folder: Path) -> Works:
    return works(nn.DataParallel(Net()))


@case()
def normalised(world: World, folder: Path) -> Works:
    return works(Net(lambda e: nn.functional.normalize(e)))


@case()
def overwrites_its_embedding(world: World, folder: Path) -> Works:
    return works(Net(lambda e: e.mul_(2)))


@case(says="returns a tensor of shape 2×6×1×1 for two images")
def four_dimensions(world: World, folder: Path) -> Callable[[], object]:
    return refused(lambda e: e[:, :, None, None])


@case(says="returns a tensor of shape 2×2×3 for two images")
def three_dimensions(world: World, folder: Path) -> Callable[[], object]:
    return refused(lambda e: e.reshape(-1, 2, 3))


@case(says="returns a tensor of shape 2 for two images")
def one_number_an_image(world: World, folder: Path) -> Callable[[], object]:
    return refused(lambda e: e[:, 0])


@case(says="returns a tuple of 2")
def logits_and_features(world: World, folder: Path) -> Callable[[], object]:
    return refused(lambda e: (e[:, :3], e))


@case(says="returns a dict of 1")
def a_dictionary(world: World, folder: Path) -> Callable[[], object]:
    return refused(lambda e: {"feat": e})


@case(says="is quantised")
def dynamic_int8(world: World, folder: Path) -> Callable[[], object]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small = torch.ao.quantization.quantize_dynamic(Net().eval(), {nn.Linear}, dtype=torch.qint8)
    return lambda: amd.build_target(small)


@case(says="no values in its weights")
def on_the_meta_device(world: World, folder: Path) -> Callable[[], object]:
    return lambda: amd.build_target(Net().to("meta"))


@case(says="a target is a model")
def no_model(world: World, folder: Path) -> Callable[[], object]:
    return lambda: amd.build_target(3)  # type: ignore[arg-type]


@case(says="device 'cuda:99' cannot be used")
def a_device_that_is_not_there(world: World, folder: Path) -> Callable[[], object]:
    return lambda: amd.Explainer.from_pretrained(world.run, device="cuda:99")


@case(says="size is .0, 32.; expected")
def images_of_no_height(world: World, folder: Path) -> Callable[[], object]:
    return lambda: amd.Explainer(amd.create_interpreter("osnet_x0_25", attributes=["hat"]), size=(0, 32))
