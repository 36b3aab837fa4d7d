"""One side of an evaluation out of stored features, without a photograph being opened."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from torchreid_amd.evaluation.data.decomposed_images import DecomposedImages
from torchreid_amd.evaluation.data.labelled_images import LabelledImages
from torchreid_amd.gallery.store import Store
from torchreid_amd.gallery.stored_seen import places_of
from torchreid_amd.interpreter.factored import Factored


def stored_images(
    stores: Sequence[Store], photographs: LabelledImages, normalize: bool = False
) -> DecomposedImages:
    """Photographs with their stored embeddings and components.

    Args:
        stores: files that together have all of them, with components.
        photographs: N photographs with what is known of them.
        normalize: embeddings at unit length, components scaled alike.

    Raises:
        InputError: a photograph is in none of the stores.
    """
    rows = places_of(stores, photographs.paths)
    embedding = torch.from_numpy(np.stack([store.embedding[row] for store, row in rows]))
    components: Tensor | Factored
    if all("strengths" in store for store in stores):
        strengths = np.stack([store.strengths[row] for store, row in rows])
        components = Factored(torch.from_numpy(strengths), torch.from_numpy(stores[0].directions))
    else:
        arrays = {id(store): store.components for store in stores}
        components = torch.from_numpy(np.stack([arrays[id(store)][row] for store, row in rows]))
    if normalize:
        norm = embedding.norm(dim=1, keepdim=True).clamp_min(1e-12)
        embedding = embedding / norm
        components = (
            components / norm if isinstance(components, Factored) else (components / norm.unsqueeze(2)).half()
        )
    return DecomposedImages(
        embedding,
        components,
        torch.from_numpy(photographs.pids),
        torch.from_numpy(photographs.camids),
        torch.from_numpy(photographs.labels),
    )
