"""Convolutions of small maps in bfloat16 on a CPU, whose weights get their gradient by matrix products.

On the last maps of a ResNet (8×4 cells and fewer) the library's own gradient of the weights takes most of
a training step: of 2,048 → 256 channels, 3×3, 4×2 cells, ten times what a product for each place
of the kernel takes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

LARGEST = 64  #: cells of the output; with more of them the library's own way is as quick


class SmallMapConv2d(nn.Conv2d):
    """A convolution as it was made; in bfloat16 on small maps its weights learn by matrix products."""

    def forward(self, input: Tensor) -> Tensor:
        """``(B, C, h, w) -> (B, C', h', w')``."""
        if self._by_products(input):
            half = input.bfloat16(), self.weight.bfloat16()
            out: Tensor = _Convolution.apply(*half, self.stride, self.padding)
            return out if self.bias is None else out + self.bias.bfloat16().view(1, -1, 1, 1)
        return super().forward(input)

    def _by_products(self, input: Tensor) -> bool:
        if input.device.type != "cpu" or not torch.is_grad_enabled() or not self.weight.requires_grad:
            return False
        if not torch.is_autocast_enabled("cpu") or torch.get_autocast_dtype("cpu") != torch.bfloat16:
            return False
        if self.groups > 1 or self.dilation != (1, 1) or self.padding_mode != "zeros":
            return False
        if isinstance(self.padding, str) or input.ndim != 4:
            return False
        sides = zip(input.shape[2:], self.padding, self.kernel_size, self.stride, strict=True)
        rows, columns = ((n + 2 * pad - kernel) // stride + 1 for n, pad, kernel, stride in sides)
        return 0 < rows * columns <= LARGEST


def by_products(module: nn.Module) -> None:
    """Let the convolutions of a module learn so where it is quicker; in place, weights stay as they are."""
    for part in module.modules():
        if type(part) is nn.Conv2d:
            part.__class__ = SmallMapConv2d


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: Any, padding: Any) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.how = stride, padding
        return functional.conv2d(x, weight, None, stride, padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (x, weight), (stride, padding) = gradients, ctx.saved_tensors, ctx.how
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = torch.ops.aten.convolution_backward(
                *(gradient, x, weight, None, stride, padding, (1, 1), False, (0, 0), 1), (True, False, False)
            )[0]
        if ctx.needs_input_grad[1]:
            of_weight = _of_weight(gradient, x, weight.shape[2:], stride, padding)
        return of_x, of_weight, None, None


def _of_weight(gradient: Tensor, x: Tensor, kernel: Any, stride: Any, padding: Any) -> Tensor:
    """(C', C, k, k): for each place of the kernel, the output's gradient times what it saw there."""
    rows, columns = gradient.shape[2:]
    seen = functional.pad(x, (padding[1], padding[1], padding[0], padding[0])).permute(0, 2, 3, 1)
    given = gradient.permute(1, 0, 2, 3).flatten(1)  # (C', B·h'·w')
    found = gradient.new_empty(len(given), *kernel, x.shape[1])
    for down in range(kernel[0]):
        for right in range(kernel[1]):
            here = seen[:, down :: stride[0], right :: stride[1]][:, :rows, :columns]
            found[:, down, right] = given @ here.flatten(0, 2)
    return found.permute(0, 3, 1, 2)
