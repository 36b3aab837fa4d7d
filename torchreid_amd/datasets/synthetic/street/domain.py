"""The cameras and scenes of a domain: the one place that asks whether it is night."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from torchreid_amd.datasets.synthetic.options import stream
from torchreid_amd.datasets.synthetic.people.palette import Array
from torchreid_amd.datasets.synthetic.street.camera import CAMERAS, NEUTRAL, Camera
from torchreid_amd.datasets.synthetic.street.day_scene import DAY_PLACES
from torchreid_amd.datasets.synthetic.street.night_camera import NIGHT_CAMERAS
from torchreid_amd.datasets.synthetic.street.night_scene import NIGHT_PLACES
from torchreid_amd.datasets.synthetic.street.scenery import HEIGHT, WIDTH, Scenery


def camera_of(number: int, domain: str = "day") -> Camera:
    """The camera of a domain with this number."""
    if domain == "night":
        return NIGHT_CAMERAS[number - 1] if number else NEUTRAL
    return CAMERAS[number - 1] if number else NEUTRAL


@lru_cache(maxsize=12)
def scene(place: str, seed: int, domain: str = "day") -> Array:
    """The scene ``(HEIGHT, WIDTH, 3)`` of a place, 1 is white; the same for the same seed."""
    if place == "grey":
        return np.full((HEIGHT, WIDTH, 3), 0.5, np.float32)
    places = NIGHT_PLACES if domain == "night" else DAY_PLACES
    paint, horizon, blur, count = places[place]
    s = Scenery(stream(seed, "scene-" + place), horizon)
    paint(s)
    s.passers_by(count, domain=domain)
    s.soften(blur)
    return s.picture
