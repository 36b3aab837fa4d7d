"""One photograph: scene, person, what stands in front, the camera, and the true regions."""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from torchreid_amd.datasets.synthetic.body.cloth import shaded
from torchreid_amd.datasets.synthetic.body.figure import draw_person
from torchreid_amd.datasets.synthetic.body.light import shine
from torchreid_amd.datasets.synthetic.body.parts import OF_PERSON, PLACES, coverage
from torchreid_amd.datasets.synthetic.body.pose import Pose, draw_pose, skeleton
from torchreid_amd.datasets.synthetic.body.surface import Surfaces, View
from torchreid_amd.datasets.synthetic.options import SyntheticOptions, stream
from torchreid_amd.datasets.synthetic.people.palette import Array
from torchreid_amd.datasets.synthetic.people.person import Person, schema
from torchreid_amd.datasets.synthetic.records import Record
from torchreid_amd.datasets.synthetic.street.camera import Camera, at_hour, develop
from torchreid_amd.datasets.synthetic.street.day_scene import HEIGHT, WIDTH
from torchreid_amd.datasets.synthetic.street.domain import camera_of, scene
from torchreid_amd.datasets.synthetic.street.foreground import draw_foreground, draw_stranger

SUPERSAMPLING = 2  #: canvas pixels along each side of an image pixel
NARROW = 0.78  #: boxes are narrower than the image and stretched to it, as those of Market-1501 are
Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RenderedImage:
    """A rendered photograph.

    Attributes:
        jpeg: the file's bytes.
        regions: ``(M, h, w)`` where each attribute shows, in the schema's order.
        drawn: numbers of the drawn parts at the pixels of the canvas, which is finer.
    """

    jpeg: bytes
    regions: Mask
    drawn: Pixels

    @property
    def pixels(self) -> Pixels:
        """``(h, w, 3)`` RGB as read back from the JPEG."""
        with Image.open(io.BytesIO(self.jpeg)) as image:
            return np.asarray(image.convert("RGB"))

    @property
    def parts(self) -> npt.NDArray[np.int8]:
        """``(h, w)`` which part each pixel shows most of, positions in ``attributes.parts.PARTS``."""
        size = self.regions.shape[:0:-1]
        covered = [
            cv2.resize(coverage(self.drawn, shown, 255), size, interpolation=cv2.INTER_AREA).astype(int)
            for shown in OF_PERSON.values()
        ]
        return np.stack([*covered, 255 - np.sum(covered, 0)]).argmax(0).astype(np.int8)


def take(
    person: Person, record: Record, options: SyntheticOptions, camera: Camera | None = None
) -> RenderedImage:
    """Render the photograph of a person that a record names.

    Every random choice has a stream of its own that depends on seed, identity, camera and
    frame only; so the result is the same in any process and order, and two persons that
    differ in one attribute give two photographs that differ only where it shows.

    Args:
        person: whom; its ``pid`` need not be the record's.
        record: which photograph.
        options: seed and image size.
        camera: instead of the record's camera, e.g. ``camera.NEUTRAL``.
    """
    key = (record.pid, record.camera, record.frame)
    seed = options.key
    place = camera or camera_of(record.camera, options.domain)
    walk = stream(seed, "walk", record.pid, record.camera)
    camera = at_hour(place, stream(seed, "hour", record.pid, record.camera))
    heading = camera.headings[int(walk.integers(len(camera.headings)))] + 0.2 * float(walk.normal())
    pose = draw_pose(stream(seed, "pose", *key), person, heading)
    tall, wide = SUPERSAMPLING * options.height, round(SUPERSAMPLING * options.width * NARROW)
    box = stream(seed, "box", *key)
    view = _frame_person(box, pose.yaw, camera, (tall, wide), person)
    surfaces = Surfaces(tall, wide)
    draw_person(surfaces, person, pose, view)
    picture = _background(stream(seed, "background", *key), camera, seed, (tall, wide))
    if camera.lamp:
        shine(picture, camera.lamp, stream(seed, "lamps", *key))
    _ground_shadow(picture, person, pose, camera, view)
    apart = stream(seed, "stranger", *key)
    hidden = np.zeros((tall, wide), bool)
    stranger = draw_stranger(apart, camera, view, (tall, wide), options.domain) if camera.number else None
    if stranger is not None and not stranger[2]:
        picture[stranger[1]] = stranger[0][stranger[1]]
    shaded(surfaces, person, camera.light, picture)
    if stranger is not None and stranger[2]:
        picture[stranger[1]] = stranger[0][stranger[1]]
        hidden |= stranger[1]
    if camera.number:
        dim = 1.0 if camera.domain == "day" else 0.5
        hidden |= draw_foreground(stream(seed, "foreground", *key), picture, view, dim)
    surfaces.part[hidden] = 0
    image = develop(picture, camera, (options.height, options.width), stream(seed, "noise", *key))
    quality = int(stream(seed, "jpeg", *key).integers(camera.quality[0], camera.quality[1] + 1))
    regions = _regions(surfaces, person, (options.height, options.width))
    return RenderedImage(_jpeg(image, quality), regions, surfaces.part)


