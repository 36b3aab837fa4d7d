"""Figures of an evaluation: where maps fall, what contributions say, what removing pixels does."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from torchreid_amd.evaluation.baselines.titles import ORDERS
from torchreid_amd.explanation.report.layout import COLOURS, FAINT, INK, Sheet, save_figure

UNSEEN = "#c9ced3"  # behind the cells of the confusion matrix
GROUPED = "#2e8b57"  # points of groups of attributes in the calibration plot
CELL = 0.24  # inches of a cell of the confusion matrix
LINES = {"interpreter": COLOURS[1], "activation": COLOURS[0], "random": COLOURS[-1]}


def save_score_figures(
    record: Mapping[str, Any], attributes: Sequence[str], folder: str | os.PathLike[str], name: str
) -> list[Path]:
    """Draw what a data set's record has: ``NAME_confusion.png``, ``_calibration.png``, ``_curves.png``.

    Args:
        record: what ``scores.json`` holds for it.
        attributes: M names.
        folder: where to.
        name: the data set.

    Returns:
        The files.
    """
    draw: dict[str, tuple[str, Callable[[Any], Figure]]] = {
        "place": ("confusion", lambda place: draw_confusion(place["confusion"], attributes)),
        "effect": ("calibration", draw_calibration),
        "removal": ("curves", draw_curves),
    }
    written = []
    for part, (what, make) in draw.items():
        if record.get(part) and (part != "effect" or record[part]["points"]):
            path = Path(folder) / f"{name}_{what}.png"
            save_figure(make(record[part]), path)
            written.append(path)
    return written


def draw_confusion(table: Sequence[Sequence[float | None]], attributes: Sequence[str]) -> Figure:
    """How much denser each attribute's map is in each attribute's region than over the photograph.

    Args:
        table: (M, M) with 1 for chance, None where the two are never visible together.
        attributes: M names.
    """
    values = np.array([[np.nan if v is None else v for v in row] for row in table], dtype=float)
    count = len(attributes)
    left, top, side = 1.3, 1.75, CELL * count
    sheet = Sheet(left + side + 1.35, top + side + 0.75)
    sheet.text(0.3, 0.22, "Where the maps fall", 14, weight="bold")
    sheet.text(
        0.3, 0.55, "density of a map in a region, 1 = as everywhere; frames: its own region", 9, color=FAINT
    )
    axes = sheet.axes(left, top, side, side, label="confusion")
    shown = np.log2(np.clip(values, 1e-3, None))
    far = max(0.5, float(np.nanpercentile(np.abs(shown), 98))) if np.isfinite(shown).any() else 1.0
    image = axes.imshow(shown, cmap="RdBu_r", vmin=-far, vmax=far, aspect="auto")
    axes.set_facecolor(UNSEEN)
    for k in range(count):
        for colour, line in (("white", 2.6), (INK, 1.2)):  # seen on light and on dark cells
            axes.add_patch(Rectangle((k - 0.42, k - 0.42), 0.84, 0.84, fill=False, ec=colour, lw=line))
    axes.set_xticks(range(count), attributes, rotation=90, fontsize=7.5)
    axes.set_yticks(range(count), attributes, fontsize=7.5)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, colors=INK)
    axes.set_xlabel("region", fontsize=9, color=FAINT)
    axes.set_ylabel("map", fontsize=9, color=FAINT)
    axes.spines[:].set_visible(False)
    bar = sheet.axes(left + side + 0.3, top, 0.14, side, label="colours")
    colours = sheet.figure.colorbar(image, cax=bar)
    ticks = [t for t in MaxNLocator(6).tick_values(-far, far) if -far <= t <= far]
    colours.set_ticks(ticks, labels=[f"× {2**t:.2g}" for t in ticks])
    colours.ax.tick_params(labelsize=7.5, colors=FAINT, length=2)
    colours.outline.set_visible(False)
    sheet.text(left, top + side + 0.32, "grey: never visible together", 8, color=FAINT)
    return sheet.figure


def draw_calibration(effect: Mapping[str, Any]) -> Figure:
    """Drop of the distance against contribution, for every re-rendered change, with both lines."""
    x, y, members = np.array(effect["points"], dtype=float).T
    row = effect["rows"]["interpreter"]["values"]
    sheet = Sheet(6.4, 5.6)
    sheet.text(0.35, 0.22, "What a contribution says, and what happens", 14, weight="bold")
    slope = "–" if row["slope"] is None else f"{row['slope']:.2f}"
    fit = "–" if row["r2"] is None else f"{row['r2']:.2f}"
    words = f"{effect['changes']} changes in {effect['pairs']} pairs; slope {slope}, R² {fit}"
    sheet.text(0.35, 0.55, words, 9, color=FAINT)
    axes = sheet.axes(0.85, 0.95, 5.2, 3.95, label="calibration")
    for some, colour, words in (
        (members == 1, COLOURS[0], "one attribute"),
        (members > 1, GROUPED, "attributes of a group together"),
    ):
        axes.scatter(x[some], y[some], s=10, color=colour, alpha=0.5, linewidths=0, zorder=2, label=words)
    reach = 1.03 * np.array([min(0.0, float(x.min())), max(0.0, float(x.max()))])
    axes.plot(reach, reach, color=FAINT, linewidth=1, linestyle=(0, (4, 3)), label="drop = contribution")
    if row["slope"] is not None:
        fitted = y.mean() + row["slope"] * (reach - x.mean())
        axes.plot(reach, fitted, color=COLOURS[1], linewidth=1.6, label="least squares")
    axes.axhline(0, color="#c9ced3", linewidth=0.8, zorder=1)
    _plain(axes, "contribution", "drop of the distance when the two agree")
    axes.legend(fontsize=8, frameon=False, loc="best")
    return sheet.figure


def draw_curves(removal: Mapping[str, Any]) -> Figure:
    """Removing above, inserting below; a column for each imputation."""
    imputations = list(removal["removing"])
    width, height = 2.5, 1.9
    sheet = Sheet(0.75 + len(imputations) * (width + 0.35) + 0.1, 1.15 + 2 * (height + 0.62))
    highest = max(
        value or 0.0
        for direction in ("removing", "inserting")
        for imputation in imputations
        for found in removal[direction][imputation].values()
        for value in found["curve"]
    )
    sheet.text(0.35, 0.22, "Removing and inserting pixels", 14, weight="bold")
    sheet.text(
        0.35,
        0.55,
        f"distance of {removal['pairs']} pairs as a share of what it was; in the legend the area",
        9,
        color=FAINT,
    )
    for row, direction in enumerate(("removing", "inserting")):
        for column, imputation in enumerate(imputations):
            left, top = 0.75 + column * (width + 0.35), 1.1 + row * (height + 0.62)
            axes = sheet.axes(left, top, width, height, label=f"{direction} {imputation}")
            for order, found in removal[direction][imputation].items():
                values = np.array([np.nan if v is None else v for v in found["curve"]], dtype=float)
                share = np.linspace(0, 1, len(values))
                area = f" {found['area']:.2f}" if found["area"] is not None else ""
                axes.plot(share, values, color=LINES[order], linewidth=1.6, label=ORDERS[order] + area)
            good = "low" if row == 0 else "high"
            axes.set_title(f"{direction}, {imputation} ({good} is good)", fontsize=9, color=INK, pad=4)
            _plain(axes, f"share of pixels {'removed' if row == 0 else 'inserted'}", "")
            axes.set_ylim(0, 1.04 * highest)
            axes.legend(fontsize=6.5, frameon=False, loc="best", handlelength=1.2)
    return sheet.figure


def _plain(axes: Axes, x: str, y: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color("#c9ced3")
    axes.grid(color="#eceff1", zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=7.5, colors=FAINT, length=2.5)
    axes.set_xlabel(x, fontsize=8, color=FAINT)
    axes.set_ylabel(y, fontsize=8, color=FAINT)
