"""Light on a figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from torchreid_amd.datasets.synthetic.people.palette import Array


@dataclass(frozen=True)
class Light:
    """One direct light and a sky.

    Attributes:
        direction: unit vector towards the light: right, up, towards the camera.
        strength: of the direct light.
        sky: of the light from everywhere.
        tint: colour of the direct light, ``(3,)``.
        sky_tint: colour of the sky, ``(3,)``.
        hardness: 0–1, darkness of cast shadows.
    """

    direction: tuple[float, float, float]
    strength: float
    sky: float
    tint: tuple[float, float, float]
    sky_tint: tuple[float, float, float]
    hardness: float

    @property
    def half(self) -> tuple[float, float, float]:
        """Direction in which a mirror would show the light."""
        x, y, z = self.direction
        size = float(np.sqrt(x * x + y * y + (z + 1) ** 2))
        return x / size, y / size, (z + 1) / size

    def on(self, nx: Array, ny: Array, nz: Array) -> Array:
        """Light ``(h, w, 3)`` on surfaces with these normals."""
        x, y, z = (np.float32(k) for k in self.direction)
        direct = np.clip((nx * x + ny * y + nz * z + np.float32(0.25)) / np.float32(1.25), 0, 1)
        above = np.float32(0.68) + np.float32(0.22) * ny + np.float32(0.10) * nz
        lit: Array = direct[..., None] * (np.array(self.tint, np.float32) * np.float32(self.strength))
        lit += above[..., None] * (np.array(self.sky_tint, np.float32) * np.float32(self.sky))
        return lit


def shine(picture: Array, colour: tuple[float, float, float], rng: np.random.Generator) -> None:
    """Add the glow of a lamp somewhere in the upper part of a picture, and its pool of light below.

    Args:
        picture: ``(h, w, 3)``, changed.
        colour: of the glow.
        rng: of place and size.
    """
    tall, wide = picture.shape[:2]
    u = rng.random(5)
    rows = np.arange(tall, dtype=np.float32)[:, None] / tall
    columns = np.arange(wide, dtype=np.float32)[None] / wide
    x, y = 1.3 * u[0] - 0.15, 0.30 * u[1] - 0.05
    glow = (0.25 + 0.45 * u[2]) * np.exp(-((rows - y) ** 2 / 0.006 + (columns - x) ** 2 / 0.02))
    glow += 0.10 * np.exp(-((rows - y) ** 2 / 0.10 + (columns - x) ** 2 / 0.25))
    glow += (0.06 + 0.14 * u[3]) * np.exp(-((rows - 0.95) ** 2 / 0.02 + (columns - x) ** 2 / 0.20))
    picture += (glow[..., None] * np.array(colour)).astype(np.float32)
