"""A canvas for what stands behind people: surfaces, paving, foliage, shade and people far away."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from torchreid_amd.datasets.synthetic.body.cloth import shaded
from torchreid_amd.datasets.synthetic.body.figure import draw_person
from torchreid_amd.datasets.synthetic.body.light import Light
from torchreid_amd.datasets.synthetic.body.pose import draw_pose
from torchreid_amd.datasets.synthetic.body.surface import Surfaces, View
from torchreid_amd.datasets.synthetic.people.palette import Array
from torchreid_amd.datasets.synthetic.people.person import passer_by

HEIGHT, WIDTH = 460, 1500
Rgb = tuple[float, float, float]
_DAYLIGHT = Light((0.4, 0.7, 0.59), 0.5, 0.58, (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), 0.3)
_STREET_LIGHT = Light((0.1, 0.95, 0.3), 0.26, 0.14, (1.05, 0.95, 0.8), (0.8, 0.9, 1.1), 0.4)


class Scenery:
    """A canvas for scenery: ``(HEIGHT, WIDTH, 3)`` with a horizon row."""

    def __init__(self, rng: np.random.Generator, horizon: int) -> None:
        self.rng = rng
        self.horizon = horizon
        self.picture: Array = np.zeros((HEIGHT, WIDTH, 3), np.float32)

    def noise(self, rows: int, columns: int, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> Array:
        """Smooth noise around 0 with this many knots."""
        knots = self.rng.normal(size=(rows, columns)).astype(np.float32)
        smooth = cv2.resize(knots, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
        return np.asarray(smooth, np.float32)

    def fill(self, top: int, bottom: int, colour: Rgb, rough: float = 0.03, grain: float = 0.02) -> None:
        """A surface of one colour, uneven and grainy."""
        field = self.noise(8, 30) * rough + self.noise(60, 220) * rough * 0.6
        field += self.rng.normal(size=(HEIGHT, WIDTH)).astype(np.float32) * grain
        self.picture[top:bottom] = (np.array(colour, np.float32) * (1 + field[..., None]))[top:bottom]

    def ground(self, colour: Rgb, rough: float = 0.03, grain: float = 0.02) -> None:
        """The ground, a little lighter far away."""
        self.fill(self.horizon, HEIGHT, colour, rough, grain)
        far = np.clip(1 - (np.arange(HEIGHT) - self.horizon) / 140, 0, 1).astype(np.float32)[self.horizon :]
        self.picture[self.horizon :] *= 1 + 0.12 * far[:, None, None]

    def tiles(self, period: float, dark: float, cross: bool = True) -> None:
        """Joints of paving in perspective."""
        rows = np.arange(self.horizon + 1, HEIGHT, dtype=np.float32)
        depth = 120.0 / (rows - self.horizon + 14)
        columns = np.arange(WIDTH, dtype=np.float32)
        near = 0.06 / np.maximum(1.0 / depth, 0.3)
        if cross:
            line = (
                np.abs((depth * 6.0 / period * 10) % 1 - 0.5)[:, None] < np.minimum(near * 1.2, 0.2)[:, None]
            )
            self.picture[self.horizon + 1 :][np.broadcast_to(line, (len(rows), WIDTH))] *= 1 - dark * 0.6
        x = (columns[None] - WIDTH / 2) * depth[:, None] / (period * 3.0)
        self.picture[self.horizon + 1 :][np.abs(x % 1 - 0.5) < 0.025] *= 1 - dark

    def box(self, x: int, y: int, w: int, h: int, colour: Rgb, shade: float = 0.0) -> None:
        """A rectangle, darker towards its bottom by ``shade``."""
        fall = np.linspace(1, 1 - shade, max(h, 1), dtype=np.float32)[:, None, None]
        y0, x0 = max(y, 0), max(x, 0)
        area = self.picture[y0 : y + h, x0 : x + w]
        area[:] = np.array(colour, np.float32) * fall[y0 - y : y0 - y + len(area)]

    def leaves(self, top: int, bottom: int, colour: Rgb, size: int, share: float = 1.0) -> None:
        """Foliage between two rows: clumps of light and dark, and gaps where ``share`` is below 1."""
        shape = (bottom - top, WIDTH)
        clumps = self.noise(max(shape[0] // 34, 2), WIDTH // 34, shape)
        twigs = self.noise(max(shape[0] // size, 2), WIDTH // size, shape)
        light = 1 + 0.22 * clumps + 0.24 * twigs + 0.10 * self.noise(shape[0] // 2, WIDTH // 2, shape)
        tint = np.array(colour, np.float32) * (
            1 + 0.10 * self.noise(4, 20, shape)[..., None] * np.array([1, 0.4, 0])
        )
        drawn = np.clip(light, 0.25, 2.2)[..., None] * tint.astype(np.float32)
        gap = 0.9 * clumps + 0.5 * twigs + 2.2 * (1 - share)
        cover = np.clip((1.6 - gap) * 3, 0, 1)[..., None] if share < 1 else np.float32(1)
        self.picture[top:bottom] = self.picture[top:bottom] * (1 - cover) + drawn * cover

    def passers_by(self, count: int, near: int = 110, domain: str = "day") -> None:
        """People far away, standing on rows up to ``near`` below the horizon."""
        light = _STREET_LIGHT if domain == "night" else _DAYLIGHT
        for row in np.sort(self.rng.uniform(12, near, count)):
            person = passer_by(self.rng, domain)
            tall = int(70 + 1.25 * row)
            heading, x = float(self.rng.uniform(0, 2 * np.pi)), int(self.rng.integers(0, WIDTH - tall))
            feet = int(self.horizon + row)
            top = max(feet - tall - 4, 0)
            area = self.picture[top : feet + 4, x : x + tall]
            pose = draw_pose(self.rng, person, heading)
            surfaces = Surfaces(*area.shape[:2])
            view = View(pose.yaw, 0.1, tall / 1.8, tall / 2, feet - top, 0.0, person.traits.stature)
            draw_person(surfaces, person, pose, view)
            shaded(surfaces, person, light, area)
            contact = (slice(min(feet - top, len(area) - 1), None), slice(tall // 3, 2 * tall // 3))
            area[contact] *= np.float32(0.75)

    def line(self, points: list[tuple[float, float]], colour: Rgb, width: int) -> None:
        """A polyline."""
        cv2.polylines(self.picture, [np.array(points).astype(np.int32)], False, colour, width, cv2.LINE_AA)

    def soften(self, sigma: float) -> None:
        """Out of focus above the horizon, a little below."""
        far = cv2.GaussianBlur(self.picture, (0, 0), sigma)
        near = cv2.GaussianBlur(self.picture, (0, 0), 0.8)
        weight = np.clip((np.arange(HEIGHT, dtype=np.float32) - self.horizon) / 60 + 0.3, 0, 1)[:, None, None]
        self.picture = np.asarray(far * (1 - weight) + near * weight, np.float32)

    def patches_of_shade(self, count: int, dark: float) -> None:
        """Shadows of trees and roofs on the ground."""
        mask = np.zeros((HEIGHT, WIDTH), np.float32)
        for _ in range(count):
            x, y = int(self.rng.integers(WIDTH)), int(self.rng.integers(self.horizon + 40, HEIGHT))
            w, h = int(self.rng.integers(60, 260)), int(self.rng.integers(10, 45))
            cv2.ellipse(mask, (x, y), (w, h), float(self.rng.uniform(-8, 8)), 0, 360, 1.0, -1)
        mask *= 0.75 + 0.25 * np.sign(self.noise(40, 130))
        mask[: self.horizon] = 0
        self.picture *= 1 - dark * cv2.GaussianBlur(mask, (0, 0), 3)[..., None]


Painter = Callable[[Scenery], None]
