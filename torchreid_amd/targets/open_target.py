"""A target whose later layers learn: the same model, with some of its layers open to gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn
from torch.utils import _pytree as tree

from torchreid_amd.core.errors import InputError
from torchreid_amd.targets.target import Target


class OpenTarget(Target):
    """A target of which chosen layers can be opened, and closed again.

    Its modules are the target's own, so what it learns the target has learnt. It is made closed.

    Args:
        target: frozen.
        layers: names of the model's layers, as torchreid's ``open_layers`` (a dot leads into a layer:
            ``layer4.2``); those that are not part of the stem where empty.
        weight: of the gradients that come back from a head; 0: it teaches the target nothing.

    Raises:
        InputError: the model has no layer of a name, or nothing in them can learn.
    """

    def __init__(self, target: Target, layers: Sequence[str] = (), weight: float = 1.0) -> None:
        model, (stem, body, tail) = target.model, (target.stem, target.body, target.tail)
        super().__init__(
            stem,
            body,
            tail,
            model=model,
            name=target.name,
            trunk=target.trunk,
            size=target.size,
            fixed_size=target.fixed_size,
            cut_point=target.cut_point,
        )
        self.weight = weight
        self.layers = tuple(layers) or _behind(model, stem)
        known = dict(model.named_modules())
        for name in self.layers:
            if not name or name not in known:
                shown = ", ".join(child for child, _ in model.named_children())
                raise InputError(
                    f"amd.finetuning.layers names {name!r}, which {target.name or 'the model'} does not "
                    f"have; its layers are {shown}"
                )
        self._open = tuple(known[name] for name in self.layers)
        if not any(True for _ in self.learning()):
            raise InputError(
                f"there is nothing to learn in {', '.join(self.layers) or 'the layers behind the stem'} of "
                f"{target.name or 'the model'}; choose other amd.finetuning.layers"
            )

    def learning(self) -> Iterator[nn.Parameter]:
        """The parameters of the chosen layers, each once."""
        found = {id(p): p for layer in self._open for p in layer.parameters()}
        yield from found.values()

    def open(self) -> None:
        """Let the chosen layers learn: gradients, batch statistics, dropout; the others stay frozen."""
        for layer in self._open:
            layer.requires_grad_(True).train()

    def close(self) -> None:
        """Freeze all of it."""
        self.model.requires_grad_(False).eval()

    def outputs(self, images: Tensor) -> Any:
        """What the model gives in training: torchreid's logits, or (logits, embeddings)."""
        self.model.training = True  # of the model alone, which decides by it; its layers stay as they are
        try:
            return self.model(images)
        finally:
            self.model.training = False

    def features(self, images: Tensor) -> tuple[Any, Any]:
        """As the target's, with gradients times the weight."""
        early = self.stem(images)
        return self._heard((early, self.body(early)))

    def levels(self, images: Tensor) -> tuple[tuple[Tensor, ...], Any]:
        """As the target's, with gradients times the weight."""
        return self._heard(self._levels(images))

    def levels_and_embedding(self, images: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """As the target's, with gradients times the weight."""
        maps, features = self._levels(images)
        return self._heard((maps, self.tail(features)))

    def _heard(self, values: Any) -> Any:
        return tree.tree_map_only(Tensor, lambda v: v.detach() + self.weight * (v - v.detach()), values)


def _behind(model: nn.Module, stem: nn.Module) -> tuple[str, ...]:
    """The model's layers of which no parameter is the stem's; pooling and the like are none."""
    shared = {id(p) for p in stem.parameters()}
    return tuple(
        name
        for name, child in model.named_children()
        if (own := {id(p) for p in child.parameters()}) and not own & shared
    )
