"""A few rendered pedestrians."""

from __future__ import annotations

from pathlib import Path

from torchreid_amd.datasets.synthetic import render_dataset

TINY = {"train_ids": 4, "test_ids": 3, "images_per_id": 5}


def render_tiny(folder: Path) -> Path:
    """Render them under ``folder``; gives it."""
    render_dataset(folder, **TINY, workers=1)
    return folder


def images(root: Path) -> list[Path]:
    return sorted((root / "synthetic_attr").glob("*/*/*.jpg"))
