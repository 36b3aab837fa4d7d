"""What stands behind people by night: lit windows, wet ground, an underpass, a park at dusk."""

from __future__ import annotations

import cv2
import numpy as np

from torchreid_amd.datasets.synthetic.street.scenery import HEIGHT, WIDTH, Painter, Rgb, Scenery

_WINDOWS: tuple[Rgb, ...] = ((0.95, 0.80, 0.50), (0.90, 0.90, 0.82), (0.60, 0.75, 0.95), (0.85, 0.45, 0.55))


def _windows(
    s: Scenery, top: int, bottom: int, size: tuple[int, int], step: tuple[int, int], lit: float
) -> None:
    """Rows of windows, some of them lit."""
    for y in range(top, bottom - size[0], step[0]):
        for x in range(int(s.rng.integers(step[1])), WIDTH, step[1]):
            colour = _WINDOWS[int(s.rng.integers(3))] if s.rng.random() < lit else (0.07, 0.08, 0.10)
            bright = s.rng.uniform(0.35, 0.9) if colour[0] > 0.2 else 1.0
            s.box(x, y, size[1], size[0], (colour[0] * bright, colour[1] * bright, colour[2] * bright), 0.2)


def _wet(s: Scenery, strength: float, blur: float = 9.0) -> None:
    """Reflections of what is above the horizon on the ground."""
    rows = min(s.horizon, HEIGHT - s.horizon)
    above = s.picture[s.horizon - rows : s.horizon][::-1]
    smeared = cv2.GaussianBlur(above, (0, 0), blur * 0.5, sigmaY=blur * 3)
    fall = np.linspace(strength, 0.2 * strength, rows, dtype=np.float32)[:, None, None]
    s.picture[s.horizon : s.horizon + rows] += smeared * fall


def _shops(s: Scenery) -> None:
    s.fill(0, s.horizon, (0.13, 0.12, 0.13), 0.06)
    _windows(s, 0, s.horizon - 96, (26, 20), (44, 52), 0.25)
    for x in range(-20, WIDTH, 170):
        colour = _WINDOWS[int(s.rng.integers(4))]
        w = int(s.rng.integers(110, 150))
        s.box(x, s.horizon - 84, w, 80, colour, 0.35)
        for k in range(5):
            shade = s.rng.uniform(0.15, 0.8)
            s.box(
                x + 6 + 24 * k,
                s.horizon - int(s.rng.integers(25, 60)),
                16,
                56,
                (shade, shade * 0.9, shade * 0.8),
            )
        s.box(x, s.horizon - 98, w, 14, (colour[2] * 0.8, colour[0] * 0.5, colour[1] * 0.7))
    s.ground((0.17, 0.16, 0.16), 0.05, 0.03)
    s.tiles(44, 0.25)
    _wet(s, 0.35)


def _boulevard(s: Scenery) -> None:
    s.fill(0, s.horizon, (0.05, 0.06, 0.10), 0.03)
    s.leaves(0, s.horizon, (0.09, 0.10, 0.06), 10, 0.55)
    for x in range(30, WIDTH, 160):
        lamp = (x + int(s.rng.integers(50)), int(s.rng.integers(14, 40)))
        s.box(lamp[0] - 2, lamp[1], 4, s.horizon - lamp[1] + 10, (0.10, 0.10, 0.10))
        halo = np.zeros((HEIGHT, WIDTH), np.float32)
        cv2.circle(halo, lamp, 9, 1.0, -1, cv2.LINE_AA)
        halo = halo + 6 * cv2.GaussianBlur(halo, (0, 0), 16)
        s.picture += np.clip(halo, 0, 1.2)[..., None] * np.array((0.95, 0.75, 0.45), np.float32)
    s.ground((0.20, 0.18, 0.15), 0.07, 0.04)
    s.tiles(60, 0.18)
    s.patches_of_shade(12, 0.45)
    _wet(s, 0.2)


