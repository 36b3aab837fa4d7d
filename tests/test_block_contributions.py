"""Contributions of a block, finished in parts, beside those of all pairs at once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from torchreid_amd.core.room import Room
from torchreid_amd.evaluation.pairs.block_contributions import BlockContributions
from torchreid_amd.interpreter.contributions import FORMS, contributions_matrix, decomposed_matrix
from torchreid_amd.interpreter.distances import DISTANCES, get_distance
from torchreid_amd.interpreter.factored import Factored


def sides(factored: bool) -> tuple[tuple[Tensor, Tensor | Factored], tuple[Tensor, Tensor | Factored]]:
    """5 and 7 images with M = 3 and D = 4."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(3, 4, generator=generator)

    def side(count: int) -> tuple[Tensor, Tensor | Factored]:
        embedding = torch.randn(count, 4, generator=generator)
        if factored:
            return embedding, Factored(torch.randn(count, 3, generator=generator), directions)
        return embedding, torch.randn(3, count, 4, generator=generator)

    return side(5), side(7)


@pytest.mark.parametrize("factored", [False, True])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("metric", DISTANCES)
def test_parts_of_a_block_make_up_the_whole(metric: str, form: str, factored: bool) -> None:
    a, b = sides(factored)
    block = BlockContributions(get_distance(metric), form, a, b, list(DISTANCES), Room())
    sizes = torch.empty(3, 5, 7)
    for q in (slice(0, 2), slice(2, 5)):
        for g in (slice(0, 6), slice(6, 7)):
            out = torch.empty(sizes[:, q, g].shape)
            block.finish(q, g, out)
            sizes[:, q, g] = out
    parts, rest = contributions_matrix(get_distance(metric), form, a, b)
    torch.testing.assert_close(sizes * block.scale, parts.abs(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(block.whole * block.scale, parts.sum(0), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(block.rest.expand_as(rest), rest, rtol=1e-5, atol=1e-5)
    added_up = []
    for other in DISTANCES:
        whole = block.decomposed(other)
        if whole is not None:
            added_up.append(other)
            expected = decomposed_matrix(get_distance(other), form, a, b)
            torch.testing.assert_close(whole, expected, rtol=1e-5, atol=1e-5)
    many = {"euclidean": ["squared_euclidean", "cosine"], "squared_euclidean": ["cosine"], "cosine": []}
    additive = ["squared_euclidean"] if metric == "euclidean" else []
    assert added_up == (additive if form == "additive" else many[metric])


def test_two_of_one_embedding_are_not_apart_in_squares_either() -> None:
    # Δ = 0 and (3, 4): the squared distance is 0 and 25, of which the one component (1, 0) makes up 0 and 3
    a = torch.tensor([[3.0, 4.0]]), torch.tensor([[[1.0, 0.0]]])
    b = torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.tensor([[[0.5, 0.0], [0.0, 0.0]]])
    block = BlockContributions(get_distance("euclidean"), "additive", a, b, ["squared_euclidean"], Room())
    block.finish(slice(None), slice(None), torch.empty(1, 1, 2))
    torch.testing.assert_close(block.decomposed("squared_euclidean"), torch.tensor([[0.0, 25.0]]))
    torch.testing.assert_close(block.whole * block.scale, torch.tensor([[0.0, 3 / 5]]))


def test_components_of_no_length_have_no_angle() -> None:
    # 1 − cos is 1 where a component vanishes, as it is where torch normalises it
    zero, other = torch.zeros(1, 1, 2), torch.tensor([[[3.0, 4.0]]])
    block = BlockContributions(
        get_distance("euclidean"), "sum", (zero[0], zero), (other[0], other), ["cosine"], Room()
    )
    out = torch.empty(1, 1, 1)
    block.finish(slice(None), slice(None), out)
    assert out.item() == 5 and block.decomposed("cosine") == 1
