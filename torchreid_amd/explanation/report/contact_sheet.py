"""The contact sheet of an interpreter: each attribute's mean map on persons with it and without it."""

from __future__ import annotations

import os
from math import ceil

import numpy as np
from matplotlib.figure import Figure

from torchreid_amd.core.language import say
from torchreid_amd.explanation.mean_maps import MeanMaps
from torchreid_amd.explanation.report.layout import FAINT, Sheet, save_figure, widest_aspect, wrap
from torchreid_amd.explanation.report.overlay import muted, shared_scale, thumbnail, tint
from torchreid_amd.explanation.report.scale_bar import draw_scale
from torchreid_amd.interpreter.maps import array_at_size

MARGIN, GAP, BETWEEN = 0.3, 0.04, 0.22  # inches: around all, inside an attribute, between two
HEADER, PANEL, BELOW, FOOTER = 0.85, 1.5, 0.5, 0.55
PER_ROW = 6
PIXELS = 320


def contact_sheet(m: MeanMaps, path: str | os.PathLike[str] | None = None) -> Figure:
    """Draw mean maps over the mean photograph, all on one colour scale.

    Left of an attribute's two panels are persons with it, right those without it; below each is what
    that means and how many photographs it is the mean of. Where there is no such person the panel is grey.

    Args:
        m: of :func:`~torchreid_amd.explanation.mean_maps.mean_maps`.
        path: also save it there (.png, .pdf, .svg, …).

    Returns:
        A figure that belongs to no global state.

    Raises:
        InputError: the file cannot be written, or its ending names no known format.

    Example:
        >>> import torchreid_amd as amd
        >>> from PIL import Image
        >>> explainer = amd.Explainer(amd.create_interpreter("osnet_x0_25", head="amd"), size=(64, 32))
        >>> found = amd.mean_maps(explainer, [Image.new("RGB", (32, 64), "red")], [{"upred": 1}])
        >>> figure = amd.contact_sheet(found)
    """
    ground = thumbnail(m.photograph, PIXELS, PIXELS)
    column = PANEL * widest_aspect([ground])
    block = 2 * column + GAP
    per_row = min(PER_ROW, len(m.schema))
    rows = ceil(len(m.schema) / per_row)
    width = max(2 * MARGIN + per_row * (block + BETWEEN) - BETWEEN, 5.0)
    row_height = PANEL + BELOW
    sheet = Sheet(width, HEADER + rows * row_height + FOOTER)
    sheet.text(MARGIN, 0.25, say("figure.maps"), 14, weight="bold")
    sheet.text(MARGIN, 0.55, say("figure.maps_below"), 9, color=FAINT)
    grey, size = muted(ground), (ground.height, ground.width)
    fine = array_at_size(m.maps.reshape(-1, *m.maps.shape[2:]), size, m.offset).reshape(2, -1, *size)
    there = [fine[s, k] for s, k in zip(*np.nonzero(m.counts), strict=True)]
    scale = shared_scale(there)
    for k, attribute in enumerate(m.schema.attributes):
        left = MARGIN + (k % per_row) * (block + BETWEEN)
        top = HEADER + (k // per_row) * row_height
        for place, yes in enumerate((1, 0)):
            x, count = left + place * (column + GAP), int(m.counts[yes, k])
            axes = sheet.photograph(x, top, column, PANEL, grey)
            axes.set_label(f"map {attribute} {yes}")
            if count:
                axes.imshow(np.asarray(tint(fine[yes, k], scale)), aspect="auto", interpolation="bilinear")
            lines = wrap(m.schema.say(attribute, bool(yes)), 7, column - 0.02)
            words = "\n".join([*lines, f"{count}"])
            sheet.text(x + column / 2, top + PANEL + 0.04, words, 7, ha="center", linespacing=1.1)
    draw_scale(sheet, scale, MARGIN, HEADER + rows * row_height + 0.05, 2.2)
    if path is not None:
        save_figure(sheet.figure, path)
    return sheet.figure
