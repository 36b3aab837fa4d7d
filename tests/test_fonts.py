"""Figures in any script, and text that no terminal or font can show."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from PIL import Image

from torchreid_amd.core.printable import forgiving_streams, printable
from torchreid_amd.explanation.report import fonts
from torchreid_amd.explanation.report.layout import Sheet, save_figure, text_width

HAT = "帽"


def write_font(path: Path, character: str) -> Path:
    """A font of one character, a square."""
    pen = TTGlyphPen(None)
    for point in ((0, 0), (0, 1000), (1000, 1000), (1000, 0)):
        (pen.lineTo if pen.points else pen.moveTo)(point)
    pen.closePath()
    square = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "square"])
    builder.setupCharacterMap({ord(character): "square"})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "square": square})
    builder.setupHorizontalMetrics({".notdef": (1000, 0), "square": (1000, 0)})
    builder.setupHorizontalHeader(ascent=1000, descent=0)
    builder.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path


def drawn(tmp_path: Path, words: str) -> bytes:
    sheet = Sheet(2, 1)
    sheet.text(0.1, 0.1, words, 20)
    save_figure(sheet.figure, tmp_path / "x.png")
    return Image.open(tmp_path / "x.png").convert("RGB").tobytes()


@pytest.fixture(autouse=True)
def _only_the_figures_own_font(monkeypatch: pytest.MonkeyPatch) -> None:
    own = [e for e in font_manager.fontManager.ttflist if e.name == "DejaVu Sans"]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    fonts._others.cache_clear()


def test_a_script_without_a_font_names_the_file_once_and_warns_of_no_glyph(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn(tmp_path, f"{HAT}子 hat")
    assert caplog.messages == [
        "no font of this machine has “子帽”; boxes are drawn instead: install NotoSansCJK-Regular.ttc"
    ]


def test_another_font_of_the_machine_stands_in(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    box = drawn(tmp_path, f"{HAT} hat")
    caplog.clear()
    fonts._others.cache_clear()
    font_manager.fontManager.addfont(write_font(tmp_path / "squares.ttf", HAT))
    square = drawn(tmp_path, f"{HAT} hat")
    assert not caplog.messages and square != box
    assert square.count(b"\x1f\x23\x28") > 3 * box.count(b"\x1f\x23\x28") > 0  # a full square of ink


def test_width_of_a_wide_script_is_about_an_em_each() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert text_width(HAT * 10, 72) == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize(
    ("character", "file"),
    [("ガ", "NotoSansCJK-Regular.ttc"), ("ก", "NotoSansThai-Regular.ttf"), ("🎒", "NotoEmoji-Regular.ttf")],
)
def test_the_missing_font_is_named_by_script(character: str, file: str) -> None:
    assert fonts.font_file_for(character) == file


def test_what_cannot_be_shown_is_replaced() -> None:
    assert printable("caf\udce9\n.jpg") == "caf\ufffd\ufffd.jpg"
    assert printable("帽 “hat”") == "帽 “hat”"


def test_a_terminal_that_lacks_a_letter_gets_a_question_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    forgiving_streams()
    print("“hat” 帽 \udce9", flush=True)
    assert stream.buffer.getvalue() == b"?hat? ? ?\n"  # type: ignore[attr-defined]


def test_the_command_in_the_c_locale(tmp_path: Path) -> None:
    """A message with quotes, an ellipsis and a name that is not UTF-8, on a terminal of ASCII."""
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [
        sys.executable,
        "-m",
        "torchreid_amd.cli",
        "explain",
        os.fsencode(tmp_path) + b"/\xe9",
        "…",
        "“",
    ]
    result = subprocess.run(command, env=environment, capture_output=True)
    assert result.returncode == 2 and result.stderr.count(b"\n") == 1, result.stderr
