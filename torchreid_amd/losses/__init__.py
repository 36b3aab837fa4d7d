"""The two losses of attribute-guided metric distillation; one file a loss."""

from torchreid_amd.core.registry import list_losses, register_loss
from torchreid_amd.losses.attribute_prior import AttributePriorLoss, attribute_prior
from torchreid_amd.losses.metric_distillation import MetricDistillationLoss, metric_distillation
from torchreid_amd.losses.pairs import batch_pairs, pair_mean

__all__ = [
    "AttributePriorLoss",
    "MetricDistillationLoss",
    "attribute_prior",
    "batch_pairs",
    "list_losses",
    "metric_distillation",
    "pair_mean",
    "register_loss",
]
