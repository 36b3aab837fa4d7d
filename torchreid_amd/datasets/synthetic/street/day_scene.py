"""What stands behind people by day: one street scene for each camera."""

from __future__ import annotations

import cv2
import numpy as np

from torchreid_amd.datasets.synthetic.people.palette import Array
from torchreid_amd.datasets.synthetic.street.scenery import HEIGHT, WIDTH, Painter, Rgb, Scenery


def bicycle(s: Array, x: float, y: float, size: float, colour: Rgb, thick: int = 2) -> None:
    """A bicycle seen from the side whose wheels stand on row ``y``."""
    r = int(size * 0.33)
    a, b = (int(x - size * 0.52), int(y - r)), (int(x + size * 0.52), int(y - r))
    dark = (0.10, 0.10, 0.11)
    for centre in (a, b):
        cv2.circle(s, centre, r, dark, thick + 1, cv2.LINE_AA)
        cv2.circle(s, centre, r - 2, (0.45, 0.45, 0.45), 1, cv2.LINE_AA)
        for k in range(8):
            tip = (int(centre[0] + r * np.cos(k * 0.785)), int(centre[1] + r * np.sin(k * 0.785)))
            cv2.line(s, centre, tip, (0.35, 0.35, 0.36), 1, cv2.LINE_AA)
    crank = (int(x - size * 0.05), int(y - r * 0.8))
    seat, head = (int(x - size * 0.2), int(y - r * 2.2)), (int(x + size * 0.38), int(y - r * 2.2))
    for p, q in ((a, crank), (crank, seat), (a, seat), (seat, head), (crank, head), (head, b)):
        cv2.line(s, p, q, colour, thick + 1, cv2.LINE_AA)
    cv2.line(
        s, (seat[0] - r // 3, seat[1] - 4), (seat[0] + r // 3, seat[1] - 4), dark, thick + 3, cv2.LINE_AA
    )
    cv2.line(s, head, (head[0] + r // 4, head[1] - r // 2), dark, thick + 1, cv2.LINE_AA)


def _plaza(s: Scenery) -> None:
    s.fill(0, s.horizon, (0.66, 0.70, 0.70))
    s.leaves(0, s.horizon, (0.25, 0.33, 0.20), 9, 0.62)
    s.leaves(s.horizon - 46, s.horizon, (0.20, 0.27, 0.16), 7)
    for k in range(6):  # tents
        x, w = int(k * 250 + s.rng.integers(0, 120)), int(s.rng.integers(90, 150))
        colour = np.array(
            ((0.62, 0.20, 0.18), (0.20, 0.30, 0.52), (0.80, 0.79, 0.76), (0.72, 0.58, 0.28))[k % 4]
        )
        s.box(x + 8, s.horizon - 40, w - 16, 48, (0.36, 0.34, 0.32), -0.5)
        for leg in (x + 6, x + w - 9):
            s.box(leg, s.horizon - 42, 3, 54, (0.7, 0.7, 0.7))
        roof = np.array([[x, s.horizon - 36], [x + w // 2, s.horizon - 76], [x + w, s.horizon - 36]])
        cv2.fillPoly(s.picture, [roof], colour.tolist(), cv2.LINE_AA)
        cv2.fillPoly(
            s.picture, [roof[[1, 2, 2]] - [[0, 0], [0, 0], [w // 3, 0]]], (colour * 0.8).tolist(), cv2.LINE_AA
        )
        s.box(x, s.horizon - 36, w, 9, tuple(colour * 0.75))
    s.ground((0.66, 0.64, 0.60), 0.05, 0.03)
    s.tiles(40, 0.16)
    s.patches_of_shade(10, 0.30)


def _lawn(s: Scenery) -> None:
    s.leaves(0, s.horizon, (0.20, 0.29, 0.14), 8)
    for x in range(40, WIDTH, 190):  # trunks
        s.box(
            x + int(s.rng.integers(60)), 0, int(s.rng.integers(7, 15)), s.horizon + 6, (0.24, 0.20, 0.16), 0.3
        )
    s.ground((0.36, 0.43, 0.23), 0.10, 0.10)
    blades = s.noise(HEIGHT // 3, WIDTH // 2)
    s.picture[s.horizon :] *= (1 + 0.10 * blades[..., None])[s.horizon :]
    edge = s.horizon + 150 + (s.noise(1, 9)[0] * 10).astype(int)
    row = np.arange(HEIGHT)[:, None]
    path = row > edge[None]
    worn = (
        1
        + 0.05 * s.noise(50, 150)[..., None]
        + 0.04 * s.rng.normal(size=(HEIGHT, WIDTH, 1)).astype(np.float32)
    )
    stone = np.array([0.58, 0.55, 0.51], np.float32) * worn
    s.picture[path] = stone[path]
    s.picture[np.abs(row - edge[None]) < 3] = (0.66, 0.64, 0.60)
    s.patches_of_shade(14, 0.32)


def _wall(s: Scenery) -> None:
    s.fill(0, s.horizon, (0.50, 0.36, 0.30), 0.05)
    for y in range(0, s.horizon, 9):
        s.picture[y : y + 1] *= 0.78
        for x in range((y // 9 % 2) * 11, WIDTH, 22):
            s.picture[y : y + 9, x : x + 1] *= 0.80
    for x in range(60, WIDTH, 260):
        s.box(x, 20, 90, s.horizon - 60, (0.28, 0.33, 0.38), -0.3)
        s.box(x + 43, 20, 4, s.horizon - 60, (0.75, 0.75, 0.74))
        if s.rng.random() < 0.5:
            s.box(x + 140, s.horizon - 150, 60, 150, (0.22, 0.24, 0.24), 0.2)
    for step in range(3):
        s.box(0, s.horizon - 12 + 12 * step, WIDTH, 12, (0.52 + 0.05 * step,) * 3, 0.25)
    s.horizon += 24
    s.ground((0.52, 0.53, 0.55), 0.04)
    s.tiles(56, 0.14)


def _road(s: Scenery) -> None:
    s.fill(0, s.horizon, (0.72, 0.71, 0.68))
    for x in range(0, WIDTH, 130):
        s.box(x, 0, 125, s.horizon - 14, tuple(np.array([0.6, 0.58, 0.54]) * s.rng.uniform(0.7, 1.2)), 0.1)
        for y in range(8, s.horizon - 30, 34):
            for k in range(3):
                s.box(x + 12 + 38 * k, y, 22, 20, (0.25, 0.30, 0.35))
    s.ground((0.40, 0.40, 0.41), 0.05, 0.05)
    s.box(0, s.horizon, WIDTH, 26, (0.62, 0.60, 0.58), 0.1)
    worn = s.noise(70, 230)
    for k in range(-4, 14):
        x = k * 150
        bar = np.array([[x, s.horizon + 60], [x + 26, s.horizon + 60], [x + 70, HEIGHT], [x + 20, HEIGHT]])
        mask = cv2.fillPoly(np.zeros((HEIGHT, WIDTH), np.float32), [bar], 1.0, cv2.LINE_AA)
        mask *= np.clip(0.85 + 0.16 * worn, 0.1, 1)
        s.picture += (0.74 - s.picture) * mask[..., None]
    for _ in range(9):
        bicycle(s.picture, s.rng.uniform(0, WIDTH), s.horizon + s.rng.uniform(26, 60), s.rng.uniform(60, 80),
                tuple(0.15 + 0.3 * s.rng.random() + s.rng.uniform(-0.1, 0.2, 3)), 2)  # fmt: skip
    s.patches_of_shade(4, 0.35)


def _arcade(s: Scenery) -> None:
    s.fill(0, s.horizon, (0.36, 0.33, 0.30), 0.05)
    for x in range(20, WIDTH, 210):
        s.box(x + 60, 30, 110, s.horizon - 30, (0.20, 0.19, 0.19), -0.4)
        for k in range(3):
            s.box(
                x + 68 + 34 * k,
                46,
                26,
                70,
                tuple(0.25 + 0.25 * s.rng.random() + s.rng.uniform(-0.12, 0.16, 3)),
                0.3,
            )
        s.box(x, 0, 44, s.horizon + 22, (0.62, 0.58, 0.50), 0.25)
        s.box(x, 0, 8, s.horizon + 22, (0.50, 0.46, 0.40), 0.25)
    ground = s.picture[s.horizon :].copy()
    s.ground((0.46, 0.42, 0.38), 0.03)
    s.tiles(30, 0.10)
    lit = np.abs(ground).sum(-1) > 0
    s.picture[s.horizon :][lit] = ground[lit]


def _terrace(s: Scenery) -> None:
    s.fill(0, s.horizon, (0.58, 0.60, 0.62))
    s.leaves(0, s.horizon, (0.30, 0.37, 0.26), 8, 0.8)
    s.ground((0.58, 0.55, 0.53), 0.06, 0.03)
    s.tiles(26, 0.12)
    for k in range(4):
        y = s.horizon + 26 + k * (40 + 26 * k)
        s.picture[y : y + 10 + 4 * k] *= np.array([0.88, 0.74, 0.70], np.float32)
    for _ in range(6):
        x, y = int(s.rng.integers(WIDTH)), int(s.rng.integers(s.horizon + 10, s.horizon + 120))
        s.box(x, y - 24, 70, 7, (0.40, 0.30, 0.22))
        s.box(x + 6, y - 18, 5, 20, (0.25, 0.25, 0.25))
        s.box(x + 58, y - 18, 5, 20, (0.25, 0.25, 0.25))
    s.patches_of_shade(6, 0.25)


#: scene: painter, horizon row, blur of what is far, people far away
DAY_PLACES: dict[str, tuple[Painter, int, float, int]] = {
    "plaza": (_plaza, 150, 2.2, 9),
    "lawn": (_lawn, 110, 2.2, 4),
    "wall": (_wall, 230, 1.8, 2),
    "road": (_road, 140, 2.0, 5),
    "arcade": (_arcade, 210, 2.0, 4),
    "terrace": (_terrace, 40, 2.0, 6),
}
