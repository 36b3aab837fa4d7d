"""Which pixels show the upper body, the lower body, the head, what is carried, and the rest.

People stand upright in their boxes, so each part has its usual place; within it, pixels of a part look
alike. Both together are a mixture of Gaussians over colour and place, a few for each part, whose
prior at each pixel is the usual place: expectation and maximisation find the parts of one photograph
without any training. After Rother et al., *GrabCut*, SIGGRAPH 2004 (colour models of foreground and
background, refined in turn), with more than two classes and places instead of a user's box.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from torchreid_amd.attributes.parts import CARRIED, HEAD, LOWER, PARTS, UPPER

GRID = (128, 64)  #: (h, w) at which a photograph is divided, whatever its size
COMPONENTS = (3, 3, 2, 2, 5)  #: Gaussians of each part, in the order of PARTS
ROUNDS = 6  #: of expectation and maximisation
LEAST = 0.01  #: share of a place that any part may have
_COLOUR = (25.0, 12.0, 12.0)  #: spread of lightness and of the two colours of CIELAB
_PLACE = (1.2, 0.6)  #: how many such spreads the height and the width of a photograph count for
SEEN = 16.0  #: by how much more often something is carried where an interpreter sees it
_NEVER = 1e-6
_RIDGE = 0.15  #: least variance of a Gaussian
_SMOOTH, _PULL = 2.0, 4.0  #: radius in pixels, and how strongly pixels follow their neighbours

#: per cent of the pixels of a cell that show a part: left half of a grid of 16 × 8 cells, the other half
#: is its mirror image; the mean of 360 rendered photographs (identities of seed 11)
_USUAL = {
    "upper body": (
        "0 0 0 0  0 0 0 0  0 1 7 24  0 15 56 79  1 28 73 85  2 28 70 87  2 28 69 86  3 24 45 52 "
        "1 10 11 5  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0 0"
    ),
    "lower body": (
        "0 0 0 0  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0 0  0 0 4 7  0 2 28 43 "
        "0 6 54 88  0 7 57 87  0 8 50 72  1 12 48 61  4 17 41 50  8 20 39 46  5 15 31 31  0 1 2 2"
    ),
    "head": (
        "0 0 5 36  0 0 16 78  0 0 8 47  0 0 1 4  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0 0 "
        "0 0 0 0  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0 0"
    ),
    "carried": (
        "0 0 0 0  0 0 0 0  0 0 2 3  0 5 10 13  1 7 11 14  1 7 10 12  2 7 9 7  3 8 7 4 "
        "1 4 4 3  1 2 2 1  1 2 2 1  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0 0  0 0 0 0"
    ),
}

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]


def divide(pixels: Pixels, carried: NDArray[np.floating] | None = None) -> NDArray[np.int8]:
    """The parts of one photograph.

    Args:
        pixels: (H, W, 3) RGB.
        carried: (h, w) of 0 … 1, of any size: where an interpreter sees something carried. Without it
            nothing is taken for carried, since the look of a bag is nobody's.

    Returns:
        (H, W) positions in :data:`~torchreid_amd.attributes.parts.PARTS`; the same for the same pixels.
    """
    parts = [k for k, name in enumerate(PARTS) if name != CARRIED or carried is not None]
    chances = _mixture(_features(pixels), _prior(carried), [COMPONENTS[k] for k in parts])
    size = pixels.shape[1], pixels.shape[0]
    whole = cv2.resize(chances.reshape(*GRID, -1).astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return np.array(parts, np.int8)[whole.reshape(size[1], size[0], -1).argmax(2)]


def usual_places(part: str) -> Floats:
    """(h, w) of :data:`GRID`: how often a pixel shows a part, 0 … 1."""
    half = np.array(_USUAL[part].split(), np.float32).reshape(-1, 4) / 100
    cells = np.concatenate([half, half[:, ::-1]], 1)
    fine: Floats = cv2.resize(cells, GRID[::-1], interpolation=cv2.INTER_LINEAR).astype(np.float64)
    return fine


def _prior(carried: NDArray[np.floating] | None) -> Floats:
    """(N, K) chances of each part at each pixel before its colour is looked at."""
    found = [usual_places(part) for part in (UPPER, LOWER, HEAD)]
    found.append(1 - np.sum(found, 0))
    found = [chance.clip(LEAST) for chance in found]
    if carried is not None:  # nothing is carried where nothing is seen
        seen = cv2.resize(carried.astype(np.float32), GRID[::-1], interpolation=cv2.INTER_LINEAR)
        found.insert(3, (usual_places(CARRIED) * SEEN * seen).clip(_NEVER, 1))
    chances = np.stack(found, 2).reshape(GRID[0] * GRID[1], -1)
    return chances / chances.sum(1, keepdims=True)


def _features(pixels: Pixels) -> Floats:
    """(N, 5): lightness, two colours, height and width of each pixel, each in spreads."""
    height, width = GRID
    shrinks = pixels.shape[0] > height or pixels.shape[1] > width
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    fitted = cv2.resize(pixels, (width, height), interpolation=way)
    colour = cv2.cvtColor(cv2.GaussianBlur(fitted, (0, 0), 0.8), cv2.COLOR_RGB2LAB).reshape(-1, 3) / _COLOUR
    rows, columns = np.mgrid[:height, :width].reshape(2, -1)
    places = np.stack([rows / height * _PLACE[0], columns / width * _PLACE[1]], 1)
    return np.concatenate([colour, places], 1) - np.concatenate([colour.mean(0), places.mean(0)])


def _mixture(features: Floats, prior: Floats, components: Sequence[int]) -> Floats:
    """(N, K): chances of each part, from Gaussians of which part k has ``components[k]``."""
    count, size = features.shape
    squares = (features[:, :, None] * features[:, None, :]).reshape(count, -1)
    part = np.repeat(np.arange(len(components)), components)
    weights = _beginning(features, prior, part)
    chances = prior
    for _ in range(ROUNDS):
        total = weights.sum(0) + 1e-6
        mean = weights.T @ features / total[:, None]
        spread = (weights.T @ squares / total[:, None]).reshape(-1, size, size)
        spread += _RIDGE * np.eye(size) - mean[:, :, None] * mean[:, None, :]
        root = np.linalg.inv(np.linalg.cholesky(spread))
        off = features @ root.transpose(0, 2, 1) - (root @ mean[:, :, None]).transpose(0, 2, 1)
        share = total / np.bincount(part, total)[part]
        level = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(1) + np.log(share)
        each = (level[:, None] - 0.5 * np.square(off).sum(2)).T  # (N, Gaussians)
        of_part = np.stack([np.logaddexp.reduce(each[:, part == k], axis=1) for k in np.unique(part)], 1)
        odds = np.log(prior) + of_part
        near = cv2.GaussianBlur(_softmax(odds).reshape(*GRID, -1), (0, 0), _SMOOTH).reshape(count, -1)
        chances = _softmax(odds + _PULL * near)
        weights = np.exp(each - of_part[:, part]) * chances[:, part]
    return chances


def _beginning(features: Floats, prior: Floats, part: NDArray[np.intp]) -> Floats:
    """(N, Gaussians): pixels shared out among the Gaussians of each part by the nearest of a few centres.

    The centres of a part are its mean and then, one after the other, what lies farthest from those
    that are there, near its usual place.
    """
    weights = np.zeros((len(features), len(part)))
    for k in np.unique(part):
        own = np.flatnonzero(part == k)
        likely = prior[:, k] ** 2
        centres = [likely @ features / likely.sum()]
        far = np.square(features - centres[0]).sum(1)
        for _ in own[1:]:
            centres.append(features[(likely * far).argmax()])
            far = np.minimum(far, np.square(features - centres[-1]).sum(1))
        apart = np.stack([np.square(features - centre).sum(1) for centre in centres], 1)
        weights[np.arange(len(features)), own[apart.argmin(1)]] = prior[:, k]
    return weights


def _softmax(odds: Floats) -> Floats:
    chances = np.exp(odds - odds.max(1, keepdims=True))
    shares: Floats = chances / chances.sum(1, keepdims=True)
    return shares
