"""Explains the distance of two photographs from an exported file: NumPy, Pillow and onnxruntime, no PyTorch.

    torchreid-amd export RUN interpreter.onnx
    python examples/explain_with_numpy.py interpreter.onnx a.jpg b.jpg

Prints the distance, what each attribute adds to it, and what belongs to none. This file imports nothing of
torchreid_amd, so that it can be copied to where a camera is.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image


def read(path: str, about: dict) -> np.ndarray:
    """A photograph as the model's input (1, 3, H, W)."""
    height, width = about["size"]
    image = Image.open(path).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, np.float32) / 255
    normalised = (pixels - np.float32(about["norm_mean"])) / np.float32(about["norm_std"])
    return normalised.transpose(2, 0, 1)[None]


def unit(values: np.ndarray, by: np.ndarray | None = None) -> np.ndarray:
    """Vectors divided by the length of ``by``, or of themselves."""
    length = np.linalg.norm(values if by is None else by, axis=-1, keepdims=True)
    return values / np.maximum(length, 1e-12)


def distance_of(a: np.ndarray, b: np.ndarray, metric: str) -> np.ndarray:
    """The distance of vectors along the last axis."""
    if metric == "cosine":
        return 1 - (unit(a) * unit(b)).sum(-1)
    squared = np.square(a - b).sum(-1)
    return squared if metric == "squared_euclidean" else np.sqrt(squared)


def contributions(about: dict, embeddings: np.ndarray, components: np.ndarray) -> tuple[np.ndarray, float]:
    """What each attribute adds to the distance (M,), and what belongs to none.

    Args:
        about: metric and form, out of the exported file.
        embeddings: (2, D).
        components: (2, M, D).
    """
    metric, form = about["metric"], about["form"]
    if form != "additive":
        parts = distance_of(components[0], components[1], metric)
        return (parts / len(parts) if form == "mean" else parts), 0.0
    if metric == "cosine":
        components = unit(components, by=embeddings[:, None])
        embeddings = unit(embeddings)
    delta, steps = embeddings[0] - embeddings[1], components[0] - components[1]
    squared = float(delta @ delta)
    scale = {"cosine": 0.5, "squared_euclidean": 1.0}.get(metric, 1 / np.sqrt(squared) if squared else 0.0)
    return steps @ delta * scale, float((delta - steps.sum(0)) @ delta) * scale


def main(model: str, *photographs: str) -> None:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    about = json.loads(session.get_modelmeta().custom_metadata_map["torchreid_amd"])
    images = np.concatenate([read(path, about) for path in photographs])
    embeddings, maps, components = session.run(["embedding", "maps", "components"], {"images": images})
    distance = float(distance_of(embeddings[0], embeddings[1], about["metric"]))
    values, remainder = contributions(about, embeddings, components)
    print(f"{about['metric']} distance {distance:.6g}; maps of {maps.shape[2]}×{maps.shape[3]} cells")
    for k in np.argsort(-np.abs(values), kind="stable")[:5]:
        print(f"{values[k]:+.6f}  {about['words'][k]}")
    print(f"{remainder:+.6f}  what belongs to no attribute")
    print(f"{distance - values.sum() - remainder:+.6f}  what is not explained")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python examples/explain_with_numpy.py MODEL.onnx A.jpg B.jpg")
    main(*sys.argv[1:])
