"""Learn which part of a person each pixel shows, from rendered pedestrians: makes the package's weights.

    python examples/learn_parts.py part_network.safetensors

People of seeds that no other data set of this repository uses, by day and by night, whose true parts
the drawing knows. So that the network does not learn this one way of drawing, every photograph is changed
at random each time that it is shown: parts and street get other colours and contrasts, streets are replaced
by clutter, things stand in front, the box is moved, scaled and turned, and the whole gets other light, blur,
noise and compression.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch.nn import functional

from torchreid_amd.account.part_network import GRID, PartNetwork
from torchreid_amd.attributes.parts import PARTS, REST
from torchreid_amd.core.files import atomic_path
from torchreid_amd.datasets.synthetic.options import SyntheticOptions
from torchreid_amd.datasets.synthetic.people.person import people
from torchreid_amd.datasets.synthetic.photograph import take
from torchreid_amd.datasets.synthetic.records import records

PEOPLE = {"day": (301, 320), "night": (302, 180)}  #: seed and number of identities of each domain
EACH = 8  #: photographs of each, on average
BATCH, STEPS, RATE, DECAY = 32, 1500, 4e-3, 1e-4

Floats = NDArray[np.float32]
Parts = NDArray[np.int8]
NOBODY = PARTS.index(REST)


def rendered() -> tuple[NDArray[np.uint8], Parts]:
    """Photographs (N, H, W, 3) and their true parts (N, H, W)."""
    pixels, parts = [], []
    for domain, (seed, count) in PEOPLE.items():
        options = SyntheticOptions(count, 1, EACH, seed, *GRID, domain)
        for person in people(options, "train"):
            for record in records(options, person.pid):
                photograph = take(person, record, options)
                pixels.append(photograph.pixels)
                parts.append(photograph.parts)
    return np.stack(pixels), np.stack(parts)


def changed(picture: NDArray[np.uint8], parts: Parts, rng: np.random.Generator) -> tuple[Floats, Parts]:
    """A photograph and its parts as they are shown this time; (H, W, 3) of 0 … 255 and (H, W)."""
    image, shown = picture.astype(np.float32), parts.copy()
    if rng.random() < 0.5:
        image, shown = image[:, ::-1], shown[:, ::-1]
    if rng.random() < 0.6:
        image = recoloured(image, shown, rng)
    if rng.random() < 0.5:
        image = before_clutter(image, shown, rng)
    image, shown = moved(image, shown, rng)
    if rng.random() < 0.3:
        image, shown = hidden(image, shown, rng)
    return developed(image, rng), shown


def recoloured(image: Floats, shown: Parts, rng: np.random.Generator) -> Floats:
    """Some parts, and the street, in another colour and contrast; sometimes in that of another part."""
    image = image.copy()
    for k in range(len(PARTS)):
        mask = shown == k
        if mask.sum() < 8 or rng.random() < 0.5:
            continue
        mean = image[mask].mean(0)
        new = mean + rng.normal(0, 45, 3) * (0.3, 1)[rng.random() < 0.6] + rng.normal(0, 25)
        if rng.random() < 0.15:
            other = shown == rng.integers(len(PARTS))
            new = image[other].mean(0) if other.sum() > 8 else new
        contrast = rng.uniform(0.5, 3.0 if k == NOBODY else 1.6)
        soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.6)[..., None]
        image += soft * ((image - mean) * contrast + new - image)
    return image


def before_clutter(image: Floats, shown: Parts, rng: np.random.Generator) -> Floats:
    """The person before something else: noise of some scale, and boxes in it."""
    height, width = shown.shape
    rows, columns = int(rng.integers(2, 40)), int(rng.integers(2, 20))
    noise = rng.normal(0, rng.uniform(5, 60), (rows, columns, 3)).astype(np.float32)
    noise = noise.mean(2, keepdims=True) + (noise - noise.mean(2, keepdims=True)) * rng.uniform(0, 1)
    street = cv2.resize(noise, (width, height), interpolation=int(rng.integers(0, 3)))
    street = street + rng.uniform(30, 220, 3).astype(np.float32)
    for _ in range(rng.integers(0, 7)):
        street = boxed(street, rng)[0]
    if rng.random() < 0.4:  # only a veil of it before the old one
        old = shown == NOBODY
        share = rng.uniform(0.2, 0.8)
        behind = image if old.all() else (image[old].mean(0) + image) / 2
        street = share * street + (1 - share) * behind
    soft = cv2.GaussianBlur((shown != NOBODY).astype(np.float32), (0, 0), 0.6)[..., None]
    mixed: Floats = (soft * image + (1 - soft) * street).astype(np.float32)
    return mixed


def boxed(image: Floats, rng: np.random.Generator) -> tuple[Floats, NDArray[np.bool_]]:
    """Something in one colour in front: a turned box or an ellipse; and where."""
    height, width = image.shape[:2]
    middle = (float(rng.uniform(0, width)), float(rng.uniform(0, height)))
    size = (float(rng.uniform(2, 0.6 * width)), float(rng.uniform(2, 0.7 * height)))
    turned = cv2.RotatedRect(middle, size, float(rng.normal(0, 12)))
    mask = np.zeros((height, width), np.uint8)
    if rng.random() < 0.3:
        cv2.ellipse(mask, turned, 1, -1)
    else:
        cv2.fillPoly(mask, [turned.points().astype(np.int32)], 1)
    shade = rng.uniform(0, 255, 3).astype(np.float32)
    grain = rng.normal(0, rng.uniform(0, 25), image.shape[:2]).astype(np.float32)[..., None]
    there = mask.astype(bool)
    return np.where(there[..., None], shade + grain, image).astype(np.float32), there


def moved(image: Floats, shown: Parts, rng: np.random.Generator) -> tuple[Floats, Parts]:
    """Another box around the same person: scaled, moved, stretched and turned a little."""
    height, width = shown.shape
    scale = float(np.exp(rng.normal(0.04, 0.13)))
    stretch = float(np.exp(rng.normal(0, 0.08)))
    turn, shear = rng.normal(0, 0.035), rng.normal(0, 0.03)
    matrix = np.array([[np.cos(turn), shear - np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = matrix @ np.diag([scale * stretch, scale])
    middle = np.array([width / 2, height / 2])
    to = middle + rng.normal(0, 0.05, 2) * (width, height)
    affine = np.column_stack([matrix, to - matrix @ middle]).astype(np.float32)
    edge = cv2.BORDER_REFLECT_101 if rng.random() < 0.5 else cv2.BORDER_REPLICATE
    image = cv2.warpAffine(image, affine, (width, height), flags=cv2.INTER_LINEAR, borderMode=edge)
    shown = cv2.warpAffine(
        shown.astype(np.uint8), affine, (width, height), flags=cv2.INTER_NEAREST, borderValue=NOBODY
    ).astype(np.int8)
    return image, shown


def hidden(image: Floats, shown: Parts, rng: np.random.Generator) -> tuple[Floats, Parts]:
    """Something in front of the person, which is none of its parts; it hides at most a third of it."""
    covered, there = boxed(image, rng)
    person = shown != NOBODY
    if (there & person).sum() > person.sum() / 3:
        return image, shown
    return covered, np.where(there, NOBODY, shown).astype(np.int8)


def developed(image: Floats, rng: np.random.Generator) -> Floats:
    """Another camera: light, colour, sharpness, noise and compression."""
    height, width = image.shape[:2]
    grey = image.mean(2, keepdims=True)
    image = grey + (image - grey) * rng.uniform(0.1, 1.7)
    image = (image - 128) * np.exp(rng.normal(0, 0.25)) + 128 + rng.normal(0, 20)
    image = image * np.exp(rng.normal(0, 0.08, 3)) * np.exp(rng.normal(0, 0.2))
    if rng.random() < 0.3:  # light from one side
        slope = np.linspace(-1, 1, height)[:, None] * rng.normal(0, 0.2)
        image = image * np.exp(slope + np.linspace(-1, 1, width)[None] * rng.normal(0, 0.2))[..., None]
    image = 255 * (image.clip(0, 255) / 255) ** np.exp(rng.normal(0, 0.25))
    image = image.astype(np.float32)
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.6), sigmaY=rng.uniform(0.3, 1.6))
    if rng.random() < 0.3:
        share = rng.uniform(0.35, 0.9)
        small = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        image = image + rng.normal(0, rng.uniform(1, 12), image.shape)
    if rng.random() < 0.5:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 95))]
        image = cv2.imdecode(cv2.imencode(".jpg", image.clip(0, 255).astype(np.uint8), quality)[1], 1)
    return np.asarray(image.clip(0, 255), np.float32)


def learn(seed: int, steps: int, pixels: NDArray[np.uint8], parts: Parts) -> PartNetwork:
    """A network that has seen ``steps`` batches."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = PartNetwork().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=0.1)
    begun, order, losses = time.monotonic(), np.empty(0, int), []
    for step in range(steps):
        if len(order) < BATCH:
            order = rng.permutation(len(pixels))
        chosen, order = order[:BATCH], order[BATCH:]
        images, shown = zip(*(changed(pixels[k], parts[k], rng) for k in chosen), strict=True)
        odds = network(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2))
        loss = functional.cross_entropy(odds, torch.from_numpy(np.stack(shown)).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 50 == 49:
            passed = time.monotonic() - begun
            print(f"{step + 1} of {steps}: loss {np.mean(losses):.3f}, {passed:.0f} s", flush=True)
            losses = []
    return network.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="file of weights to write")
    parser.add_argument("--seed", type=int, default=0, help="of beginning, order and changes (default: 0)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"batches of {BATCH} (default: {STEPS})")
    args = parser.parse_args()
    torch.set_num_threads(1)  # the same result everywhere
    cv2.setNumThreads(1)
    pixels, parts = rendered()
    print(f"{len(pixels):,} photographs", flush=True)
    network = learn(args.seed, args.steps, pixels, parts)
    found = network.state_dict().items()
    kept = {name: v.half().contiguous() for name, v in found if "num_batches" not in name}
    with atomic_path(args.out) as path:
        path.write_bytes(save(kept))
    print(f"{sum(v.numel() for v in kept.values()):,} numbers written: {args.out}")


if __name__ == "__main__":
    main()
