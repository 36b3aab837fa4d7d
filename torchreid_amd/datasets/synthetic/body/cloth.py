"""What things are made of: cloth, prints, skin and hair, and how light falls on them."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from torchreid_amd.datasets.synthetic.body.light import Light
from torchreid_amd.datasets.synthetic.body.parts import LOWER, UPPER, Part, mask_of
from torchreid_amd.datasets.synthetic.body.prints import print_lower, print_upper
from torchreid_amd.datasets.synthetic.body.surface import Parts, Surfaces
from torchreid_amd.datasets.synthetic.people.palette import OUTSIDE, Array, shade
from torchreid_amd.datasets.synthetic.people.person import Person

_SKIN = (Part.FACE, Part.NECK, Part.CHEST_SKIN, Part.ARM_UPPER, Part.ARM_FORE, Part.HAND, Part.THIGH_SKIN,
         Part.SHANK_SKIN)  # fmt: skip


@lru_cache(maxsize=1)
def _wrinkles() -> Array:
    """``(256, 256, 2)`` slopes of a tileable crumpled sheet."""
    rng = np.random.Generator(np.random.PCG64(20))
    sheet = np.zeros((256, 256), np.float32)
    for octave, size in enumerate((5, 9, 18, 36)):
        noise = rng.normal(size=(size, size)).astype(np.float32)
        tiled = cv2.resize(np.tile(noise, (3, 3)), (768, 768), interpolation=cv2.INTER_CUBIC)[
            256:512, 256:512
        ]
        ridge = 1 - np.abs(tiled) if octave < 2 else tiled
        sheet += ridge * (0.42**octave) * 10
    slopes: Array = np.stack([np.roll(sheet, -1, 1) - sheet, np.roll(sheet, -1, 0) - sheet], -1)
    return slopes / slopes.std()


def garment_colours(person: Person) -> tuple[Array, Array]:
    """Base colours of upper and lower garment, ``(3,)`` each."""
    t = person.traits
    found = []
    for part, mine in (("up", t.upper_shade), ("down", t.lower_shade)):
        word = person.colour(part) or OUTSIDE[part][int(t.print_place * len(OUTSIDE[part]))]
        found.append(shade(word, *mine))
    return found[0], found[0] if person.dressed else found[1]


def palette(person: Person) -> Array:
    """Colour of each part before prints and light, ``(256, 3)``."""
    t = person.traits
    upper, lower = garment_colours(person)
    table = np.zeros((256, 3), np.float32)
    for part in Part:
        table[part] = upper if part in UPPER else lower if part in LOWER else t.skin if part in _SKIN else 0
    table[Part.COLLAR] = upper * 0.8
    table[Part.BELT] = np.float32(0.18)
    table[Part.HAIR] = t.hair
    table[Part.HAT], table[Part.BRIM] = t.hat, t.hat * np.float32(0.82)
    table[Part.SOCK] = np.float32(0.86 if t.socks > 0.15 else 0.2)
    table[Part.SHOE], table[Part.SOLE] = t.shoes, t.sole
    table[Part.BACKPACK], table[Part.POCKET] = (
        t.backpack,
        t.backpack * np.float32(0.62) + t.backpack_trim * 0.30,
    )
    table[Part.PACK_STRAP] = t.backpack * np.float32(0.6) + t.backpack_trim * np.float32(0.12)
    table[Part.BAG], table[Part.BAG_STRAP] = t.bag, t.bag * np.float32(0.65)
    table[Part.HANDBAG], table[Part.HANDLE] = t.handbag, t.handbag * np.float32(0.7)
    table[Part.GLASSES] = np.float32(0.12)
    return table


_SOFT = np.zeros(256, np.float32)
for _part, _amount in {
    **dict.fromkeys(UPPER, 0.17), **dict.fromkeys(LOWER, 0.16), Part.HAIR: 0.18, Part.BACKPACK: 0.12,
    Part.BAG: 0.10, Part.POCKET: 0.14, Part.HANDBAG: 0.08, Part.HAT: 0.08, Part.FACE: 0.05,
}.items():  # fmt: skip
    _SOFT[_part] = _amount


def shaded(surfaces: Surfaces, person: Person, light: Light, picture: Array) -> None:
    """Colour everything drawn, in its light, into a picture ``(h, w, 3)``.

    Args:
        surfaces: the drawn planes.
        person: decides colours, prints and how cloth falls.
        light: where light comes from; see :class:`Light`.
        picture: changed where somebody is.
    """
    at = np.flatnonzero(surfaces.part)
    if not len(at):
        return
    part = surfaces.part.ravel()[at]
    u, v = surfaces.u.ravel()[at], surfaces.v.ravel()[at]
    colour = palette(person)[part]
    _print(colour, part, u, v, person)
    nx, ny, nz = _crumpled(surfaces.normal.reshape(3, -1)[:, at], part, u, v, person)
    level = light.on(nx, ny, nz)
    level *= _occlusion(surfaces, light).ravel()[at][:, None]
    colour *= level
    shiny = np.flatnonzero(mask_of(part, _SHINY))
    x, y, z = light.half
    gloss = np.clip(nx[shiny] * x + ny[shiny] * y + nz[shiny] * z, 0, 1) ** 24
    colour[shiny] += (gloss * np.float32(0.14 * light.strength))[:, None]
    picture[np.divmod(at, surfaces.shape[1])] = colour


_SHINY = (Part.HAIR, Part.BAG, Part.HANDBAG, Part.SHOE)


def _print(colour: Array, part: Parts, u: Array, v: Array, person: Person) -> None:
    for wanted, paint in ((UPPER, print_upper), (LOWER, print_lower)):
        at = np.flatnonzero(mask_of(part, wanted))
        if len(at):
            colour[at] = paint(colour[at], part[at], u[at], v[at], person)
    face = np.flatnonzero(part == Part.FACE)
    if len(face):
        _features(colour, face, u[face], v[face], person)


def _features(pixels: Array, face: npt.NDArray[np.intp], angle: Array, height: Array, person: Person) -> None:
    """Eyes, brows, nose, mouth and perhaps a beard."""
    t = person.traits
    # the chin shows on nearly every view; a hat or hair may hide the crown, so measure from the chin
    q = (height - float(height.min())) / (0.155 * t.head * t.stature / 1.75)
    side = np.abs(angle)
    eyes = (np.abs(q - 0.56) < 0.045) & (np.abs(side - 0.42) < 0.2)
    brows = (np.abs(q - 0.68) < 0.03) & (np.abs(side - 0.42) < 0.28)
    mouth = (np.abs(q - 0.20) < 0.032) & (side < 0.36)
    nose = (np.abs(q - 0.36) < 0.05) & (side < 0.17)
    shown = pixels[face]
    shown[eyes] = shown[eyes] * 0.52
    shown[brows] = shown[brows] * 0.6 + t.hair * 0.35
    lips = np.array([0.84, 0.62, 0.60] if not person.labels["gender"] else [0.90, 0.52, 0.54], np.float32)
    shown[mouth] *= lips
    shown[nose] *= np.float32(0.90)
    if t.beard and not person.labels["gender"]:
        beard = (q < 0.32) & (side < 1.4) & ~mouth
        shown[beard] = shown[beard] * 0.55 + t.hair * 0.35
    pixels[face] = shown


def _crumpled(normal: Array, part: Parts, u: Array, v: Array, person: Person) -> tuple[Array, Array, Array]:
    """Normals with the folds of cloth in them."""
    t = person.traits
    column = (u * np.float32(22) + np.float32(256 * t.folds[0]) + part * np.float32(37)).astype(
        np.int32
    ) & 255
    row = (v * np.float32(150) + np.float32(256 * t.folds[1])).astype(np.int32) & 255
    slope = _wrinkles().reshape(-1, 2)[row * 256 + column]
    amount = _SOFT[part]
    nx = normal[0] + slope[..., 0] * amount
    ny = normal[1] + slope[..., 1] * amount
    nz = normal[2]
    size = 1 / np.sqrt(nx * nx + ny * ny + nz * nz + 1e-6)
    return nx * size, ny * size, nz * size


def _occlusion(surfaces: Surfaces, light: Light) -> Array:
    """Darkening ``(h, w)`` where something nearer shadows a surface: between limbs, under hems and chins."""
    depth, here = surfaces.depth, (surfaces.part > 0).astype(np.float32)
    tall, wide = depth.shape
    known = depth * here
    size = max(tall // 22, 3)
    mean = cv2.blur(known, (size, size)) / np.maximum(cv2.blur(here, (size, size)), 1e-3)
    soft = 1 - 0.5 * np.clip((mean - known) / np.float32(size * 1.1), 0, 1)
    reach = tall * 0.035
    dx, dy = int(round(light.direction[0] * reach)), int(round(-light.direction[1] * reach))
    shift = np.array([[1, 0, -dx], [0, 1, -dy]], np.float32)
    shifted = cv2.warpAffine(depth, shift, (wide, tall), flags=cv2.INTER_NEAREST, borderValue=-1e6)
    over = shifted - depth
    shadow = ((over > reach * 0.7) & (over < reach * 6)).astype(np.float32)
    result: Array = soft * (1 - np.float32(light.hardness) * cv2.blur(shadow, (3, 3)))
    return result
