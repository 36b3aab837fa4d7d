"""Components that are strengths times directions: the same numbers as multiplied out, everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from stored_features import write_photographs
from torch import Tensor

import torchreid_amd as amd
from torchreid_amd.core.errors import InputError
from torchreid_amd.evaluation.data.decomposed_images import DecomposedImages, decompose_batches
from torchreid_amd.evaluation.data.labelled_images import LabelledImages
from torchreid_amd.evaluation.data.stored_images import stored_images
from torchreid_amd.evaluation.pairs.pair_shares import block_shares
from torchreid_amd.evaluation.pairs.score_pairs import evaluate_decomposition
from torchreid_amd.explanation.explainer import Explainer
from torchreid_amd.gallery.layout import read_directions
from torchreid_amd.gallery.store import Store
from torchreid_amd.interpreter.contributions import (
    contributions_between,
    contributions_matrix,
    decomposed_matrix,
)
from torchreid_amd.interpreter.decomposition import Decomposition
from torchreid_amd.interpreter.distances import DISTANCES
from torchreid_amd.interpreter.factored import Factored

M, D = 4, 7


def drawn(rows: int, seed: int, directions: int = 9) -> tuple[Tensor, Factored]:
    generator = torch.Generator().manual_seed(seed)
    shared = torch.Generator().manual_seed(directions)
    factored = Factored(torch.rand(rows, M, generator=generator), torch.randn(M, D, generator=shared))
    return torch.randn(rows, D, generator=generator), factored


def side(rows: int, seed: int, *, dense: bool) -> DecomposedImages:
    embedding, parts = drawn(rows, seed)
    generator = torch.Generator().manual_seed(seed + 100)
    pids, cameras = (torch.randint(0, n, (rows,), generator=generator) for n in (5, 2))
    labels = torch.randint(0, 2, (5, M), generator=torch.Generator().manual_seed(1)).to(torch.int8)
    return DecomposedImages(embedding, parts.dense() if dense else parts, pids, cameras, labels[pids])


def test_by_hand() -> None:
    # Δ = (3, 4); s = (1, 0.5) and (0, 1): Δ_1 = 1 · (3, 0): 9; Δ_2 = −0.5 · (0, 2): −4; rest (0, 5): 20
    directions = torch.tensor([[3.0, 0.0], [0.0, 2.0]])
    a = torch.tensor([[4.0, 4.0]]), Factored(torch.tensor([[1.0, 0.5]]), directions)
    b = torch.tensor([[1.0, 0.0]]), Factored(torch.tensor([[0.0, 1.0]]), directions)
    parts, rest = contributions_matrix(DISTANCES["squared_euclidean"], "additive", a, b)
    assert parts.flatten().tolist() == [9.0, -4.0] and rest.tolist() == [[20.0]]
    parts, rest = contributions_matrix(DISTANCES["euclidean"], "additive", a, b)
    torch.testing.assert_close(parts.flatten(), torch.tensor([1.8, -0.8]))
    torch.testing.assert_close(rest, torch.tensor([[4.0]]))


@pytest.mark.parametrize("form", ["additive", "mean", "sum"])
@pytest.mark.parametrize("metric", DISTANCES)
@pytest.mark.parametrize("directions", [9, 8])  # the second: two sides of different directions
def test_contributions_are_those_of_the_components(metric: str, form: str, directions: int) -> None:
    distance, a, b = DISTANCES[metric], drawn(3, 0), drawn(5, 1, directions)
    parts, rest = contributions_matrix(distance, form, a, b)
    whole = decomposed_matrix(distance, form, a, b)
    shares = block_shares(distance, form, a, b)[1]
    for i in range(3):
        for j in range(5):
            one = (a[0][i : i + 1], a[1][i : i + 1].dense()), (b[0][j : j + 1], b[1][j : j + 1].dense())
            slow, left = contributions_between(distance, form, *one)
            torch.testing.assert_close(parts[:, i, j], slow[0], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(rest[i, j], left[0], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(whole[i, j], slow.sum() + left[0], rtol=1e-4, atol=1e-5)
            if form == "additive":  # else cosine leaves nothing but rounding of components that are parallel
                expected = slow[0].abs() / slow.abs().sum()
                torch.testing.assert_close(shares[i, j], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", ["additive", "mean"])
@pytest.mark.parametrize("metric", DISTANCES)
def test_scores_are_those_of_the_components(metric: str, form: str) -> None:
    found = [
        evaluate_decomposition(
            *(side(20, seed, dense=dense) for seed in (1, 2)),
            DISTANCES[metric],
            form,
            rates=[0.5] * M,
            others=list(DISTANCES.values()),
            memory=2**14,  # several blocks
        ).to_dict()
        for dense in (True, False)
    ]
    assert found[0]["pairs"] == found[1]["pairs"]
    for row in ("target", "interpreter"):
        assert found[1][row] == pytest.approx(found[0][row], rel=1e-4, abs=1e-3)


def test_some_of_the_images_and_some_of_the_attributes() -> None:
    images, dense = side(6, 3, dense=False), side(6, 3, dense=True)
    assert len(images) == 6 and images.num_attributes == M
    chosen = images.part(torch.tensor([4, 1])).select([2, 0]).with_distractors_as_no(1)
    wanted = dense.part(torch.tensor([4, 1])).select([2, 0]).components
    assert isinstance(chosen.components, Factored) and torch.equal(chosen.components.dense(), wanted)
    with pytest.raises(InputError, match="beside components of shape"):
        DecomposedImages(images.embedding[:, 1:], images.components, images.pids, images.camids)
    images.components.strengths[2, 1] = torch.nan  # type: ignore[union-attr]
    with pytest.raises(InputError, match="not finite"):
        images.block(slice(0, 4), torch.device("cpu"))


# -- of a head -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    """Head ``additive`` with directions that it would have learnt of random labels."""
    torch.manual_seed(0)
    interpreter = amd.create_interpreter("osnet_x0_25", head="additive", attributes=("hat", "bag", "red"))
    labels, embeddings = torch.randint(0, 2, (30, 3)), torch.rand(30, 512)
    interpreter.head.directions.update(labels, embeddings)
    return Explainer(interpreter, size=(64, 32), account=False)


def test_a_decomposition_has_the_factors(explainer: Explainer) -> None:
    interpreter = explainer.interpreter
    with torch.no_grad():
        out = interpreter(torch.rand(4, 3, 64, 32))
    assert out.strengths is not None and interpreter.directions is not None
    for some in (out, out[1], out[1:3], out.detach(), out.to("cpu"), Decomposition.cat([out[:1], out[1:]])):
        torch.testing.assert_close(Factored(some.strengths, interpreter.directions).dense(), some.components)
    unit = out.normalized()
    torch.testing.assert_close(Factored(unit.strengths, interpreter.directions).dense(), unit.components)
    assert Decomposition.cat([out, Decomposition(out.embedding, out.maps, out.components)]).strengths is None
    plain = amd.create_interpreter("osnet_x0_25", head="amd", attributes=("hat", "bag", "red"))
    with torch.no_grad():
        assert plain(torch.rand(1, 3, 64, 32)).strengths is None and plain.directions is None


@pytest.mark.parametrize("normalize", [False, True])
def test_an_evaluation_keeps_the_factors(explainer: Explainer, normalize: bool) -> None:
    images = torch.rand(5, 3, 64, 32, generator=torch.Generator().manual_seed(0))
    embedding, components = decompose_batches(explainer.decomposer, images.split(2), normalize)
    whole = explainer.decomposer.decompose(images)
    whole = whole.normalized() if normalize else whole
    assert isinstance(components, Factored)
    torch.testing.assert_close(components.dense(), whole.components, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(embedding, whole.embedding, rtol=1e-4, atol=1e-6)


# -- stored --------------------------------------------------------------------------------------


def test_a_store_holds_the_factors(explainer: Explainer, tmp_path: Path) -> None:
    photographs = write_photographs(tmp_path / "p", 4)
    amd.extract(explainer, photographs[:2], tmp_path / "g.h5", batch_size=2)
    store = amd.extract(explainer, photographs, tmp_path / "g.h5", batch_size=2)  # two are added
    whole = explainer.decomposer.decompose(explainer.decomposer.read(photographs))
    assert "strengths" in store and np.allclose(store.strengths, whole.strengths.numpy(), rtol=1e-5)
    assert np.allclose(store.components, whole.components.numpy(), rtol=1e-4, atol=1e-6)
    assert store.verify() == [] and store.path.stat().st_size < 4 * 512 * 3 * 2 + 4 * 512 * 4 + 12_000

    numbers = np.arange(4)
    people = LabelledImages(tuple(map(str, photographs)), numbers, numbers, np.ones((4, 3), np.int8))
    for normalize in (False, True):
        read = stored_images([store], people, normalize)
        wanted = whole.normalized() if normalize else whole
        assert isinstance(read.components, Factored)
        torch.testing.assert_close(read.components.dense(), wanted.components, rtol=1e-4, atol=1e-6)
    with pytest.raises(InputError, match="was made with components; give the same options"):
        amd.extract(explainer, photographs, tmp_path / "g.h5", components=False)
    alone = amd.extract(explainer, photographs, tmp_path / "alone.h5", components=False)
    with pytest.raises(InputError, match="made without components; extract it again without --no-components"):
        alone.check(alone.mark, whole=True)


def test_damaged_directions_are_told(explainer: Explainer, tmp_path: Path) -> None:
    photographs = write_photographs(tmp_path / "p", 2)
    path = amd.extract(explainer, photographs, tmp_path / "g.h5").path
    kept, where = path.read_bytes(), read_directions(path).tobytes()
    at = kept.index(where[:64])
    path.write_bytes(kept[:at] + bytes([kept[at] ^ 1]) + kept[at + 1 :])
    with pytest.raises(InputError, match="directions of the store '.*g.h5' are damaged .*extract it again"):
        Store(path).components  # noqa: B018


def test_a_store_of_components_multiplied_out_is_read_as_ever(explainer: Explainer, tmp_path: Path) -> None:
    """Files of version 1 have components of head ``additive`` too."""
    photographs = write_photographs(tmp_path / "p", 3)
    new = amd.extract(explainer, photographs, tmp_path / "new.h5")
    explainer.interpreter.__class__.directions, kept = None, explainer.interpreter.__class__.directions
    try:
        old = amd.extract(explainer, photographs, tmp_path / "old.h5")
    finally:
        explainer.interpreter.__class__.directions = kept
    assert (
        "components" in old
        and "strengths" not in old
        and json.loads(old.mark.to_json())["head"] == "additive"
    )
    numbers = np.arange(3)
    people = LabelledImages(tuple(map(str, photographs)), numbers, numbers, np.ones((3, 3), np.int8))
    by_old, by_both = stored_images([old], people), stored_images([new, old], people)
    for read in (by_old, by_both):
        assert isinstance(read.components, Tensor)
        assert np.allclose(read.components.numpy(), new.components, rtol=2e-3, atol=1e-4)
