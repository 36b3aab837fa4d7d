"""The whole distance as one stacked bar in a figure."""

from __future__ import annotations

from torchreid_amd.account.account import Account
from torchreid_amd.attributes.parts import REST
from torchreid_amd.explanation.report.layout import FAINT, INK, PART_COLOURS, Sheet, shorten, text_width
from torchreid_amd.explanation.report.text import percent

HEIGHT = 1.05  #: inches that it takes, legend included
_BAR = 0.34


def draw_account(sheet: Sheet, account: Account, left: float, top: float, width: float) -> None:
    """Draw an account: a segment for each row that adds, parts named below, what takes away in words.

    Args:
        sheet: the figure.
        account: of a distance above 0.
        left, top, width: of the bar, in inches.
    """
    adding = [row for row in account.rows if row.contribution > 0]
    whole = sum(row.contribution for row in adding)
    axes = sheet.axes(left, top, width, _BAR, label="account")
    start = 0.0
    for row in adding:
        size = row.contribution / whole
        rest = not row.what and row.part != REST
        axes.barh(
            0, size, left=start, height=1, color=PART_COLOURS[row.part], edgecolor="white",
            linewidth=0.8, alpha=0.62 if rest else 1,
        )  # fmt: skip
        words = shorten(f"{row.words} {percent(row.share)}", 7.5, size * width - 0.08)
        if row.counts and size * width > 0.5:
            axes.text(
                start + size / 2,
                0,
                words,
                ha="center",
                va="center",
                size=7.5,
                color="white",
                parse_math=False,
            )
        start += size
    axes.set(xlim=(0, 1), ylim=(-0.5, 0.5))
    axes.axis("off")
    at = left
    for part, value in account.by_part().items():
        said = f"{part} {percent(value / account.distance)}"
        sheet.text(at, top + _BAR + 0.09, "■", 9, color=PART_COLOURS[part])
        sheet.text(at + 0.17, top + _BAR + 0.1, said, 8.5, color=INK)
        at += 0.17 + text_width(said, 8.5) + 0.22
    sheet.text(
        left,
        top + _BAR + 0.34,
        "by swapping parts between the photographs; paler: the rest of a part",
        7.5,
        color=FAINT,
    )
