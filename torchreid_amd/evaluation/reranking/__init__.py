"""Re-ranking by what is seen: fitted on labelled people, chosen on those held out, scored."""

from torchreid_amd.evaluation.reranking.choice import STRENGTHS, fit, fit_reranker
from torchreid_amd.evaluation.reranking.record import reranking_record, score_reranker
from torchreid_amd.gallery.people import LabelledPeople, labelled_folder, people_of_run
from torchreid_amd.gallery.ranked import Reranked, rank
from torchreid_amd.gallery.rerank import Choice, Reranker, k_reciprocal

__all__ = [
    "STRENGTHS",
    "Choice",
    "LabelledPeople",
    "Reranked",
    "Reranker",
    "fit",
    "fit_reranker",
    "k_reciprocal",
    "labelled_folder",
    "people_of_run",
    "rank",
    "reranking_record",
    "score_reranker",
]
