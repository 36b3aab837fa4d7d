"""The colours of attention maps from their low end to their high one, below a figure."""

from __future__ import annotations

import numpy as np
from PIL import Image

from torchreid_amd.core.language import say
from torchreid_amd.explanation.report.layout import FAINT, Sheet
from torchreid_amd.explanation.report.overlay import Scale, tint
from torchreid_amd.explanation.report.text import number


def draw_scale(sheet: Sheet, scale: Scale, left: float, top: float, width: float, size: float = 8) -> None:
    """Draw it.

    Args:
        sheet: the figure.
        scale: of every map on it.
        left, top, width: in inches.
        size: of the words, in points.
    """
    flat = scale.high == scale.low
    low, high = (scale.low - 0.5, scale.high + 0.5) if flat else (scale.low, scale.high)
    axes = sheet.axes(left, top, width, 0.12 * size / 8, label="colour scale")
    ramp = np.full((1, 256), scale.low) if flat else np.linspace(low, high, 256)[None]
    ground = Image.new("RGBA", (256, 1), (165, 165, 165, 255))
    colours = Image.alpha_composite(ground, tint(ramp, scale))
    axes.imshow(np.asarray(colours), extent=(low, high, 0, 1), aspect="auto")
    axes.set_yticks([])
    ticks = [scale.low] if flat else list(np.linspace(low, high, 3))
    tiny = 1e-3 * (high - low)
    axes.set_xticks(ticks, [number(0 if abs(t) < tiny else t) for t in ticks])
    axes.tick_params(labelsize=size - 0.5, colors=FAINT, length=2, pad=2)
    axes.spines[:].set(linewidth=0.5, color=FAINT)
    axes.set_xlabel(say("figure.scale"), fontsize=size, color=FAINT, labelpad=2)
