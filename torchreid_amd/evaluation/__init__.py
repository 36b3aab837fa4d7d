"""How good a decomposition is, with what chance and a prior would give beside it."""

from torchreid_amd.attributes.exclusive import pair_labels
from torchreid_amd.evaluation.completeness import ADRE, relative_error
from torchreid_amd.evaluation.data.decomposed_images import DecomposedImages
from torchreid_amd.evaluation.naming.attribute_scores import AttributeScores
from torchreid_amd.evaluation.naming.chance import prior_shares, random_average_precision, random_hits
from torchreid_amd.evaluation.naming.ranked_pairs import (
    RankedPairs,
    common_average_precision,
    common_hits,
    exclusive_average_precision,
    exclusive_hits,
    rank_pairs,
)
from torchreid_amd.evaluation.pairs.pair_scores import PairScores
from torchreid_amd.evaluation.pairs.record import DecompositionScores
from torchreid_amd.evaluation.pairs.score_pairs import evaluate_decomposition, score_pairs
from torchreid_amd.evaluation.report.tables import score_table
from torchreid_amd.evaluation.retrieval import GalleryRankCorrelation, Retrieval
from torchreid_amd.evaluation.statistics import Mean, spearman

__all__ = [
    "ADRE",
    "AttributeScores",
    "DecomposedImages",
    "DecompositionScores",
    "GalleryRankCorrelation",
    "Mean",
    "PairScores",
    "RankedPairs",
    "Retrieval",
    "common_average_precision",
    "common_hits",
    "evaluate_decomposition",
    "exclusive_average_precision",
    "exclusive_hits",
    "pair_labels",
    "prior_shares",
    "random_average_precision",
    "random_hits",
    "rank_pairs",
    "relative_error",
    "score_pairs",
    "score_table",
    "spearman",
]