def _underpass(s: Scenery) -> None:
    s.fill(0, s.horizon, (0.34, 0.36, 0.32), 0.06, 0.04)
    for y in range(20, s.horizon, 22):  # wall tiles
        s.picture[y : y + 1] *= 0.72
    for x in range(0, WIDTH, 22):
        s.picture[: s.horizon, x : x + 1] *= 0.75
    s.box(0, 0, WIDTH, 24, (0.12, 0.12, 0.12))
    for x in range(40, WIDTH, 230):
        s.box(x, 6, 110, 9, (0.95, 1.0, 0.88))
        if s.rng.random() < 0.6:  # a poster
            hue = 0.2 + 0.45 * s.rng.random(3)
            s.box(x + 20, 70, 64, 96, (float(hue[0]), float(hue[1]), float(hue[2])), 0.25)
    s.box(0, s.horizon - 16, WIDTH, 16, (0.16, 0.17, 0.17))
    s.ground((0.30, 0.31, 0.29), 0.05, 0.05)
    s.tiles(36, 0.2)
    _wet(s, 0.18)


def _park(s: Scenery) -> None:
    s.fill(0, s.horizon, (0.24, 0.23, 0.34), 0.03)
    s.leaves(0, s.horizon, (0.06, 0.08, 0.07), 9, 0.72)
    for x in range(20, WIDTH, 150):
        trunk = x + int(s.rng.integers(70))
        s.box(trunk, 0, int(s.rng.integers(8, 16)), s.horizon + 8, (0.05, 0.05, 0.05), 0.2)
    s.ground((0.12, 0.14, 0.12), 0.12, 0.10)
    edge = s.horizon + 90 + (s.noise(1, 7)[0] * 14).astype(int)
    path = np.arange(HEIGHT)[:, None] > edge[None]
    gravel = np.array([0.26, 0.25, 0.26], np.float32) * (1 + 0.07 * s.noise(60, 170)[..., None])
    s.picture[path] = gravel[path]
    s.patches_of_shade(16, 0.4)


def _crossing(s: Scenery) -> None:
    s.fill(0, s.horizon, (0.10, 0.10, 0.13), 0.05)
    _windows(s, 4, s.horizon - 34, (18, 15), (30, 31), 0.38)
    for _ in range(11):  # cars and their lights
        x, y = int(s.rng.integers(WIDTH)), s.horizon + int(s.rng.integers(0, 26))
        s.box(x, y - 22, 92, 24, (0.10, 0.10, 0.12))
        s.box(x + 16, y - 38, 56, 18, (0.16, 0.18, 0.22))
        for side, colour in ((4, (1.0, 0.95, 0.8)), (84, (0.9, 0.1, 0.08))):
            cv2.circle(s.picture, (x + side, y - 10), 5, colour, -1, cv2.LINE_AA)
    s.ground((0.13, 0.13, 0.14), 0.06, 0.05)
    for k in range(-4, 14):
        x = k * 150
        bar = np.array([[x, s.horizon + 80], [x + 30, s.horizon + 80], [x + 90, HEIGHT], [x + 30, HEIGHT]])
        mask = cv2.fillPoly(np.zeros((HEIGHT, WIDTH), np.float32), [bar], 0.8, cv2.LINE_AA)
        s.picture += (0.42 - s.picture) * mask[..., None]
    _wet(s, 0.3)


def _station(s: Scenery) -> None:
    s.fill(0, s.horizon, (0.22, 0.22, 0.25), 0.04)
    for x in range(0, WIDTH, 190):
        s.box(x, 0, 26, s.horizon + 16, (0.40, 0.39, 0.38), 0.3)
        s.box(x + 52, 36, 100, 60, (0.30, 0.42, 0.62) if s.rng.random() < 0.5 else (0.62, 0.36, 0.56), 0.3)
        s.box(x + 40, 8, 120, 7, (0.98, 0.95, 0.92))
    s.box(0, s.horizon - 60, WIDTH, 46, (0.12, 0.13, 0.15))
    for x in range(10, WIDTH, 70):  # a train's windows
        s.box(x, s.horizon - 54, 48, 26, (0.72, 0.72, 0.62), 0.3)
    s.ground((0.26, 0.25, 0.26), 0.04, 0.03)
    s.box(0, s.horizon + 10, WIDTH, 8, (0.55, 0.50, 0.18))
    s.tiles(50, 0.15)
    _wet(s, 0.2)


#: scene: painter, horizon row, blur of what is far, people far away
NIGHT_PLACES: dict[str, tuple[Painter, int, float, int]] = {
    "shops": (_shops, 190, 2.6, 7),
    "boulevard": (_boulevard, 130, 2.8, 5),
    "underpass": (_underpass, 220, 1.8, 4),
    "park": (_park, 120, 2.4, 3),
    "crossing": (_crossing, 150, 2.6, 6),
    "station": (_station, 200, 2.0, 7),
}
