"""Where the cells of a feature map lie, and maps on other grids."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from torchreid_amd import Explainer, create_interpreter
from torchreid_amd.core import host
from torchreid_amd.heads.recogniser import AttributeRecogniser
from torchreid_amd.interpreter.maps import at_size
from torchreid_amd.targets.receptive_fields import Cells, resized

SIZE = (64, 48)


class Functional(nn.Module):
    def forward(self, x):
        x = functional.conv2d(x, torch.ones(1, 1, 3, 3), stride=2, padding=1)
        return functional.max_pool2d(x, 2)


def convolution(kernel, stride=1, padding=0, dilation=1):
    return nn.Conv2d(1, 1, kernel, stride, padding, dilation)


#: the last one's offset, by hand, in its own cells
STACKS = {
    "even": (nn.Sequential(convolution(3, 1, 1), nn.AvgPool2d(2)), (0, 0)),
    "patches": (convolution(16, 16), (0, 0)),
    "stem of a ResNet": (nn.Sequential(convolution(7, 2, 3), nn.MaxPool2d(3, 2, 1)), (-0.375, -0.375)),
    "dilated": (convolution(3, 2, 2, 2), (-0.25, -0.25)),
    "one axis": (convolution((3, 1), (2, 1), (1, 0)), (-0.25, 0)),
    "by function": (Functional(), (-0.5 / 4, -0.5 / 4)),
    "upsampled": (nn.Sequential(convolution(3, 2, 1), nn.Upsample(scale_factor=4)), (0, 0)),
    "back again": (nn.Sequential(convolution(3, 2, 1), nn.Upsample(scale_factor=2)), (0, 0)),
}


@pytest.mark.parametrize("name", STACKS)
def test_shifts_by_hand(name):
    stack, wanted = STACKS[name]
    with torch.no_grad(), Cells(SIZE) as cells:
        out = stack(torch.zeros(1, 1, *SIZE))
    assert cells.offset(out.shape[2:]) == pytest.approx(wanted)


@pytest.mark.parametrize("name", ["even", "patches", "stem of a ResNet", "dilated", "one axis"])
def test_a_cell_lies_in_the_middle_of_what_it_sees(name):
    """The same from gradients: with positive weights they are symmetric about the cell's centre."""
    stack = STACKS[name][0]
    for parameter in stack.parameters():
        nn.init.ones_(parameter)
    if name == "stem of a ResNet":
        stack[1] = nn.AvgPool2d(3, 2, 1)  # a maximum has a gradient at one place only
    image = torch.zeros(1, 1, *SIZE, requires_grad=True)
    with Cells(SIZE) as cells:
        out = stack(image)
    row, column = out.shape[2] // 2, out.shape[3] // 2
    out[0, 0, row, column].backward()
    gradient = image.grad[0, 0]
    down = (gradient.sum(1) * torch.arange(SIZE[0])).sum() / gradient.sum()
    right = (gradient.sum(0) * torch.arange(SIZE[1])).sum() / gradient.sum()
    offset = cells.offset(out.shape[2:])
    for seen, cell, n, pixels, by in zip(
        (down, right), (row, column), out.shape[2:], SIZE, offset, strict=True
    ):
        assert float(seen) == pytest.approx((cell + 0.5 + by) * pixels / n - 0.5, abs=1e-3)


def test_cells_of_targets():
    """By hand: 1.5 pixels in OSNet, and (stride − 1) / 2 in every map of a ResNet."""
    for name, pixels in (("osnet_x0_25", [1.5] * 4), ("resnet18", [1.5, 3.5, 15.5])):
        target = create_interpreter(host.build_model(name, num_classes=3), "attrimeter").target
        with torch.no_grad(), Cells(target.size) as cells:
            maps = target.levels(torch.zeros(1, 3, *target.size))[0]
        for f, wanted in zip(maps, pixels, strict=True):
            down, right = cells.offset(f.shape[2:])
            assert -down * target.size[0] / f.shape[2] == pytest.approx(wanted)
            assert -right * target.size[1] / f.shape[3] == pytest.approx(wanted)


@pytest.mark.parametrize("name", ["resnet18", "osnet_x0_25"])
def test_a_cell_of_a_target_lies_where_its_gradient_does(name):
    torch.manual_seed(0)
    target = create_interpreter(host.build_model(name, num_classes=3), "attrimeter").target
    seen = torch.zeros(target.size)
    for _ in range(4):
        image = torch.randn(1, 3, *target.size, requires_grad=True)
        features = target.body(target.stem(image))
        row, column = features.shape[2] // 2, features.shape[3] // 2
        (gradient,) = torch.autograd.grad(features[0, :, row, column].square().sum(), image)
        seen += gradient[0].square().sum(0) / gradient.square().sum()
    for axis, cell in enumerate((row, column)):
        centre = float((seen.sum(1 - axis) * torch.arange(target.size[axis])).sum() / seen.sum())
        pixels = target.size[axis] / features.shape[2 + axis]
        even = (cell + 0.5) * pixels - 0.5
        assert abs(even + target.offset[axis] * pixels - centre) < min(1.5, abs(even - centre))


