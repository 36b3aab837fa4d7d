"""Which pixels show the upper body, the lower body, the head, what is carried, and the rest.

A small network says it that has seen nothing but rendered pedestrians, see
:mod:`~torchreid_amd.account.part_network`: no photograph of a real person, and no label of one. What is known
of a person's bags is used: of somebody who carries none nothing is taken for carried.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from torchreid_amd.account.part_network import odds_of_parts
from torchreid_amd.attributes.parts import CARRIED, PARTS

_NEVER = -1e9  #: log-odds

Pixels = NDArray[np.uint8]


def divide(pixels: Pixels, empty_handed: bool = False) -> NDArray[np.int8]:
    """The parts of one photograph.

    Args:
        pixels: (H, W, 3) RGB.
        empty_handed: whether the person is known to carry nothing.

    Returns:
        (H, W) positions in :data:`~torchreid_amd.attributes.parts.PARTS`; the same for the same pixels.
    """
    odds = odds_of_parts(pixels)
    if empty_handed:
        odds[..., PARTS.index(CARRIED)] = _NEVER
    size = pixels.shape[1], pixels.shape[0]
    whole = cv2.resize(odds, size, interpolation=cv2.INTER_LINEAR)
    return whole.reshape(size[1], size[0], -1).argmax(2).astype(np.int8)