def _frame_person(
    rng: np.random.Generator, yaw: float, camera: Camera, canvas: tuple[int, int], person: Person
) -> View:
    """An imperfect bounding box: the person is a little too large, too small or off centre."""
    tall, wide = canvas
    z = np.clip(rng.normal(size=4), -2, 2)
    pitch = camera.pitch + 0.03 * z[3]
    share = camera.share + 0.03 * z[0]
    scale = share * tall / person.traits.stature / np.cos(pitch)
    feet = tall * (0.5 + share / 2 + 0.012 * z[1]) - 0.02 * tall
    middle = wide * (0.5 + 0.045 * z[2])
    return View(
        yaw, pitch, float(scale), float(middle), float(feet), 0.25 * camera.pitch, person.traits.stature
    )


def _background(rng: np.random.Generator, camera: Camera, seed: int, canvas: tuple[int, int]) -> Array:
    tall, wide = canvas
    zoom = rng.uniform(0.85, 1.15) * 320 / tall
    high, broad = int(tall * zoom), int(wide * zoom)
    x, y = int(rng.integers(0, WIDTH - broad)), int(rng.integers(0, max(HEIGHT - high, 1)))
    flip = rng.random() < 0.5
    at = int(rng.random() * 2 * len(camera.places))
    place = camera.places[at if at < len(camera.places) else 0]
    view = scene(place, seed, camera.domain)[y : y + high, x : x + broad]
    if flip:
        view = view[:, ::-1]
    day = 0.62 * camera.light.sky + 0.60 * camera.light.strength + camera.ambient
    picture = np.ascontiguousarray(cv2.resize(view, (wide, tall), interpolation=cv2.INTER_LINEAR))
    grey = picture.mean(axis=2, keepdims=True)
    picture = grey + (picture - grey) * np.float32(camera.faded)
    level = camera.grey
    return np.asarray((level + (picture - level) * np.float32(camera.flat)) * np.float32(day), np.float32)


def _ground_shadow(picture: Array, person: Person, pose: Pose, camera: Camera, view: View) -> None:
    """Shadow on the ground: an outline sheared away from the light, and contact shade under the feet.

    The outline is that of the bare walk, so the shadow tells nothing about attributes.
    """
    tall, wide = picture.shape[0] // 2, picture.shape[1] // 2
    outline = _stick_figure(person, pose, view, (tall, wide))
    x, y, z = camera.light.direction
    feet = view.y / 2 + 2
    shear = float(np.clip(-x / max(y, 0.3), -1.2, 1.2))
    squash = float(np.clip(0.10 + 0.35 * (-z if z < 0 else z * 0.6), 0.08, 0.4)) * (1 if z > 0 else -1)
    m = np.array([[1, -shear, shear * feet], [0, squash, feet - squash * feet]], np.float32)
    cast = cv2.warpAffine(outline, m, (wide, tall))
    cast = cv2.GaussianBlur(cast, (0, 0), 1.5 + 4 * (1 - camera.light.hardness)) * camera.light.hardness
    rows = (np.arange(tall, dtype=np.float32)[:, None] - feet) / (tall * 0.024)
    columns = (np.arange(wide, dtype=np.float32)[None] - view.x / 2) / (wide * 0.26)
    contact = 0.45 * np.exp(-0.5 * (rows * rows + columns * columns))
    dark = cv2.resize(np.maximum(cast, contact), picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    picture *= 1 - dark[..., None]


def _stick_figure(person: Person, pose: Pose, view: View, size: tuple[int, int]) -> Array:
    joints = skeleton(person.with_attribute("gender", 0), pose)
    middle = (joints["hip+"] + joints["hip-"]) / 2
    joints |= {"middle": middle, "head": middle + np.array([0.0, 0.42 * person.traits.stature, 0.0])}
    names = list(joints)
    at = dict(
        zip(
            names,
            (view.project(np.stack(list(joints.values())))[:, :2] / 2).astype(int).tolist(),
            strict=True,
        )
    )
    metre = view.scale / 2
    outline = np.zeros(size, np.float32)
    for first, second, width in (("hip", "knee", 0.16), ("knee", "heel", 0.11), ("heel", "toe", 0.09),
                                 ("shoulder", "elbow", 0.10), ("elbow", "hand", 0.08)):  # fmt: skip
        for mark in "+-":
            cv2.line(outline, at[first + mark], at[second + mark], 1.0, max(int(width * metre), 1))
    chest = [at[n] for n in ("shoulder+", "shoulder-", "hip-", "hip+")]
    cv2.fillPoly(outline, [np.array(chest)], 1.0)
    cv2.polylines(outline, [np.array(chest)], True, 1.0, max(int(0.14 * metre), 1))
    cv2.circle(outline, at["head"], max(int(0.10 * metre), 1), 1.0, -1)
    return outline


def _regions(surfaces: Surfaces, person: Person, size: tuple[int, int]) -> Mask:
    """Attribute regions at image size: pixels at least half covered by the parts that show it."""
    names = schema().attributes
    found = np.zeros((len(names), *size), bool)
    cover: dict[str, Mask] = {}
    for k, name in enumerate(names):
        colour = "upper" if name.startswith("up") and name != "up" else "lower"
        place = name if name in PLACES else colour if person.labels[name] else ""
        if not place:
            continue
        if place not in cover:
            mask = coverage(surfaces.part, PLACES[place], 254)
            cover[place] = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_AREA) >= 127
        found[k] = cover[place]
    return found


def _jpeg(image: Pixels, quality: int) -> bytes:
    stream_out = io.BytesIO()
    Image.fromarray(image).save(stream_out, "JPEG", quality=quality)
    return stream_out.getvalue()
