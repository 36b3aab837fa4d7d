"""From photographs to decompositions: in eval mode, without gradients, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.images import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    ImageLike,
    pixels_to_tensor,
    read_image,
    to_tensor,
)
from torchreid_amd.core.processes import share
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.core.whole_batch import rows_of_all
from torchreid_amd.interpreter.decomposition import Comparison, Decomposition
from torchreid_amd.interpreter.interpreter import Interpreter
from torchreid_amd.targets.tracing import precision_of

BATCH = 32  #: images a forward pass; more are slower on a CPU


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
        norm_mean: Sequence[float] = IMAGENET_MEAN,
        norm_std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        self.interpreter = interpreter
        self.size, self.norm_mean, self.norm_std = size, tuple(norm_mean), tuple(norm_std)

    @property
    def device(self) -> torch.device:
        """Where the interpreter computes."""
        return self.interpreter.device

    def of(self, interpreter: Interpreter) -> Decomposer:
        """The same for another interpreter."""
        return Decomposer(interpreter, self.size, self.norm_mean, self.norm_std)

    def read(self, photographs: Sequence[ImageLike]) -> Tensor:
        """Files, images or arrays as the target's input (N, 3, H, W), where the interpreter computes.

        Raises:
            InputError: one of them cannot be read.
        """
        given = [read_image(photograph) for photograph in photographs]
        return self._input(
            torch.stack([to_tensor(i, self.size, self.norm_mean, self.norm_std) for i in given])
        )

    def embed(self, images: Tensor, names: Sequence[str] = (), batch_size: int = BATCH) -> Tensor:
        """The target's own embeddings (N, D).

        Args:
            images: (N, 3, H, W), normalised.
            names: of the images; where they are given, an embedding that is not finite is an error.
            batch_size: images a forward pass.

        Raises:
            InputError: an embedding is not finite; it says of which name.
        """
        with self._computing():
            batches = progress(images.split(batch_size), "embedding pictures", len(images), batch_size)
            parts = [self.interpreter.target(self._input(part)) for part in batches]
        embedding = torch.cat(parts)
        _check_finite(embedding, names)
        return embedding

    def embed_pixels(self, pixels: NDArray[np.uint8]) -> Tensor:
        """The target's own embeddings (N, D) of pictures (N, H, W, 3) that have its size, on the CPU.

        Raises:
            InputError: an embedding is not finite.
        """
        names = ["a picture with swapped parts"] * len(pixels)
        return self.embed(pixels_to_tensor(pixels, self.norm_mean, self.norm_std), names).float().cpu()

    def embed_files(self, paths: Sequence[str]) -> Tensor:
        """The target's own embeddings (N, D) of files, on the CPU; a batch of them is held at a time.

        Several processes embed some of the batches each.
        """
        mine = share(range(0, len(paths), BATCH))
        starts = progress(mine, "embedding photographs", len(mine) * BATCH, BATCH)
        return rows_of_all([self.embed(self.read(paths[i : i + BATCH])).cpu() for i in starts])

    def decompose(self, images: Tensor, names: Sequence[str] = (), batch_size: int = BATCH) -> Decomposition:
        """Decompositions of N images; arguments as those of :meth:`embed`.

        Raises:
            InputError: an embedding or a component is not finite; it says of which name.
        """
        with self._computing():
            whole = Decomposition.cat([self.interpreter(self._input(p)) for p in images.split(batch_size)])
        _check_finite(whole.embedding, names)
        _check_finite(whole.components, names)
        return whole

    def compare(self, a: Decomposition, b: Decomposition) -> Comparison:
        """Row i of ``a`` against row i of ``b``, on the CPU."""
        with self._computing():
            pairs = self.interpreter.compare(a, b)
        tensors = (pairs.distance, pairs.contributions, pairs.shares, pairs.remainder, pairs.residual)
        return Comparison(pairs.metric, *(t.float().cpu() for t in tensors))

    def _input(self, images: Tensor) -> Tensor:
        """Images where and in the precision in which the interpreter computes."""
        return images.to(self.device, precision_of(self.interpreter))

    @contextmanager
    def _computing(self) -> Iterator[None]:
        modes = [(module, module.training) for module in self.interpreter.modules()]
        self.interpreter.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            for module, training in modes:
                module.training = training


def _check_finite(values: Tensor, names: Sequence[str]) -> None:
    if not names:
        return
    wrong = torch.nonzero(~torch.isfinite(values.flatten(1)).all(1)).flatten().tolist()
    if wrong:
        raise InputError(
            f"the model's embedding of {names[wrong[0]]!r} is not finite; "
            "check the weights of the target and of the interpreter"
        )
