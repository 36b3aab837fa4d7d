"""The loss over the pairs of a batch, by which most heads are taught."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from torchreid_amd.attributes.schema import AttributeSchema
from torchreid_amd.config import distillation_kwargs, prior_kwargs
from torchreid_amd.core.registry import losses
from torchreid_amd.core.whole_batch import whole_batch
from torchreid_amd.interpreter.contributions import shares_of
from torchreid_amd.interpreter.distances import get_distance
from torchreid_amd.losses import batch_pairs


class PairLoss:
    """Metric distillation and the attribute prior, as a configuration has them.

    Args:
        config: torchreid's tree with the ``amd`` node.
        attributes: of the interpreter.
        metric: which distance is decomposed.
    """

    def __init__(self, config: Any, attributes: AttributeSchema, metric: str) -> None:
        groups = attributes.group_indices() if config.amd.loss.prior.colour else None
        self.distance = get_distance(metric)
        self.distillation = losses["metric_distillation"](**distillation_kwargs(config))
        self.prior = losses["attribute_prior"](groups, **prior_kwargs(config))

    def __call__(
        self, embedding: Tensor, components: Tensor, labels: Tensor, iteration: int
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss over all pairs of a batch, self-pairs left out; of several processes, over those of all.

        Args:
            embedding: (B, D).
            components: (B, M, D).
            labels: (B, M) of 1 yes, 0 no, −1 unknown.
            iteration: how many steps have begun, from 1.

        Returns:
            The loss, and the mean of each of its terms by name.
        """
        embedding, components, labels = map(whole_batch, (embedding, components, labels))
        i, j = batch_pairs(len(embedding), labels.device)
        whole = self.distance.matrix(embedding, embedding)[i, j]
        components = components.transpose(0, 1)
        parts = self.distance.matrix(components, components)[:, i, j].T  # (P, M)
        distilled = self.distillation(whole, parts)
        prior = self.prior(shares_of(parts), labels[i], labels[j])
        loss = self.distillation.total(distilled) + self.prior.total(prior, iteration)
        means = self.distillation.means(distilled) | self.prior.means(prior)
        return loss, {"loss": loss.item()} | {name: value.item() for name, value in means.items()}
