"""An interpreter applied to photographs: in eval mode, without gradients, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.images import read_image, to_tensor
from torchreid_amd.interpreter.decomposition import Comparison, Decomposition
from torchreid_amd.interpreter.interpreter import Interpreter


class Decomposer:
    """Photographs in, decompositions out; the interpreter gets its mode back afterwards.

    Args:
        interpreter: a trained interpreter; it computes where its weights are.
        size: (H, W) of the target's input in pixels.
        norm_mean: channel means of torchreid's normalisation.
        norm_std: channel standard deviations of it.
    """

    def __init__(
        self,
        interpreter: Interpreter,
        size: tuple[int, int],
        norm_mean: Sequence[float],
        norm_std: Sequence[float],
    ) -> None:
        self.interpreter = interpreter
        self.size, self.norm_mean, self.norm_std = size, norm_mean, norm_std

    def embed(self, images: Sequence[Image.Image], names: Sequence[str]) -> Tensor:
        """The target's own embeddings (B, D) of one batch.

        Raises:
            InputError: an embedding is not finite; it says of which name.
        """
        with self._computing():
            embedding: Tensor = self.interpreter.target(self._batch(images))
        _check_finite(embedding, names)
        return embedding

    def decompose(
        self, images: Sequence[Image.Image], names: Sequence[str], batch_size: int
    ) -> Decomposition:
        """Decompositions of all the images, ``batch_size`` a forward pass.

        Raises:
            InputError: an embedding or a component is not finite; it says of which name.
        """
        starts = range(0, len(images), batch_size)
        with self._computing():
            parts = [self.interpreter(self._batch(images[i : i + batch_size])) for i in starts]
            whole = Decomposition.cat(parts)
        _check_finite(whole.embedding, names)
        _check_finite(whole.components, names)
        return whole

    def compare(self, a: Decomposition, b: Decomposition) -> Comparison:
        """Row i of ``a`` against row i of ``b``, on the CPU."""
        with self._computing():
            pairs = self.interpreter.compare(a, b)
        tensors = (pairs.distance, pairs.contributions, pairs.shares, pairs.remainder, pairs.residual)
        return Comparison(pairs.metric, *(t.float().cpu() for t in tensors))

    def _batch(self, images: Sequence[Image.Image]) -> Tensor:
        """(B, 3, H, W), where and in the precision in which the interpreter computes."""
        weight = next((p for p in self.interpreter.parameters() if p.is_floating_point()), torch.zeros(()))
        tensors = [to_tensor(i, self.size, self.norm_mean, self.norm_std) for i in images]
        return torch.stack(tensors).to(weight.device, weight.dtype)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        modes = [(module, module.training) for module in self.interpreter.modules()]
        self.interpreter.eval()
        try:
            with torch.inference_mode():
                yield
        finally:
            for module, training in modes:
                module.training = training


def _check_finite(values: Tensor, names: Sequence[str]) -> None:
    wrong = torch.nonzero(~torch.isfinite(values.flatten(1)).all(1)).flatten().tolist()
    if wrong:
        raise InputError(
            f"the model's embedding of {names[wrong[0]]!r} is not finite; "
            "check the weights of the target and of the interpreter"
        )


BATCH = 32  #: larger ones are slower on a CPU


@dataclass(frozen=True)
class Eye:
    """How the interpreter sees photographs.

    Attributes:
        interpreter: in eval mode.
        size: (H, W) of its input.
        mean: of the input normalisation.
        std: of it.
    """

    interpreter: Interpreter
    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def device(self) -> torch.device:
        """Where the interpreter is."""
        return next(self.interpreter.target.parameters()).device

    def of(self, interpreter: Interpreter) -> Eye:
        """The same for another interpreter."""
        return Eye(interpreter, self.size, self.mean, self.std)

    def read(self, images: Sequence[str | Image.Image | NDArray[np.uint8]]) -> Tensor:
        """(N, 3, H, W) of files, images or arrays."""
        tensors = [to_tensor(read_image(image), self.size, self.mean, self.std) for image in images]
        return torch.stack(tensors).to(self.device)

    @torch.no_grad()
    def decompose(self, images: Tensor) -> Decomposition:
        """Decompositions of (N, 3, H, W), in batches."""
        return Decomposition.cat([self.interpreter(part) for part in images.split(BATCH)])

    @torch.no_grad()
    def embed(self, images: Tensor) -> Tensor:
        """The target's embeddings (N, D) of (N, 3, H, W), in batches."""
        target = self.interpreter.target
        return torch.cat([target.tail(target.features(part)[1]) for part in images.split(BATCH)])

    def embed_files(self, paths: Sequence[str]) -> Tensor:
        """The target's embeddings (N, D) of files."""
        starts = range(0, len(paths), BATCH)
        return torch.cat([self.embed(self.read(paths[i : i + BATCH])).cpu() for i in starts])
