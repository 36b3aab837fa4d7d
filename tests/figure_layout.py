"""What every figure keeps to: all of it is inside, and nothing lies over anything else."""

from __future__ import annotations

import itertools
from typing import Any

from matplotlib.figure import Figure


def inside(figure: Figure) -> list[Any]:
    """Check that everything is inside the figure; the boxes of its words."""
    figure.draw_without_rendering()
    whole = figure.bbox
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1
    return [t.get_window_extent() for t in figure.texts if t.get_text().strip()]


def apart(boxes: list[Any]) -> None:
    """Check that no box lies over another."""
    for one, other in itertools.combinations(boxes, 2):
        width = min(one.x1, other.x1) - max(one.x0, other.x0)
        height = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert min(width, height) < 2, (one, other)  # pixels
