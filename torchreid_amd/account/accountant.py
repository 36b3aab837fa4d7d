"""From two photographs to the account of their distance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from torchreid_amd.account.account import Account
from torchreid_amd.account.division import Pair, rows_of
from torchreid_amd.account.segmentation import divide
from torchreid_amd.account.shapley import Estimate, shapley_values
from torchreid_amd.account.swapping import Pixels, Player, Regions, Swaps, players_of
from torchreid_amd.attributes.parts import CARRIED, PARTS
from torchreid_amd.attributes.schema import Labels
from torchreid_amd.core.images import to_pixels
from torchreid_amd.interpreter.decomposer import Decomposer
from torchreid_amd.interpreter.distances import Distance, get_distance
from torchreid_amd.interpreter.maps import Floats

CHUNK = 256  #: pictures that are made before they are embedded


class Accountant:
    """Accounts of the pairs that an interpreter, or a target alone, looks at.

    Args:
        decomposer: the interpreter and its input; of one without attributes the parts alone are used.
    """

    def __init__(self, decomposer: Decomposer) -> None:
        self.decomposer = decomposer
        self.schema = decomposer.interpreter.attributes
        #: positions of attributes that say whether something is carried
        self.bags = [k for k, a in enumerate(self.schema.attributes) if self.schema.parts.get(a) == CARRIED]

    def regions(self, image: Image.Image, labels: Labels | None = None) -> Regions:
        """Which part each pixel shows.

        Args:
            image: a photograph.
            labels: of the person (M,), where anything is known: of a person known to carry none of the
                schema's bags nothing is taken for carried.

        Returns:
            (H, W) at the target's size, positions in PARTS.
        """
        known = set() if labels is None else {int(labels[k]) for k in self.bags}
        return divide(to_pixels(image, self.decomposer.size), empty_handed=known == {0})

    def account(
        self,
        images: tuple[Image.Image, Image.Image],
        regions: tuple[Regions, Regions],
        distance: float,
        contributions: Floats,
        labels: Pair | None = None,
    ) -> Account:
        """The account of one pair.

        Args:
            images: A and B.
            regions: of A and B, see :meth:`regions`.
            distance: the target's, as it is explained.
            contributions: of the head (M,), in units of the distance.
            labels: of A and B (M,) each, where anything is known.

        Raises:
            InputError: the target's embedding of a picture with swapped parts is not finite.
        """
        pixels = [to_pixels(image, self.decomposer.size) for image in images]
        metric = self.decomposer.interpreter.metric
        players = players_of(PARTS)
        found = account_values(
            self.decomposer.embed_pixels, get_distance(metric), (pixels[0], pixels[1]), regions, players
        ).values
        whole = float(found.sum())
        scale = distance / whole if whole else 0.0  # 1 but for the rounding of another batch
        values = {player.part: float(v) * scale for player, v in zip(players, found, strict=True)}
        rows = rows_of(values, distance, self.schema, contributions, labels)
        return Account(distance, metric, rows, regions)


def account_values(
    embed: Callable[[Pixels], Tensor],
    distance: Distance,
    photographs: tuple[Pixels, Pixels],
    regions: tuple[Regions, Regions],
    players: Sequence[Player],
    seed: int = 0,
) -> Estimate:
    """What each player adds to the distance of A and B.

    The worth of some players is by how much the distance drops when A has them of B; and the same
    the other way round, of which the mean is taken. Nobody is worth 0, all of them the distance.

    Args:
        embed: (N, H, W, 3) RGB -> (N, D).
        distance: which.
        photographs: A and B, (H, W, 3) RGB, as the target takes them.
        regions: (H, W) which part each pixel shows, as of :func:`~torchreid_amd.account.segmentation.divide`.
        players: who is swapped.
        seed: of the orders that are drawn for more than seven players.

    Returns:
        n values that add up to the distance, and their standard errors.
    """
    swaps = Swaps(*photographs, *regions, players)

    def worths(coalitions: list[int]) -> NDArray[np.float64]:
        wanted = [0, *coalitions]
        sides = [[swaps.key(side, c) for c in wanted] for side in (0, 1)]
        asked = {swaps.key(side, c): (side, c) for side in (0, 1) for c in wanted}
        pictures = list(asked.values())
        chunks = (pictures[i : i + CHUNK] for i in range(0, len(pictures), CHUNK))
        found = torch.cat([embed(np.stack([swaps.picture(*one) for one in chunk])) for chunk in chunks])
        position = {key: n for n, key in enumerate(asked)}
        of_a, of_b = (found[[position[key] for key in side]] for side in sides)
        whole = distance.between(of_a[0], of_b[0])
        left = (distance.between(of_a[1:], of_b[0]) + distance.between(of_b[1:], of_a[0])) / 2
        drops: NDArray[np.float64] = (whole - left).double().cpu().numpy()
        return drops

    return shapley_values(len(players), worths, seed=seed)
