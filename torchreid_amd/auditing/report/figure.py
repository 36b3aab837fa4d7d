"""An audit as a figure: mean accounts as stacked bars, attributes as points with their intervals."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from torchreid_amd.attributes.parts import REST
from torchreid_amd.auditing.attributes import AttributeFinding
from torchreid_amd.auditing.findings import Findings
from torchreid_amd.auditing.record import AuditRecord
from torchreid_amd.auditing.report.summary import size
from torchreid_amd.auditing.report.words import kind_name, model_names, whole
from torchreid_amd.core.language import listed, local_number, say
from torchreid_amd.explanation.report.layout import FAINT, INK, PART_COLOURS, Sheet, shorten, text_width
from torchreid_amd.explanation.report.pieces import part_name

WIDTH, LEFT, ROW, MARGIN = 7.2, 2.1, 0.27, 0.2  #: inches
MODELS = (("o", INK), ("s", "#b5472a"))  #: marker and colour of the first and the second model


def draw_audit(a: AuditRecord) -> Figure:
    """The figure of an audit, white, 7.2 inches wide."""
    names = model_names(a)
    bars = [(kind, n) for kind in a.findings.kinds for n, found in enumerate(a.models) if kind in found.kinds]
    effects = sorted(a.findings.attributes, key=size)
    top = 0.6
    below = top + ROW * len(bars) + 0.55
    height = below + (0.45 + ROW * len(effects) + 0.5 if effects else 0.0) + 0.1
    sheet = Sheet(WIDTH, height)
    sheet.text(
        MARGIN,
        0.15,
        shorten(say("audit.figure.accounts", models=listed(names)), 10.5, WIDTH - 2 * MARGIN),
        10.5,
    )
    _bars(sheet, a, bars, top)
    _key(sheet, a, top + ROW * len(bars) + 0.12)
    if effects:
        _effects(sheet, a, effects, below)
    return sheet.figure


def _bars(sheet: Sheet, a: AuditRecord, bars: list[tuple[str, int]], top: float) -> None:
    axes = sheet.axes(LEFT, top, WIDTH - LEFT - MARGIN, ROW * len(bars), label="accounts")
    for row, (kind, n) in enumerate(bars):
        mean = a.models[n].kinds[kind]
        words = kind_name(kind) if n == 0 else say("audit.figure.second")
        sheet.text(LEFT - 0.1, top + ROW * row + 0.07, words, 8, ha="right", color=INK if n == 0 else FAINT)
        start = 0.0
        for part, one in mean.parts.items():
            share = max(one.value or 0.0, 0.0)
            axes.barh(
                row,
                share,
                left=start,
                height=0.78,
                color=PART_COLOURS[part],
                edgecolor="white",
                linewidth=0.8,
            )
            if share > 0.075:
                colour = INK if part == REST else "white"
                axes.text(
                    start + share / 2, row, whole(one.value), ha="center", va="center", size=7.5, color=colour
                )
            start += share
            if one.interval is not None and start < 0.999:
                low, high = (start - share + end for end in one.interval)
                axes.plot(
                    [low, high], [row + 0.3, row + 0.3], color=INK, linewidth=0.9, solid_capstyle="butt"
                )
    axes.set(xlim=(0, 1.02), ylim=(len(bars) - 0.5, -0.5))
    axes.axis("off")


def _key(sheet: Sheet, a: AuditRecord, top: float) -> None:
    left = MARGIN
    for part in dict.fromkeys(p for found in a.models for mean in found.kinds.values() for p in mean.parts):
        sheet.text(left, top - 0.01, "■", 9, color=PART_COLOURS[part])
        sheet.text(left + 0.16, top, part_name(part), 8)
        left += 0.16 + text_width(part_name(part), 8) + 0.2
    sheet.text(left, top, "—", 8)
    sheet.text(left + 0.16, top, say("audit.figure.interval"), 8, color=FAINT)


def _effects(sheet: Sheet, a: AuditRecord, effects: list[AttributeFinding], top: float) -> None:
    by_account = any(f.effect is not None for f in effects)
    said = say("audit.figure.effects") if by_account else say("audit.figure.gains")
    sheet.text(MARGIN, top, said, 9)
    axes = sheet.axes(LEFT, top + 0.32, WIDTH - LEFT - MARGIN - 0.2, ROW * len(effects), label="attributes")
    for row, finding in enumerate(effects):
        words = shorten(f"{finding.words} ({finding.pairs})", 8, LEFT - 0.3)
        sheet.text(LEFT - 0.1, top + 0.32 + ROW * row + 0.08, words, 8, ha="right")
        for n, found in enumerate(a.models):
            _point(axes, found, finding.name, row + (n - (len(a.models) - 1) / 2) * 0.32, n)
    axes.axvline(0, color=FAINT, linewidth=0.8)
    axes.set(ylim=(len(effects) - 0.5, -0.5), yticks=[])
    axes.tick_params(labelsize=7.5, length=2, color=FAINT, labelcolor=INK)
    axes.xaxis.set_major_formatter(
        lambda value, _: say("number.percent", number=local_number(f"{100 * value:.0f}"))
    )
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.spines["bottom"].set(color=FAINT, linewidth=0.6)
    for row in range(len(effects)):
        axes.axhline(row + 0.5, color="#e3e7ea", linewidth=0.5)


def _point(axes: Axes, found: Findings, name: str, row: float, n: int) -> None:
    finding = next((f for f in found.attributes if f.name == name), None)
    one = None if finding is None else finding.effect or finding.part_gain
    if one is None or one.value is None:
        return
    marker, colour = MODELS[n]
    axes.plot(one.value, row, marker, color=colour, markersize=4)
    if one.interval is not None:
        axes.plot(one.interval, [row, row], color=colour, linewidth=1.2)
