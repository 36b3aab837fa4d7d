"""What the functions that draw one person share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from torchreid_amd.datasets.synthetic.body.pose import Pose
from torchreid_amd.datasets.synthetic.body.surface import Array, Surfaces, View
from torchreid_amd.datasets.synthetic.people.person import Person


@dataclass(frozen=True)
class Frame:
    """What the drawing functions share.

    Attributes:
        person: who.
        pose: how.
        view: from where.
        surfaces: what is drawn into.
        joints: metres, the person's frame.
        points: joints projected: column, row, depth, pixels per metre.
    """

    person: Person
    pose: Pose
    view: View
    surfaces: Surfaces
    joints: dict[str, Array]
    points: dict[str, Array]

    def section(self, heights: npt.ArrayLike, forward: npt.ArrayLike = 0.0) -> Array:
        """Centres ``(n, 3)`` of body sections at heights given as shares of the stature."""
        y = np.asarray(heights, float) * self.person.traits.stature
        lean = np.tan(self.pose.lean) * np.maximum(y - 0.5 * self.person.traits.stature, 0) * 0.8
        low = self.joints["ground"][1]
        return np.stack([np.zeros_like(y), y - low, lean + np.asarray(forward, float)], 1)

    def at(self, *points: Array) -> Array:
        """Project points ``(3,)`` given in the person's frame."""
        return self.view.project(np.stack(points))
