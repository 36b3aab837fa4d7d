"""What else is in the picture: other people, and things that hide a part of the person."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from torchreid_amd.datasets.synthetic.body.cloth import shaded
from torchreid_amd.datasets.synthetic.body.figure import draw_person
from torchreid_amd.datasets.synthetic.body.pose import draw_pose
from torchreid_amd.datasets.synthetic.body.surface import Surfaces, View
from torchreid_amd.datasets.synthetic.people.palette import Array
from torchreid_amd.datasets.synthetic.people.person import passer_by
from torchreid_amd.datasets.synthetic.street.camera import Camera
from torchreid_amd.datasets.synthetic.street.day_scene import bicycle

Mask = npt.NDArray[np.bool_]


def draw_stranger(
    rng: np.random.Generator, camera: Camera, view: View, canvas: tuple[int, int], domain: str = "day"
) -> tuple[Array, Mask, bool] | None:
    """Perhaps another person at the edge of the picture.

    Returns:
        Colours ``(h, w, 3)``, where they are ``(h, w)``, and whether in front; or None.
    """
    u = rng.random(6)
    if u[0] > 0.06:
        return None
    person = passer_by(rng, domain)
    pose = draw_pose(rng, person, 2 * np.pi * u[1])
    front = u[0] < 0.015
    size = 1.06 if front else 0.45 + 0.4 * u[2]
    side = 1 if u[3] < 0.5 else -1
    away = (0.50 + 0.14 * u[4]) if front else (0.15 + 0.45 * u[4])
    tall, wide = canvas
    other = View(
        pose.yaw,
        view.pitch,
        view.scale * size,
        view.x + side * away * wide,
        view.y + (0.03 if front else -0.30 * (1 - size)) * tall,
        view.growth,
        person.traits.stature,
    )
    surfaces = Surfaces(*canvas)
    draw_person(surfaces, person, pose, other)
    picture = np.zeros((*canvas, 3), np.float32)
    shaded(surfaces, person, camera.light, picture)
    return picture, surfaces.part > 0, front


def draw_foreground(rng: np.random.Generator, picture: Array, view: View, dim: float = 1.0) -> Mask:
    """Perhaps a pole, a bicycle, a bollard or leaves before the person, drawn into ``picture``.

    Args:
        rng: decides what.
        picture: ``(h, w, 3)``, changed.
        view: of the person.
        dim: how light things are, 1 by day.

    Returns:
        ``(h, w)`` what they hide.
    """
    tall, wide = picture.shape[:2]
    u = rng.random(8)
    nothing = np.zeros((tall, wide), bool)
    if u[0] > 0.06:
        return nothing
    before = picture.copy()
    tint = dim * (0.5 + 0.5 * float(picture.mean()))
    if u[0] < 0.018:  # a pole
        x, half = wide * (0.12 + 0.76 * u[1]), wide * (0.025 + 0.02 * u[2])
        if abs(x - wide / 2) < wide * 0.12:
            x += wide * 0.2
        columns = np.arange(wide, dtype=np.float32)
        around = (columns - x) / half
        inside = np.abs(around) < 1
        grey = (
            (0.25 + 0.45 * u[3])
            * tint
            * (0.55 + 0.45 * np.sqrt(np.maximum(1 - (around + 0.3) ** 2 / 1.7, 0)))
        )
        picture[:, inside] = grey[inside][None, :, None]
        hidden: Mask = np.zeros((tall, wide), bool)
        hidden[:, inside] = True
        return hidden
    if u[0] < 0.04:  # a bicycle
        r, g, b = (float(k) for k in 0.1 + 0.3 * u[4] + 0.25 * rng.random(3))
        bicycle(
            picture,
            wide * (0.1 + 0.8 * u[1]),
            tall * (0.97 + 0.05 * u[2]),
            wide * (0.6 + 0.25 * u[3]),
            (r, g, b),
            2,
        )
    elif u[0] < 0.052:  # a sign or a box on the ground
        x, w, h = int(wide * (0.7 * u[1])), int(wide * (0.25 + 0.2 * u[2])), int(tall * (0.10 + 0.14 * u[3]))
        colour = (0.22 + 0.25 * u[4] + 0.10 * (rng.random(3) - 0.5)).astype(np.float32) * np.float32(tint)
        fall = np.linspace(1.0, 0.7, h, dtype=np.float32)[:, None, None]
        picture[tall - h :, x : x + w] = colour * fall
        picture[tall - h : tall - h + 4, x : x + w] = colour * np.float32(1.5)
        picture[tall - h + 4 :, x + w - w // 4 : x + w] *= np.float32(0.7)
    else:  # leaves of a hedge
        for _ in range(140):
            leaf = rng.random(4)
            x, y = wide * leaf[0], tall * (1.02 - (0.06 + 0.12 * u[1]) * leaf[1])
            green = np.array([0.20, 0.33, 0.14]) * (0.6 + 0.8 * leaf[2]) * tint
            axes = (int(3 + 7 * leaf[3]), int(2 + 4 * leaf[3]))
            cv2.ellipse(
                picture, (int(x), int(y)), axes, float(360 * leaf[2]), 0, 360, green.tolist(), -1, cv2.LINE_AA
            )
    changed: Mask = (np.abs(picture - before) > 1e-4).any(-1)
    return changed
