"""Whether a target was trained on some people: how it does on them says nothing of how it does on others."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from torchreid_amd.targets.classifier import is_named_classifier

KNOWS = 0.9  #: share of photographs above which a classifier is taken to have been trained on these people


def share_classified(model: nn.Module, embedding: Tensor, people: Tensor) -> float | None:
    """How many photographs the model's own identity classifier gives to the class of their person.

    Which class is whose is not known: it is the assignment, each class to one person at most, that is
    best for the model (Kuhn, *The Hungarian method for the assignment problem*, 1955). Somebody it has
    never seen is scattered over many classes.

    Args:
        model: the target's model.
        embedding: (N, D).
        people: (N,) identities.

    Returns:
        0 … 1; None where the model has no linear classifier on its embeddings.
    """
    layers = [
        m
        for name, m in model.named_modules()
        if isinstance(m, nn.Linear) and is_named_classifier(name) and m.in_features == embedding.shape[1]
    ]
    if not layers:
        return None
    with torch.no_grad():
        layer = layers[-1]
        classes = layer(embedding.to(layer.weight)).argmax(1).cpu().numpy()
    persons = np.unique(people.numpy(), return_inverse=True)[1]
    count = np.zeros((persons.max() + 1, layers[-1].out_features))
    np.add.at(count, (persons, classes), 1)
    return float(count[linear_sum_assignment(-count)].sum() / len(persons))
