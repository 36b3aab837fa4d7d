"""Target + head -> decomposition of an embedding and of a distance.

Chen et al., ICCV 2021, section 3: e_k(x) = T(A_k(x) ⊙ F(x)), d_k = ‖e_k(x_i) − e_k(x_j)‖,
p_k = d_k / Σ_l d_l.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.attributes.sets import schema_named
from torchreid_amd.config.tree import DEFAULT_HEAD
from torchreid_amd.core.errors import InputError
from torchreid_amd.heads import heads
from torchreid_amd.heads.directions import Directions
from torchreid_amd.interpreter.contributions import check_form, contributions_between, shares_of
from torchreid_amd.interpreter.decomposition import Comparison, Decomposition
from torchreid_amd.interpreter.distances import get_distance
from torchreid_amd.targets import Target
from torchreid_amd.targets.build import build_target
from torchreid_amd.targets.precision import single
from torchreid_amd.targets.tail import principal
from torchreid_amd.targets.tracing import device_of


class Interpreter(nn.Module):
    """A frozen target with a head that explains it.

    Args:
        target: the target.
        head: maps ``(early, features) -> (B, M, h, w)``, or a method ``decompose`` that gives
            embeddings, maps and components, as :class:`~torchreid_amd.heads.additive.AdditiveHead` has it;
            and, where a component is a strength times a direction, strengths (B, M) as well, its
            ``directions`` being :class:`~torchreid_amd.heads.directions.Directions`.
        attributes: the M attributes the maps stand for.
        metric: which distance is decomposed; see :mod:`torchreid_amd.interpreter.distances`.
        form: ``'mean'``: d ≈ (1/M) Σ d_k, as the authors train; ``'sum'``: d ≈ Σ d_k, as the
            paper writes; ``'additive'``: exact, with a remainder, see
            :mod:`torchreid_amd.interpreter.contributions`. The head's own where it is empty.

    Example:
        >>> import torch, torchreid_amd as amd
        >>> interpreter = amd.create_interpreter("osnet_x0_25", head="amd")
        >>> with torch.no_grad():
        ...     out = interpreter(torch.rand(2, 3, 64, 32))
        >>> out.embedding.shape, out.maps.shape, out.components.shape  # (B, D), (B, M, h, w), (B, M, D)
        (torch.Size([2, 512]), torch.Size([2, 26, 4, 2]), torch.Size([2, 26, 512]))
    """

    head: Any
    head_name: str = ""
    head_options: dict[str, Any] = {}

    def __init__(
        self,
        target: Target,
        head: nn.Module,
        attributes: AttributeSchema,
        metric: str = "euclidean",
        form: str = "",
    ) -> None:
        super().__init__()
        get_distance(metric)
        form = check_form(form or str(getattr(head, "form", "mean")))
        self.target = target
        self.head = head
        self.attributes = schema_named(attributes)
        self.metric = metric
        self.form = form

    def forward(self, images: Tensor) -> Decomposition:
        """Decompose the embeddings of a batch of images (B, 3, H, W).

        The embedding is the tail on the target's own feature map: the target's own to 1e-5.
        Gradients reach the head alone. Under autocast, embedding and components are in single precision.
        """
        if hasattr(self.head, "decompose"):
            return Decomposition(*self.head.decompose(self.target, images))
        early, features = self.target.features(images)
        maps = self.head(early, features)
        kind = self.device.type
        if torch.is_autocast_enabled(kind):
            maps, features = single((maps, features))
        with torch.autocast(kind, enabled=False):
            with torch.no_grad():
                embedding = self.target.tail(features)
            return Decomposition(embedding, maps, self.target.tail.components(maps, features))

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return device_of(self)

    @property
    def directions(self) -> Tensor | None:
        """(M, D) where components are strengths times directions, see :class:`Decomposition`; else None."""
        own = getattr(self.head, "directions", None)
        return own() if isinstance(own, Directions) else None

    @property
    def offset(self) -> tuple[float, float]:
        """By how much of a cell its maps lie lower and further right than if spread evenly over the image.

        Those of the target's principal feature map, unless the head has an ``offset`` of its own; see
        :mod:`torchreid_amd.targets.receptive_fields`.
        """
        own: tuple[float, float] | None = getattr(self.head, "offset", None)
        return self.target.offset if own is None else own

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
        contributions, remainder = contributions_between(
            distance, self.form, (a.embedding, a.components), (b.embedding, b.components)
        )
        return Comparison(
            distance.name,
            whole,
            contributions,
            shares_of(contributions),
            remainder,
            whole - contributions.sum(-1) - remainder,
        )


def create_interpreter(
    target: nn.Module | str,
    head: str = DEFAULT_HEAD,
    attributes: str | AttributeSchema | Sequence[str] = "market1501",
    metric: str = "euclidean",
    form: str = "",
    *,
    name: str = "",
    **head_options: Any,
) -> Interpreter:
    """Graft an interpreter on a ReID model.

    Args:
        target: a :class:`~torchreid_amd.targets.Target`, any torchreid model (it is cut by name, or
            automatically), or the name of one. It is frozen in place.
        head: a registered head: ``'additive'``, or the paper's ``'amd'`` and ``'attrimeter'``.
        attributes: a registered attribute set, a schema, or the names of the attributes.
        metric: ``'euclidean'`` (plain, as in the paper), ``'squared_euclidean'``, ``'cosine'``.
        form: ``'mean'``, ``'sum'`` or ``'additive'``; the head's own where it is empty.
        name: the name the model was built by, where it cannot be told from the model.
        **head_options: passed to the head, e.g. ``init='fresh'`` for ``'amd'``.

    Raises:
        InputError: an unknown name, or a model that cannot be cut.

    Example:
        >>> import torchreid_amd as amd
        >>> from torchreid import models
        >>> target = models.build_model("osnet_x0_25", num_classes=751, pretrained=False)
        >>> interpreter = amd.create_interpreter(target, head="amd", attributes="dukemtmcreid")
        >>> len(interpreter.attributes), interpreter.head_name, interpreter.form
        (23, 'amd', 'mean')
    """
    schema = schema_named(attributes)
    cut = build_target(target, name=name)
    make = heads[head]
    if hasattr(make, "cut_target"):
        cut = make.cut_target(cut, **head_options)
    wanted = inspect.signature(make).parameters
    given = {"groups": schema.group_indices()} if "groups" in wanted else {}
    try:
        grafted = make(cut, len(schema), feature_channels(cut), **(given | head_options))
    except TypeError as error:
        raise InputError(f"head {head!r} does not take these options: {error}") from None
    interpreter = Interpreter(cut, grafted, schema, metric, form)
    interpreter.head_name, interpreter.head_options = head, dict(head_options)
    return interpreter.to(cut.device).eval()


def feature_channels(target: Target) -> int:
    """C of the target's principal feature map."""
    return principal(target.features(torch.zeros(1, 3, *target.size, device=target.device))[1]).shape[1]
