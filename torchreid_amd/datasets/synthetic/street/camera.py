"""The six cameras: light, colour cast, sharpness, height and where people walk before them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from torchreid_amd.datasets.synthetic.body.light import Light
from torchreid_amd.datasets.synthetic.people.palette import Array


@dataclass(frozen=True)
class Camera:
    """One camera of the street.

    Attributes:
        number: 1–6, 0 for a neutral one.
        places: names of the scenes it sees; half of its pictures show the first.
        light: light on people and ground.
        cast: gain of red, green, blue.
        exposure: gain of all.
        contrast: around mid grey.
        saturation: 1 leaves colours as they are.
        haze: share of grey veil.
        blur: Gaussian sigma at 128 image rows.
        detail: resolution as a share of the image's (below 1 it was enlarged).
        noise: standard deviation of sensor noise, 0–1.
        quality: lowest and highest JPEG quality.
        pitch: radians it looks down.
        headings: directions people walk in, radians.
        domain: whose streets it sees.
        faded: saturation of the street: less than of clothes.
        flat: contrast of the street around ``grey``.
        grey: where the contrast of the street is taken around.
        ambient: light on the street that is not on people.
        lamp: colour of a lamp's glow in the picture, and on the ground below; None without one.
        motion: smear along the rows, Gaussian sigma at 128 image rows.
        share: of the picture's height that a person takes, on average.
    """

    number: int
    places: tuple[str, ...]
    light: Light
    cast: tuple[float, float, float]
    exposure: float
    contrast: float
    saturation: float
    haze: float
    blur: float
    detail: float
    noise: float
    quality: tuple[int, int]
    pitch: float
    headings: tuple[float, ...]
    domain: str = "day"
    faded: float = 0.18
    flat: float = 0.34
    grey: float = 0.5
    ambient: float = 0.28
    lamp: tuple[float, float, float] | None = None
    motion: float = 0.0
    share: float = 0.875


def lit_from(x: float, y: float, z: float, direct: float, sky: float, tint: tuple[float, float, float],
             sky_tint: tuple[float, float, float], hardness: float) -> Light:  # fmt: skip
    """Light from a direction of any length; the rest as of :class:`Light`."""
    size = float(np.sqrt(x * x + y * y + z * z))
    return Light((x / size, y / size, z / size), direct, sky, tint, sky_tint, hardness)


_DAY, _WARM, _COOL = (1.0, 1.0, 0.99), (1.02, 1.0, 0.96), (0.98, 1.0, 1.02)

#: even light, true colours, sharp
NEUTRAL = Camera(
    0, ("grey",), lit_from(0.2, 0.5, 0.85, 0.55, 0.62, (1, 1, 1), (1, 1, 1), 0.2),
    cast=(1, 1, 1), exposure=1.0, contrast=1.0, saturation=1.0, haze=0.0,
    blur=0.0, detail=1.0, noise=0.0, quality=(95, 95), pitch=0.05, headings=(0.0,),
)  # fmt: skip

CAMERAS: tuple[Camera, ...] = (
    Camera(
        1, ("plaza", "terrace", "lawn"), lit_from(-0.6, 0.7, 0.7, 0.52, 0.60, _WARM, _COOL, 0.45),
        cast=(1.02, 1.0, 0.98), exposure=1.06, contrast=1.04, saturation=1.0, haze=0.02,
        blur=0.34, detail=1.0, noise=0.007, quality=(82, 92), pitch=0.16, headings=(0.3, 2.8, -0.4),
    ),
    Camera(
        2, ("lawn", "plaza", "road"), lit_from(0.7, 0.6, 0.6, 0.50, 0.60, _WARM, _DAY, 0.35),
        cast=(0.99, 1.02, 0.97), exposure=1.07, contrast=1.0, saturation=1.04, haze=0.02,
        blur=0.41, detail=0.9, noise=0.010, quality=(78, 90), pitch=0.22, headings=(1.5, -1.5, 0.5),
    ),
    Camera(
        3, ("wall", "road", "arcade"), lit_from(0.1, 0.8, 0.7, 0.40, 0.66, _COOL, _COOL, 0.15),
        cast=(0.98, 1.0, 1.02), exposure=1.05, contrast=0.97, saturation=0.96, haze=0.03,
        blur=0.45, detail=0.9, noise=0.011, quality=(76, 90), pitch=0.10, headings=(3.1, 0.1, 2.6),
    ),
    Camera(
        4, ("road", "wall", "plaza"), lit_from(0.5, 0.8, 0.8, 0.56, 0.56, _DAY, _COOL, 0.55),
        cast=(1.0, 1.0, 1.0), exposure=1.08, contrast=1.06, saturation=1.02, haze=0.0,
        blur=0.30, detail=1.0, noise=0.008, quality=(80, 92), pitch=0.20, headings=(0.8, -2.3, 2.3),
    ),
    Camera(
        5, ("arcade", "wall", "terrace"), lit_from(-0.3, 0.9, 0.6, 0.44, 0.62, _WARM, _WARM, 0.25),
        cast=(1.02, 1.0, 0.98), exposure=1.11, contrast=1.0, saturation=0.97, haze=0.02,
        blur=0.46, detail=0.85, noise=0.012, quality=(74, 88), pitch=0.12, headings=(-0.9, 2.2, 0.0),
    ),
    Camera(
        6, ("terrace", "lawn", "arcade"), lit_from(-0.6, 0.8, 0.3, 0.52, 0.62, _DAY, _DAY, 0.30),
        cast=(0.99, 1.0, 1.02), exposure=1.12, contrast=0.96, saturation=0.97, haze=0.04,
        blur=0.50, detail=0.8, noise=0.010, quality=(72, 88), pitch=0.28, headings=(-1.2, 1.4, 3.0),
    ),
)  # fmt: skip


def at_hour(camera: Camera, rng: np.random.Generator) -> Camera:
    """The camera at some time of the day: brightness, colour and sharpness drift a little."""
    z = np.clip(rng.normal(size=8), -2, 2)
    if not camera.number:
        return camera
    r, g, b = camera.cast
    light = replace(
        camera.light,
        strength=camera.light.strength * (1 + 0.03 * z[0]),
        sky=camera.light.sky * (1 + 0.04 * z[1]),
        hardness=float(np.clip(camera.light.hardness * (1 + 0.3 * z[0]), 0, 0.7)),
    )
    return replace(
        camera,
        light=light,
        exposure=camera.exposure * (1 + 0.015 * z[2]),
        cast=(r * (1 + 0.012 * z[3]), g, b * (1 - 0.015 * z[3])),
        saturation=camera.saturation * (1 + 0.05 * z[4]),
        blur=camera.blur * (1 + 0.25 * abs(z[5])),
    )


def develop(
    picture: Array, camera: Camera, size: tuple[int, int], rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """From light on the canvas to the image that the camera stores (before JPEG).

    Args:
        picture: ``(h, w, 3)`` canvas, 1 is white.
        camera: the camera at its hour.
        size: height and width of the image.
        rng: of the sensor noise.

    Returns:
        ``(height, width, 3)`` RGB.
    """
    height, width = size
    tall, wide = max(int(height * camera.detail), 8), max(int(width * camera.detail), 4)
    small = cv2.resize(picture, (wide, tall), interpolation=cv2.INTER_AREA)
    if camera.blur:
        sigma = camera.blur * tall / 128
        small = cv2.GaussianBlur(small, (0, 0), sigma)
    if camera.motion:
        small = cv2.GaussianBlur(small, (0, 0), camera.motion * tall / 128, sigmaY=0.1)
    image = (
        cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
        if (wide, tall) != (width, height)
        else small
    )
    image = image * (np.array(camera.cast, np.float32) * np.float32(camera.exposure))
    grey = image @ np.array([0.30, 0.59, 0.11], np.float32)
    image = grey[..., None] + (image - grey[..., None]) * np.float32(camera.saturation)
    image = 0.5 + (image - 0.5) * np.float32(camera.contrast)
    image = image * np.float32(1 - camera.haze) + np.float32(0.62 * camera.haze)
    image = np.where(image > 0.85, 0.85 + 0.15 * np.tanh((image - 0.85) / 0.15), image)  # highlights roll off
    noise = rng.normal(size=(height, width, 3)).astype(np.float32)
    mono = rng.normal(size=(height, width, 1)).astype(np.float32)
    image = image + (0.5 * noise + 0.8 * mono) * np.float32(camera.noise)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
