"""What a notebook shows of an explanation: photographs, one sentence and the bar; no script."""

from __future__ import annotations

from torchreid_amd.explanation.pair import ExplainedPair
from torchreid_amd.explanation.ranking import RankedGallery
from torchreid_amd.explanation.report.bar import bar_of
from torchreid_amd.explanation.report.lead import lead
from torchreid_amd.explanation.report.page import fragment, picture_uri
from torchreid_amd.explanation.report.text import by_order, distance_sentence, match_words, short_names

PICTURE = 256  #: pixels along the longer side of a photograph
FEW = 10  #: photographs of a ranking that are shown


def pair_cell(e: ExplainedPair) -> str:
    """HTML of an explanation, to stand in a cell."""
    sides = zip("AB", short_names(e.names), e.images, strict=True)
    return fragment(
        "cell_pair.html",
        sides=[{"letter": n, "name": name, "picture": picture_uri(i, PICTURE)} for n, name, i in sides],
        lead=lead(e),
        distance=distance_sentence(e),
        bar=bar_of(e),
    )


def ranking_cell(r: RankedGallery) -> str:
    """HTML of the nearest few of a ranking, to stand in a cell."""
    nearest = list(zip(r, r.matches, strict=True))[:FEW]
    return fragment(
        "cell_ranking.html",
        query=picture_uri(r.query, PICTURE),
        by=by_order(r),
        shown=len(nearest),
        gallery=r.searched,
        cards=[
            {
                "rank": n,
                "distance": e.distance,
                "picture": picture_uri(e.images[1], PICTURE),
                "same": same,
                "match": match_words(same),
                "lead": lead(e),
            }
            for n, (e, same) in enumerate(nearest, 1)
        ],
    )
