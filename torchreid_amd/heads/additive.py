"""An exact interpreter: what attributes are seen, times what they do to the embedding.

Attribute k's component of an embedding is f_k = s_k w_k: how surely the person has it (s_k, read
off the target's own feature maps by :class:`~torchreid_amd.heads.recogniser.AttributeRecogniser`,
with a map of where, and off the embedding by a ridge regression) times the direction in which it
moves embeddings (w_k, :class:`~torchreid_amd.heads.directions.Directions`). The remainder
f_0 = e − Σ_k f_k is what no attribute accounts for. Squared Euclidean distance and cosine being
bilinear, contributions and remainder add up to the target's distance exactly, for every target.

After Kim et al., *Interpretability Beyond Feature Attribution: TCAV*, ICML 2018,
https://arxiv.org/abs/1711.11279 (directions of concepts) and Zhou et al., *Interpretable Basis
Decomposition for Visual Explanation*, ECCV 2018 (an embedding as a sum of them).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from torchreid_amd.core.errors import InputError
from torchreid_amd.core.registry import register_head
from torchreid_amd.core.whole_batch import whole_batch
from torchreid_amd.heads.directions import Directions
from torchreid_amd.heads.recogniser import AttributeRecogniser, recognised
from torchreid_amd.targets.precision import single
from torchreid_amd.targets.receptive_fields import Cells
from torchreid_amd.targets.target import Target

_RAREST = 20.0  #: a "yes" never weighs more than the square root of this
_READ = 0.001, 0.999  #: bounds of the probabilities that are read off an embedding
_SHRINKAGE = 2.0  #: on the squared weights of the readout, for features of variance 1


@register_head(name="additive")
class AdditiveHead(nn.Module):
    """Recognised attributes times their directions in the target's embedding.

    Its maps are probabilities: where the attribute is seen.

    Args:
        target: the frozen target.
        num_attributes: M.
        channels: C of the target's principal feature map.
        width: channels inside the network that recognises attributes.
        sharpness: factor of the log-odds before a strength s_k = sigmoid is taken of them.
        penalty: of the ridge regression, see :class:`~torchreid_amd.heads.directions.Directions`.
        levels: how many of the target's maps the eye sees, the coarsest of them; 0 for all.
        places: whether places where an attribute is usually seen are favoured.
        readout: weight of the log-odds that the embedding itself shows beside those of the eye.
        groups: positions of attributes that exclude each other; the strengths of a group come from
            one softmax over its attributes and "none of them".

    Raises:
        InputError: ``levels`` or ``readout`` is negative, or ``penalty`` not above 0.
    """

    form = "additive"  #: of the decomposition: contributions are inner products
    reads = ("levels", "embedding")  #: what it needs of the frozen target

    def __init__(
        self,
        target: Target,
        num_attributes: int,
        channels: int,
        width: int = 64,
        sharpness: float = 3.0,
        penalty: float = 0.06,
        levels: int = 0,
        places: bool = True,
        readout: float = 0.5,
        groups: Sequence[Sequence[int]] = (),
    ) -> None:
        super().__init__()
        if levels < 0 or readout < 0 or penalty <= 0:
            raise InputError(
                f"head 'additive' was given levels={levels}, readout={readout}, penalty={penalty}; "
                "expected levels >= 0, readout >= 0 and penalty > 0"
            )
        with Cells(target.size) as cells:
            maps, features = target.levels(torch.zeros(2, 3, *target.size, device=target.device))
        with torch.no_grad():
            embedding = target.tail(features).shape[1]
        self.sharpness, self.levels, self.weight = sharpness, levels, readout
        same = torch.eye(num_attributes, dtype=torch.bool)
        for group in groups:
            same[list(group)] |= torch.isin(torch.arange(num_attributes), torch.tensor(list(group)))
        offsets = [cells.offset(m.shape[2:]) for m in maps[-levels:]]
        self.eye = AttributeRecogniser(maps[-levels:], same, width, places, offsets)
        self.directions = Directions(num_attributes, embedding, penalty)
        self.scaled = nn.BatchNorm1d(embedding, affine=False)
        self.readout = nn.Linear(embedding, num_attributes)
        nn.init.zeros_(self.readout.weight)

    @property
    def offset(self) -> tuple[float, float]:
        """By how much of a cell its maps lie lower and further right than if spread evenly."""
        return self.eye.offset

    def decompose(self, target: Target, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What the interpreter says of B images.

        Args:
            target: the frozen target.
            images: (B, 3, H, W).

        Returns:
            The target's embeddings (B, D), maps (B, M, h, w) in (0, 1], components (B, M, D), and how
            surely people have the attributes, (B, M), see :meth:`strengths`.
        """
        embedding, scores = self._seen(target, images)
        with torch.autocast(embedding.device.type, enabled=False):
            maps = torch.sigmoid(scores).clamp_min(torch.finfo(scores.dtype).tiny)
            strengths = self.strengths(recognised(scores), embedding)
            components = strengths.unsqueeze(2) * self.directions()
        return embedding, maps, components.to(embedding.dtype), strengths

    def recognise(self, target: Target, images: Tensor) -> Tensor:
        """How surely B people have the attributes: (B, M), see :meth:`strengths`.

        Args:
            target: the frozen target.
            images: (B, 3, H, W).
        """
        embedding, scores = self._seen(target, images)
        with torch.autocast(embedding.device.type, enabled=False):
            return self.strengths(recognised(scores), embedding)

    def _seen(self, target: Target, images: Tensor) -> tuple[Tensor, Tensor]:
        levels, embedding = target.levels_and_embedding(images)
        scores = self.eye(levels[-self.levels :])
        return embedding, single(scores) if torch.is_autocast_enabled(embedding.device.type) else scores

    def strengths(self, odds: Tensor, embedding: Tensor) -> Tensor:
        """How surely B people have the attributes.

        Args:
            odds: (B, M) log-odds of what the eye sees.
            embedding: (B, D).

        Returns:
            (B, M) in [0, 1]; those of a group add up to at most 1.
        """
        read = self.readout(self.scaled(embedding.to(odds.dtype))).clamp(*_READ).logit()
        odds = self.sharpness * (odds + self.weight * read)
        others = odds.unsqueeze(1).masked_fill(~self.eye.same, -torch.inf).logsumexp(2)
        return (odds - functional.softplus(others)).exp()

    def loss(self, target: Target, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """What eye and readout miss of the labels; the directions take note of the batch.

        Several processes look at the rows of all of them.

        Args:
            target: the frozen target.
            images: (B, 3, H, W).
            labels: (B, M) 1 yes, 0 no, −1 unknown.
        """
        levels, embedding = target.levels_and_embedding(images)
        scores = single(self.eye(levels[-self.levels :]))
        with torch.autocast(embedding.device.type, enabled=False):
            read = self.readout(self.scaled(embedding.float()))
            scores, read, embedding, labels = map(whole_batch, (scores, read, embedding, labels))
            self.directions.update(labels, embedding)
            return self._missed(scores, read, labels)

    @torch.no_grad()
    def relearn(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Learn the directions anew, where embeddings or labels are others than those it was taught with.

        Args:
            batches: labels (B, M), 1 yes, 0 no, −1 unknown, or probabilities; embeddings (B, D).
        """
        self.directions.forget()
        for labels, embeddings in batches:
            self.directions.update(labels, embeddings)

    def _missed(self, scores: Tensor, read: Tensor, labels: Tensor) -> dict[str, Tensor]:
        rates = self.directions.rates.float()
        rare = ((1 - rates) / rates.clamp_min(1e-3)).clamp(1, _RAREST).sqrt()
        truth, known = labels.clamp_min(0).float(), labels >= 0
        self.eye.remember(scores, truth)
        each = functional.binary_cross_entropy_with_logits(
            recognised(scores), truth, pos_weight=rare, reduction="none"
        )
        missed = (read - truth).square()
        shrunk = self.readout.weight.square().sum() / labels.shape[1]
        count = known.sum().clamp_min(1)
        return {
            "recognition": (each * known).sum() / count,
            "readout": (missed * known).sum() / count + _SHRINKAGE * shrunk,
        }