def test_maps_are_laid_where_their_cells_lie():
    interpreter = create_interpreter(host.build_model("resnet18", num_classes=3), "attrimeter")
    assert interpreter.offset == interpreter.target.offset == pytest.approx((-15.5 / 32, -15.5 / 32))
    additive = create_interpreter(host.build_model("resnet18", num_classes=3), "additive")
    assert additive.offset == pytest.approx((-1.5 / 8, -1.5 / 8))  # two by two cells of the finest map
    photograph = Image.new("RGB", (128, 256))
    e = Explainer(interpreter).explain(photograph, photograph)
    assert e.offset == interpreter.offset == tuple(e.to_dict(maps=True)["shift"])
    spot = np.zeros((26, 8, 4), dtype=np.float32)
    spot[:, 4, 1] = 1
    moved = replace(e, attention=(spot, spot))
    for found in (
        moved.maps[0][0],
        moved.map(1, "hat"),
        at_size(torch.from_numpy(spot), (256, 128), e.offset)[0],
    ):
        row, column = divmod(int(np.asarray(found).argmax()), 128)
        assert abs(row - 128) <= 1 and abs(column - 32) <= 1
    small = moved.map(0, "hat", (4, 4))
    rows = small.sum(1)  # the middle of the image lies between the second and the third
    assert rows[1] == pytest.approx(rows[2], rel=0.1) and not rows[[0, 3]].any()


@pytest.mark.parametrize("grid", [(8, 6), (32, 24), (5, 9), (16, 12), (3, 4)])
def test_without_a_shift_it_is_what_pytorch_does(grid):
    maps = torch.rand(2, 3, 16, 12)
    slow = functional.adaptive_avg_pool2d(maps, (min(16, grid[0]), min(12, grid[1])))
    slow = functional.interpolate(slow, grid, mode="bilinear", align_corners=False)
    torch.testing.assert_close(resized(maps, grid), slow)


@pytest.mark.parametrize(
    ("cells", "wanted", "offset"), [(4, 16, -0.484), (8, 8, -0.375), (16, 8, 0.25), (1, 4, -0.4)]
)
def test_a_shifted_map_shows_the_truth(cells, wanted, offset):
    """Maps that hold their cells' own positions give the positions of the new grid, inside."""
    position = (torch.arange(cells) + 0.5 + offset) / cells
    rows = position.view(1, 1, -1, 1).expand(1, 1, cells, 2)
    found = resized(rows, (wanted, 2), (offset, 0.0))[0, 0, :, 0]
    coarse = min(cells, wanted)
    truth = (torch.arange(wanted) + 0.5) / wanted
    ends = position.view(coarse, -1).mean(1)
    torch.testing.assert_close(found, truth.clamp(ends[0], ends[-1]))
    columns = rows.transpose(2, 3)
    torch.testing.assert_close(resized(columns, (2, wanted), (0.0, offset))[0, 0, 0], found)


def test_positive_and_constant_maps_stay_so():
    maps = torch.full((1, 1, 8, 4), 0.3)
    torch.testing.assert_close(resized(maps, (32, 9), (-0.4, 0.2)), torch.full((1, 1, 32, 9), 0.3))
    assert (resized(torch.rand(1, 2, 8, 4) + 1e-30, (5, 16), (-0.4, 0.2)) > 0).all()


def test_the_levels_of_a_recogniser_lie_over_each_other():
    """Two maps of where their own cells look, every 2 pixels and every 4, from pixel 0 on.

    The coarse one on the grid of the fine one must say the same, up to its last cell at pixel 12.
    """
    size, fine, coarse = (16, 16), (8, 8), (4, 4)
    with torch.no_grad(), Cells(size) as cells:
        first = convolution(3, 2, 1)(torch.zeros(1, 1, *size))
        convolution(3, 2, 1)(first)
    offsets = [cells.offset(fine), cells.offset(coarse)]
    assert offsets == [pytest.approx((-0.25, -0.25)), pytest.approx((-0.375, -0.375))]
    rows = [2.0 * torch.arange(8), 4.0 * torch.arange(4)]
    for axis in (0, 1):
        shape = (-1, 1) if axis == 0 else (1, -1)
        levels = [r.reshape(shape).expand(n, n)[None, None] for r, n in zip(rows, (8, 4), strict=True)]
        eye = AttributeRecogniser(levels, torch.ones(1, 1, dtype=torch.bool), places=False, offsets=offsets)
        eye.looks, eye.merged, eye.score = nn.ModuleList([nn.Identity()] * 2), nn.Identity(), nn.Identity()
        seen = eye([torch.zeros_like(levels[0]), levels[1]])
        torch.testing.assert_close(seen, levels[0].clamp(max=12))
        assert eye.offset == pytest.approx((-0.25, -0.25))  # its maps have the fine one's cells


def test_a_recognisers_maps_are_of_the_finest_level_coarsened():
    """64 rows are two of the maps' 32 a cell: offsets in cells are half as large there."""
    levels = [torch.zeros(1, 2, 64, 32), torch.zeros(1, 3, 16, 8)]
    same = torch.ones(1, 1, dtype=torch.bool)
    eye = AttributeRecogniser(levels, same, offsets=[(-0.5, 0.25), (-0.25, 0.5)]).eval()
    assert eye.offset == pytest.approx((-0.25, 0.125)) and eye(levels).shape[2:] == (32, 16)
    # the coarse level against the fine one: −0.25 + 0.5 · 16/64 and 0.5 − 0.25 · 8/32
    assert eye.offsets == [pytest.approx((0, 0)), pytest.approx((-0.125, 0.4375))]
