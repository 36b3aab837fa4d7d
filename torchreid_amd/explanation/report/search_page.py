"""The page of a search by attributes: a card for each photograph, and how probable what was asked for is."""

from __future__ import annotations

import os
from pathlib import Path

from torchreid_amd.core.files import save_text
from torchreid_amd.core.images import read_image
from torchreid_amd.core.language import say
from torchreid_amd.core.progress_bar import progress
from torchreid_amd.explanation.report.page import picture_uri, render
from torchreid_amd.explanation.report.ranking_page import PICTURE
from torchreid_amd.gallery.asked import Found


def search_page(found: Found, topk: int = 10) -> str:
    """A self-contained page (HTML) of what was found.

    Args:
        found: photographs that are files.
        topk: how many are shown.

    Raises:
        InputError: a photograph cannot be read any more.
    """
    shown = progress(found.order[:topk], "writing the page")
    cards = [
        {
            "place": place,
            "score": float(found.scores[i]),
            "picture": picture_uri(read_image(found.names[i]), PICTURE),
            "name": found.names[i],
            "file": Path(found.names[i]).name,
            "each": found.each(i),
        }
        for place, i in enumerate(shown, 1)
    ]
    question = found.question[0].upper() + found.question[1:]
    return render(
        "search.html",
        (),
        tab=say("search.tab", question=found.question),
        question=question,
        cards=cards,
        gallery=len(found),
    )


def save_search_page(found: Found, path: str | os.PathLike[str], topk: int = 10) -> None:
    """Write :func:`search_page` to a file; whole, or what stood there stays.

    Raises:
        InputError: as :func:`search_page`, or the file cannot be written.
    """
    save_text(search_page(found, topk), path)
