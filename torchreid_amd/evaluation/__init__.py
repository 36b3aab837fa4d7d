"""How good a decomposition is, with what chance and a prior would give beside it."""

from torchreid_amd.evaluation.adre import ADRE, relative_error
from torchreid_amd.evaluation.attribute_scores import AttributeScores
from torchreid_amd.evaluation.baselines import prior_shares, random_average_precision, random_hits
from torchreid_amd.evaluation.decomposed_images import DecomposedImages
from torchreid_amd.evaluation.decomposition import evaluate_decomposition, score_pairs
from torchreid_amd.evaluation.decomposition_scores import DecompositionScores
from torchreid_amd.evaluation.mean import Mean
from torchreid_amd.evaluation.pair_scores import PairScores
from torchreid_amd.evaluation.rank_correlation import GalleryRankCorrelation, spearman
from torchreid_amd.evaluation.ranked_pairs import (
    RankedPairs,
    common_average_precision,
    common_hits,
    exclusive_average_precision,
    exclusive_hits,
    pair_labels,
    rank_pairs,
)
from torchreid_amd.evaluation.retrieval import Retrieval
from torchreid_amd.evaluation.scores_table import score_table

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
