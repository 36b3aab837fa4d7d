"""Target + head -> decomposition of an embedding and of a distance.

Chen et al., ICCV 2021, section 3: e_k(x) = T(A_k(x) ⊙ F(x)), d_k = ‖e_k(x_i) − e_k(x_j)‖,
p_k = d_k / Σ_l d_l.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.distances import get_distance
from torchreid_amd.errors import InputError, unknown_name
from torchreid_amd.heads import heads
from torchreid_amd.registry import attribute_sets
from torchreid_amd.targets import Target, build_target
from torchreid_amd.targets.tail import principal

FORMS = ("mean", "sum")


@dataclass(frozen=True)
class Decomposition:
    """What the interpreter says of B images.

    Attributes:
        embedding: the target's own embedding (B, D).
        maps: attribute-guided attention maps (B, M, h, w).
        components: attribute components of the embedding (B, M, D).
    """

    embedding: Tensor
    maps: Tensor
    components: Tensor

    def __len__(self) -> int:
        return len(self.embedding)

    def __getitem__(self, index: Any) -> Decomposition:
        """Some of the images; an integer keeps the batch dimension."""
        if isinstance(index, int):
            index = [index]
        return Decomposition(self.embedding[index], self.maps[index], self.components[index])

    def to(self, device: torch.device | str) -> Decomposition:
        """The same on another device."""
        return Decomposition(*(t.to(device) for t in (self.embedding, self.maps, self.components)))

    def detach(self) -> Decomposition:
        """The same without gradients."""
        return Decomposition(*(t.detach() for t in (self.embedding, self.maps, self.components)))

    def normalized(self) -> Decomposition:
        """Embedding at unit length, components scaled alike (torchreid's ``normalize_feature``)."""
        norm = self.embedding.norm(dim=1, keepdim=True).clamp_min(1e-12)
        return Decomposition(self.embedding / norm, self.maps, self.components / norm.unsqueeze(2))

    @staticmethod
    def cat(parts: Sequence[Decomposition]) -> Decomposition:
        """Several batches as one."""
        return Decomposition(
            torch.cat([p.embedding for p in parts]),
            torch.cat([p.maps for p in parts]),
            torch.cat([p.components for p in parts]),
        )


@dataclass(frozen=True)
class Comparison:
    """What the distance between two images is made of, for B pairs.

    Attributes:
        metric: ``euclidean``, ``squared_euclidean`` or ``cosine``.
        distance: the target's own distance (B,).
        contributions: each attribute's part of the distance (B, M), in units of the distance.
        shares: contributions divided by their sum (B, M); uniform where the sum is 0.
        residual: distance minus the sum of the contributions (B,).
    """

    metric: str
    distance: Tensor
    contributions: Tensor
    shares: Tensor
    residual: Tensor


def shares_of(contributions: Tensor) -> Tensor:
    """p_k = c_k / Σ c_l over the last dimension; uniform where nothing contributes."""
    total = contributions.sum(-1, keepdim=True)
    uniform = torch.full_like(contributions, 1 / contributions.shape[-1])
    return torch.where(total.abs() > 1e-12, contributions / torch.where(total == 0, 1.0, total), uniform)


class Interpreter(nn.Module):
    """A frozen target with a head that explains it.

    Args:
        target: the target.
        head: maps ``(early, features) -> (B, M, h, w)``.
        attributes: the M attributes the maps stand for.
        metric: which distance is decomposed; see :mod:`torchreid_amd.distances`.
        form: ``'mean'``: d ≈ (1/M) Σ d_k, as the authors train; ``'sum'``: d ≈ Σ d_k, as the
            paper writes. They differ by the factor M in a contribution; shares are the same.
    """

    head_name: str = ""
    head_options: dict[str, Any] = {}

    def __init__(
        self,
        target: Target,
        head: nn.Module,
        attributes: AttributeSchema,
        metric: str = "euclidean",
        form: str = "mean",
    ) -> None:
        super().__init__()
        get_distance(metric)
        if form not in FORMS:
            raise unknown_name("form", form, FORMS)
        self.target = target
        self.head = head
        self.attributes = attributes
        self.metric = metric
        self.form = form

    def forward(self, images: Tensor) -> Decomposition:
        """Decompose the embeddings of a batch of images (B, 3, H, W).

        The embedding is the tail on the target's own feature map: the target's own to 1e-5.
        Gradients reach the head alone.
        """
        early, features = self.target.features(images)
        maps = self.head(early, features)
        with torch.no_grad():
            embedding = self.target.tail(features)
        return Decomposition(embedding, maps, self.target.tail.components(maps, features))

    def compare(self, a: Decomposition, b: Decomposition, metric: str | None = None) -> Comparison:
        """Explain the distance of row i of ``a`` from row i of ``b``; a single row is broadcast.

        Args:
            a: B decompositions, or one.
            b: B decompositions, or one.
            metric: another metric than the interpreter's own.

        Raises:
            InputError: the numbers of rows do not match, or the metric is unknown.
        """
        if len(a) != len(b) and 1 not in (len(a), len(b)):
            raise InputError(
                f"compare takes as many images on both sides (or one on one side), not {len(a)} and {len(b)}"
            )
        distance = get_distance(metric or self.metric)
        whole = distance.between(a.embedding, b.embedding)
        contributions = self.contributions(distance.between(a.components, b.components))
        return Comparison(
            distance.name, whole, contributions, shares_of(contributions), whole - contributions.sum(-1)
        )

    def contributions(self, component_distances: Tensor) -> Tensor:
        """d_k (…, M) -> contributions (…, M), whose sum approximates the distance."""
        return component_distances / len(self.attributes) if self.form == "mean" else component_distances


def create_interpreter(
    target: nn.Module | str,
    head: str = "amd",
    attributes: str | AttributeSchema = "market1501",
    metric: str = "euclidean",
    form: str = "mean",
    *,
    name: str = "",
    **head_options: Any,
) -> Interpreter:
    """Graft an interpreter on a ReID model.

    Args:
        target: a :class:`~torchreid_amd.targets.Target`, any torchreid model (it is cut by name, or
            automatically), or the name of one. It is frozen in place.
        head: a registered head: ``'amd'`` or ``'attrimeter'``.
        attributes: a registered attribute set, or a schema.
        metric: ``'euclidean'`` (plain, as in the paper), ``'squared_euclidean'``, ``'cosine'``.
        form: ``'mean'`` or ``'sum'``.
        name: the name the model was built by, where it cannot be told from the model.
        **head_options: passed to the head, e.g. ``init='fresh'`` for ``'amd'``.

    Raises:
        InputError: an unknown name, or a model that cannot be cut.
    """
    schema = attribute_sets[attributes]() if isinstance(attributes, str) else attributes
    cut = build_target(target, name=name)
    make = heads[head]
    try:
        grafted = make(cut, len(schema), feature_channels(cut), **head_options)
    except TypeError as error:
        raise InputError(f"head {head!r} does not take these options: {error}") from None
    interpreter = Interpreter(cut, grafted, schema, metric, form)
    interpreter.head_name, interpreter.head_options = head, dict(head_options)
    device = next((p.device for p in cut.parameters()), torch.device("cpu"))
    return interpreter.to(device).eval()


def feature_channels(target: Target) -> int:
    """C of the target's principal feature map."""
    device = next((p.device for p in target.parameters()), torch.device("cpu"))
    return principal(target.features(torch.zeros(1, 3, *target.size, device=device))[1]).shape[1]
