"""True accounts of a sample of pairs, and the accounts that are given for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from torchreid_amd.account.account import Account
from torchreid_amd.account.accountant import Accountant
from torchreid_amd.account.division import entries_of
from torchreid_amd.account.swapping import Regions
from torchreid_amd.attributes.parts import PARTS, REST
from torchreid_amd.attributes.schema import AttributeSchema, Labels
from torchreid_amd.core.images import read_image, to_pixels
from torchreid_amd.core.processes import share, together
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.evaluation.baselines.class_activation import distance_activations
from torchreid_amd.evaluation.counterfactual.true_account import Entry, TrueAccounts
from torchreid_amd.evaluation.data.testbed import Testbed
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.distances import get_distance
from torchreid_amd.interpreter.maps import Floats, at_size
from torchreid_amd.targets.weights import fingerprint

Shares = dict[Entry, float]


@dataclass(frozen=True)
class PairAccount:
    """One pair with its true account and those that are given.

    Attributes:
        identity: of the query.
        true: shares by part and attribute.
        given: the same of each way to account; by part alone where a way knows no attributes.
    """

    identity: int
    true: Shares
    given: Mapping[str, Shares]


def account_pairs(testbed: Testbed, count: int) -> list[PairAccount]:
    """A sample of pairs of different persons, accounted for in every way; by all processes together."""
    decomposer = testbed.decomposer
    interpreter = decomposer.interpreter
    distance = get_distance(interpreter.metric)
    pairs = share(testbed.pairs(count, 0))
    truths = TrueAccounts(
        Path(testbed.query.paths[0]).absolute().parents[2],
        fingerprint(interpreter.target.model),
        distance,
        _at_size(decomposer),
        testbed.seed,
    )
    found = []
    for i, j in progress(pairs, "accounting for pairs"):
        paths = testbed.query.paths[i], testbed.gallery.paths[j]
        labels = testbed.query.labels[i], testbed.gallery.labels[j]
        true = truths.of(*paths).by_entry()
        found.append(PairAccount(int(testbed.query.pids[i]), true, _given(decomposer, paths, labels)))
    truths.keep()
    return [pair for part in together(found) for pair in part]


def _at_size(decomposer: Decomposer) -> Callable[[NDArray[np.uint8]], Tensor]:
    """Embeddings of rendered pictures of any size."""

    def embed(pictures: NDArray[np.uint8]) -> Tensor:
        if pictures.shape[1:3] != decomposer.size:
            pictures = np.stack([to_pixels(Image.fromarray(p), decomposer.size) for p in pictures])
        return decomposer.embed_pixels(pictures)

    return embed


def _given(
    decomposer: Decomposer, paths: tuple[str, str], labels: tuple[Labels, Labels]
) -> dict[str, Shares]:
    interpreter = decomposer.interpreter
    images = (read_image(paths[0]), read_image(paths[1]))
    tensors = decomposer.read(images)
    both = decomposer.decompose(tensors, paths)
    pair = decomposer.compare(both[0], both[1])
    distance, contributions = float(pair.distance), pair.contributions[0].double().numpy()
    accountant = Accountant(decomposer)

    def account(known: tuple[Labels, Labels] | None) -> Account:
        first, second = (accountant.regions(*one) for one in zip(images, known or (None, None), strict=True))
        return accountant.account(images, (first, second), distance, contributions, known)

    found = {"account": account(None), "account, labels known": account(labels)}
    regions = found["account"].regions
    given = {name: {(row.part, row.what): row.share for row in a.rows} for name, a in found.items()}
    given["contributions"] = _of_head(interpreter.attributes, contributions, distance)
    given["area"] = _proportional([np.stack(regions) == k for k in range(len(PARTS))])
    given["occlusion"] = _occluded(decomposer, images, regions, distance)
    apart = get_distance(interpreter.metric)
    layer = distance_activations(interpreter.target, tensors[:1], tensors[1:], apart)["LayerCAM"]
    size, offset = decomposer.size, interpreter.target.offset
    fine = np.stack([at_size(m[None], size, offset)[0].cpu().numpy() for m in layer])
    given["LayerCAM"] = _proportional([fine * (np.stack(regions) == k) for k in range(len(PARTS))])
    return given


def _of_head(schema: AttributeSchema, contributions: Floats, distance: float) -> Shares:
    """The head's own contributions; what belongs to no attribute is the rest of the picture."""
    whole = distance or 1.0
    found = {
        (entry.part, entry.name): float(contributions[list(entry.members)].sum()) / whole
        for entry in entries_of(schema)
    }
    return found | {(REST, ""): 1 - sum(found.values())}


def _occluded(
    decomposer: Decomposer,
    images: tuple[Image.Image, Image.Image],
    regions: tuple[Regions, Regions],
    distance: float,
) -> Shares:
    """By how much the distance drops when a part is grey on both photographs; rises count as nothing."""
    grey = (255 * np.array(decomposer.norm_mean)).round().astype(np.uint8)
    pixels = [to_pixels(image, decomposer.size) for image in images]
    hidden = [
        np.stack([np.where((r == k)[..., None], grey, p) for k in range(len(PARTS))])
        for p, r in zip(pixels, regions, strict=True)
    ]
    left = get_distance(decomposer.interpreter.metric).between(
        decomposer.embed_pixels(hidden[0]), decomposer.embed_pixels(hidden[1])
    )
    return _proportional([np.array(max(distance - float(d), 0.0)) for d in left])


def _proportional(weights: Sequence[NDArray[Any]]) -> Shares:
    """Shares in proportion to a sum for each part; even ones where there is nothing."""
    sums = np.array([float(w.sum()) for w in weights])
    shares = sums / sums.sum() if sums.sum() > 0 else np.full(len(sums), 1 / len(sums))
    return {(part, ""): float(share) for part, share in zip(PARTS, shares, strict=True)}
